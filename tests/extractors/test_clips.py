"""Models that take clips (n, t, 3, h, w), and the sentence where a model is not one of what it is handed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble import io
from ensemble.base.errors import InputError
from extractors import dump
from extractors.models import load
from extractors.tracklets import Clips, clips
from extractors.views import Views, features
from tests.extractors.test_tracklets import recording
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import city, onnx, picture

torch = pytest.importorskip("torch", reason="torch is not installed")


class OfClips(torch.nn.Module):
    """Frame t counts t + 1 times: the order inside a clip matters, and so does left and right."""

    def forward(self, x):
        _, t, _, _, w = x.shape
        left = (x * torch.arange(1, w + 1)).mean((3, 4))
        return (left * torch.arange(1, t + 1)[:, None]).sum(1)


class OfImages(torch.nn.Module):
    """Takes one image a row, as most do."""

    def forward(self, x):
        _, _, _, _ = x.shape
        return x.mean((2, 3))


def of_clips():
    return OfClips()


def of_images():
    return OfImages()


class Ready:
    """A model that is none of torch's, and fails in its own way."""

    name, size, mean, std, digest = "ready", (4, 4), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "0" * 64

    def __call__(self, x):
        raise KeyError("frames")


def ready():
    return Ready()


SPEC, IMAGE, READY = (f"module:{__name__}:{name}" for name in ("of_clips", "of_images", "ready"))
PLAIN = {"mean": "0/0/0", "std": "1/1/1"}


def by_hand(frames):
    """(t, h, w, 3) uint8 -> what the model gives of one clip."""
    x = frames.astype(np.float32) / np.float32(255)
    left = (x * np.arange(1, x.shape[2] + 1)[:, None]).mean(axis=(1, 2))
    return (left * np.arange(1, len(x) + 1)[:, None]).sum(axis=0)


@each("more", [[], ["--batch", "3"], ["--flip", "sum", "--l2", "end"]])
def test_from_folders_of_frames(more, tmp_path):
    rec, out = recording(tmp_path / "rec"), tmp_path / "features"
    options = ["--images", str(rec), "--tracklets", "folders", "--clip", "2", "--workers", "0", "--out", str(out)]
    model = f"{SPEC},size=12x10,clips=yes,mean=0/0/0,std=1/1/1,name=clip"
    assert dump.main([*options, "--model", model, *more]) == 0
    (found,) = io.read_folder(out)
    for track in (0, 1):
        frames = np.stack([picture(100 * track + frame, (12, 10)) for frame in range(5 + track)])
        rows = []
        for clip in clips(f"{track + 1:04d}", len(frames), Clips(length=2)):
            row = by_hand(frames[clip])
            rows.append(row + by_hand(frames[clip][:, :, ::-1]) if "--flip" in more else row)
        if "--l2" in more:
            rows = [row / np.linalg.norm(row) for row in rows]
        assert_allclose(found.query[track], np.mean(rows, axis=0), rtol=1e-5)


@pytest.mark.parametrize("kind", ["onnx", "exported"])
def test_a_file_says_itself_that_it_takes_clips(kind, tmp_path):
    """Three frames, as the file says; its answer is their means."""
    if kind == "onnx":
        pytest.importorskip("onnxruntime")
        path = onnx(tmp_path / "net.onnx", ("n", 3, 3, 12, 10))
    else:
        path = tmp_path / "net.pt2"
        example = (torch.zeros(2, 3, 3, 12, 10),)
        many = {"x": {0: torch.export.Dim("n")}}
        torch.export.save(torch.export.export(OfClips(), example, dynamic_shapes=many), path)
    model = load(str(path), device="cpu")
    assert (model.frames, model.size) == (3, (12, 10))
    rec, out = recording(tmp_path / "rec"), tmp_path / "features"
    options = ["--images", str(rec), "--model", f"{path},name=net", "--out", str(out), "--workers", "0"]
    (problem,) = problems(dump.main, options)
    assert problem.startswith("--tracklets: wanted it, since net takes clips of 3 frames (n, t, 3, h, w)")
    (problem,) = problems(dump.main, [*options, "--tracklets", "folders"])
    assert problem == (
        "--clip: wanted 3, since net takes clips of 3 frames (n, t, 3, h, w), found 4; add --clip 3"
    )
    assert dump.main([*options, "--tracklets", "folders", "--clip", "3"]) == 0
    assert io.read_folder(out)[0].query.shape == (2, 3)


@each(
    ("spec", "options", "images", "piece"),
    [
        (
            SPEC,
            {},
            (2, 1, 6, 4, 3),
            "clip: wanted to run it on 2x3x6x4, which is (images, 3, height, width), found:",
        ),
        (SPEC, {}, (2, 1, 6, 4, 3), "add clips=yes, and --tracklets, if it takes clips (n, t, 3, h, w)"),
        (READY, None, (2, 1, 4, 4, 3), "ready: wanted to run it on 2x3x4x4, which is (images, 3, height, width)"),
    ],
)
def test_a_sentence_where_the_shape_is_not_the_models(spec, options, images, piece):
    more = {} if options is None else {"size": "6x4", "name": "clip", **options}
    with pytest.raises(InputError) as caught:
        features(load(spec, **more), np.zeros(images, np.uint8), Views())
    assert piece in caught.value.problems[0]


def test_a_model_of_images_that_is_told_to_take_clips(tmp_path):
    rec = recording(tmp_path / "rec")
    options = ["--images", str(rec), "--tracklets", "folders", "--out", str(tmp_path / "out"), "--workers", "0"]
    (problem,) = problems(dump.main, [*options, "--model", f"{IMAGE},size=6x4,clips=yes,name=net"])
    assert "net: wanted to run it on 2x4x3x6x4, which is (clips, frames, 3, height, width)" in problem
    assert problem.endswith("check size=, leave out clips= if it takes single images")
    assert "wanted clips=yes, no or the frames" in problems(load, IMAGE, size="6x4", clips="some")[0]


def test_clips_on_pictures(tmp_path):
    options = ["--images", str(city(tmp_path / "images")), "--out", str(tmp_path / "out"), "--workers", "0"]
    (problem,) = problems(dump.main, [*options, "--model", f"{SPEC},size=6x4,clips=yes,name=net"])
    assert problem == (
        "--tracklets: wanted it, since net takes clips of several frames (n, t, 3, h, w), found single images; "
        "add --tracklets folders"
    )
