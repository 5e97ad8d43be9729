"""ResNet and its relatives: basic and bottleneck blocks, ResNeXt, IBN-a, two kinds of SE, non-local, SENet154.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; Xie et al., "Aggregated Residual
Transformations", CVPR 2017; Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018; Pan et al., "Two at Once"
(IBN-Net), ECCV 2018. Parameter names as in torchvision, reid-strong-baseline, IBN-Net, fast-reid and the released
SENets; outputs equal to those of torchvision, timm (SE) and fast-reid on random weights. Of trained
checkpoints, none was at hand.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from extractors.models.checkpoints.layers import IBN, NonLocal, SqueezeConv, SqueezeLinear

Shapes = Mapping[str, tuple[int, ...]]  # of a checkpoint's tensors by key
STAGES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Plan:
    """What the keys and shapes of a checkpoint say about a ResNet."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    bottleneck: bool = True
    first: int = 64  # channels of the first stage's 1x1 convolution; they double from stage to stage
    second: int = 64  # of its 3x3 convolution
    groups: int = 1
    ibn: tuple[bool, ...] = (False,) * 4
    se: str = ""  # "conv" or "linear"
    non_local: tuple[int, ...] = (0,) * 4
    non_local_inner: int = 1
    stem: str = "conv1"  # "layer0": the SENets'; "deep": three 3x3 convolutions, SENet154's


@dataclass(frozen=True)
class Unsaid:
    """What no key says.

    last_stride:  stride of the fourth stage: 1 in most re-identification models, 2 in ImageNet's.
    stem_relu:    whether a ReLU follows the first convolution: reid-strong-baseline's plain ResNets lack it.
    stem_pool:    "padded", or "ceil" without padding (fast-reid, SENets).
    """

    last_stride: int = 1
    stem_relu: bool = True
    stem_pool: str = "padded"


