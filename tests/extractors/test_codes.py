"""Binary codes from pictures: heads that were trained to be hashed, pyramids of them, and any model's signs."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble import io
from ensemble import run as ensemble_run
from extractors import dump
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import city

torch = pytest.importorskip("torch", reason="torch is not installed")

from extractors.models import load  # noqa: E402
from extractors.models.checkpoints import resnet  # noqa: E402
from tests.extractors.test_backbones import drawn, images, one_thread  # noqa: E402, F401
from tests.support.published import batch_norm  # noqa: E402

LENGTHS = (2048, 1024, 512, 256, 128, 64, 32)


def light_reid(pyramid, hashed=True, middle=0, gem=False):
    """A state dict as light-reid's engine saves it, with a shallow ResNet."""
    with torch.device("meta"):
        base = resnet.ResNet(resnet.Plan(blocks=(1, 1, 1, 1), first=8, second=8), resnet.Unsaid())
    shapes = {f"backbone.{key}": tuple(value.shape) for key, value in base.state_dict().items()}
    shapes |= {"pooling.0.p": (1,)} if gem else {}
    into = 2048
    for length in LENGTHS if pyramid else ():
        shapes |= {f"head.fc{length}.weight": (length, into), f"head.fc{length}.bias": (length,)}
        shapes |= batch_norm(f"head.neck{length}.bn", length)
        shapes |= {f"head.neck{length}.classifier.weight": (5, length), f"head.neck{length}.classifier.bias": (5,)}
        into = length
    if not pyramid:
        shapes |= batch_norm("head.bn", 2048)
        if middle:
            shapes |= {"head.middle_fc.weight": (middle, 2048), "head.middle_fc.bias": (middle,)}
            shapes |= batch_norm("head.middle_bn", middle)
        shapes |= {"head.classifier.weight": (5, middle or 2048), "head.classifier.bias": (5,)}
    state = drawn(shapes)
    if gem:
        state["pooling.0.p"] = torch.tensor([3.0])
    flags = [f"head.neck{length}.is_hash" for length in LENGTHS] if pyramid else ["head.is_hash"]
    return state | {flag: torch.tensor(hashed) for flag in flags}


def saved(path, state):
    torch.save(state, path)
    return str(path)


def normed(x, state, at):
    names = ("running_mean", "running_var", "weight", "bias")
    return torch.nn.functional.batch_norm(x, *(state[f"{at}.{name}"] for name in names))


def pooled(state, x, power=None):
    base = resnet.ResNet(resnet.Plan(blocks=(1, 1, 1, 1), first=8, second=8), resnet.Unsaid())
    base.load_state_dict({k[9:]: v for k, v in state.items() if k.startswith("backbone.")})
    with torch.inference_mode():
        found = base.eval()(torch.from_numpy(x))
        return found.mean((2, 3)) if power is None else found.clamp(1e-6).pow(power).mean((2, 3)).pow(1 / power)


def test_a_pyramid_by_its_formulas(tmp_path):
    """Each length is a linear layer on the one before; the released head gives (sign(bn) + 1) / 2."""
    state, x = light_reid(pyramid=True), images(size=(64, 32))
    model = load(saved(tmp_path / "net.pth", {f"module.{key}": value for key, value in state.items()}))
    assert (model.size, model.code_lengths) == ((256, 128), (2048, 512, 128, 32))
    feature, wanted = pooled(state, x), {}
    for length in LENGTHS:
        feature = feature @ state[f"head.fc{length}.weight"].T + state[f"head.fc{length}.bias"]
        wanted[length] = normed(feature, state, f"head.neck{length}.bn")
    whole = torch.cat([wanted[length] for length in model.code_lengths], 1).numpy()
    np.testing.assert_allclose(model(x)[""], whole, rtol=1e-3, atol=1e-3)
    two = load(saved(tmp_path / "net.pth", state), lengths="64/1024")
    np.testing.assert_allclose(two(x)[""], torch.cat([wanted[1024], wanted[64]], 1), rtol=1e-3, atol=1e-3)
    assert two.code_lengths == (1024, 64)
    assert load(str(tmp_path / "net.pth"), hash="no").code_lengths == ()
    assert "lengths= among 2048/1024" in problems(load, str(tmp_path / "net.pth"), lengths="100")[0]


