"""MATLAB files: the real layouts, versions 5 and 7.3, and damaged ones."""

import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from numpy.testing import assert_array_equal

from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.io import contents, read_folder
from ensemble.io.containers import keys, load, reader_of
from ensemble.io.matlab5 import Unread
from tests.support.each import each

FILES = {
    "layumi_pytorch_result.mat": False,
    "streid_pytorch_result.mat": True,
    "streid_pytorch_result_compressed.mat": True,
    "fgreid_market_result.msat": True,
    "pytorch_result_v73.mat": True,
}


def alone(tmp_path: Path, source: Path) -> FeatureSet:
    (tmp_path / source.name).symlink_to(source)
    (feature_set,) = read_folder(tmp_path)
    return feature_set


def saved(tmp_path: Path, name: str = "a.mat", **entries: object) -> Path:
    path = tmp_path / name
    scipy.io.savemat(path, entries, appendmat=False)
    return path


@each("name", FILES)
def test_the_real_layouts(tmp_path: Path, shared: Path, name: str) -> None:
    expected = np.load(shared / "golden" / "mat_files_expected.npz")
    found = alone(tmp_path, shared / "golden" / name)
    assert found.model == Path(name).stem
    for side, short in (("query", "q"), ("gallery", "g")):
        assert getattr(found, side).tobytes() == expected[short].tobytes()
        table = getattr(found, f"{side}_table")
        assert table["name"].tolist() == [str(row) for row in range(len(expected[short]))]
        assert_array_equal(table["pid"], expected[f"{short}_pid"])
        assert_array_equal(table["cam"], expected[f"{short}_cam"])
        assert ("frame" in table) == FILES[name]
        if FILES[name]:
            assert_array_equal(table["frame"], expected[f"{short}_frame"])


def test_one_query(tmp_path: Path, shared: Path) -> None:
    found = alone(tmp_path, shared / "golden" / "layumi_one_query.mat")
    assert found.query.shape == (1, 32)
    assert found.query_table["pid"].shape == (1,)
    assert found.gallery.shape == (5, 32)


def test_multi_query_features_are_known_and_no_model(tmp_path: Path, shared: Path) -> None:
    source = shared / "golden" / "layumi_multi_query.mat"
    (tmp_path / "multi_query.mat").symlink_to(source)
    found = alone(tmp_path, shared / "golden" / "layumi_pytorch_result.mat")
    assert found.model == "layumi_pytorch_result"
    shapes = {entry.name: entry.shape for entry in contents(source).entries}
    assert shapes == {"mquery_f": (116, 32), "mquery_label": (1, 116), "mquery_cam": (1, 116)}


@each("compressed", [False, True])
def test_the_same_as_scipy(tmp_path: Path, compressed: bool) -> None:
    entries: dict[str, np.ndarray] = {
        f"x_{kind}": np.arange(-3, 3).astype(kind).reshape(2, 3) for kind in "bhilBHILfd"
    }
    entries |= {
        "long_name_" + "x" * 20: np.array([[1.5]]),
        "empty": np.zeros((0, 3)),
        "three": np.arange(24.0).reshape(2, 3, 4),
        "flags": np.array([[True, False]]),
    }
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, entries, do_compression=compressed)
    found, expected = load(path), scipy.io.loadmat(path)
    assert set(found) == set(entries)
    assert keys(path) == tuple(entries)
    for name in entries:
        assert found[name].shape == expected[name].shape
        assert_array_equal(found[name], expected[name])


def test_other_kinds_of_variables_are_left_unread(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        text="abc",
        cell=np.array([1, "a"], object),
        record={"x": 1},
        complex=np.array([[1j]]),
        x=np.ones((1, 2)),
    )
    found = load(path)
    assert_array_equal(found.pop("x"), [[1, 1]])
    kinds = {name: value.dtype for name, value in found.items() if isinstance(value, Unread)}
    assert kinds == {"text": "char", "cell": "cell", "record": "struct", "complex": "complex"}


