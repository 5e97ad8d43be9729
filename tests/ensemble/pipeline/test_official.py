"""SYSU-MM01's scores from its own files: features by camera, the draws, and the identities that take part."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from numpy.testing import assert_allclose

from ensemble import evaluate, run
from ensemble.base.errors import InputError
from tests.ensemble.io.test_camera_files import cells, features, permutations
from tests.support import golden
from tests.support.each import each


@pytest.fixture
def released(tmp_path: Path, shared: Path) -> Path:
    """The golden world in the files of the data set."""
    file, folder = golden.load(shared, "evaluation_sysu_mm01"), tmp_path / "sysu"
    folder.mkdir()
    count, perm = int(file["pid"].max()), []
    for camera in range(1, 7):
        rows = [np.flatnonzero((file["cam"] == camera) & (file["pid"] == i)) for i in range(1, count + 1)]
        content = cells([file["feat"][of].astype(float) if len(of) else np.zeros((1, 0)) for of in rows])
        scipy.io.savemat(folder / f"feature_cam{camera}.mat", {"feature": content}, do_compression=camera > 3)
        perm.append([file["rand_perm"][:, of].astype(np.uint8) if len(of) else np.zeros((0, 0)) for of in rows])
    permutations(folder / "rand_perm_cam.mat", perm)
    for name in ("test_id", "test_id_indoor"):
        scipy.io.savemat(folder / f"{name}.mat", {"id": file[name][None].astype(np.uint16)})
    return folder


def scored(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    capsys.readouterr()
    assert evaluate.main(["--features", str(folder), "--json", *options]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


@each("search", ["all", "indoor"])
@each("shot", ["single", "multi"])
def test_the_released_scores_from_the_released_files(
    released: Path, shared: Path, capsys: pytest.CaptureFixture, search: str, shot: str
) -> None:
    expected = golden.load(shared, "evaluation_sysu_mm01")
    found = scored(released, capsys, "--protocol", f"sysu_{search}_{shot}")
    assert found["mAP"] == pytest.approx(expected[f"jsia_{search}_{shot}_mAP"], abs=1e-6)
    assert_allclose(found["cmc"], expected[f"jsia_{search}_{shot}_cmc"], rtol=0, atol=1e-6)
    assert found["protocol"]["draws_given"]
    assert "as the data set draws them, 10 trials" in found["protocol"]["description"]
    name = "test_id" if search == "all" else "test_id_indoor"
    assert any(f"{name}.mat: only the identities of this list take part" in note for note in found["notes"])


def world(folder: Path, trials: int = 2, people: tuple[int, ...] = (1, 2)) -> Path:
    """Two identities and their draws: camera c has c images of the first, of which trial t draws the image t."""
    features(folder)
    orders = [np.stack([np.roll(np.arange(1, c + 1), -t) for t in range(trials)]) for c in range(1, 7)]
    one = np.ones((trials, 1))
    none = np.zeros((trials, 0))
    content: list[list[object]] = [[order, none if c == 2 else one] for c, order in enumerate(orders, 1)]
    permutations(folder / "rand_perm_cam.mat", content)
    scipy.io.savemat(folder / "test_id.mat", {"id": np.array([people])})
    return folder


def test_the_draws_are_those_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    options = ("--protocol", "sysu_all_single", "--draws", "2")
    given = scored(world(tmp_path / "a"), capsys, *options)
    again = scored(tmp_path / "a", capsys, *options, "--draw-seed", "5")
    assert given["trials"] == again["trials"]  # no seed has a say
    (tmp_path / "a" / "rand_perm_cam.mat").unlink()
    seeded = scored(tmp_path / "a", capsys, *options)
    assert not seeded["protocol"]["draws_given"]
    assert "drawn at random, 2 trials, seed 0" in seeded["protocol"]["description"]
    indoor = scored(tmp_path / "a", capsys, "--protocol", "sysu_indoor_single")
    assert f"{tmp_path / 'a'}: no test_id_indoor.mat, so that all identities take part" in indoor["notes"]


def test_more_trials_than_the_file_has_are_refused(tmp_path: Path) -> None:
    folder = str(world(tmp_path / "a"))
    with pytest.raises(InputError, match="wanted 10 trials, found 2 in the draws that are given"):
        evaluate.main(["--features", folder, "--protocol", "sysu_all_single"])


def test_only_those_of_the_list_take_part(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder, out = world(tmp_path / "a", people=(2, 9)), tmp_path / "out"
    options = ["--features", str(folder), "--protocol", "sysu_all_single", "--draws", "2", "--out", str(out)]
    assert run.main(["--recipe", "sysu_all_search", *options]) == 0
    answers = {line.split(",")[0] for line in (out / "ranking.csv").read_text().splitlines()[1:]}
    assert answers == {"cam3/0002/0001.jpg", "cam6/0002/0001.jpg"}
    record = json.loads((out / "run.json").read_text())
    inputs = {Path(path).name for path in record["inputs"]}
    assert {"test_id.mat", "rand_perm_cam.mat", "feature_cam1.mat"} < inputs
    assert scored(folder, capsys, "--protocol", "none")["queries"] == 11  # who names no list has all
    scipy.io.savemat(folder / "test_id.mat", {"id": np.array([[9]])})
    with pytest.raises(
        InputError, match=r"test_id\.mat: wanted identities with query and gallery images, found none"
    ):
        run.main(["--recipe", "sysu_all_search", *options])


def test_splits_are_of_those_who_take_part(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = world(tmp_path / "a", people=(1,))
    (tmp_path / "splits.txt").write_text("1\n1\n")
    options = ("--protocol", "sysu_all_single", "--draws", "2", "--splits", str(tmp_path / "splits.txt"))
    assert scored(folder, capsys, *options)["queries"] == 9


def test_draws_beside_features_of_any_format(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from ensemble import convert

    given = scored(world(tmp_path / "a"), capsys, "--protocol", "sysu_all_multi", "--draws", "2")
    assert convert.main(["--features", str(tmp_path / "a"), "--out", str(tmp_path / "b")]) == 0
    (tmp_path / "b" / "rand_perm_cam.mat").write_bytes((tmp_path / "a" / "rand_perm_cam.mat").read_bytes())
    again = scored(tmp_path / "b", capsys, "--protocol", "sysu_all_multi", "--draws", "2")
    assert again["trials"] == given["trials"]


def test_draws_of_other_images_are_refused(tmp_path: Path) -> None:
    folder = world(tmp_path / "a")
    scipy.io.savemat(folder / "feature_cam1.mat", {"feature": cells([np.ones((4, 2)), np.ones((1, 2))])})
    with pytest.raises(InputError, match=r"found 1 groups of others \(4 for 1 of identity 1 in camera 1\)"):
        evaluate.main(["--features", str(folder), "--protocol", "sysu_all_single", "--draws", "2"])
    assert evaluate.main(["--features", str(folder), "--protocol", "none"]) == 0  # nothing is drawn
