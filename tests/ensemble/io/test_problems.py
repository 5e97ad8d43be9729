"""Folders with something wrong in them: every problem in one message, with what to do."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.io import read_folder, scan
from tests.support.each import each
from tests.support.folders import arrays, keyed, listed, names, pair, pickled, problems, rows, safetensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One model ``a``: two query images, three gallery images."""
    pair(tmp_path, "a", keyed(names(2), rows(2)), keyed(names(3), rows(3)))
    return tmp_path


def test_no_folder_and_nothing_in_it(tmp_path: Path) -> None:
    assert "wanted a folder with feature files, found none" in problems(scan, tmp_path / "none")[0]
    assert "found an empty folder; copy them there, or name their folder" in problems(scan, tmp_path)[0]
    inner = tmp_path / "top" / "features"
    inner.mkdir(parents=True)
    assert (
        f"found only folders (features); name the one with the files, as {inner}"
        in problems(scan, inner.parent)[0]
    )
    (inner / "a.JPG").touch()
    assert "pictures become features by python -m extractors.dump" in problems(scan, inner.parent)[0]
    path = tmp_path / "dist.npy"
    np.save(path, rows(2))
    assert "found only dist.npy: not called query_MODEL.npy" in problems(scan, tmp_path)[0]
    assert f"found a file; give its folder, {tmp_path}" in problems(scan, path)[0]


def test_everything_that_is_wrong_comes_in_one_message(folder: Path) -> None:
    pair(folder, "lone", keyed(names(2), rows(2)), keyed(names(3), rows(3)))
    (folder / "gallery_lone.pkl").unlink()
    pair(folder, "cut", keyed(names(2), np.full((2, 2), np.inf, np.float32)), keyed(names(3), rows(3)))
    (folder / "gallery_cut.pkl").write_bytes((folder / "gallery_cut.pkl").read_bytes()[:80])
    pair(folder, "missing", keyed(names(2), rows(2)), keyed([*names(1), "extra.jpg"], rows(2)))
    values = rows(3)
    values[1], values[2, 0] = 0, np.nan
    pair(folder, "values", keyed(names(2), rows(2)), keyed(names(3), values))
    pair(folder, "wide", keyed(names(2), rows(2, 5)), keyed(names(3), rows(3)))
    uneven = keyed(names(3), rows(3)) | {names(3)[0]: np.ones(9, np.float32)}
    pair(folder, "uneven", keyed(names(2), rows(2)), uneven)
    kinds = {"000001.jpg": np.array(["x", "y"]), "000002.jpg": np.ones(2, np.int32), "000003.jpg": 5}
    pair(folder, "kinds", {1: np.ones(2, np.float32)}, kinds)
    np.savez(folder / "objects.npz", query=np.array([[1, "a"]], object), gallery=rows(3, 2) * np.float64(1e300))
    np.savez(folder / "keys.npz", left=rows(2), right=rows(3))
    np.savez(folder / "half.npz", query=rows(2), query_name=["a", "a"])
    (folder / "empty.npz").touch()
    (folder / "a.mat").write_bytes(b"MATLAB 5.0".ljust(124) + b"\x00\x01IM")
    pickled(folder / "vectors.pkl", keyed(names(2), rows(2)))
    pickled(folder / "hostile.pkl", eval)
    shutil.copy(folder / "query_a.pkl", folder / "query_a.pickle")
    (folder / "gallery.csv").write_text("name,frame\n000001.jpg,1\n000001.jpg,x\n")
    listed(folder / "test_track_id.txt", ["1 2", "", "2 8"])
    found = problems(read_folder, folder)
    assert problems(scan, folder) == found
    expected = [
        "query_lone.pkl: wanted a gallery file beside it, found none; add gallery_lone.pkl",
        "gallery_cut.pkl: wanted a whole feature file, found one that is empty, cut off or damaged",
        "cut, query: wanted finite numbers, found NaN or infinity in 2 images (000001.jpg, 000002.jpg)",
        "gallery_missing.pkl: wanted the gallery images of",
        "found 2 missing (000002.jpg, 000003.jpg)",
        "found 1 more (extra.jpg)",
        "values, gallery: wanted features, found only zeros in 1 images (000002.jpg)",
        "values, gallery: wanted finite numbers, found NaN or infinity in 1 images (000003.jpg)",
        "wide: wanted the same number of values an image everywhere, found query 5, gallery 2",
        "gallery_uneven.pkl: wanted 2 values in every vector, found another number in 1 entries (000001.jpg)",
        "query_kinds.pkl: wanted image names as keys, found int",
        "found 2 <U1, 2 int32, int in 3 entries (000001.jpg, 000002.jpg, 000003.jpg)",
        "objects.npz, query: wanted (images, values) in float16, float32 or float64, found a list of 1",
        "objects.npz, gallery: wanted values that float32 can hold, found larger ones in 0, 1, 2",
        "keys.npz: wanted query and gallery as keys, found left, right",
        "half.npz, query_name: wanted every name once, found again a",
        "half.npz: wanted the features of the gallery, found none",
        "empty.npz: wanted a whole feature file, found one that is empty",
        "vectors.pkl: wanted query_ or gallery_ before its name, found 2 vectors that could be either",
        "hostile.pkl: wanted arrays of numbers in plain containers, found and refused builtins.eval",
        "a: wanted one file, or one a side, found gallery_a.pkl, query_a.pickle, query_a.pkl",
        "gallery.csv: wanted every name once, found again 000001.jpg",
        "gallery.csv: wanted whole numbers in frame, found 000001.jpg: 'x'",
        "test_track_id.txt: wanted no empty lines, found line 2 empty",
    ]
    for line in expected:
        assert any(line in problem for problem in found), line
    for problem in found:
        assert "wanted" in problem
        assert "found" in problem
    assert len(set(found)) == len(found)