@each(("hashed", "middle", "gem"), [(True, 0, False), (False, 0, True), (True, 16, False)])
def test_a_head_of_one_length(hashed, middle, gem, tmp_path):
    state, x = light_reid(False, hashed, middle, gem), images(size=(64, 32))
    model = load(saved(tmp_path / "net.pth", state), head="camera")
    assert model.code_lengths == ((middle or 2048,) if hashed else ())
    wanted = normed(pooled(state, x, 3.0 if gem else None), state, "head.bn")
    if middle:
        wanted = wanted @ state["head.middle_fc.weight"].T + state["head.middle_fc.bias"]
        wanted = normed(wanted, state, "head.middle_bn")
    found = model(x)
    np.testing.assert_allclose(found[""], wanted, rtol=1e-3, atol=1e-3)
    assert found["camera"].shape == (2, 5)
    assert load(str(tmp_path / "net.pth"), hash="no" if hashed else "yes").code_lengths != model.code_lengths
    assert "its head has one" in problems(load, str(tmp_path / "net.pth"), lengths="32")[0]


def test_from_pictures_to_the_coarse_to_fine_ranking(tmp_path, capsys):
    """A command each: codes in a file of their own kind, and the recipe's ranking, without training images."""
    pictures, out = city(tmp_path / "images"), tmp_path / "features"
    path = saved(tmp_path / "net.pth", light_reid(pyramid=True))
    model = f"{path},size=64x32,name=net"
    options = ["--images", str(pictures), "--model", model, "--like", "lightreid", "--workers", "0"]
    assert dump.main([*options, "--out", str(out)]) == 0
    with np.load(out / "net.npz") as file:
        assert file["query"].shape == (3, 340)  # 2720 bits
        assert file["query"].dtype == np.uint8
        assert file["code_lengths"].tolist() == [2048, 512, 128, 32]
    (found,) = io.read_folder(out)
    assert found.codes == (2048, 512, 128, 32)
    assert set(np.unique(found.query)) == {0, 1}
    plain = tmp_path / "numbers"
    assert dump.main([*options[:3], f"{model},codes=no", *options[4:], "--out", str(plain)]) == 0
    (numbers,) = io.read_folder(plain)
    assert numbers.codes == ()
    assert_array_equal(found.query, numbers.query > 0)
    assert json.loads((out / "net.json").read_text())["options"]["codes"] == {
        "lengths": [2048, 512, 128, 32], "cut": 0.0
    }  # fmt: skip
    assert "codes" not in json.loads((plain / "net.json").read_text())["options"]
    run = ["--features", str(out), "--recipe", "lightreid", "--set", "top_k=5", "--out", str(tmp_path / "run")]
    assert ensemble_run.main(run) == 0
    assert "radius: 0.5 is taken" in capsys.readouterr().out


def test_any_models_signs(tmp_path):
    """The bits are taken when all views are joined: what both mirror images together say."""
    pictures = city(tmp_path / "images")
    options = ["--images", str(pictures), "--workers", "0", "--flip", "sum"]
    dump.main([*options, "--model", "pixels,size=6x4", "--out", str(tmp_path / "plain")])
    models = [f"pixels,size=6x4,name={name},codes={value}" for name, value in (("sign", "yes"), ("cut", "0.25"))]
    dump.main([*options, *(f"--model={model}" for model in models), "--out", str(tmp_path / "codes")])
    (plain,) = io.read_folder(tmp_path / "plain")
    cut, sign = io.read_folder(tmp_path / "codes")
    assert (sign.codes, cut.codes) == ((72,), (72,))
    assert_array_equal(sign.gallery, plain.gallery > 0)
    assert_array_equal(cut.gallery, plain.gallery > 0.25)
    assert 0 < cut.gallery.sum() < sign.gallery.sum()


@each(
    ("model", "more", "piece"),
    [
        ("pixels,codes=maybe", [], "codes=yes, no or the value that separates 0 from 1, found maybe"),
        ("pixels,codes=nan", [], "found nan"),
        ("pixels,codes=yes", ["--format", "pickle"], "--format: wanted npz for the codes of pixels"),
    ],
)
def test_what_codes_refuse(model, more, piece, tmp_path):
    options = ["--images", str(city(tmp_path / "images")), "--model", model, "--out", str(tmp_path / "out"), *more]
    assert piece in "\n".join(problems(dump.main, options))
