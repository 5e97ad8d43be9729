"""The global models of the AI City 2020 team: one head on many backbones."""

from collections.abc import Callable

from torch import nn

from extractors.models.checkpoints import densenet, dpn, hrnet, inception, networks, res2net
from extractors.models.checkpoints.code_base import RESNET_OPTIONS, TAPS, Options, choice, head_of, refuse, trunk
from extractors.models.checkpoints.resnet import Shapes

Backbone = Callable[[Shapes], nn.Module]
INSTANCE = "DenseNet with IBN-a"
BY_KEY: dict[str, tuple[str, Backbone]] = {  # a key that only this backbone has, or the first of these
    "base.features.denseblock1.denselayer1.norm1.IN.weight": (
        INSTANCE,
        lambda shapes: densenet.DenseNet(densenet.plan(shapes, "base."), relu=True),
    ),
    "base.features.conv0.weight": (
        "DenseNet",
        lambda shapes: densenet.DenseNet(densenet.plan(shapes, "base."), relu=False),
    ),
    "base.features.conv1_1.conv.weight": ("DPN", lambda shapes: dpn.Dpn(shapes, "base.")),
    "base.features.0.conv.weight": ("Inception v4", lambda shapes: inception.InceptionV4(shapes, "base.")),
    "base.conv1.0.weight": ("Res2Net", lambda shapes: res2net.Res2Net(shapes, "base.")),
}
SIGN = r"(base\.)?((layer0\.)?conv1|features\.conv0|features\.conv1_1\.conv|features\.0\.conv|conv1\.0)\.weight"
RENAMED = (
    (r"^(layer\d\.|features\.|conv1\.\d\.|bn1\.)", r"base.\1"),
    (r"^classifier\.", "fc."),  # of the DenseNet with IBN-a
)
CORNER = (
    7  # it averages 7 x 7 pixels (AvgPool2d(7)), of the 9 x 12 of an image of 288 x 384 those at the upper left
)


def reduced(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    """A backbone, the mean of its map and a 1x1 convolution."""
    kind, backbone = next((BY_KEY[key] for key in BY_KEY if key in shapes), ("", None))
    if backbone is not None:
        base = backbone(shapes)
        for key in RESNET_OPTIONS:
            if key in options:
                refuse(f"{spec}: wanted no {key} for {kind}, found {options[key]}; leave it out")
    else:
        stride = "2" if "base.layer0.conv3.weight" in shapes else "1"  # their SENet154 keeps ImageNet's
        base, _ = trunk(shapes, "base.", options, spec, stride=stride)
    classes, head = head_of(spec, shapes, options, "fc")
    sac = kind in ("", "DenseNet")  # the backbones of their SAC models
    if sac and "fc.weight" not in shapes and "tap" not in options:
        refuse(
            f"{spec}: wanted tap=before (global models) or tap=after (SAC), since fc.weight, which would tell, "
            f"is not there; add one"
        )
    features, width = shapes["dim_red_conv.weight"][:2]
    return networks.Reduced(
        base,
        width,
        features,
        after=choice(spec, options, "tap", TAPS, "after" if sac and "fc.bias" not in shapes else "before"),
        classes=classes,
        bias="fc.bias" in shapes,
        head=head,
        corner=CORNER if kind == INSTANCE else 0,
    )


def high_resolution(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    """Their HRNet, which has a head of its own."""
    _, head = head_of(spec, shapes, options, "classifier_reid")
    return hrnet.HrNet(shapes, after=choice(spec, options, "tap", TAPS, "after"), head=head)