def test_models_that_differ_are_compared_with_the_usual_one(folder: Path) -> None:
    pair(folder, "b", keyed(names(2), rows(2)), keyed(names(4), rows(4)))
    pair(folder, "c", keyed(names(2), rows(2)), keyed(names(4), rows(4)))
    (problem,) = problems(read_folder, folder)
    assert problem == (
        f"{folder}/gallery_a.pkl: wanted the gallery images of {folder}/gallery_b.pkl, found 1 missing "
        "(000004.jpg); add them here or leave them out there"
    )


def test_lists_must_fit(folder: Path) -> None:
    listed(folder / "name_query.txt", [*names(1), "000009.jpg"])
    missing, extra = problems(read_folder, folder)
    assert (
        f"query_a.pkl: wanted the query images of {folder}/name_query.txt, found 1 missing (000009.jpg)" in missing
    )
    assert "found 1 more (000002.jpg)" in extra
    (folder / "name_query.txt").unlink()
    (folder / "query.csv").write_text("name,pid\n000001.jpg,1\n")
    assert "query_a.pkl: wanted only the query images" in problems(read_folder, folder)[0]
    assert "No such file" in problems(scan, folder, tracks=folder / "none.txt")[0]
    assert "No such file" in problems(scan, folder, query_names=folder / "none.txt")[0]


def test_train_is_for_all_models_or_none(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", query=rows(2), gallery=rows(3), train=rows(4))
    np.savez(tmp_path / "b.npz", query=rows(2), gallery=rows(3))
    assert "b: wanted train features as a has them" in problems(read_folder, tmp_path)[0]
    pair_of_halves = {"query": rows(2), "gallery": rows(3), "train": rows(4)}
    (tmp_path / "b.npz").unlink()
    for side, values in pair_of_halves.items():
        np.save(tmp_path / f"{side}_b.npy", values)
    assert all(feature_set.train is not None for feature_set in read_folder(tmp_path))


@each("suffix", ["npy", "npz", "safetensors"])
def test_cut_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"query_a.{suffix}"
    if suffix == "npy":
        arrays(tmp_path, "a", rows(2), rows(2))
    elif suffix == "npz":
        np.savez_compressed(path, query=rows(2), gallery=rows(2))
    else:
        safetensors(path, query=("F32", rows(2)), gallery=("F32", rows(2)))
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert "cut off" in problems(read_folder, tmp_path)[0], length
    path.write_bytes(data)
    assert len(read_folder(tmp_path)[0].query) == 2


def test_an_array_that_lies_about_its_size(tmp_path: Path) -> None:
    arrays(tmp_path, "a", rows(2), rows(2))
    path = tmp_path / "query_a.npy"
    path.write_bytes(path.read_bytes().replace(b"(2, 2), }     ", b"(9999999, 99)}"))
    assert "does not fit into" in problems(read_folder, tmp_path)[0]


def test_lists_of_arrays_and_of_numbers(tmp_path: Path) -> None:
    pickled(tmp_path / "query_a.pkl", [rows(2), rows(1, start=3)[0]])
    pickled(tmp_path / "gallery_a.pkl", rows(1)[0][None])
    assert read_folder(tmp_path)[0].query[:, 0].tolist() == [1, 2, 3]
    pickled(tmp_path / "query_a.pkl", [rows(2), rows(1, 7)])
    assert "wanted arrays of one width, found another than 2 in part 1" in problems(read_folder, tmp_path)[0]
    pair(tmp_path, "a", {"x": [1.0, 2.0], "y": np.ones((1, 2))}, {"x": np.ones((2, 1))})
    assert_array_equal(read_folder(tmp_path)[0].query, [[1, 2], [1, 1]])
    pair(tmp_path, "a", {}, {"x": []})
    empty, wrong = problems(read_folder, tmp_path)[-2:]
    assert {"found an empty one" in empty, "found an empty one" in wrong} == {True, False}


def test_names_that_no_recipe_and_no_file_can_have(tmp_path: Path) -> None:
    """A name in Latin-1, and models whose files would be hidden: refused before a run, both at once."""
    for model in ("caf\udce9", "...", ".hidden"):
        arrays(tmp_path, model, rows(2), rows(3))
    found = "\n".join(problems(scan, tmp_path))
    assert rf"{tmp_path}: wanted names of files in UTF-8, found 'query_caf\udce9.npy'; rename it" in found
    for model in ("...", ".hidden"):
        wanted = f"wanted a model's name that does not begin with a point, found {model}; rename it"
        assert f"{tmp_path}/query_{model}.npy: {wanted}" in found
