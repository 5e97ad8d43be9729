"""From pictures to feature files: what is written, what a kill leaves, what is refused."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from ensemble import io
from ensemble import run as ensemble_run
from extractors import dump, extract
from extractors.models import classical
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import city, picture, save

HOG = ["--model", "hog:8,size=32x32,name=hog", "--workers", "0"]


@pytest.fixture
def images(tmp_path):
    return city(tmp_path / "images")


def run(images, out, *more):
    assert dump.main(["--images", str(images), "--out", str(out), *map(str, more)]) == 0


def test_features_with_names_and_a_record(images, tmp_path, capsys):
    out = tmp_path / "features"
    run(images, out, *HOG)
    with np.load(out / "hog.npz") as file:
        assert file["query"].shape == (3, 324)
        assert file["gallery"].dtype == np.float32
        assert file["query_name"].tolist() == ["000001.png", "000002.png", "000003.png"]
        found = file["query"]
    model = classical.load("hog:8", size="32x32")
    for row in range(3):
        small = Image.fromarray(picture(row)).resize((32, 32), Image.Resampling.BILINEAR)
        pixels = (np.asarray(small).astype(np.float32) / np.float32(255)).transpose(2, 0, 1)
        assert_array_equal(found[row], model(pixels[None])[""][0])
    record = json.loads((out / "hog.json").read_text())
    assert record["weights_sha256"] == model.digest
    assert record["images"] == {"query": 3, "gallery": 5}
    assert record["options"]["reading"]["resize"] == "bilinear"
    assert record["versions"]["numpy"] == np.__version__
    assert record["seconds"] > 0
    assert sorted(path.name for path in out.iterdir()) == ["gallery.csv", "hog.json", "hog.npz", "query.csv"]
    assert "hog: 8 images x 324" in capsys.readouterr().out


def test_what_is_written_runs_with_no_other_flag(images, tmp_path, capsys):
    (images / "query.csv").write_text("name,pid,cam\n000001.png,1,1\n000002.png,2,1\n000003.png,3,1\n")
    rows = "".join(f"00000{n}.png,{(n + 1) // 2},2\n" for n in range(1, 6))
    (images / "gallery.csv").write_text(f"name,pid,cam\n{rows}")
    (images / "test_track_id.txt").write_text("1 2 \n3 4 5 \n")
    for name, count in (("name_query.txt", 3), ("name_test.txt", 5)):
        (images / name).write_text("".join(f"{number:06d}.png\n" for number in range(1, count + 1)))
    out = tmp_path / "features"
    run(images, out, *HOG, "--model", "colour:4", "--model", "pixels", "--l2", "end")
    assert (out / "gallery.csv").read_text().splitlines()[:2] == ["name,pid,cam,track,order", "000001.png,1,2,0,0"]
    assert ensemble_run.main(["--features", str(out), "--out", str(tmp_path / "run")]) == 0
    assert "mAP" in capsys.readouterr().out
    assert len((tmp_path / "run" / "track2.txt").read_text().splitlines()) == 3


def test_pickle_pairs(images, tmp_path):
    run(images, tmp_path / "npz", *HOG)
    run(images, tmp_path / "pickle", *HOG, "--format", "pickle")
    paths = [tmp_path / "pickle" / f"{side}_hog.pkl" for side in ("query", "gallery")]
    content = paths[0].read_bytes()
    assert content[:2] == b"\x80\x02"  # Python 2 reads it
    assert b"numpy._core" not in content
    loaded = pickle.loads(content)
    assert list(loaded) == ["000001.png", "000002.png", "000003.png"]
    one, two = (io.read_folder(tmp_path / kind)[0] for kind in ("npz", "pickle"))
    assert_array_equal(loaded["000002.png"], one.query[1])
    assert_array_equal(one.gallery, two.gallery)
    assert_array_equal(one.query, two.query)


def test_a_finished_run_is_not_done_again(images, tmp_path, monkeypatch, capsys):
    out = tmp_path / "features"
    run(images, out, *HOG)
    before = (out / "hog.npz").stat().st_mtime_ns
    calls = []
    monkeypatch.setattr(classical.Descriptor, "__call__", lambda *_: calls.append(1))
    run(images, out, *HOG)
    assert not calls
    assert (out / "hog.npz").stat().st_mtime_ns == before
    assert "already there" in capsys.readouterr().out


@each("change", ["option", "image", "model", "view"])
def test_what_changes_is_done_again(images, tmp_path, change):
    out = tmp_path / "features"
    run(images, out, *HOG)
    before = (out / "hog.npz").read_bytes()
    more = {"option": ["--filter", "bicubic"], "view": ["--flip", "mean"]}.get(change, [])
    if change == "image":
        save(images / "image_test" / "000003.png", picture(77, (50, 41)))
    model = ["--model", "hog:8:7,size=32x32,name=hog", "--workers", "0"] if change == "model" else HOG
    run(images, out, *model, *more)
    assert (out / "hog.npz").read_bytes() != before
    fresh = tmp_path / "fresh"
    run(images, fresh, *model, *more)
    assert (out / "hog.npz").read_bytes() == (fresh / "hog.npz").read_bytes()


def test_another_format_takes_the_place_of_the_first(images, tmp_path):
    out = tmp_path / "features"
    run(images, out, *HOG)
    run(images, out, *HOG, "--format", "pickle")
    assert not (out / "hog.npz").exists()
    assert io.scan(out).joined == ["hog"]


def test_batches_and_workers_change_nothing(images, tmp_path):
    run(images, tmp_path / "one", *HOG, "--batch", "1")
    run(images, tmp_path / "two", *HOG[:2], "--workers", "2", "--batch", "3")
    assert (tmp_path / "one" / "hog.npz").read_bytes() == (tmp_path / "two" / "hog.npz").read_bytes()


SLOW = """
import sys, time
from extractors import dump, extract
from extractors.models import classical
extract.PIECE = 4
plain = classical.Descriptor.__call__
def slow(self, images):
    time.sleep(0.4)
    return plain(self, images)
