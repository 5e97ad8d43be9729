"""DPN, Inception v4, HRNet, Res2Net and DenseNet with IBN-a with the AI City 2020 team's heads, as published.

Each was compared once with public code (pretrainedmodels, timm, the team's own) on random weights, 2e-7 apart at
most; here their sizes, keys and formulas.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble.base.errors import InputError
from extractors.models import load
from tests.support import published
from tests.support.each import each

torch = pytest.importorskip("torch", reason="torch is not installed")

from torch.nn import functional  # noqa: E402

from extractors.models.checkpoints import hrnet, inception, res2net  # noqa: E402
from extractors.models.checkpoints.families import FAMILIES, family_of  # noqa: E402

SMALL = {
    "dpn": published.dpn(init=8, k_r=8, groups=2, blocks=(2, 1, 2, 1), inc=(2, 4, 2, 4), base=8),
    "inception": published.inception(thinner=16),
    "hrnet": published.hrnet(width=4, modules=(1, 2, 1), features=16, blocks=1),
    "res2net": published.res2net(blocks=(2, 1, 1, 1), base=8),
    "densenet_ibn": published.densenet_ibn(growth=4, blocks=(2, 4, 1, 2), stem=10),
}
PUBLISHED = {  # what the public code has, less classifiers
    "dpn": (published.dpn(), 84_228_800),
    "inception": (published.inception(), 41_142_816),
    "hrnet": (published.hrnet(), 75_420_864),
    "res2net": (published.res2net(), 43_176_920),
    "densenet_ibn": (published.densenet_ibn(), 12_484_480),  # torchvision's densenet169 less its classifier
}
LEAST = {"densenet_ibn": (224, 256)}  # whose map has the 7 x 7 pixels that it averages


@pytest.fixture(autouse=True)
def one_thread():
    """Networks this small only wait for each other's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn(shapes, seed=0):
    draw = torch.Generator().manual_seed(seed)
    state = {}
    for key, shape in shapes.items():
        if not shape:
            state[key] = torch.zeros((), dtype=torch.int64)
        elif key.endswith("running_var") or (len(shape) == 1 and key.endswith("weight")):
            state[key] = torch.rand(shape, generator=draw) * 0.5 + 0.75
        else:
            state[key] = torch.randn(shape, generator=draw) * (2 / max(1.0, float(np.prod(shape[1:])))) ** 0.5
    return state


def images(count=2, size=(96, 96), seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3, *size)).astype(np.float32)


@each("name", list(SMALL))
def test_the_published_sizes_and_every_key(name):
    shapes, parameters = PUBLISHED[name]
    family = family_of(list(shapes), name, None)
    named = {family.name_of(key): shape for key, shape in shapes.items()}
    with torch.device("meta"):
        network = family.build(named, {}, name)
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert wanted == {key: shape for key, shape in named.items() if key in wanted}
    assert {key for key in named if key not in wanted} <= {"fc.weight", "fc.bias", "classifier_reid.weight"}
    heads = ("dim_red_", "reid_head")
    assert sum(p.numel() for key, p in network.named_parameters() if not key.startswith(heads)) == parameters


@each("name", list(SMALL))
def test_features_of_unit_length(name, tmp_path):
    state = {f"module.{key}": value for key, value in drawn(SMALL[name]).items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "net.pth.tar")
    model = load(str(tmp_path / "net.pth.tar"), head="type")
    assert model.size == (288, 384)
    found = model(images(size=LEAST.get(name, (96, 96))))
    assert found[""].shape == (2, 16)
    assert_allclose(np.linalg.norm(found[""], axis=1), 1, rtol=1e-5)
    assert_allclose(found["type"].sum(axis=1), 1, rtol=1e-5)
    assert np.abs(found[""][0] - found[""][1]).max() > 1e-4


