"""Inception v4. Parameter names as in Cadene's pretrained models, which the AI City 2020 team uses.

Source: Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", AAAI
2017, and its public definition. Outputs equal to those of pretrainedmodels on random weights; no trained
checkpoint was at hand.
"""

import torch
from torch import Tensor, nn

from extractors.models.checkpoints.resnet import Shapes
from extractors.models.checkpoints.shaped import conv, norm

PLAIN = (1, True)  # stride of a convolution, and whether it is padded
DOWN = (2, False)
TIGHT = (1, False)
How = tuple[int, bool]
Chain = tuple[How | str, ...]  # one after the other: convolutions, "mean"
BRANCHES: dict[str, tuple[Chain | str, ...]] = {  # "max": a pooling, which has no parameters
    "4a": ((PLAIN, TIGHT), (PLAIN, PLAIN, PLAIN, TIGHT)),
    "a": ((PLAIN,), (PLAIN, PLAIN), (PLAIN, PLAIN, PLAIN), ("mean", PLAIN)),
    "reduction a": ((DOWN,), (PLAIN, PLAIN, DOWN), "max"),
    "b": ((PLAIN,), (PLAIN, PLAIN, PLAIN), (PLAIN,) * 5, ("mean", PLAIN)),
    "reduction b": ((PLAIN, DOWN), (PLAIN, PLAIN, PLAIN, DOWN), "max"),
}
BLOCKS = ("3a", "4a", "5a", *"aaaa", "reduction a", *"bbbbbbb", "reduction b", *"ccc")  # after three convolutions


class Convolved(nn.Module):
    """Convolution, normalization, ReLU."""

    def __init__(self, shapes: Shapes, prefix: str, how: How = PLAIN) -> None:
        super().__init__()
        self.conv = conv(shapes, f"{prefix}.conv", how[0], padded=how[1])
        self.bn = norm(shapes, f"{prefix}.bn", 1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)).relu()


class Beside(nn.Module):
    """A convolution and a pooling, both of stride 2, side by side."""

    def __init__(self, shapes: Shapes, prefix: str, *, pooled_first: bool) -> None:
        super().__init__()
        self.pooled_first = pooled_first
        self.conv = Convolved(shapes, f"{prefix}.conv", DOWN)
        self.maxpool = nn.MaxPool2d(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.conv(x), self.maxpool(x)]
        return torch.cat(parts[::-1] if self.pooled_first else parts, 1)


class Branches(nn.Module):
    """Chains of convolutions side by side, ``branch0`` on."""

    def __init__(self, shapes: Shapes, prefix: str, kind: str) -> None:
        super().__init__()
        self.count = len(BRANCHES[kind])
        for place, chain in enumerate(BRANCHES[kind]):
            self.add_module(f"branch{place}", _chain(shapes, f"{prefix}.branch{place}", chain))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.get_submodule(f"branch{place}")(x) for place in range(self.count)], 1)


def _chain(shapes: Shapes, prefix: str, chain: Chain | str) -> nn.Module:
    if isinstance(chain, str):
        return nn.MaxPool2d(3, 2)
    if len(chain) == 1 and isinstance(chain[0], tuple):
        return Convolved(shapes, prefix, chain[0])
    return nn.Sequential(
        *(
            _mean() if isinstance(how, str) else Convolved(shapes, f"{prefix}.{place}", how)
            for place, how in enumerate(chain)
        )
    )


def _mean() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


class Forked(nn.Module):
    """The last kind: two of its branches end in a convolution of rows beside one of columns."""

    def __init__(self, shapes: Shapes, prefix: str) -> None:
        super().__init__()
        for name in ("0", "1_0", "1_1a", "1_1b", "2_0", "2_1", "2_2", "2_3a", "2_3b"):
            self.add_module(f"branch{name}", Convolved(shapes, f"{prefix}.branch{name}"))
        self.branch3 = nn.Sequential(_mean(), Convolved(shapes, f"{prefix}.branch3.1"))

    def _run(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self.get_submodule(f"branch{name}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        one, two = self._run(x, "1_0"), self._run(x, "2_0", "2_1", "2_2")
        forks = [self._run(one, "1_1a"), self._run(one, "1_1b"), self._run(two, "2_3a"), self._run(two, "2_3b")]
        return torch.cat([self._run(x, "0"), *forks, self.branch3(x)], 1)


class InceptionV4(nn.Module):
    """Images to the last map, 1536 channels as published."""

    def __init__(self, shapes: Shapes, prefix: str = "") -> None:
        super().__init__()
        stem = [
            Convolved(shapes, f"{prefix}features.{place}", how) for place, how in enumerate((DOWN, TIGHT, PLAIN))
        ]
        blocks = [_block(shapes, f"{prefix}features.{place}", kind) for place, kind in enumerate(BLOCKS, 3)]
        self.features = nn.Sequential(*stem, *blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


def _block(shapes: Shapes, prefix: str, kind: str) -> nn.Module:
    if kind in ("3a", "5a"):
        return Beside(shapes, prefix, pooled_first=kind == "3a")
    return Forked(shapes, prefix) if kind == "c" else Branches(shapes, prefix, kind)