classical.Descriptor.__call__ = slow
if __name__ == "__main__":
    dump.main(sys.argv[1:])
"""


def test_a_killed_run_goes_on_and_gives_the_same_bytes(tmp_path, monkeypatch):
    images = city(tmp_path / "images", 9, 11)
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    out = tmp_path / "killed"
    options = ["--images", str(images), *HOG[:2], "--batch", "2", "--flip", "mean"]
    root = Path(dump.__file__).parents[1]
    command = [sys.executable, str(script), *options, "--workers", "1", "--out", str(out)]
    child = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(root)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            pieces = sorted(out.glob(".extracting/*/*.npz"))
            if len(pieces) >= 2:
                break
            assert child.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert pieces
    assert not list(out.glob("*.npz"))
    monkeypatch.setattr(extract, "PIECE", 4)
    calls = []
    plain = classical.Descriptor.__call__
    monkeypatch.setattr(classical.Descriptor, "__call__", lambda self, x: calls.append(len(x)) or plain(self, x))
    dump.main([*options, "--workers", "0", "--out", str(out)])
    assert 0 < sum(calls) <= 2 * (20 - 2 * 4)  # two views of what was not there
    dump.main([*options, "--workers", "0", "--out", str(tmp_path / "whole")])
    assert (out / "hog.npz").read_bytes() == (tmp_path / "whole" / "hog.npz").read_bytes()
    assert not (out / ".extracting").exists()


def test_workers_end_with_a_killed_parent(tmp_path):
    images = city(tmp_path / "images", 9, 11)
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    root = Path(dump.__file__).parents[1]
    command = [sys.executable, str(script), "--images", str(images), *HOG[:2], "--workers", "2", "--batch", "2"]
    child = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    if not children.parent.is_dir():
        child.kill()
        pytest.skip("no /proc to see processes in")
    try:
        for _ in range(600):
            if list((tmp_path / "out").glob(".extracting/*/*.npz")):
                break
            time.sleep(0.02)
        started = [int(pid) for pid in children.read_text().split()]
        assert len(started) >= 2
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    for _ in range(200):
        alive = [pid for pid in started if _runs(pid)]
        if not alive:
            break
        time.sleep(0.02)
    assert not alive


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def broken(images):
    (images / "image_query" / "000002.png").write_bytes(b"")
    (images / "image_test" / "000004.png").write_bytes(b"no picture")


@each("workers", ["0", "1"])
def test_broken_images_stop_everything_and_all_are_named(images, tmp_path, workers):
    broken(images)
    out = tmp_path / "features"
    found = problems(dump.main, ["--images", str(images), "--out", str(out), *HOG[:2], "--workers", workers])
    assert [line.split(";")[0] for line in found] == [
        f"{images / 'image_query' / '000002.png'}: no image",
        f"{images / 'image_test' / '000004.png'}: no image",
    ]
    assert not list(out.glob("*.npz"))
    assert not list(out.glob("*.csv"))


def test_broken_images_are_skipped_and_listed(images, tmp_path, capsys):
    whole = tmp_path / "whole"
    run(images, whole, *HOG)
    broken(images)
    out = tmp_path / "features"
    run(images, out, *HOG, "--skip-broken")
    one, two = io.read_folder(whole)[0], io.read_folder(out)[0]
    assert_array_equal(two.query, one.query[[0, 2]])
    assert_array_equal(two.gallery, one.gallery[[0, 1, 2, 4]])
    assert two.query_table["name"].tolist() == ["000001.png", "000003.png"]
    printed = capsys.readouterr().out
    assert f"left out: {images / 'image_query' / '000002.png'}: no image" in printed
    assert json.loads((out / "hog.json").read_text())["left_out"]["query"]["000002.png"]
    assert len(problems(dump.main, ["--images", str(images), "--out", str(out), *HOG])) == 2


def test_very_many_broken_images_go_to_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(extract, "MOST_TOLD", 2)
    images = city(tmp_path / "images", 1, 4)
    for path in (images / "image_test").iterdir():
        path.write_bytes(b"")
    found = problems(dump.main, ["--images", str(images), "--out", str(tmp_path / "out"), *HOG])
    assert len(found) == 3
    assert "found 4 others" in found[2]
    assert len((tmp_path / "out" / "broken.txt").read_text().splitlines()) == 4


def test_heads_go_to_side(images, tmp_path, monkeypatch):
    plain = classical.Descriptor.__call__
    monkeypatch.setattr(
        classical.Descriptor,
        "__call__",
        lambda self, x: {**plain(self, x), "camera": x.mean(axis=(2, 3))},
    )
    out = tmp_path / "features"
    run(images, out, *HOG)
    folder = io.scan(out)
    assert folder.joined == ["hog"]
    assert set(folder.models) == {"hog", "side/camera_hog"}
    with np.load(out / "side" / "camera_hog.npz") as file:
        assert file["gallery"].shape == (5, 3)
    run(images, tmp_path / "pickle", *HOG, "--format", "pickle")
    assert (tmp_path / "pickle" / "side" / "query_camera_hog.pkl").is_file()


def test_like_a_published_system(images, tmp_path):
    """AI City 2020, 5th place: 310 x 414, the centre, unit length, mean with the mirror image."""
    out = tmp_path / "features"
    run(images, out, "--model", "pixels,size=288x384", "--workers", "0", "--like", "aicity2020_5th")
    model = classical.load("pixels", size="288x384")
    image = Image.fromarray(picture(0)).resize((414, 310), Image.Resampling.BILINEAR)
    views = []
    for turned in (image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
        pixels = np.asarray(turned.crop((15, 11, 399, 299))).astype(np.float32) / np.float32(255)
        feature = model(pixels.transpose(2, 0, 1)[None])[""][0]
        views.append(feature / np.linalg.norm(feature))
    with np.load(out / "pixels.npz") as file:
        assert_allclose(file["query"][0], (views[0] + views[1]) / 2, rtol=1e-5, atol=1e-8)


def test_the_detectors_crops(images, tmp_path, capsys):
    crops = tmp_path / "crops"
    for side, first in (("query", 0), ("gallery", 100)):
        for number in range(3):
            save(crops / side / f"{number + 1:06d}.png", picture(first + number + 50, (20, 20)))
    out = tmp_path / "features"
    run(images, out, "--model", "pixels,size=8x8", "--workers", "0", "--detected", crops)
    assert "no crop of 2 of 8 images" in capsys.readouterr().out
    run(images, tmp_path / "plain", "--model", "pixels,size=8x8", "--workers", "0")
    one, two = (np.load(folder / "pixels.npz")["gallery"] for folder in (out, tmp_path / "plain"))
    assert_array_equal(one[3:], two[3:])
    assert (one[:3] != two[:3]).any(axis=1).all()
    with pytest.raises(Exception, match="found none"):
        run(images, out, *HOG, "--detected", tmp_path)


def test_weights_of_parts(images, tmp_path, monkeypatch):
    monkeypatch.setattr(
        classical.Descriptor,
        "__call__",
        lambda self, x: {"parts": np.stack([x.mean(axis=(2, 3)), x.max(axis=(2, 3))], axis=1)},
    )
    names = {"query": 3, "gallery": 5}
    content = {side: np.ones((n, 2)) for side, n in names.items()}
    content |= {f"{side}_name": [f"{row:06d}.png" for row in range(n, 0, -1)] for side, n in names.items()}
    content["query"][0] = (1, 0)  # 000003.png: the first part alone
    np.savez(tmp_path / "weights.npz", **content)
    out = tmp_path / "features"
    run(images, out, *HOG, "--parts", "sum", "--part-weights", tmp_path / "weights.npz")
    with np.load(out / "hog.npz") as file:
        assert_allclose(file["query"][2].sum(), 1, rtol=1e-5)
        assert file["query"][0].sum() > 1.3  # two parts of weight sqrt(0.5) each
    del content["gallery"], content["gallery_name"]
    np.savez(tmp_path / "weights.npz", **content)
    found = problems(
        dump.main,
        [
            "--images",
            str(images),
            "--out",
            str(out),
            *HOG,
            "--parts",
            "sum",
            "--part-weights",
            str(tmp_path / "weights.npz"),
        ],
    )
    assert "wanted .npz with SIDE" in found[0]


def test_every_problem_at_once(images, tmp_path):
    found = problems(
        dump.main,
        [
            "--images",
            str(images / "image_query"),
            "--out",
            str(tmp_path / "out"),
            "--batch",
            "0",
            "--scales",
            "0,x",
            "--model",
            "hog:0",
            "--model",
            "none.onnx",
            "--model",
            "what",
            "--resize",
            "big",
        ],
    )
    text = "\n".join(found)
    for piece in ("--batch", "--scales", "hog:CELL", "none.onnx", "what: wanted a model", "--resize", "gallery"):
        assert piece in text


@each(
    ("options", "piece"),
    [
        (["--ten-crop"], "--resize"),
        (["--ten-crop", "--flip", "mean", "--resize", "40x40"], "--flip"),
        (["--compounding"], "--scales"),
        (["--resize", "16x16"], "at least 32x32"),
        (["--model", "hog:8,name=hog"], "found again hog"),
        (["--model", "pixels,name=../x"], "names for files"),
        (["--parser", "market"], "market1501"),
    ],
)
def test_options_that_do_not_fit(images, tmp_path, options, piece):
    found = problems(dump.main, ["--images", str(images), "--out", str(tmp_path / "out"), *HOG, *options])
    assert piece in "\n".join(found)
    assert not (tmp_path / "out").exists()


def test_features_of_another_origin_are_not_replaced(images, tmp_path):
    out = tmp_path / "features"
    out.mkdir()
    (out / "query_hog.pkl").write_bytes(b"precious")
    found = problems(dump.main, ["--images", str(images), "--out", str(out), *HOG])
    assert "query_hog.pkl" in found[0]
    assert (out / "query_hog.pkl").read_bytes() == b"precious"


def test_images_of_another_set_do_not_mix(images, tmp_path):
    run(images, tmp_path / "out", *HOG)
    other = city(tmp_path / "other", 4, 6)
    for path in (other / "image_query").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    found = problems(dump.main, ["--images", str(other), "--out", str(tmp_path / "out"), *HOG])
    assert "name a new --out" in found[0]


def test_features_that_are_not_finite_are_refused_by_name(images, tmp_path, monkeypatch):
    plain = classical.Descriptor.__call__

    def spoilt(self, x):
        found = plain(self, x)
        found[""][-1, 0] = np.inf
        return found

    monkeypatch.setattr(classical.Descriptor, "__call__", spoilt)
    found = problems(dump.main, ["--images", str(images), "--out", str(tmp_path / "out"), *HOG])
    assert "000003.png" in found[0]


def test_a_missing_package_ends_in_the_line_that_installs_it(images, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    found = problems(dump.main, ["--images", str(images), "--out", str(tmp_path / "out"), *HOG])
    assert found[0].endswith('-m pip install "scikit-image>=0.22"')


def test_one_colour_is_no_row_of_zeros_for_pixels(tmp_path, capsys):
    images = city(tmp_path / "images")
    save(images / "image_query" / "000001.png", np.full((9, 9, 3), 200, np.uint8))
    options = [
        "--images",
        str(images),
        "--out",
        str(tmp_path / "out"),
        *HOG,
        "--workers",
        "0",
        "--model",
        "pixels",
    ]
    assert dump.main(options) == 1
    printed = capsys.readouterr().out
    assert "hog: only zeros for query 000001.png" in printed
    assert "next:" not in printed
    assert np.load(tmp_path / "out" / "pixels.npz")["query"][0].any()


def test_handwriting_from_pictures_to_the_ranking(shared, tmp_path):
    """Real images: HOG at two scales and pixels alone, joined, and re-ranked."""
    from bench.characters import run as characters

    found = characters(shared / "omniglot_small1.npz", tmp_path)
    for name, level in (
        ("hog4", 0.53),
        ("hog8", 0.48),
        ("pixels", 0.38),
        ("baseline", 0.52),
        ("kreciprocal", 0.68),
    ):
        assert found[name] == pytest.approx(level, abs=0.02), name
