"""Features by camera and identity, and the draws and lists of identities beside them."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble.base.errors import InputError
from ensemble.io import draws, matlab5, read_folder, read_identities, scan
from ensemble.io.draws import Draws
from ensemble.submissions import sysu
from tests.support.each import each
from tests.support.folders import problems


def cells(values: list) -> np.ndarray:
    """A cell array (n, 1)."""
    out = np.empty((len(values), 1), object)
    for row, value in enumerate(values):
        out[row, 0] = value
    return out


def features(folder: Path, name: str = "feature", width: int = 2, without: tuple[int, ...] = ()) -> None:
    """Two identities; camera c sees the first c times, the second once, but camera 2 sees only the first."""
    folder.mkdir(exist_ok=True)
    for camera in range(1, 7):
        if camera in without:
            continue
        first = np.arange(camera * width, dtype=float).reshape(camera, width) + 10 * camera
        second = np.zeros((1, 0)) if camera == 2 else np.full((1, width), 7.0)
        scipy.io.savemat(folder / f"{name}_cam{camera}.mat", {"feature": cells([first, second])})


def permutations(path: Path, cameras: list[list[object]]) -> None:
    scipy.io.savemat(path, {"rand_perm_cam": cells([cells(identities) for identities in cameras])})


def test_six_files_are_a_model_with_names_identities_and_cameras(tmp_path: Path) -> None:
    features(tmp_path)
    (found,) = read_folder(tmp_path)
    assert found.model == "feature"
    assert found.query_table["name"].tolist() == [
        "cam3/0001/0001.jpg", "cam3/0001/0002.jpg", "cam3/0001/0003.jpg", "cam3/0002/0001.jpg",
        *(f"cam6/0001/{row:04d}.jpg" for row in range(1, 7)), "cam6/0002/0001.jpg",
    ]  # fmt: skip
    assert found.query_table["cam"].tolist() == [3] * 4 + [6] * 7
    assert found.query_table["pid"].tolist() == [1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2]
    assert found.gallery_table["cam"].tolist() == [1, 1, 2, 2] + [4] * 5 + [5] * 6
    assert found.query[1].tolist() == [32, 33]  # the second image of the first identity: 30 + 2, 30 + 3
    assert found.named


def test_what_we_write_for_the_official_code_is_read(tmp_path: Path) -> None:
    features(tmp_path / "a")
    (found,) = read_folder(tmp_path / "a")
    sysu.write(tmp_path / "b", found, name="again")
    (again,) = read_folder(tmp_path / "b")
    assert again.model == "again"
    assert_array_equal(again.query, found.query)
    assert_array_equal(again.gallery, found.gallery)
    assert again.gallery_table.equals(found.gallery_table)


def test_two_sets_are_two_models_joined_by_name(tmp_path: Path) -> None:
    features(tmp_path, "a")
    features(tmp_path, "b", width=3)
    assert [found.model for found in read_folder(tmp_path)] == ["a", "b"]


def test_what_is_wrong_with_the_six_is_said(tmp_path: Path) -> None:
    features(tmp_path, without=(2, 5))
    assert "found no feature_cam2.mat, feature_cam5.mat; write them all" in problems(scan_and_read, tmp_path)[0]
    features(tmp_path)
    scipy.io.savemat(tmp_path / "feature_cam4.mat", {"feature": cells([np.full((1, 2), np.nan), np.ones((1, 3))])})
    found = problems(scan_and_read, tmp_path)
    assert "feature_cam4.mat: wanted finite numbers, found others for identity 1" in found[0]
    assert "wanted features of one width, found widths 2, 3" in found[1]
    for camera in (3, 6):
        scipy.io.savemat(tmp_path / f"feature_cam{camera}.mat", {"feature": cells([np.zeros((0, 0))])})
    features_of_four = (1, 2, 4, 5)
    for camera in features_of_four:
        scipy.io.savemat(tmp_path / f"feature_cam{camera}.mat", {"feature": cells([np.ones((1, 2))])})
    assert "wanted images of cameras 3 and 6, found none" in problems(scan_and_read, tmp_path)[0]


def scan_and_read(folder: Path) -> None:
    read_folder(folder)


def test_one_such_file_alone_is_no_set(tmp_path: Path) -> None:
    features(tmp_path, without=(2, 3, 4, 5, 6))
    assert "wanted query and gallery, found feature" in problems(scan, tmp_path)[0]


def test_draws_and_lists_are_told_by_their_keys(tmp_path: Path) -> None:
    features(tmp_path)
    permutations(tmp_path / "any.mat", [[np.array([[2, 1], [1, 2]]), np.zeros((0, 0))]])
    for name in ("test_id", "train_id"):
        scipy.io.savemat(tmp_path / f"{name}.mat", {"id": np.array([[1, 2]], np.uint16)})
    folder = scan(tmp_path)
    assert list(folder.models) == ["feature"]
    assert folder.draws is not None
    assert folder.draws.trials == 2
    assert folder.draws.orders[1, 1].tolist() == [[2, 1], [1, 2]]
    assert list(folder.identities) == ["test_id", "train_id"]
    assert {"any.mat", "test_id.mat", "train_id.mat"} < {path.name for path in folder.inputs}
    assert read_identities(folder.identities["test_id"]).tolist() == [1, 2]
    assert not folder.notes
    permutations(tmp_path / "more.mat", [[np.array([[1]])]])
    assert "wanted one file of draws, found any.mat, more.mat" in problems(scan, tmp_path)[0]


def test_places_are_those_of_the_numbers_in_the_names(tmp_path: Path) -> None:
    given = Draws(tmp_path / "a.mat", {(1, 7): np.array([[3, 1, 2]]), (4, 7): np.array([[1]])})
    pid, cam = np.array([7, 7, -1, 7, 7, 7]), np.array([1, 1, 1, 1, 4, -1])
    names = ["c/0009.jpg", "c/0002.jpg", "c/0003.jpg", "c/0005.jpg", "d/0001.jpg", "e/0001.jpg"]
    # by their numbers: 2, 5, 9 are images 1, 2, 3; the draw begins with image 3, then 1, then 2
    assert given.places(pid, cam, names).tolist() == [[0, 1, 0, 2, 0, 0]]
    names[0] = "c/x.jpg"  # as they come: rows 0, 1, 3
    assert given.places(pid, cam, names).tolist() == [[1, 2, 0, 0, 0, 0]]
    assert problems(given.places, pid[:2], np.array([1, 5]), names[:2]) == [
        f"{tmp_path / 'a.mat'}: wanted the gallery images that it draws from, found 2 groups of others (1 for "
        "3 of identity 7 in camera 1, 1 for 0 of identity 7 in camera 5); give all images of the gallery, or move "
        "the file away"
    ]


@each(
    "content, wanted",
    [
        (
            cells([cells([np.array([[1, 1]])])]),
            "permutations (trials, images), found 1 others (identity 1 in camera 1: ",
        ),
        (cells([cells([np.array([[0, 1]])])]), "not each of 1 to 2 once"),
        (cells([cells([np.array([[1.0, np.nan]])])]), "not each of 1 to 2 once"),
        (cells([cells([cells([1])])]), "identity 1 in camera 1: a list of 1"),
        (cells([cells([np.array([[1]]), np.array([[1], [1]])])]), "as many trials everywhere, found 1, 2"),
        (cells([cells([np.zeros((0, 0))])]), "permutations (trials, images), found none"),
        (cells([np.array([[1]])]), "cells of identities in cells of cameras"),
        (np.eye(3), "cells of identities in cells of cameras"),
    ],
)
def test_draws_that_are_none(tmp_path: Path, content: np.ndarray, wanted: str) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"rand_perm_cam": content})
    (found,) = problems(draws.read_draws, tmp_path / "a.mat")
    assert wanted in found


@each("values", [np.array([[1.5]]), np.zeros((0, 0)), np.array(["a"], object)])
def test_lists_that_are_none(tmp_path: Path, values: np.ndarray) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"id": values})
    with pytest.raises(InputError, match="wanted id as a list of whole numbers"):
        read_identities(tmp_path / "a.mat")


@given(cut=st.integers(0, 1400), place=st.integers(128, 1400), value=st.integers(0, 255))
def test_damaged_draws_end_in_a_sentence(
    cut: int, place: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("draws")
    permutations(folder / "a.mat", [[np.array([[2, 1], [1, 2]]), np.zeros((0, 0))], [np.array([[1], [1]])]])
    whole = bytearray((folder / "a.mat").read_bytes())
    whole[min(place, len(whole) - 1)] = value
    for content in (bytes(whole), bytes(whole[:cut])):
        (folder / "a.mat").write_bytes(content)
        with suppress(InputError):  # and nothing else
            draws.read_draws(folder / "a.mat")


def test_cells_in_cells_have_an_end(tmp_path: Path) -> None:
    value: object = np.ones((1, 1))
    for _ in range(matlab5.DEEP + 1):
        value = cells([value])
    scipy.io.savemat(tmp_path / "a.mat", {"rand_perm_cam": value})
    assert "cells in cells without an end" in problems(draws.read_draws, tmp_path / "a.mat")[0]