def plan(shapes: Shapes, prefix: str = "") -> Plan:
    """Read off the keys under ``prefix`` which ResNet it is; for other keys the result is the nearest one."""

    def there(key: str) -> bool:
        return prefix + key in shapes

    def shape(key: str, otherwise: tuple[int, ...]) -> tuple[int, ...]:
        return shapes.get(prefix + key, otherwise)

    blocks = tuple(_count(shapes, f"{prefix}layer{stage}.") for stage in STAGES)
    bottleneck = there("layer1.0.conv3.weight")
    first = shape("layer1.0.conv1.weight", (64,))[0]
    second, inner = (*shape("layer1.0.conv2.weight", (64, 64)), 1, 1)[:2]
    stem = "deep" if there("layer0.conv3.weight") else "layer0" if there("layer0.conv1.weight") else "conv1"
    se = "conv" if there("layer1.0.se_module.fc1.weight") else "linear" if there("layer1.0.se.fc.0.weight") else ""
    non_local = tuple(_count(shapes, f"{prefix}NL_{stage}.") for stage in STAGES)
    widths = [shape(f"NL_{stage}.0.g.weight", (1,))[0] for stage in STAGES if non_local[stage - 1]]
    return Plan(
        blocks,
        bottleneck,
        first,
        second,
        max(1, first // max(1, inner)) if bottleneck else 1,
        tuple(there(f"layer{stage}.0.bn1.IN.weight") for stage in STAGES),
        se,
        non_local,
        widths[0] if widths else 1,
        stem,
    )


def _count(shapes: Shapes, prefix: str) -> int:
    """How many numbered children there are, as far as they are numbered without a gap."""
    numbers = {key.removeprefix(prefix).partition(".")[0] for key in shapes if key.startswith(prefix)}
    count = 0
    while str(count) in numbers:
        count += 1
    return count


class Block(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut, or two of 3x3."""

    def __init__(self, into: int, stage: int, plan: Plan, stride: int, shortcut: nn.Module | None) -> None:
        super().__init__()
        first, second, out = plan.first << stage, plan.second << stage, out_channels(plan, stage)
        in_first = plan.stem == "layer0" and plan.groups == 1  # SE-ResNets have their stride there, as Caffe had
        if plan.bottleneck:
            self.conv1 = nn.Conv2d(into, first, 1, stride if in_first else 1, bias=False)
            strided = 1 if in_first else stride
            self.conv2 = nn.Conv2d(first, second, 3, strided, 1, groups=plan.groups, bias=False)
            self.conv3: nn.Module | None = nn.Conv2d(second, out, 1, bias=False)
            self.bn3: nn.Module | None = nn.BatchNorm2d(out)
        else:
            self.conv1 = nn.Conv2d(into, first, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(first, second, 3, 1, 1, bias=False)
            self.conv3 = self.bn3 = None
        self.bn1 = IBN(first) if plan.ibn[stage] else nn.BatchNorm2d(first)
        self.bn2 = nn.BatchNorm2d(second)
        if plan.se == "conv":
            self.se_module = SqueezeConv(out)
        elif plan.se == "linear":
            self.se = SqueezeLinear(out)
        self.squeeze = plan.se
        self.downsample = shortcut

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.conv3 is not None and self.bn3 is not None:
            out = self.bn3(self.conv3(out.relu()))
        if self.squeeze:
            out = (self.se_module if self.squeeze == "conv" else self.se)(out)
        return (out + (x if self.downsample is None else self.downsample(x))).relu()


def out_channels(plan: Plan, stage: int) -> int:
    """Channels after a stage (0 to 3)."""
    return (256 if plan.bottleneck else 64) << stage


def stage(plan: Plan, number: int, into: int, stride: int) -> nn.Sequential:
    """The blocks of one stage (``number`` 0 to 3)."""
    out = out_channels(plan, number)
    shortcut = None
    if stride != 1 or into != out:
        wide = plan.stem == "deep" and number > 0
        shortcut = nn.Sequential(
            nn.Conv2d(into, out, 3 if wide else 1, stride, 1 if wide else 0, bias=False), nn.BatchNorm2d(out)
        )
    first = Block(into, number, plan, stride, shortcut)
    return nn.Sequential(first, *(Block(out, number, plan, 1, None) for _ in range(1, plan.blocks[number])))


class ResNet(nn.Module):
    """Images to the map of the fourth stage."""

    def __init__(self, plan: Plan, unsaid: Unsaid) -> None:
        super().__init__()
        self.relu = unsaid.stem_relu
        pool = nn.MaxPool2d(3, 2, ceil_mode=True) if unsaid.stem_pool == "ceil" else nn.MaxPool2d(3, 2, 1)
        into = 128 if plan.stem == "deep" else 64
        if plan.stem == "conv1":
            self.conv1 = nn.Conv2d(3, into, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(into)
            self.maxpool = pool
            self.layer0 = None
        else:
            self.layer0 = _se_stem(plan.stem == "deep", into, pool)
        strides = (1, 2, 2, unsaid.last_stride)
        channels = [into, *(out_channels(plan, number) for number in range(4))]
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            stage(plan, number, channels[number], strides[number]) for number in range(4)
        )
        for number, count in enumerate(plan.non_local):
            if count:
                width = out_channels(plan, number)
                blocks = nn.ModuleList(NonLocal(width, plan.non_local_inner) for _ in range(count))
                self.add_module(f"NL_{number + 1}", blocks)
        self.non_local = plan.non_local

    def forward(self, x: Tensor) -> Tensor:
        if self.layer0 is not None:
            x = self.layer0(x)
        else:
            x = self.bn1(self.conv1(x))
            x = self.maxpool(x.relu() if self.relu else x)
        for number, layer in enumerate((self.layer1, self.layer2, self.layer3, self.layer4)):
            extra = self.non_local[number]
            for place, block in enumerate(layer):
                x = block(x)
                if place >= len(layer) - extra:  # non-local blocks follow the last blocks of a stage
                    x = self.get_submodule(f"NL_{number + 1}.{place - len(layer) + extra}")(x)
        return x


def _se_stem(deep: bool, out: int, pool: nn.Module) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = (3, 64, 64, out) if deep else (3, out)
    for number, (into, after) in enumerate(pairwise(channels), 1):
        size = 3 if deep else 7
        layers[f"conv{number}"] = nn.Conv2d(into, after, size, 2 if number == 1 else 1, size // 2, bias=False)
        layers[f"bn{number}"] = nn.BatchNorm2d(after)
        layers[f"relu{number}"] = nn.ReLU(inplace=True)
    layers["pool"] = pool
    return nn.Sequential(layers)
