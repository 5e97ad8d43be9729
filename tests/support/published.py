"""Shapes of state dicts as published code defines them: keys, channels and kernels written down a second time."""

from collections.abc import Iterator
from math import floor

Shape = tuple[int, ...]
Item = tuple[str, Shape]


def batch_norm(at: str, width: int) -> Iterator[Item]:
    yield from ((f"{at}.{name}", (width,)) for name in ("weight", "bias", "running_mean", "running_var"))
    yield f"{at}.num_batches_tracked", ()


def conv_bn(
    at: str, into: int, out: int, size: int | tuple[int, int] = 1, *, names: str = "conv bn"
) -> Iterator[Item]:
    conv, norm = names.split()
    kernel = (size, size) if isinstance(size, int) else size
    yield f"{at}.{conv}.weight", (out, into, *kernel)
    yield from batch_norm(f"{at}.{norm}", out)


def head(width: int, features: int = 16, classes: int = 5) -> dict[str, Shape]:
    """The AI City 2020 team's, behind any backbone."""
    return {
        "dim_red_conv.weight": (features, width, 1, 1),
        **dict(batch_norm("dim_red_bn", features)),
        "fc.weight": (classes, features),
        "fc.bias": (classes,),
    }


def dpn(init=128, k_r=200, groups=50, blocks=(4, 8, 20, 3), inc=(20, 64, 64, 128), base=256) -> dict[str, Shape]:
    """DPN107 unless said otherwise; ``base`` channels after the first stage."""

    def bn_conv(at, into, out, size=1, groups=1):
        yield from batch_norm(f"{at}.bn", into)
        yield f"{at}.conv.weight", (out, into // groups, size, size)

    found = dict(conv_bn("features.conv1_1", 3, init, 7))
    into = init
    for stage, (count, more) in enumerate(zip(blocks, inc, strict=True)):
        wide, inside = base << stage, k_r << stage
        for block in range(1, count + 1):
            at = f"features.conv{stage + 2}_{block}"
            if block == 1:
                found |= bn_conv(f"{at}.c1x1_w_s{2 if stage else 1}", into, wide + 2 * more)
            found |= bn_conv(f"{at}.c1x1_a", into, inside)
            found |= bn_conv(f"{at}.c3x3_b", inside, inside, 3, groups)
            found |= bn_conv(f"{at}.c1x1_c", inside, wide + more)
            into = wide + 3 * more if block == 1 else into + more
    return {**found, **dict(batch_norm("features.conv5_bn_ac.bn", into)), **head(into)}


ROW, COLUMN = (1, 7), (7, 1)
INCEPTION_A = [("branch0", 384, 96, 1), ("branch1.0", 384, 64, 1), ("branch1.1", 64, 96, 3),
    ("branch2.0", 384, 64, 1), ("branch2.1", 64, 96, 3), ("branch2.2", 96, 96, 3),
    ("branch3.1", 384, 96, 1)]  # fmt: skip
INCEPTION_B = [("branch0", 1024, 384, 1), ("branch1.0", 1024, 192, 1), ("branch1.1", 192, 224, ROW),
    ("branch1.2", 224, 256, COLUMN), ("branch2.0", 1024, 192, 1), ("branch2.1", 192, 192, COLUMN),
    ("branch2.2", 192, 224, ROW), ("branch2.3", 224, 224, COLUMN), ("branch2.4", 224, 256, ROW),
    ("branch3.1", 1024, 128, 1)]  # fmt: skip
INCEPTION_C = [("branch0", 1536, 256, 1), ("branch1_0", 1536, 384, 1), ("branch1_1a", 384, 256, (1, 3)),
    ("branch1_1b", 384, 256, (3, 1)), ("branch2_0", 1536, 384, 1), ("branch2_1", 384, 448, (3, 1)),
    ("branch2_2", 448, 512, (1, 3)), ("branch2_3a", 512, 256, (1, 3)), ("branch2_3b", 512, 256, (3, 1)),
    ("branch3.1", 1536, 256, 1)]  # fmt: skip
INCEPTION = [
    [("", 3, 32, 3)], [("", 32, 32, 3)], [("", 32, 64, 3)], [("conv", 64, 96, 3)],
    [("branch0.0", 160, 64, 1), ("branch0.1", 64, 96, 3), ("branch1.0", 160, 64, 1), ("branch1.1", 64, 64, ROW),
     ("branch1.2", 64, 64, COLUMN), ("branch1.3", 64, 96, 3)],
    [("conv", 192, 192, 3)], *[INCEPTION_A] * 4,
    [("branch0", 384, 384, 3), ("branch1.0", 384, 192, 1), ("branch1.1", 192, 224, 3), ("branch1.2", 224, 256, 3)],
    *[INCEPTION_B] * 7,
    [("branch0.0", 1024, 192, 1), ("branch0.1", 192, 192, 3), ("branch1.0", 1024, 256, 1),
     ("branch1.1", 256, 256, ROW), ("branch1.2", 256, 320, COLUMN), ("branch1.3", 320, 320, 3)],
    *[INCEPTION_C] * 3,
]  # fmt: skip


def inception(thinner: int = 1) -> dict[str, Shape]:
    """Inception v4, or one of fewer channels."""
    found: dict[str, Shape] = {}
    for place, layers in enumerate(INCEPTION):
        for name, into, out, size in layers:
            at = ".".join(filter(None, ("features", str(place), name)))
            found |= conv_bn(at, into if into == 3 else into // thinner, out // thinner, size)
    return {**found, **head(1536 // thinner)}


def hrnet(width: int = 48, modules=(1, 4, 3), features: int = 2048, blocks: int = 4) -> dict[str, Shape]:
    """HRNet-W48 of the AI City 2020 team unless said otherwise."""
    found = {**dict(conv_bn("", 3, 64, 3, names="conv1 bn1")), **dict(conv_bn("", 64, 64, 3, names="conv2 bn2"))}
    found = {key[1:]: shape for key, shape in found.items()}

    def block(at, into, planes, bottleneck):
        sizes = ((1, planes), (3, planes), (1, 4 * planes)) if bottleneck else ((3, planes), (3, planes))
        first = into
        for place, (size, out) in enumerate(sizes, 1):
            yield from conv_bn(at, into, out, size, names=f"conv{place} bn{place}")
            into = out
        if first != into:
            yield from conv_bn(f"{at}.downsample", first, into, names="0 1")

    for place in range(4):
        found |= block(f"layer1.{place}", 64 if place == 0 else 256, 64, True)
    before = [256]
    for stage, count in enumerate(modules, 2):
        now = [width << branch for branch in range(stage)]
        for branch, channels in enumerate(now):
            at = f"transition{stage - 1}.{branch}"
            if branch >= len(before):
                found |= conv_bn(f"{at}.0", before[-1], channels, 3, names="0 1")
            elif before[branch] != channels:
                found |= conv_bn(at, before[branch], channels, 3, names="0 1")
        for module in range(count):
            at = f"stage{stage}.{module}"
            for branch, channels in enumerate(now):
                for place in range(blocks):
                    found |= block(f"{at}.branches.{branch}.{place}", channels, channels, False)
            for goal, out in enumerate(now):
                for source, into in enumerate(now):
                    fuse = f"{at}.fuse_layers.{goal}.{source}"
                    if source > goal:
                        found |= conv_bn(fuse, into, out, names="0 1")
                    for step in range(goal - source):
                        last = step == goal - source - 1
                        found |= conv_bn(f"{fuse}.{step}", into, out if last else into, 3, names="0 1")
        before = now
    for branch, channels in enumerate(before):
        found |= block(f"incre_modules.{branch}.0", channels, 32 << branch, True)
        if branch < 3:
            found |= conv_bn(f"downsamp_modules.{branch}", 128 << branch, 256 << branch, 3, names="0 1")
            found[f"downsamp_modules.{branch}.0.bias"] = (256 << branch,)
    found |= {**dict(conv_bn("final_layer", 1024, 2048, names="0 1")), "final_layer.0.bias": (2048,)}
    found |= {"reid_head.weight": (features, 2048), **dict(batch_norm("reid_head_bn", features))}
    return {**found, "classifier_reid.weight": (7, features)}


def res2net(blocks=(3, 4, 23, 3), base: int = 64, width: int = 26, scale: int = 4) -> dict[str, Shape]:
    """Res2Net101 v1b unless said otherwise."""
    found: dict[str, Shape] = {}
    for place, into, out in ((0, 3, 32), (3, 32, 32), (6, 32, 64)):
        found[f"conv1.{place}.weight"] = (out, into, 3, 3)
        found |= batch_norm(f"conv1.{place + 1}", out) if place < 6 else batch_norm("bn1", out)
    into = 64
    for stage, count in enumerate(blocks):
        planes = base << stage
        inside = floor(planes * width / 64)
        for place in range(count):
            at = f"layer{stage + 1}.{place}"
            found |= conv_bn(at, into, inside * scale, names="conv1 bn1")
            for group in range(scale - 1):
                found[f"{at}.convs.{group}.weight"] = (inside, inside, 3, 3)
                found |= batch_norm(f"{at}.bns.{group}", inside)
            found |= conv_bn(at, inside * scale, 4 * planes, names="conv3 bn3")
            if place == 0:
                found |= conv_bn(f"{at}.downsample", into, 4 * planes, names="1 2")
            into = 4 * planes
    return {**found, **head(into)}


def densenet_ibn(growth: int = 32, blocks=(6, 12, 32, 32), stem: int = 64, squeeze: int = 4) -> dict[str, Shape]:
    """DenseNet169 with IBN-a unless said otherwise, in the dotted names of torch 0.3."""
    found = dict(conv_bn("features", 3, stem, 7, names="conv0 norm0"))
    into = stem
    for stage, count in enumerate(blocks, 1):
        for place in range(count):
            at = f"features.denseblock{stage}.denselayer{place + 1}"
            if stage < 4 and place % 3 == 0:
                batch = floor(into * 0.6)
                found |= batch_norm(f"{at}.norm.1.BN", batch)
                found |= {f"{at}.norm.1.IN.{name}": (into - batch,) for name in ("weight", "bias")}
            else:
                found |= batch_norm(f"{at}.norm.1", into)
            found[f"{at}.conv.1.weight"] = (squeeze * growth, into, 1, 1)
            found |= batch_norm(f"{at}.norm.2", squeeze * growth)
            found[f"{at}.conv.2.weight"] = (growth, squeeze * growth, 3, 3)
            into += growth
        if stage < 4:
            found |= batch_norm(f"features.transition{stage}.norm", into)
            found[f"features.transition{stage}.conv.weight"] = (into // 2, into, 1, 1)
            into //= 2
    found |= batch_norm("features.norm5", into)
    return {**found, **{key.replace("fc.", "classifier."): shape for key, shape in head(into).items()}}
