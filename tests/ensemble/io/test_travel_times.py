"""Histograms of travel times in files: what is one, what is wrong with one, and nothing is lost in writing."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble.io import read_travel_times, scan, spread, write_times_mat, write_times_npz
from ensemble.io.travel_times import are
from postproc import SpatioTemporalPrior
from tests.support.each import each
from tests.support.folders import problems


def shares(cameras: int = 2, bins: int = 3) -> np.ndarray:
    """From camera 1 to camera 2: half of the people in the first bin, half in the last."""
    found = np.zeros((cameras, cameras, bins))
    found[1, 0, [0, bins - 1]] = 0.5
    return found


def model(folder: Path) -> None:
    values = np.eye(3, dtype=np.float32)
    np.savez(folder / "m.npz", query=values, gallery=values)


@each("name", ["pytorch_result2.mat", "distribution_market.mat", "train_m.npz", "anything.npz", "query_times.h5"])
def test_it_is_known_by_its_key_whatever_its_name(tmp_path: Path, name: str) -> None:
    model(tmp_path)
    path = tmp_path / name
    if path.suffix == ".mat":
        scipy.io.savemat(path, {"distribution": shares()})
    elif path.suffix == ".npz":
        np.savez(path, distribution=shares())
    else:
        import h5py

        with h5py.File(path, "w") as file:
            file["distribution"] = shares()
    folder = scan(tmp_path)
    assert list(folder.models) == ["m"]
    assert path in folder.inputs
    assert not folder.notes
    assert folder.times is not None
    assert_array_equal(folder.times.prior.histograms, shares())
    assert folder.times.prior.cameras.tolist() == [1, 2]
    assert folder.times.prior.bin_frames == 100


def test_a_model_with_such_a_key_stays_a_model() -> None:
    assert are(["distribution", "cameras"])
    assert not are(["distribution", "query_f", "gallery_f"])
    assert not are(["distribution", "features"])
    assert not are(["distributions"])


def test_two_of_them_are_refused(tmp_path: Path) -> None:
    model(tmp_path)
    for name in "ab":
        np.savez(tmp_path / f"{name}.npz", distribution=shares())
    assert problems(scan, tmp_path) == [
        f"{tmp_path}: wanted one file of travel times, found a.npz, b.npz; move the others away"
    ]


@each(
    "entries, wanted",
    [
        ({"distribution": np.zeros((2, 2))}, "as numbers (cameras, cameras, bins), found 2x2"),
        ({"distribution": np.zeros((2, 3, 4))}, "as many cameras twice, and bins, found 2x3x4"),
        ({"distribution": np.zeros((2, 2, 0))}, "as many cameras twice, and bins, found 2x2x0"),
        ({"distribution": np.full((1, 1, 2), np.nan)}, "finite shares, found NaN or infinity for 1 pairs"),
        ({"distribution": np.full((1, 1, 2), np.inf)}, "finite shares"),
        (
            {"distribution": np.array([[[1.5, -0.5]]])},
            "0 or more, found negative ones for 1 pairs of cameras (1 to 1)",
        ),
        (
            {"distribution": 7 * shares()},
            "add up to 1 from camera to camera, or to 0 where nobody passed, found other",
        ),
        ({"distribution": shares(), "cameras": [1, 2, 3]}, "cameras as 2 ascending whole numbers"),
        ({"distribution": shares(), "cameras": [2, 1]}, "cameras as 2 ascending whole numbers"),
        ({"distribution": shares(), "cameras": [-1, 1]}, "cameras as 2 ascending whole numbers"),
        ({"distribution": shares(), "bin_frames": 0}, "bin_frames as one whole number from 1, found 0"),
        ({"distribution": shares(), "bin_frames": [1, 2]}, "bin_frames as one whole number from 1"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, entries: dict, wanted: str) -> None:
    model(tmp_path)
    np.savez(tmp_path / "times.npz", **entries)
    (found,) = problems(scan, tmp_path)
    assert found.startswith(f"{tmp_path / 'times.npz'}: wanted ")
    assert wanted in found


def test_all_that_is_wrong_is_said_at_once_with_the_pairs(tmp_path: Path) -> None:
    values = shares(4)
    values[2, 0, 0] = np.nan
    values[3, 1] = [-1, 2, 0]
    values[0, 3] = 2
    np.savez(tmp_path / "times.npz", distribution=values, cameras=[3, 4, 8, 9], bin_frames=0.5)
    found = problems(read_travel_times, tmp_path / "times.npz")
    assert [problem.partition("wanted ")[2].partition(",")[0] for problem in found] == [
        "bin_frames as one whole number from 1",
        "finite shares",
        "shares of 0 or more",
        "shares that add up to 1 from camera to camera",
    ]
    assert ["(3 to 8)" in found[1], "(4 to 9)" in found[2], "(9 to 3)" in found[3]] == [True] * 3


@given(
    cameras=st.lists(st.integers(0, 40), min_size=1, max_size=5, unique=True).map(sorted),
    bins=st.integers(1, 6),
    width=st.sampled_from([1, 25, 100]),
    seed=st.integers(0, 9),
)
def test_what_was_written_is_read(
    cameras: list[int], bins: int, width: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("times")
    values = np.random.default_rng(seed).random((len(cameras), len(cameras), bins))
    values = (values / values.sum(axis=2, keepdims=True)).astype(np.float32)
    prior = SpatioTemporalPrior(np.array(cameras), values, width)
    write_times_mat(folder / "a.mat", prior)
    write_times_npz(folder / "a.npz", prior)
    for name in ("a.mat", "a.npz"):
        found = read_travel_times(folder / name)
        assert found.bin_frames == width
        assert_array_equal(found.cameras, cameras)
        assert_array_equal(found.histograms, values)


def test_cameras_of_the_images_stand_in_the_file_as_released_code_counts_them(tmp_path: Path) -> None:
    prior = SpatioTemporalPrior(np.array([1, 3]), shares().astype(np.float32), 100)
    whole = spread(prior, np.array([4, 1, -1]))
    assert whole.cameras.tolist() == [1, 2, 3, 4]
    assert whole.histograms[2, 0].tolist() == [0.5, 0, 0.5]  # from camera 1 to camera 3
    assert whole.histograms.sum() == 1
    write_times_mat(tmp_path / "a.mat", whole)
    assert [key for key in scipy.io.loadmat(tmp_path / "a.mat") if not key.startswith("_")] == ["distribution"]
    far = spread(prior, np.array([0, 500]))
    assert far.cameras.tolist() == [0, 1, 3, 500]
    write_times_mat(tmp_path / "b.mat", far)
    assert scipy.io.loadmat(tmp_path / "b.mat")["cameras"].tolist() == [[0, 1, 3, 500]]
