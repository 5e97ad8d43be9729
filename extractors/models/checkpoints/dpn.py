"""Dual path networks: DPN68 to DPN131. Parameter names as in rwightman's port, which the AI City 2020 team uses.

Source: Chen et al., "Dual Path Networks", NIPS 2017, and its public definition. Outputs equal to those of
pretrainedmodels on random weights (68, 68b, 107); no trained checkpoint was at hand.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from extractors.models.checkpoints.resnet import Shapes
from extractors.models.checkpoints.shaped import conv, norm

EPS = 1e-3
STAGES = (2, 3, 4, 5)
Paths = tuple[Tensor, Tensor]  # what is added to, and what grows


class Convolved(nn.Module):
    """Normalization, ReLU, and convolution unless it is left out."""

    def __init__(self, shapes: Shapes, prefix: str, stride: int = 1, *, convolves: bool = True) -> None:
        super().__init__()
        self.bn = norm(shapes, f"{prefix}.bn", EPS)
        self.conv = None
        if convolves:
            self.conv = conv(shapes, f"{prefix}.conv", stride, into=self.bn.num_features)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(x).relu()
        return x if self.conv is None else self.conv(x)


class Stem(nn.Module):
    """Convolution of stride 2, normalization, pooling."""

    def __init__(self, shapes: Shapes, prefix: str) -> None:
        super().__init__()
        self.conv = conv(shapes, f"{prefix}.conv", 2)
        self.bn = norm(shapes, f"{prefix}.bn", EPS)
        self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.bn(self.conv(x)).relu())


class Block(nn.Module):
    """A bottleneck, the first channels of whose answer are added and the others appended.

    A stage's first block has a projection: of k + 2 i channels, where the bottleneck gives k + i.
    """

    def __init__(self, shapes: Shapes, prefix: str) -> None:
        super().__init__()
        strides = {f"c1x1_w_s{stride}": stride for stride in (1, 2)}
        self.projection = next((name for name in strides if f"{prefix}.{name}.conv.weight" in shapes), "")
        stride = strides.get(self.projection, 1)
        if self.projection:
            self.add_module(self.projection, Convolved(shapes, f"{prefix}.{self.projection}", stride))
        self.c1x1_a = Convolved(shapes, f"{prefix}.c1x1_a")
        self.c3x3_b = Convolved(shapes, f"{prefix}.c3x3_b", stride)
        self.apart = f"{prefix}.c1x1_c1.weight" in shapes  # DPN68b
        self.c1x1_c = Convolved(shapes, f"{prefix}.c1x1_c", convolves=not self.apart)
        if self.apart:
            self.c1x1_c1, self.c1x1_c2 = (conv(shapes, f"{prefix}.c1x1_c{place}") for place in (1, 2))

    def forward(self, paths: Paths | Tensor) -> Paths:
        x = paths if isinstance(paths, Tensor) else torch.cat(paths, 1)
        out = self.c1x1_c(self.c3x3_b(self.c1x1_a(x)))
        if self.projection:
            whole = self.get_submodule(self.projection)(x)
            kept = self.c1x1_c1.out_channels if self.apart else 2 * out.shape[1] - whole.shape[1]
            added, grown = whole[:, :kept], whole[:, kept:]
        else:
            added, grown = paths
        kept = added.shape[1]
        first, more = (self.c1x1_c1(out), self.c1x1_c2(out)) if self.apart else (out[:, :kept], out[:, kept:])
        return added + first, torch.cat([grown, more], 1)


class Last(nn.Module):
    """Both paths side by side, normalized."""

    def __init__(self, shapes: Shapes, prefix: str) -> None:
        super().__init__()
        self.bn = norm(shapes, f"{prefix}.bn", EPS)

    def forward(self, paths: Paths) -> Tensor:
        return self.bn(torch.cat(paths, 1)).relu()


class Dpn(nn.Module):
    """Images to the map after the last normalization."""

    def __init__(self, shapes: Shapes, prefix: str = "") -> None:
        super().__init__()
        at = f"{prefix}features"
        blocks: OrderedDict[str, nn.Module] = OrderedDict(conv1_1=Stem(shapes, f"{at}.conv1_1"))
        for stage in STAGES:
            block = 1
            while block == 1 or f"{at}.conv{stage}_{block}.c1x1_a.conv.weight" in shapes:
                blocks[f"conv{stage}_{block}"] = Block(shapes, f"{at}.conv{stage}_{block}")
                block += 1
        blocks["conv5_bn_ac"] = Last(shapes, f"{at}.conv5_bn_ac")
        self.features = nn.Sequential(blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)