def test_dpn_by_its_formulas(tmp_path):
    state = drawn(SMALL["dpn"])
    torch.save(state, tmp_path / "net.pth")

    def normed(x, at):
        names = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(state[f"{at}.{name}"] for name in names), eps=1e-3).relu()

    def step(x, at, **how):
        return functional.conv2d(normed(x, f"{at}.bn"), state[f"{at}.conv.weight"], **how)

    x = functional.conv2d(torch.from_numpy(images()), state["features.conv1_1.conv.weight"], stride=2, padding=3)
    x = functional.max_pool2d(normed(x, "features.conv1_1.bn"), 3, 2, 1)
    added = grown = None
    for stage, (blocks, wide) in enumerate(zip((2, 1, 2, 1), (8, 16, 32, 64), strict=True), 2):
        for block in range(1, blocks + 1):
            at, stride = f"features.conv{stage}_{block}", 1
            whole = x if added is None else torch.cat([added, grown], 1)
            if block == 1:
                stride = 1 if stage == 2 else 2
                side = step(whole, f"{at}.c1x1_w_s{stride}", stride=stride)
                added, grown = side[:, :wide], side[:, wide:]
            out = step(step(whole, f"{at}.c1x1_a"), f"{at}.c3x3_b", stride=stride, padding=1, groups=2)
            out = step(out, f"{at}.c1x1_c")
            added, grown = added + out[:, :wide], torch.cat([grown, out[:, wide:]], 1)
    x = normed(torch.cat([added, grown], 1), "features.conv5_bn_ac.bn").mean((2, 3))
    wanted = x @ state["dim_red_conv.weight"].flatten(1).T
    wanted = wanted / (wanted.norm(dim=1, keepdim=True) + 1e-8)
    assert_allclose(load(str(tmp_path / "net.pth"))(images())[""], wanted, rtol=1e-4, atol=1e-6)


