"""Pictures of what a model looks at: the sums of a layer's channels, and the heat over the image."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from extractors import heatmap
from extractors.maps import grid_of, heat, overlay
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import picture, save

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("matplotlib")

from extractors.maps import channel_sums, layer_of  # noqa: E402
from extractors.models import load  # noqa: E402


class Net(torch.nn.Module):
    """Two maps, the second of tokens behind a class token."""

    def __init__(self):
        super().__init__()
        self.early = torch.nn.Conv2d(3, 2, 2, 2, bias=False)
        self.late = torch.nn.Conv2d(2, 2, 2, 2, bias=False)
        self.tokens = torch.nn.Linear(2, 3, bias=False)
        for layer in (self.early, self.late, self.tokens):
            torch.nn.init.ones_(layer.weight)

    def forward(self, x):
        x = self.late(self.early(x))
        rows = x.flatten(2).transpose(1, 2)
        return self.tokens(torch.cat([rows[:, :1], rows], 1)).mean(1)


def net():
    return Net()


SPEC = f"module:{__name__}:net"
OPTIONS = {"size": "16x8", "mean": "0/0/0", "std": "1/1/1"}


def test_sums_by_hand():
    """Each map adds up all values of its 2 x 2, then 4 x 4 pixels, once for each of its channels."""
    model = load(SPEC, **OPTIONS)
    x = np.random.default_rng(0).random((2, 3, 16, 8), np.float32)
    assert layer_of(model, x, None) == "tokens"
    blocks = x.sum(1).reshape(2, 8, 2, 4, 2).sum((2, 4))
    assert_allclose(channel_sums(model, x, "early"), 2 * blocks, rtol=1e-5)
    whole = 2 * 2 * blocks.reshape(2, 4, 2, 2, 2).sum((2, 4))
    assert_allclose(channel_sums(model, x, "late"), whole, rtol=1e-5)
    assert_allclose(channel_sums(model, x, "tokens"), 3 * whole, rtol=1e-5)


@each(
    ("shape", "images", "grid"),
    [
        ((2, 64, 16, 8), (2, 3, 256, 128), (16, 8)),
        ((2, 211, 768), (2, 3, 256, 128), (21, 10)),
        ((2, 210, 768), (2, 3, 256, 128), (21, 10)),
        ((2, 197, 768), (2, 3, 224, 224), (14, 14)),
        ((2, 512), (2, 3, 256, 128), None),
        ((2, 64, 1, 1), (2, 3, 256, 128), None),
        ((2, 6, 2048), (2, 3, 384, 128), None),
        ((1, 64, 16, 8), (2, 3, 256, 128), None),
    ],
)
def test_which_outputs_are_maps(shape, images, grid):
    assert grid_of(shape, images) == grid


def test_heat_by_hand():
    found = heat(np.array([[-5.0, 0.0], [2.0, 4.0]]), (2, 2))
    assert_array_equal(found, [[0, 0], [0.5, 1]])  # below 0 is 0
    assert not heat(np.full((2, 2), 3.0), (4, 4)).any()
    image = np.full((1, 2, 3), 255, np.uint8)
    # JET from dark blue (0, 0, 0.5) to dark red (0.5, 0, 0), over white, divided by 1.5
    assert_array_equal(overlay(image, np.array([[0.0, 1.0]])), [[[170, 170, 255], [255, 170, 170]]])


def test_the_command(tmp_path, capsys):
    for name in ("a/1.png", "b/1.png", "2.jpg"):
        save(tmp_path / "images" / name, picture(1, (20, 10)))
    (tmp_path / "images" / "notes.txt").write_text("no image")
    out = tmp_path / "maps"
    model = f"{SPEC},size=16x8,mean=0/0/0,std=1/1/1"
    options = ["--images", str(tmp_path / "images"), "--model", model, "--out", str(out), "--batch", "2"]
    assert heatmap.main([*options, "--layer", "late"]) == 0
    assert "net, late: 3 images" in capsys.readouterr().out
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*.png"))
    assert written == sorted(f"{name}_{kind}.png" for name in ("a/1", "b/1", "2") for kind in ("heat", "sum"))
    small = np.asarray(Image.fromarray(picture(1, (20, 10))).resize((8, 16), Image.Resampling.BILINEAR))
    x = (small.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None]
    wanted = overlay(small, heat(channel_sums(load(SPEC, **OPTIONS), x, "late")[0], (16, 8)))
    assert_array_equal(np.asarray(Image.open(out / "a" / "1_heat.png")), wanted)
    before = (out / "2_sum.png").read_bytes()
    assert heatmap.main([*options, "--layer", "late", "--kinds", "sum", "--most", "1"]) == 0
    assert (out / "2_sum.png").read_bytes() == before  # the first by its name


@each(
    ("more", "piece"),
    [
        (["--layer", "conv9"], "--layer: wanted one of net that puts out maps (tokens, late, early), found conv9"),
        (["--model", "hog:8"], "wanted a model with layers to look into"),
        (["--images", "no/such"], "--images: wanted images or folders of them, found none at no/such"),
        (["--batch", "0"], "--batch: wanted 1 or more, found 0"),
    ],
)
def test_what_is_refused(more, piece, tmp_path):
    save(tmp_path / "images" / "1.png", picture(1))
    options = [
        "--images",
        str(tmp_path / "images"),
        "--model",
        f"{SPEC},size=16x8",
        "--out",
        str(tmp_path / "out"),
    ]
    assert piece in "\n".join(problems(heatmap.main, [*options, *more]))
    assert not (tmp_path / "out").exists()
