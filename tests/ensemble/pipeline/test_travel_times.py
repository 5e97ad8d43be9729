"""Runs on histograms of travel times in the place of training images, from st-ReID's own files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import convert, evaluate, inspect, run
from ensemble.base.errors import InputError
from ensemble.io import read_travel_times, scan
from ensemble.pipeline import plan, recipe
from ensemble.pipeline import run as pipeline
from ensemble.pipeline.changes import override
from tests.support import golden
from tests.support.each import each

SIMPLE = """
[[branch]]
each = [{ use = "l2_normalize" }]
join = { use = "concat" }
steps = [{ use = "spatio_temporal", bins = 3000 }]
"""


def released(shared: Path) -> dict[str, np.ndarray]:
    """The golden outputs, with the histograms as their file has them."""
    found = golden.load(shared, "st_reid")
    found["distribution"] = np.zeros(found["hist_shape"])
    found["distribution"][tuple(found["hist_nonzero_idx"].T)] = found["hist_nonzero_val"]
    return found


@pytest.fixture
def streid(tmp_path: Path, shared: Path) -> Path:
    """``pytorch_result.mat`` with frames and ``pytorch_result2.mat``, nothing else."""
    folder = tmp_path / "st"
    folder.mkdir()
    (folder / "pytorch_result.mat").symlink_to(shared / "golden" / "streid_pytorch_result.mat")
    scipy.io.savemat(folder / "pytorch_result2.mat", {"distribution": released(shared)["distribution"]})
    return folder


def distances(folder: Path, name: str, *changes: str) -> np.ndarray:
    """(nq, ng) as a recipe gives them."""
    checked = plan.check(override(recipe.load(name), list(changes)), scan(folder))
    found = pipeline.Run(replace(checked, recipe=replace(checked.recipe, top_k=2**31 - 1)), lambda line: None)()
    out = np.full(found.ranking.shape, np.nan, np.float32)
    np.put_along_axis(out, found.ranking, found.distances, axis=1)
    return out


def scored(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    assert evaluate.main(["--features", str(folder), "--json", *options]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


def small(folder: Path, *, train: bool = False, cams: object = (1, 2, 2)) -> Path:
    """Two queries of camera 1, three gallery images; with training images, one of whom walked 260 frames."""
    folder.mkdir(exist_ok=True)
    values = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    entries: dict[str, object] = {"query": values[:2], "query_cam": [1, 1], "query_frame": [0, 500]}
    entries |= {"gallery": values, "gallery_cam": cams, "gallery_frame": [9, 260, 770]}
    if train:
        entries |= {"train": values, "train_pid": [1, 1, 2], "train_cam": [1, 2, 1], "train_frame": [0, 260, 7]}
    np.savez(folder / "m.npz", **entries)
    return folder


def file_of_times(folder: Path, bins: int = 9, place: int = 2, cameras: int = 2) -> None:
    """Everybody took ``place`` bins from camera 1 to camera 2."""
    shares = np.zeros((cameras, cameras, bins))
    shares[1, 0, place] = 1
    np.savez(folder / "times.npz", distribution=shares)


def test_the_released_distances_from_the_released_files(streid: Path, shared: Path, tmp_path: Path) -> None:
    expected = released(shared)
    simple = tmp_path / "simple.toml"
    simple.write_text(SIMPLE)
    assert_allclose(1 - distances(streid, str(simple)), expected["joint_s50_a5_qg"], rtol=0, atol=1e-6)
    for name in ("market_streid", "duke_streid"):
        found = distances(streid, name)
        assert_allclose(found, expected["rerank_s50_a5_k20_6_0.3"], rtol=0, atol=1e-5)


def test_the_released_scores_and_beside_them_those_of_the_market_rule(
    streid: Path, shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    expected = released(shared)
    simple = tmp_path / "simple.toml"
    simple.write_text(SIMPLE)
    official = ("--protocol", "market1501_official")
    found = scored(streid, capsys, "--recipe", str(simple), *official)
    assert found["mAP"] == pytest.approx(expected["eval_s50_a5_mAP"], abs=1e-6)
    assert_allclose(found["cmc"][:50], expected["eval_s50_a5_cmc"], rtol=0, atol=1e-6)
    found = scored(streid, capsys, "--recipe", "market_streid", *official)
    assert found["mAP"] == pytest.approx(expected["rerank_s50_a5_k20_6_0.3_mAP"], abs=1e-6)
    usual = scored(streid, capsys, "--recipe", "market_streid")
    assert usual["protocol"]["denominator"] == "valid"
    assert usual["mAP"] > found["mAP"]


def test_what_was_fitted_and_written_gives_the_same_distances(
    tmp_path: Path, shared: Path, capsys: pytest.CaptureFixture
) -> None:
    expected = released(shared)
    folder, out = tmp_path / "features", tmp_path / "written"
    folder.mkdir()
    sides = {side: expected[side[0]] for side in ("query", "gallery")}
    columns = {
        f"{side}_{name}": expected[f"{side[0]}_{name}"] for side in sides for name in ("pid", "cam", "frame")
    }
    columns |= {
        f"train_{name}": expected[f"train_{'label' if name == 'pid' else name}"]
        for name in ("pid", "cam", "frame")
    }
    np.savez(folder / "m.npz", **sides, **columns, train=np.ones((len(expected["train_cam"]), 32), np.float32))
    assert convert.main(["--features", str(folder), "--out", str(out), "--format", "mat", "--bins", "3000"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"{out / 'pytorch_result2.mat'}: travel times between 6 cameras, 3000 bins of 100 frames"
    )
    written = scipy.io.loadmat(out / "pytorch_result2.mat")["distribution"]
    assert_allclose(written, expected["distribution"][:6, :6], rtol=0, atol=1e-7)
    assert not expected["distribution"][6:].any()  # nobody was seen there
    assert_array_equal(distances(out, "duke_streid"), distances(folder, "duke_streid"))


def test_cameras_that_training_never_saw_are_written_as_empty(tmp_path: Path) -> None:
    folder, out = small(tmp_path / "a", train=True, cams=[1, 4, 2]), tmp_path / "out"
    options = ["--features", str(folder), "--out", str(out), "--format", "mat"]
    options += ["--bins", "7", "--bin-frames", "50"]
    with pytest.raises(InputError, match="wanted the pid of the query images"):
        convert.main(options)
    assert not out.exists()
    with np.load(folder / "m.npz") as file:
        labels = {"query_pid": [1, 2], "gallery_pid": [1, 2, 1]}
        np.savez(folder / "m.npz", **{**file, **labels})
    assert convert.main(options) == 0
    prior = read_travel_times(out / "pytorch_result2.mat")
    assert prior.cameras.tolist() == [1, 2, 3, 4]
    assert prior.bin_frames == 50
    assert np.argwhere(prior.histograms).tolist() == [[1, 0, 5]]  # 260 frames from camera 1 to 2: bin 5 of 50
    changes = [f"rerank_spatio_temporal.{text}" for text in ("bins=7", "bin_frames=50", "k1=1", "k2=1")]
    assert_array_equal(distances(out, "duke_streid", *changes), distances(folder, "duke_streid", *changes))
    again = tmp_path / "again"  # a file is written on, in the format of ours too
    assert convert.main(["--features", str(out), "--out", str(again)]) == 0
    assert_array_equal(read_travel_times(again / "pytorch_result2.npz").histograms, prior.histograms)


def test_cameras_of_text_are_not_numbered_in_a_file_of_travel_times(tmp_path: Path) -> None:
    folder, out = small(tmp_path / "a", cams=["n", "s", "s"]), tmp_path / "out"
    file_of_times(folder)
    with pytest.raises(InputError, match=r"wanted the cameras of gallery as numbers, found text \(n, s\)"):
        convert.main(["--features", str(folder), "--out", str(out)])
    assert not out.exists()


@each("option", ["--bins", "--bin-frames"])
def test_bins_of_no_training_images_are_refused(tmp_path: Path, option: str) -> None:
    folder, out = small(tmp_path / "a"), str(tmp_path / "out")
    options = ["--features", str(folder), "--out", out, option, "7"]
    with pytest.raises(InputError, match=f"^{option}: wanted training images .* found --format npz"):
        convert.main(options)
    with pytest.raises(InputError, match="found no train_pid, train_cam, train_frame"):
        convert.main([*options, "--format", "mat"])
    file_of_times(folder)
    with pytest.raises(InputError, match=r"found those of times\.npz, which have their own"):
        convert.main([*options, "--format", "mat"])
    small(tmp_path / "b", train=True)
    with pytest.raises(InputError, match=f"^{option}: wanted 1 or more, found 0"):
        convert.main(["--features", str(tmp_path / "b"), "--out", out, "--format", "mat", option, "0"])


def test_histograms_go_before_training_images_and_that_is_said(tmp_path: Path) -> None:
    folder = small(tmp_path / "a", train=True)
    settings = ["rerank_spatio_temporal.k1=1", "rerank_spatio_temporal.k2=1", "rerank_spatio_temporal.sigma=0"]
    settings.append("rerank_spatio_temporal.bins=9")
    learned = distances(folder, "duke_streid", *settings)
    file_of_times(folder)  # what they tell themselves: 260 frames, bin 2
    assert_array_equal(distances(folder, "duke_streid", *settings), learned)
    file_of_times(folder, place=7)
    assert (distances(folder, "duke_streid", *settings) != learned).any()
    checked = plan.check(recipe.load("duke_streid"), scan(folder))
    assert checked.notes[-2:] == (
        f"{folder / 'times.npz'}: rerank_spatio_temporal takes its histograms of travel times from here, not from "
        "the training images",
        "duke_streid, branch 1, steps 2 (rerank_spatio_temporal), bins: 9, as the histograms have, in the place "
        "of 3000",
    )
    checked = plan.check(recipe.load("baseline"), scan(folder))
    assert checked.notes == (
        f"{folder / 'times.npz'}: histograms of travel times, which no step of this recipe looks at",
    )


def test_they_are_smoothed_as_the_step_says(tmp_path: Path) -> None:
    folder = small(tmp_path / "a", train=True)
    for sigma in ("0", "1.5"):
        changes = [f"rerank_spatio_temporal.{text}" for text in ("k1=1", "k2=1", f"sigma={sigma}", "bins=9")]
        (folder / "times.npz").unlink(missing_ok=True)
        learned = distances(folder, "duke_streid", *changes)
        file_of_times(folder)
        assert_allclose(distances(folder, "duke_streid", *changes), learned, rtol=0, atol=1e-6)


@each(
    "cams, wanted",
    [
        ([1, 2, 3], "wanted cameras of the images among those of the histograms, 1, 2, found 3 too"),
        ([0, 2, 1], "found 0 too"),
        (["a", "b", "b"], r"wanted cameras as numbers, those of the histograms, 1, 2, found text \(1, a, b\)"),
    ],
)
def test_cameras_that_the_histograms_lack(tmp_path: Path, cams: object, wanted: str) -> None:
    folder = small(tmp_path / "a", cams=cams)
    file_of_times(folder)
    with pytest.raises(InputError, match=wanted) as caught:
        distances(folder, "duke_streid")
    assert len(caught.value.problems) == 1
    distances(folder, "baseline")  # nobody asks them


def test_unknown_cameras_are_nobodys_fault(tmp_path: Path) -> None:
    folder = small(tmp_path / "a", cams=[1, -1, 2])
    file_of_times(folder)
    assert np.isfinite(distances(folder, "duke_streid", "rerank_spatio_temporal.k1=1")).all()


def test_without_either_the_message_says_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"train_frame, found .* or the histograms of st-ReID, pytorch_result2\.mat"
    ):
        plan.check(recipe.load("market_streid"), scan(small(tmp_path / "a")))


def test_a_run_records_the_file_and_draws_what_it_holds(
    streid: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    options = ["--features", str(streid), "--recipe", "duke_streid", "--memory", "2GB", "--out", str(out)]
    assert run.main([*options, "--report"]) == 0
    record = json.loads((out / "run.json").read_text())
    assert str(streid / "pytorch_result2.mat") in record["inputs"]
    assert any("pytorch_result2.mat: rerank_spatio_temporal takes" in note for note in record["notes"])
    with np.load(out / "report.npz") as kept:
        assert not kept["extras.prior_people"].any()
        assert kept["extras.prior_shares"].shape[0] == len(kept["extras.prior_cameras"]) == 12
    capsys.readouterr()
    assert inspect.main([str(streid)]) == 0
    assert "distribution (8, 8, 3000) float64" in capsys.readouterr().out


def test_what_all_training_images_told_does_not_judge_them(tmp_path: Path) -> None:
    from ensemble.scores import folds

    folder = small(tmp_path / "a", train=True)
    file_of_times(folder)
    scanned = scan(folder)
    assert folds.columns(scanned, {}, of_train=True).times is None
    assert folds.columns(scanned, {}, of_train=False).times is scanned.times
