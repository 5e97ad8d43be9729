"""OSNet in all its widths, with instance normalization (``ibn``) and with the searched places of it (``ain``).

Source: Zhou et al., "Omni-Scale Feature Learning for Person Re-Identification", ICCV 2019, and "Learning
Generalisable Omni-Scale Representations", TPAMI 2021. Parameter names as in torchreid. Its trained x0_25 gives the
outputs of the original (tests), all others those of torchreid on random weights.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from extractors.models.checkpoints.resnet import Shapes

STAGES = ("conv2", "conv3", "conv4")
STREAMS = (1, 2, 3, 4)  # 3x3 convolutions one after the other: the four scales of a block


@dataclass(frozen=True)
class Plan:
    """``x1_0`` unless said otherwise."""

    channels: tuple[int, ...] = (64, 256, 384, 512)
    feature: int = 512  # 0: no layer after the pooling
    ain: bool = False  # torchreid's osnet_ain has other names, and its instance normalization inside the residual
    first_in: bool = False  # instance normalization after the first convolution
    block_in: tuple[tuple[bool, ...], ...] = ((False, False),) * 3


def plan(shapes: Shapes, prefix: str = "") -> Plan:
    """Read off the keys under ``prefix`` which OSNet it is."""

    def out(key: str, otherwise: int) -> int:
        return shapes.get(f"{prefix}{key}.weight", (otherwise,))[0]

    first = out("conv1.conv", 64)
    return Plan(
        (first, *(out(f"{stage}.0.conv3.conv", 256) for stage in STAGES)),
        out("fc.0", 0),
        f"{prefix}conv2.0.conv2.0.layers.0.conv1.weight" in shapes,
        f"{prefix}conv1.bn.running_mean" not in shapes,
        tuple(tuple(f"{prefix}{stage}.{block}.IN.weight" in shapes for block in (0, 1)) for stage in STAGES),
    )


class Conv(nn.Module):
    """Convolution, normalization and, unless ``linear``, ReLU."""

    def __init__(
        self, into: int, out: int, size: int = 1, stride: int = 1, *, norm: str = "batch", linear: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, size, stride, size // 2, bias=False)
        self.bn: nn.Module | None = None
        if norm:
            self.bn = nn.BatchNorm2d(out) if norm == "batch" else nn.InstanceNorm2d(out, affine=True)
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.bn is not None:
            x = self.bn(x)
        return x if self.linear else x.relu()


class Light(nn.Module):
    """A 3x3 convolution in two: over channels, then over places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv2(self.conv1(x))).relu()


class Stream(nn.Module):
    """``depth`` light convolutions, one after the other, under the name ``layers``."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(Light(channels) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Gate(nn.Module):
    """Weights of the channels from their means; all streams of a block share one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()


class Block(nn.Module):
    """Four streams, gated and added, beside a shortcut."""

    def __init__(self, into: int, out: int, *, ain: bool, instance: bool) -> None:
        super().__init__()
        middle = out // 4
        self.ain = ain
        self.conv1 = Conv(into, middle)
        if ain:
            self.conv2 = nn.ModuleList(Stream(middle, depth) for depth in STREAMS)
        else:
            self.conv2a = Light(middle)
            self.conv2b, self.conv2c, self.conv2d = (
                nn.Sequential(*(Light(middle) for _ in range(depth))) for depth in STREAMS[1:]
            )
        self.gate = Gate(middle)
        self.conv3 = Conv(middle, out, norm="" if ain and instance else "batch", linear=True)
        self.downsample = Conv(into, out, linear=True) if into != out else None
        self.IN = nn.InstanceNorm2d(out, affine=True) if instance else None

    def forward(self, x: Tensor) -> Tensor:
        middle = self.conv1(x)
        streams = self.conv2 if self.ain else (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        scales = [self.gate(stream(middle)) for stream in streams]
        out = self.conv3(scales[0] + scales[1] + scales[2] + scales[3])
        shortcut = x if self.downsample is None else self.downsample(x)
        if self.IN is None:
            return (out + shortcut).relu()
        return (self.IN(out) + shortcut if self.ain else self.IN(out + shortcut)).relu()


class OSNet(nn.Module):
    """Images to the map of the last stage."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        widths = plan.channels
        self.conv1 = Conv(3, widths[0], 7, 2, norm="instance" if plan.first_in else "batch")
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        for number, stage in enumerate(STAGES):
            into, out = widths[number], widths[number + 1]
            blocks: list[nn.Module] = [
                Block(out if place else into, out, ain=plan.ain, instance=plan.block_in[number][place])
                for place in (0, 1)
            ]
            halved = nn.Sequential(Conv(out, out), nn.AvgPool2d(2, 2)) if number < 2 else nn.Identity()
            if plan.ain:
                self.add_module(f"pool{number + 2}", halved)
            elif number < 2:
                blocks.append(halved)
            self.add_module(stage, nn.Sequential(*blocks))
        self.conv5 = Conv(widths[3], widths[3])
        self.order = ["conv2", "pool2", "conv3", "pool3", "conv4"] if plan.ain else list(STAGES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        for name in self.order:
            x = self.get_submodule(name)(x)
        return self.conv5(x)


class OSNetFeature(OSNet):
    """Images to the feature: the mean of the map through a linear layer, normalization and ReLU."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.fc = None
        if plan.feature:
            self.fc = nn.Sequential(
                nn.Linear(plan.channels[3], plan.feature), nn.BatchNorm1d(plan.feature), nn.ReLU(inplace=True)
            )

    def forward(self, x: Tensor) -> Tensor:
        pooled = super().forward(x).mean((2, 3))
        return pooled if self.fc is None else self.fc(pooled)
