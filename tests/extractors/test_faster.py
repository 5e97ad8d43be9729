"""Folding, compiling, rewriting graphs: the same numbers, to 1e-4 of the largest, or a refusal."""

import numpy as np
import pytest

from extractors.models import load
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import onnx

torch = pytest.importorskip("torch", reason="torch is not installed")

from tests.extractors.test_backbones import SMALL, drawn, images, one_thread  # noqa: E402, F401

CLOSE = 1e-5  # what folding leaves, of the largest value; the loader refuses more than faster.TOLERANCE


class Net(torch.nn.Module):
    """Pairs that may be folded, and pairs that only look like it."""

    def __init__(self):
        super().__init__()
        self.plain, self.after = torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4)
        self.conv, self.apart = torch.nn.Conv2d(4, 4, 1), torch.nn.BatchNorm2d(4)  # a ReLU is between them
        self.twice, self.shared = torch.nn.Conv2d(4, 4, 1), torch.nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.apart(self.conv(self.after(self.plain(x))).relu())
        return self.shared(self.twice(self.shared(self.twice(x)))).mean((2, 3))


class Beside(torch.nn.Module):
    """What a convolution put out is needed without its normalization too, or is what comes out."""

    def __init__(self, returned=False):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 4, 9), torch.nn.BatchNorm2d(4)
        self.returned = returned

    def forward(self, x):
        x = self.conv(x)
        normed = self.norm(x)
        return {"": x, "head": normed} if self.returned else (normed + x).mean((2, 3))


def made(kind, **settings):
    torch.manual_seed(0)
    network = kind(**settings)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.running_var, 0.5, 2)
            torch.nn.init.normal_(layer.running_mean)
            torch.nn.init.uniform_(layer.weight, 0.5, 2)
    return network.eval()


def net():
    return made(Net)


def beside(returned=False):
    return made(Beside, returned=returned)


def apart(one, other):
    return np.abs(one - other).max() / np.abs(one).max()


def spec(name):
    return f"module:{__name__}:{name}"


def test_what_is_folded():
    x = images(size=(9, 8))
    plain, folded = load(spec("net"), size="9x8"), load(spec("net"), size="9x8", fold="yes")
    assert plain.digest == folded.digest
    assert isinstance(folded.module.after, torch.nn.Identity)
    assert isinstance(folded.module.apart, torch.nn.BatchNorm2d)
    assert isinstance(folded.module.shared, torch.nn.BatchNorm2d)
    assert apart(plain(x)[""], folded(x)[""]) < CLOSE
    used = load(spec("beside"), size="9x9", fold="yes")
    assert isinstance(used.module.norm, torch.nn.BatchNorm2d)


@each("name", ["dpn", "res2net"])
def test_checkpoints_keep_their_features(name, tmp_path):
    torch.save(drawn(SMALL[name]), tmp_path / "net.pth")
    x = images()
    plain, folded = load(str(tmp_path / "net.pth")), load(str(tmp_path / "net.pth"), fold="yes", size="96x96")
    norms = [sum(isinstance(one, torch.nn.BatchNorm2d) for one in m.module.modules()) for m in (plain, folded)]
    assert norms[1] < norms[0] / 2
    assert isinstance(folded.module.dim_red_bn, torch.nn.BatchNorm2d)  # the feature is what comes before it
    assert apart(plain(x)[""], folded(x)[""]) < CLOSE


def test_numbers_that_do_not_stay_are_refused():
    """Here the feature itself is what the folded convolution would change."""
    (problem,) = problems(load, spec("beside"), size="9x9", fold="yes", arguments='{"returned": true}')
    assert "wanted the same numbers with fold, to 0.0001 of the largest, found them" in problem
    assert problem.endswith("apart; leave fold out")


def test_compiled():
    x = images(3, size=(9, 8))
    plain, compiled = (load(spec("net"), size="9x8", **more) for more in ({}, {"compile": "eager", "fold": "yes"}))
    assert type(compiled.module).__name__ == "OptimizedModule"
    assert apart(plain(x)[""], compiled(x)[""]) < CLOSE
    assert apart(plain(x[:1])[""], compiled(x[:1])[""]) < CLOSE


def test_what_is_refused(tmp_path):
    wrong = problems(load, spec("net"), size="9x8", fold="maybe", compile="fast")
    assert "wanted fold=yes or no, found maybe" in wrong[0]
    assert "found fast" in wrong[1]
    example = (torch.zeros(1, 3, 9, 8),)
    torch.export.save(torch.export.export(net(), example), tmp_path / "net.pt2")
    assert "wanted no fold for a program" in problems(load, str(tmp_path / "net.pt2"), fold="yes")[0]


def test_levels_of_onnxruntime(tmp_path):
    pytest.importorskip("onnxruntime")
    path = str(onnx(tmp_path / "net.onnx", ("n", 3, 8, 6)))
    x = images(2, (8, 6))
    usual = load(path, device="cpu")(x)[""]
    for level in ("none", "basic", "extended", "all"):
        assert apart(usual, load(path, device="cpu", optimize=level)(x)[""]) < CLOSE
    assert "wanted optimize=none, basic, extended, all, found fast" in problems(load, path, optimize="fast")[0]


def test_a_real_network_at_every_level(shared):
    pytest.importorskip("onnxruntime")
    path = str(shared / "models" / "osnet_x0_25_msmt17.onnx")
    x = images(1, (256, 128))
    found = {level: load(path, device="cpu", optimize=level)(x)[""] for level in ("none", "all")}
    assert apart(found["none"], found["all"]) < CLOSE