def test_narrow_storage_and_big_endian(tmp_path: Path) -> None:
    # MATLAB stores doubles that are small whole numbers in one byte each; here written by hand, big-endian
    def element(kind: int, data: bytes) -> bytes:
        return np.array([kind, len(data)], ">u4").tobytes() + data + bytes(-len(data) % 8)

    flags = element(6, np.array([6, 0], ">u4").tobytes())  # class double
    dimensions = element(5, np.array([1, 3], ">i4").tobytes())
    name = np.array([1 + (4 << 16)], ">u4").tobytes() + b"cams"  # four bytes fit into the tag
    values = element(2, bytes([1, 2, 255]))
    variable = element(14, flags + dimensions + name + values)
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 5.0 by hand".ljust(124) + b"\x01\x00MI" + variable)
    found = load(path)["cams"]
    assert found.dtype == np.float64
    assert found.tolist() == [[1, 2, 255]]


@each("name", ["layumi_one_query.mat", "streid_pytorch_result_compressed.mat", "pytorch_result_v73.mat"])
def test_cut_files(tmp_path: Path, shared: Path, name: str) -> None:
    data = (shared / "golden" / name).read_bytes()
    path = tmp_path / name
    for length in [*range(0, len(data) - 1, len(data) // 50), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(InputError) as caught:
            read_folder(tmp_path)
        (problem,) = caught.value.problems
        # cut between two variables, a file is whole but lacks what came behind
        assert "cut off" in problem or "found none; add" in problem or "no features inside" in problem, length


def test_a_variable_that_lies_about_its_size(tmp_path: Path) -> None:
    path = saved(tmp_path, query_f=np.ones((2, 3), np.float32))
    data = bytearray(path.read_bytes())
    place = data.index(np.array([2, 3], "<i4").tobytes())
    data[place : place + 8] = np.array([2**30, 2**30], "<i4").tobytes()
    path.write_bytes(data)
    with pytest.raises(InputError, match="6 values"):
        load(path)


def test_a_compressed_variable_that_swells(tmp_path: Path) -> None:
    packed = zlib.compress(np.array([14, 2**31], "<u4").tobytes() + bytes(1000))
    path = tmp_path / "a.mat"
    path.write_bytes(
        b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + np.array([15, len(packed)], "<u4").tobytes() + packed
    )
    with pytest.raises(InputError, match="ends early"):
        load(path)


def test_labels_that_are_no_whole_numbers(tmp_path: Path) -> None:
    rows = np.ones((2, 3), np.float32)
    saved(tmp_path, query_f=rows, gallery_f=rows, query_label=[[1.5, 2]], gallery_cam=[[1, 2, 3]])
    with pytest.raises(InputError) as caught:
        read_folder(tmp_path)
    assert len(caught.value.problems) == 2
    assert "query_pid: wanted 2 whole numbers, found 1x2 float64" in str(caught.value)
    assert "gallery_cam: wanted 2 whole numbers, found 1x3 int64" in str(caught.value)


def test_features_of_another_kind(tmp_path: Path) -> None:
    saved(tmp_path, query_f=np.ones((2, 3), np.int32), gallery_f=np.array([["a"]], object))
    with pytest.raises(InputError) as caught:
        read_folder(tmp_path)
    assert "found 2x3 int32" in str(caught.value)
    assert "found 1x1 cell" in str(caught.value)


def test_version_73_follows_no_link_and_believes_no_size(tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"private!" * 4)
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("query_f", (2, 4), "f4", external=[(str(secret), 0, 32)])
        file["gallery_f"] = h5py.ExternalLink("other.h5", "/x")
        file["cam"] = np.ones((2, 3))
    found = load(path)
    assert isinstance(found["query_f"], Unread)
    assert "gallery_f" not in found
    assert found["cam"].shape == (2, 3)  # h5py wrote it, not MATLAB
    with h5py.File(path, "w") as file:
        file.create_dataset("query_f", (10**6, 10**6), "f4", chunks=(100, 100))
    with pytest.raises(InputError, match="cannot come from a file of this size"):
        load(path)


def test_kinds(tmp_path: Path, shared: Path) -> None:
    assert reader_of(shared / "golden" / "fgreid_market_result.msat").name == "MATLAB 5"
    assert reader_of(shared / "golden" / "pytorch_result_v73.mat").name == "MATLAB 7.3"
    assert keys(shared / "golden" / "layumi_multi_query.mat") == ("mquery_f", "mquery_label", "mquery_cam")
