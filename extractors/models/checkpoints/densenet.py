"""DenseNet, with instance normalization (IBN-a) and without. Parameter names as in torchvision and IBN-Net.

Source: Huang et al., "Densely Connected Convolutional Networks", CVPR 2017; Pan et al., "Two at Once" (IBN-Net),
ECCV 2018. Outputs equal to those of torchvision, with IBN-a of the AI City 2020 team's code, on random weights;
of trained re-identification checkpoints, none was at hand.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from extractors.models.checkpoints.resnet import Shapes

_LAYER = re.compile(r"features\.denseblock([1-4])\.denselayer(\d+)\.conv2\.weight")


@dataclass(frozen=True)
class Plan:
    """DenseNet121 unless said otherwise."""

    growth: int = 32
    blocks: tuple[int, ...] = (6, 12, 24, 16)
    stem: int = 64
    bottleneck: int = 128  # channels between a layer's two convolutions
    ibn: bool = False

    def instance(self, block: int, layer: int) -> bool:
        """Whether a layer (both from 1) begins with instance normalization: each third, not in the last block."""
        return self.ibn and block < len(self.blocks) and layer % 3 == 1

    @property
    def out(self) -> int:
        """Channels of the last map."""
        channels = self.stem
        for number, layers in enumerate(self.blocks):
            channels += layers * self.growth
            channels //= 2 if number < 3 else 1
        return channels


def plan(shapes: Shapes, prefix: str = "") -> Plan:
    """Read off the keys under ``prefix`` which DenseNet it is."""
    found = [_LAYER.fullmatch(key.removeprefix(prefix)) for key in shapes if key.startswith(prefix)]
    layers = [(int(match[1]), int(match[2])) for match in found if match]
    first = shapes.get(f"{prefix}features.denseblock1.denselayer1.conv2.weight", (32, 128))
    return Plan(
        growth=first[0],
        blocks=tuple(
            max((layer for block, layer in layers if block == wanted), default=1) for wanted in range(1, 5)
        ),
        stem=shapes.get(f"{prefix}features.conv0.weight", (64,))[0],
        bottleneck=first[1],
        ibn=f"{prefix}features.denseblock1.denselayer1.norm1.IN.weight" in shapes,
    )


class BatchThenInstance(nn.Module):
    """Batch normalization for the first six tenths of the channels, instance normalization for the rest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = int(channels * 0.6)
        self.BN = nn.BatchNorm2d(self.first)
        self.IN = nn.InstanceNorm2d(channels - self.first, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.BN(x[:, : self.first].contiguous()), self.IN(x[:, self.first :].contiguous())], 1)


class Layer(nn.Module):
    """What came so far, and ``growth`` channels more."""

    def __init__(self, into: int, plan: Plan, *, instance: bool) -> None:
        super().__init__()
        self.norm1 = BatchThenInstance(into) if instance else nn.BatchNorm2d(into)
        self.conv1 = nn.Conv2d(into, plan.bottleneck, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(plan.bottleneck)
        self.conv2 = nn.Conv2d(plan.bottleneck, plan.growth, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv2(self.norm2(self.conv1(self.norm1(x).relu())).relu())], 1)


class DenseNet(nn.Module):
    """Images to the map after the last normalization.

    relu:        whether a ReLU follows it: torchvision's classifier has one, the re-identification models do not.
    last_stride: of the third transition's pooling.
    """

    def __init__(self, plan: Plan, *, relu: bool, last_stride: int = 2) -> None:
        super().__init__()
        self.relu = relu
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(3, plan.stem, 7, 2, 3, bias=False),
            norm0=nn.BatchNorm2d(plan.stem),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, 2, 1),
        )
        channels = plan.stem
        for number, layers in enumerate(plan.blocks, 1):
            block: OrderedDict[str, nn.Module] = OrderedDict()
            for layer in range(1, layers + 1):
                block[f"denselayer{layer}"] = Layer(channels, plan, instance=plan.instance(number, layer))
                channels += plan.growth
            parts[f"denseblock{number}"] = nn.Sequential(block)
            if number < 4:
                transition: OrderedDict[str, nn.Module] = OrderedDict(
                    norm=nn.BatchNorm2d(channels),
                    relu=nn.ReLU(inplace=True),
                    conv=nn.Conv2d(channels, channels // 2, 1, bias=False),
                    pool=nn.AvgPool2d(2, last_stride if number == 3 else 2),
                )
                parts[f"transition{number}"] = nn.Sequential(transition)
                channels //= 2
        parts["norm5"] = nn.BatchNorm2d(channels)
        self.features = nn.Sequential(parts)

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        return x.relu() if self.relu else x
