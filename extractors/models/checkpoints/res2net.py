"""Res2Net v1b. Parameter names as in its public code, which the AI City 2020 team uses.

Source: Gao et al., "Res2Net: A New Multi-scale Backbone Architecture", TPAMI 2021, and its public definition.
Outputs equal to timm's on random weights (101); no trained checkpoint was at hand.
"""

import torch
from torch import Tensor, nn

from extractors.models.checkpoints.resnet import Shapes
from extractors.models.checkpoints.shaped import conv, count, norm


class Block(nn.Module):
    """Channels in groups, each convolved after the one before was added; not so in a stage's first block."""

    def __init__(self, shapes: Shapes, prefix: str, stride: int, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.conv1, self.bn1 = conv(shapes, f"{prefix}.conv1"), norm(shapes, f"{prefix}.bn1")
        groups = range(count(shapes, f"{prefix}.convs"))
        self.convs = nn.ModuleList(conv(shapes, f"{prefix}.convs.{place}", stride) for place in groups)
        self.bns = nn.ModuleList(norm(shapes, f"{prefix}.bns.{place}") for place in groups)
        self.conv3, self.bn3 = conv(shapes, f"{prefix}.conv3"), norm(shapes, f"{prefix}.bn3")
        self.pool = nn.AvgPool2d(3, stride, 1) if first else nn.Identity()
        self.downsample = None
        if f"{prefix}.downsample.1.weight" in shapes:
            mean = nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False)
            shortcut = conv(shapes, f"{prefix}.downsample.1"), norm(shapes, f"{prefix}.downsample.2")
            self.downsample = nn.Sequential(mean, *shortcut)

    def forward(self, x: Tensor) -> Tensor:
        groups = self.bn1(self.conv1(x)).relu().chunk(len(self.convs) + 1, 1)
        found: list[Tensor] = []
        for place, (layer, after) in enumerate(zip(self.convs, self.bns, strict=True)):
            group = groups[place] if self.first or not place else found[-1] + groups[place]
            found.append(after(layer(group)).relu())
        out = self.bn3(self.conv3(torch.cat([*found, self.pool(groups[-1])], 1)))
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


class Res2Net(nn.Module):
    """Images to the map of the fourth stage."""

    def __init__(self, shapes: Shapes, prefix: str = "") -> None:
        super().__init__()
        stem: list[nn.Module] = []
        for place, stride in ((0, 2), (3, 1)):
            stem += [conv(shapes, f"{prefix}conv1.{place}", stride), norm(shapes, f"{prefix}conv1.{place + 1}")]
            stem.append(nn.ReLU())
        self.conv1 = nn.Sequential(*stem, conv(shapes, f"{prefix}conv1.6"))
        self.bn1 = norm(shapes, f"{prefix}bn1")
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for stage in (1, 2, 3, 4):
            at, stride = f"{prefix}layer{stage}", 1 if stage == 1 else 2
            blocks = (
                Block(shapes, f"{at}.{n}", 1 if n else stride, first=not n) for n in range(count(shapes, at))
            )
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        for stage in (1, 2, 3, 4):
            x = self.get_submodule(f"layer{stage}")(x)
        return x