def test_a_densenet_with_instance_normalization_by_its_formulas(tmp_path):
    shapes = SMALL["densenet_ibn"]
    state = drawn(shapes)
    torch.save(state, tmp_path / "net.pth")

    def batch(x, at):
        return functional.batch_norm(
            x, *(state[f"{at}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        )

    def instance(x, at):
        mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), unbiased=False, keepdim=True)
        scale, shift = (state[f"{at}.{name}"][:, None, None] for name in ("weight", "bias"))
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    x = torch.from_numpy(images(size=(256, 288)))
    at = "features"
    x = batch(functional.conv2d(x, state[f"{at}.conv0.weight"], stride=2, padding=3), f"{at}.norm0").relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, count in enumerate((2, 4, 1, 2), 1):
        for place in range(count):
            at = f"features.denseblock{stage}.denselayer{place + 1}"
            if stage < 4 and place in (0, 3):  # the first of three
                six = x.shape[1] * 6 // 10
                normed = torch.cat(
                    [batch(x[:, :six], f"{at}.norm.1.BN"), instance(x[:, six:], f"{at}.norm.1.IN")], 1
                )
            else:
                normed = batch(x, f"{at}.norm.1")
            new = functional.conv2d(normed.relu(), state[f"{at}.conv.1.weight"])
            new = functional.conv2d(batch(new, f"{at}.norm.2").relu(), state[f"{at}.conv.2.weight"], padding=1)
            x = torch.cat([x, new], 1)
        if stage < 4:
            at = f"features.transition{stage}"
            x = functional.conv2d(batch(x, f"{at}.norm").relu(), state[f"{at}.conv.weight"])
            x = functional.avg_pool2d(x, 2)
    assert x.shape[2:] == (8, 9)
    x = batch(x, "features.norm5").relu()
    wanted = x[:, :, :7, :7].mean((2, 3)) @ state["dim_red_conv.weight"].flatten(1).T
    wanted = wanted / (wanted.norm(dim=1, keepdim=True) + 1e-8)
    model = load(str(tmp_path / "net.pth"))
    assert_allclose(model(images(size=(256, 288)))[""], wanted, rtol=1e-4, atol=1e-6)
    with pytest.raises(InputError, match=r"a map of 3 x 14 pixels where 7 to 13 are wanted; check size="):
        model(images(size=(96, 448)))


@each(("size", "last"), [((299, 299), (8, 8)), ((75, 75), (1, 1)), ((288, 384), (7, 10))])
def test_maps_of_inception(size, last):
    with torch.inference_mode():
        network = inception.InceptionV4(published.inception(thinner=32)).eval()
        x = torch.zeros(1, 3, *size)
        sizes = []
        for layer in network.features:
            x = layer(x)
            sizes.append(tuple(x.shape[2:]))
    assert x.shape == (1, 48, *last)
    if size == (299, 299):
        sizes = [sizes[place] for place in (2, 3, 4, 5, 10, 18)]
        assert sizes == [(147, 147), (73, 73), (71, 71), (35, 35), (17, 17), (8, 8)]


def test_a_branch_of_inception_by_hand():
    """The mean leaves out what is beyond the border; branches stand in their order."""
    shapes = {f"x.{key}": shape for key, shape in published.conv_bn("branch0", 1, 1)}
    for name, size in (("branch1.0", 1), ("branch1.1", 3), ("branch2.0", 1), ("branch2.1", 3), ("branch2.2", 3)):
        shapes |= {f"x.{key}": shape for key, shape in published.conv_bn(name, 1, 1, size)}
    shapes |= {f"x.{key}": shape for key, shape in published.conv_bn("branch3.1", 1, 1)}
    block = inception.Branches(shapes, "x", "a").eval()
    for name, value in block.named_parameters():
        torch.nn.init.constant_(value, 0.0 if name.endswith("bias") else 1.0)
    x = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    scale = 1 / np.sqrt(1 + 1e-3)
    with torch.no_grad():
        found = block(x)[0].numpy()
    assert_allclose(found[0], np.array([[1, 2], [3, 6]]) * scale, rtol=1e-5)
    assert_allclose(found[1], np.full((2, 2), 12) * scale**2, rtol=1e-5)
    assert_allclose(found[2], np.full((2, 2), 48) * scale**3, rtol=1e-5)
    assert_allclose(found[3], np.full((2, 2), 3) * scale, rtol=1e-5)


def test_an_exchange_of_hrnet_by_hand():
    """The finer map gets the coarser one's pixels four times, the coarser a convolution of stride 2."""
    shapes = dict(published.conv_bn("m.fuse_layers.0.1", 1, 1, names="0 1"))
    shapes |= published.conv_bn("m.fuse_layers.1.0.0", 1, 1, 3, names="0 1")
    for branch in (0, 1):
        for place in (1, 2):
            shapes |= published.conv_bn(f"m.branches.{branch}.0", 1, 1, 3, names=f"conv{place} bn{place}")
    module = hrnet.Exchange(shapes, "m").eval()
    for name, value in module.named_parameters():
        branch = name.startswith("branches")
        torch.nn.init.constant_(value, 0.0 if branch or name.endswith("bias") else 1.0)  # branches: the shortcut
    fine, coarse = torch.arange(1.0, 5.0).reshape(1, 1, 2, 2), torch.tensor([[[[10.0]]]])
    with torch.no_grad():
        found = module([fine, coarse])
    one = 1 / np.sqrt(1 + 1e-5)
    assert_allclose(found[0][0, 0], np.array([[1, 2], [3, 4]]) + 10 * one, rtol=1e-5)
    assert_allclose(found[1][0, 0], [[10 + 10 * one]], rtol=1e-5)


def test_a_block_of_res2net_by_hand():
    """Groups are convolved after the one before was added; the last goes through as it is."""
    shapes = dict(published.conv_bn("b", 4, 4, names="conv1 bn1")) | dict(
        published.conv_bn("b", 4, 4, names="conv3 bn3")
    )
    for group in range(3):
        shapes |= {f"b.convs.{group}.weight": (1, 1, 3, 3)} | dict(published.batch_norm(f"b.bns.{group}", 1))
    block = res2net.Block(shapes, "b", 1, first=False).eval()
    with torch.no_grad():
        for name, value in block.named_parameters():
            value.fill_(0.0 if name.endswith("bias") else 1.0)
        block.conv1.weight.copy_(torch.eye(4)[:, :, None, None])
        block.conv3.weight.copy_(torch.eye(4)[:, :, None, None])
        for layer in block.convs:
            layer.weight.fill_(2.0)
        found = block(torch.tensor([1.0, 2.0, 3.0, 4.0])[None, :, None, None])[0, :, 0, 0].numpy()
    # 2 * 1, then 2 * (2 + 2), then 2 * (8 + 3), the last 4; each with its image added
    assert_allclose(found, [1 + 2, 2 + 8, 3 + 22, 4 + 4], rtol=1e-3)


def test_what_does_not_fit_is_said(tmp_path):
    state = drawn(SMALL["dpn"])
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(InputError, match="wanted no last_stride for DPN, found 1"):
        load(str(tmp_path / "net.pth"), last_stride="1")
    del state["features.conv4_2.c3x3_b.conv.weight"]
    torch.save(state, tmp_path / "net.pth")
    with pytest.raises(InputError, match=r"a global model of the AI City 2020 team, found no .*conv4_2"):
        load(str(tmp_path / "net.pth"))
    assert {"hrnet", "aicity2020"} <= set(FAMILIES)
