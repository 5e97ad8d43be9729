"""light-reid's networks: a ResNet, BNNeck, and heads whose signs are binary codes, one or a pyramid of them.

Source: Wang et al., "Faster Person Re-Identification", ECCV 2020; parameter names as in wangguanan/light-reid
(``BNHead``, ``CodePyramid``), written from its public code. A pyramid's head reduces 2048 values to 1024, 512 and
so on to 32, each by a linear layer on the one before; the bits of a code are the signs after a batch
normalization. Outputs equal to these formulas on random weights; no trained checkpoint was at hand.
"""

import re

import torch
from torch import Tensor, nn

from extractors.models.checkpoints.code_base import Options, choice, head_of, refuse, trunk
from extractors.models.checkpoints.layers import GeneralizedMean, GlobalMean
from extractors.models.checkpoints.resnet import Shapes

LENGTHS = (2048, 512, 128, 32)  # that light-reid tests, of seven that it trains


class Neck(nn.Module):
    """Batch normalization, perhaps a linear layer and another one."""

    def __init__(self, width: int, middle: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(width)
        self.reduces = bool(middle)
        if middle:
            self.middle_fc = nn.Linear(width, middle)
            self.middle_bn = nn.BatchNorm1d(middle)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(x)
        return self.middle_bn(self.middle_fc(x)) if self.reduces else x


class Pyramid(nn.Module):
    """Necks of several lengths, the longest first, each behind linear layers."""

    def __init__(self, shapes: Shapes, lengths: tuple[int, ...]) -> None:
        super().__init__()
        every = sorted(
            (int(key[7:-7]) for key in shapes if re.fullmatch(r"head\.fc\d+\.weight", key)), reverse=True
        )
        self.steps = [length for length in every if length >= min(lengths)]
        self.lengths = lengths
        for length in self.steps:
            self.add_module(f"fc{length}", nn.Linear(shapes[f"head.fc{length}.weight"][1], length))
            if length in lengths:
                self.add_module(f"neck{length}", Neck(length, 0))

    def forward(self, x: Tensor) -> Tensor:
        found = {}
        for length in self.steps:
            x = self.get_submodule(f"fc{length}")(x)
            if length in self.lengths:
                found[length] = self.get_submodule(f"neck{length}")(x)
        return torch.cat([found[length] for length in self.lengths], 1)


class LightReid(nn.Module):
    """Images to what comes after the neck, or after all necks of a pyramid, side by side.

    code_lengths: of the codes whose bits are the signs of these values; empty where they are no codes.
    """

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        *,
        gem: bool,
        code_lengths: tuple[int, ...],
        classes: int = 0,
        bias: bool = False,
        name: str = "",
    ) -> None:
        super().__init__()
        self.name, self.code_lengths = name, code_lengths
        self.backbone, self.head = backbone, head
        self.pooling = GeneralizedMean() if gem else GlobalMean()
        if name:
            self.head.classifier = nn.Linear(_width(head), classes, bias=bias)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        found = self.head(self.pooling(self.backbone(x)).flatten(1))
        if not self.name:
            return {"": found}
        return {"": found, self.name: self.head.get_submodule("classifier")(found).softmax(1)}


def _width(head: nn.Module) -> int:
    assert isinstance(head, Neck)
    return head.middle_bn.num_features if head.reduces else head.bn.num_features


def build(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    """The network that a checkpoint is of. Options: ``hash`` yes or no, ``lengths`` as 2048/512/128/32."""
    backbone, width = trunk(shapes, "backbone.", options, spec, stride="1")
    gem = "pooling.p" in shapes
    if "head.bn.weight" not in shapes:
        lengths = _lengths(shapes, options, spec)
        coded = choice(spec, options, "hash", {"yes": True, "no": False}, "yes")
        return LightReid(backbone, Pyramid(shapes, lengths), gem=gem, code_lengths=lengths if coded else ())
    if "lengths" in options:
        refuse(f"{spec}: wanted no lengths, since its head has one, found {options['lengths']}; leave it out")
    middle = shapes.get("head.middle_bn.weight", (0,))[0]
    coded = choice(spec, options, "hash", {"yes": True, "no": False}, "no")
    classes, name = head_of(spec, shapes, options, "head.classifier")
    return LightReid(
        backbone,
        Neck(width, middle),
        gem=gem,
        code_lengths=(middle or width,) if coded else (),
        classes=classes,
        bias="head.classifier.bias" in shapes,
        name=name,
    )


def _lengths(shapes: Shapes, options: Options, spec: str) -> tuple[int, ...]:
    there = [int(match[1]) for key in shapes if (match := re.fullmatch(r"head\.neck(\d+)\.bn\.weight", key))]
    there = sorted((one for one in there if f"head.fc{one}.weight" in shapes), reverse=True)
    usual = [length for length in there if length in LENGTHS] or there
    text = options.get("lengths", "/".join(map(str, usual)))
    found = [int(part) if part.isdecimal() else 0 for part in text.split("/")]
    if not found or len(set(found)) < len(found) or not set(found) <= set(there):
        refuse(f"{spec}: wanted lengths= among {'/'.join(map(str, there)) or 'none'}, found {text}")
    return tuple(sorted(found, reverse=True))
