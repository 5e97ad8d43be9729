"""Which code base a checkpoint is from, by its keys, and the network that its tensors fit."""

import re

from torch import nn

from ensemble.base.errors import InputError, near
from extractors.models.checkpoints import aicity, densenet, efficientnet, lightreid, networks, osnet, resnet, vit
from extractors.models.checkpoints.code_base import (
    RESNET_OPTIONS,
    TAPS,
    Family,
    Options,
    choice,
    head_of,
    refuse,
    trunk,
)
from extractors.models.checkpoints.resnet import Shapes


def _bot(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    found = resnet.plan(shapes, "base.")
    relu = "yes" if any(found.ibn) or found.se or found.groups > 1 else "no"  # its plain ResNets go without
    base, width = trunk(shapes, "base.", options, spec, stride="1", relu=relu)
    classes, head = head_of(spec, shapes, options, "classifier")
    neck = "bottleneck.weight" in shapes
    return networks.Baseline(
        base,
        width,
        gem="gap.p" in shapes,
        neck=neck,
        after=choice(spec, options, "tap", TAPS, "after") and neck,
        classes=classes,
        bias="classifier.bias" in shapes,
        head=head,
    )


def _fast_reid(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    if "backbone.conv1.conv.weight" in shapes:
        found = osnet.plan(shapes, "backbone.")
        backbone: nn.Module = osnet.OSNet(found)
        width = found.channels[-1]
        for key in RESNET_OPTIONS:
            if key in options:
                refuse(f"{spec}: wanted no {key} for OSNet, found {options[key]}; leave it out")
    else:
        grouped = resnet.plan(shapes, "backbone.").groups > 1  # fast-reid's ResNeXt pads, its ResNet does not
        pool = "padded" if grouped else "ceil"
        backbone, width = trunk(shapes, "backbone.", options, spec, stride="1", pool=pool)
    first = shapes.get("heads.bottleneck.0.weight", ())
    heads = networks.FastReidHeads(
        width,
        gem="heads.pool_layer.p" in shapes,
        embedding=first[0] if len(first) == 4 else 0,
        neck=len(first) == 1 or "heads.bottleneck.1.weight" in shapes,
        named_bnneck="heads.bnneck.weight" in shapes,
    )
    return networks.FastReid(backbone, heads, after=choice(spec, options, "tap", TAPS, "after"))


def _linear(shapes: Shapes) -> int:
    shape = shapes.get("classifier.add_block.0.weight", ())
    return shape[0] if len(shape) == 2 else 0


def _ft_net(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    model, width = trunk(shapes, "model.", options, spec, stride="2")
    after = choice(spec, options, "tap", TAPS, "after")
    return networks.FtNet(model, width, _linear(shapes), after=after)


def _ft_net_dense(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    found = densenet.plan(shapes, "model.")
    stride = 1 if choice(spec, options, "last_stride", {"1": True, "2": False}, "2") else 2
    after = choice(spec, options, "tap", TAPS, "after")
    model = densenet.DenseNet(found, relu=False, last_stride=stride)
    return networks.FtNet(model, found.out, _linear(shapes), after=after)


def _pcb(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    stripes = len({key.partition(".")[0] for key in shapes if re.match(r"classifier\d+\.", key)})
    return networks.Pcb(trunk(shapes, "model.", options, spec, stride="1")[0], stripes)


def _mgn(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    branch = {re.sub(r"^layer([34])_0\.", r"layer\1.", key): shape for key, shape in shapes.items()}
    return networks.Mgn(resnet.plan(branch), shapes["g1_reduce.0.weight"][0])


def _fgreid(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    found = resnet.plan(shapes, "base.")

    def trunk() -> nn.Module:
        return resnet.ResNet(found, resnet.Unsaid())

    whole = choice(spec, options, "minimum", {"image": False, "batch": True}, "image")
    return networks.TwoBranches(trunk, batch_minimum=whole)


def _osnet(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    return osnet.OSNetFeature(osnet.plan(shapes))


def _resnet(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    fc = shapes.get("fc.0.weight", (0,))[0]
    base, width = trunk(shapes, "base.", options, spec, stride="1" if fc else "2")
    layer = "classifier" if "classifier.weight" in shapes else "fc"
    classes, head = head_of(spec, shapes, options, layer)
    return networks.Pooled(base, width, fc=fc, classifier_name=layer, classes=classes, head=head)


def _densenet(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    found = densenet.plan(shapes, "base.")
    fc = shapes.get("fc.0.weight", (0,))[0]
    classes, head = head_of(spec, shapes, options, "classifier")
    return networks.Pooled(densenet.DenseNet(found, relu=True), found.out, fc=fc, classes=classes, head=head)


def _efficientnet_lite(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    found = efficientnet.plan(shapes, "base.")
    classes, head = head_of(spec, shapes, options, "fc")
    base = efficientnet.EfficientNetLite(found)
    return networks.Pooled(base, found.head, classifier_name="fc", classes=classes, head=head)


def _transreid(shapes: Shapes, options: Options, spec: str) -> nn.Module:
    found = vit.plan(shapes)
    if found is None:
        refuse(
            f"{spec}: wanted ViT-Base, ViT-Small or DeiT-Small as TransReID has them, found other widths or depths"
        )
    _, stride = image_and_stride(shapes, options, spec)
    embedding = _embedding(found.embeddings, options, spec)
    try:
        strength = float(options.get("sie", "3.0"))
    except ValueError:
        refuse(f"{spec}: wanted sie= as a number (SIE_COE), found {options['sie']}")
    return vit.TransReID(
        found,
        stride,
        embedding=embedding,
        strength=strength,
        after=choice(spec, options, "tap", TAPS, "before"),
        shuffled=choice(spec, options, "rearrange", {"yes": True, "no": False}, "yes"),
    )


def image_and_stride(shapes: Shapes, options: Options, spec: str) -> tuple[tuple[int, int], int]:
    """Size of the images and stride of the patches that the number of position embeddings allows."""
    from extractors.options import size_of

    problems: list[str] = []
    size = size_of(spec, options.get("size"), problems)
    text = options.get("stride")
    if text is not None and not (text.isdecimal() and 1 <= int(text) <= vit.PATCH):
        problems.append(f"{spec}: wanted stride=1 to {vit.PATCH}, found {text}")
    if problems:
        raise InputError(problems)
    tokens = (*shapes.get("base.pos_embed", (1, 0)), 0, 0)[1]
    found = vit.sizes(tokens, size, int(text) if text else None)
    if len(found) != 1:
        offered = (
            "; ".join(f"size={h}x{w}, stride={step}" for (h, w), step in found) or "no usual pair that gives it"
        )
        refuse(f"{spec}: wanted size= and stride= for {tokens - 1} patches, found {offered}; add both")
    return found[0]


def _embedding(rows: int, options: Options, spec: str) -> int | None:
    text = options.get("camera")
    if not rows:
        if text not in (None, "off"):
            refuse(
                f"{spec}: wanted no camera=, since the model has no camera embeddings, found {text}; leave it out"
            )
        return None
    if text == "off":
        return None
    if text is None or not text.isdecimal() or int(text) >= rows:
        refuse(
            f"{spec}: wanted camera=off or camera=ROW of its {rows} camera embeddings (0 to {rows - 1}, for all "
            f"images), found {text or 'nothing'}; add it"
        )
    return int(text)


_SE_AND_PLAIN = r"base\.(layer0\.)?conv1\.weight"
_IN_STATISTICS = r".*\bIN\.running_(mean|var)$"  # of torch 0.3: never used
_DOTTED = (r"(denselayer\d+\.(?:norm|conv))\.([12]\.)", r"\1\2")  # DenseNets of torch 0.3

FAMILIES: dict[str, Family] = {
    "transreid": Family(
        "TransReID",
        (r"base\.patch_embed\.proj\.weight", r"base\.pos_embed"),
        _transreid,
        ("tap", "stride", "camera", "sie", "rearrange"),
        unused=r"classifier(_\d)?\.|base\.fc\.",
        size=None,
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    ),
    "fgreid": Family(
        "FGReID's two-branch ResNet50 for images",
        (r"base_mars\.0\.weight", r"theta\.weight"),
        _fgreid,
        ("minimum",),
        unused=r"classifier\.",
        renamed=(
            (r"^(base|base_mars)\.0\.", r"\1.conv1."),
            (r"^(base|base_mars)\.1\.", r"\1.bn1."),
            *((rf"^(base|base_mars)\.{place}\.", rf"\1.layer{place - 3}.") for place in (4, 5, 6, 7)),
        ),
        size=(224, 112),
    ),
    "mgn": Family(
        "MGN of the AI City 2020 team",
        (r"g1_reduce\.0\.weight", r"layer3_0\.0\.conv1\.weight", r"p3_2_reduce\."),
        _mgn,
        unused=r"classifier_|layer[34]_lr\.|\w+_reduce_lr\.",
        size=(288, 384),
    ),
    "aicity2020": Family(
        "a global model of the AI City 2020 team",
        (r"dim_red_conv\.weight", r"dim_red_bn\.weight", aicity.SIGN),
        aicity.reduced,
        ("tap", "head", *RESNET_OPTIONS),
        none_of=(r"cat_red_conv\.",),
        unused=rf"fc\.|{_IN_STATISTICS}",
        renamed=(*aicity.RENAMED, _DOTTED),
        size=(288, 384),
    ),
    "hrnet": Family(
        "HRNet of the AI City 2020 team",
        (r"stage4\.0\.fuse_layers\.", r"reid_head\.weight", r"reid_head_bn\."),
        aicity.high_resolution,
        ("tap", "head"),
        unused=r"classifier_reid\.",
        size=(288, 384),
    ),
    "pcb": Family(
        "layumi's PCB",
        (r"model\.conv1\.weight", r"classifier\d\.add_block\."),
        _pcb,
        RESNET_OPTIONS,
        unused=r"model\.fc\.|classifier\d+\.",
        size=(384, 192),
    ),
    "ft_net": Family(
        "layumi's ft_net",
        (r"model\.conv1\.weight", r"model\.layer4\.", r"classifier\.add_block\."),
        _ft_net,
        ("tap", *RESNET_OPTIONS),
        unused=rf"model\.fc\.|classifier\.classifier\.|{_IN_STATISTICS}",
    ),
    "ft_net_dense": Family(
        "layumi's ft_net_dense",
        (r"model\.features\.conv0\.weight", r"classifier\.add_block\."),
        _ft_net_dense,
        ("tap", "last_stride"),
        unused=r"model\.classifier\.|classifier\.classifier\.",
        renamed=(_DOTTED,),
    ),
    "fastreid": Family(
        "fast-reid's baseline",
        (r"backbone\.conv1\.(conv\.)?weight", r"heads\."),
        _fast_reid,
        ("tap", *RESNET_OPTIONS),
        unused=rf"heads\.(weight|classifier\.|cls_layer)|pixel_(mean|std)$|{_IN_STATISTICS}",
    ),
    "lightreid": Family(
        "light-reid",
        (r"backbone\.conv1\.weight", r"head\.(bn|neck\d+\.bn)\.weight"),
        lightreid.build,
        ("hash", "lengths", "head", *RESNET_OPTIONS),
        none_of=(r"heads\.",),
        unused=rf"head\.(classifier|is_hash|(fc|neck)\d+\.)|backbone\.fc\.|{_IN_STATISTICS}",
        renamed=((r"^pooling\.0\.p$", "pooling.p"),),
    ),
    "bot": Family(
        "reid-strong-baseline (BoT)",
        (_SE_AND_PLAIN, r"bottleneck\.weight|classifier\.weight"),
        _bot,
        ("tap", "head", *RESNET_OPTIONS),
        none_of=(r"dim_red_conv\.",),
        unused=rf"classifier\.|(base\.)?fc\.|base\.last_linear\.|{_IN_STATISTICS}",
    ),
    "osnet": Family(
        "torchreid's OSNet",
        (r"conv1\.conv\.weight", r"conv2\.0\.conv1\.conv\.weight", r"conv5\."),
        _osnet,
        unused=r"classifier\.",
    ),
    "resnet": Family(
        "a plain ResNet (torchvision, IBN-Net, torchreid)",
        (r"conv1\.weight", r"layer4\.0\.conv1\.weight"),
        _resnet,
        ("head", *RESNET_OPTIONS),
        none_of=(r"dim_red_conv\.", r"layer0\."),
        unused=rf"classifier\.|fc\.(weight|bias)$|{_IN_STATISTICS}",
        renamed=((r"^(conv1|bn1|layer\d|NL_\d)\.", r"base.\1."),),
    ),
    "densenet": Family(
        "a plain DenseNet (torchvision, torchreid, IBN-Net)",
        (r"features\.conv0\.weight", r"features\.denseblock4\."),
        _densenet,
        ("head",),
        none_of=(r"dim_red_conv\.",),
        unused=rf"classifier\.|{_IN_STATISTICS}",
        renamed=((r"^features\.", "base.features."), _DOTTED),
    ),
    "efficientnet_lite": Family(
        "EfficientNet-Lite (efficientnet_lite_pytorch)",
        (r"_conv_stem\.weight", r"_blocks\.0\._depthwise_conv\.weight", r"_conv_head\."),
        _efficientnet_lite,
        ("head",),
        none_of=(r"_blocks\.0\._se_reduce\.",),
        unused=r"fc\.",
        renamed=((r"^_(conv_stem|bn\d|blocks|conv_head)\.", r"base._\1."), (r"^_fc\.", "fc.")),
        size=(224, 224),
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    ),
}


def family_of(keys: list[str], spec: str, arch: str | None) -> Family:
    """The code base that the keys are of, or the one that the user named.

    Raises: InputError if it is none or not clear.
    """
    if arch is not None:
        if arch not in FAMILIES:
            refuse(f"{spec}: wanted arch= one of {', '.join(FAMILIES)}, found {arch}{near(arch, FAMILIES)}")
        return FAMILIES[arch]
    found = [name for name, family in FAMILIES.items() if family.fits(keys)]
    if len(found) == 1:
        return FAMILIES[found[0]]
    if found:
        refuse(f"{spec}: wanted keys of one code base, found them to fit {', '.join(found)}; choose with arch=")
    known = "; ".join(f"{name} ({family.title})" for name, family in FAMILIES.items())
    first = ", ".join(keys[:5])
    refuse(
        f"{spec}: wanted a checkpoint of {known}, found the keys {first}, …; give the class with "
        f"module:PACKAGE.MODULE:FACTORY,checkpoint={spec}"
    )
