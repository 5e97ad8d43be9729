"""What is not read is named for what it is, with the way out for that file; no sound file is called damaged."""

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import joblib
import numpy as np
import pandas as pd
import pytest

from ensemble.io import read_folder, scan
from tests.support.each import each
from tests.support.folders import arrays, names, pickled, problems, rows


def of_pandas(folder: Path) -> None:
    with h5py.File(folder / "query_a.h5", "w") as file:
        file.create_group("table").attrs["pandas_type"] = "frame"


def table(folder: Path, **columns: object) -> None:
    pd.DataFrame(columns).to_csv(folder / "query_a.csv", index=False)


def zipped(folder: Path) -> None:
    np.savez(folder / "inner.npz", query=rows(2))
    (folder / "query_a.pkl.gz").write_bytes(gzip.compress((folder / "inner.npz").read_bytes()))
    (folder / "inner.npz").unlink()


TWO_GROUPS = {f"{group}_{number}": [0.5, 1] for group in ("resnet", "osnet") for number in range(8)}
FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "maps": (
        lambda f: np.save(f / "query_a.npy", np.ones((2, 3, 4), np.float32)),
        "found 2x3x4 float32; bring each",
    ),
    "rows second": (lambda f: np.save(f / "query_a.npy", np.ones((1, 2, 3), np.float32)), "found 1x2x3 float32"),
    "one vector": (lambda f: np.save(f / "query_a.npy", np.ones(3, np.float32)), "one image is x[None]"),
    "numbers": (lambda f: np.save(f / "query_a.npy", np.ones((2, 3), int)), "write x.astype('float32')"),
    "a tuple": (
        lambda f: pickled(f / "query_a.pkl", (rows(2), np.arange(2), np.arange(2))),
        "found a tuple of 2x2 float32, 2 int64, 2 int64, which does not say what is what; write a dictionary",
    ),
    "a list": (
        lambda f: pickled(f / "query_a.pkl", [rows(2), [1, 2], [3, 4]]),
        "found a list of 2x2 float32, a list of 2, a list of 2, which does not say what is what; write a",
    ),
    "a list of tuples": (
        lambda f: pickled(
            f / "query_a.pkl", [(name, 1, 2, row) for name, row in zip(names(2), rows(2), strict=True)]
        ),
        "found a tuple of str, int, int, 2 float32, which does not say what is what; write a dictionary",
    ),
    "bytes": (
        lambda f: np.save(f / "query_a.npy", np.arange(6, dtype=np.uint8).reshape(2, 3)),
        "if these are features, write x.astype('float32'), else add code_lengths",
    ),
    "ids": (lambda f: np.save(f / "query_ids.npy", [1, 2]), "if these are labels, call them pid, cam or track"),
    "Excel's text": (
        lambda f: pd.DataFrame({"name": ["a"], "f0": [0.5], "f1": [1.0]}).to_csv(
            f / "query_a.csv", encoding="utf-16"
        ),
        "wanted UTF-8 text, found another byte at 0; save it as UTF-8",
    ),
    "two": (lambda f: np.savez(f / "query_a.npz", features=rows(2), embeddings=rows(2)), "leave one, or call it"),
    "labels": (lambda f: np.savez(f / "query_a.npz", pids=[1, 2]), "wanted features as features, feats"),
    "distances": (
        lambda f: np.savez(f / "query_a.npz", distmat=rows(2), pids=[1, 2]),
        "found distmat 2x2 float32, pids 2 int64; rename the entry with the features",
    ),
    "no side": (
        lambda f: np.savez(f / "a.npz", features=rows(2), names=names(2)),
        "found features, names of nobody says which; call it query_a.npz, with gallery_a.npz beside it",
    ),
    "sides unknown": (
        lambda f: np.savez(f / "a.npz", features=rows(2), split=["test", "val"]),
        "wanted query, gallery or train in split, found test, val",
    ),
    "pandas in HDF5": (of_pandas, "pandas.read_hdf('query_a.h5').to_parquet('query_a.parquet')"),
    "pandas": (lambda f: pd.DataFrame(rows(2)).to_pickle(f / "query_a.pkl"), "write it with to_parquet"),
    "code in npy": (
        lambda f: np.save(f / "query_a.npy", np.array([eval], object)),
        "refused builtins.eval; nothing",
    ),
    "code in joblib": (lambda f: joblib.dump({"a": eval}, f / "query_a.joblib"), "refused builtins.eval; nothing"),
    "text": (lambda f: np.savetxt(f / "query_a.txt", rows(2)), "features in text are read as query_a.csv"),
    "git lfs": (
        lambda f: (f / "query_a.pkl").write_text("version https://git-lfs.github.com/spec/v1\n"),
        "lfs pull",
    ),
    "a page": (
        lambda f: (f / "query_a.pkl").write_text("<!DOCTYPE html><html></html>"),
        "download the file again",
    ),
    "FAISS": (lambda f: (f / "query_a.npy").write_bytes(b"IxFI" + bytes(99)), "index.reconstruct_n"),
    "raw": (
        lambda f: np.ones(9, np.float32).tofile(f / "query_a.dat"),
        "numpy.memmap('query_a.dat', numpy.float32",
    ),
    "an archive": (zipped, "a compressed file of a format that is compressed itself or looked up in; unpack it"),
    "Excel": (lambda f: (f / "query_a.xlsx").write_bytes(b"PK"), "save it as CSV, query_a.csv"),
    "shortened": (lambda f: table(f, name=["a", "b"], feature=["[1. ... 2.]"] * 2), "NumPy left values out"),
    "a column short": (lambda f: table(f, f0=[0.5, 1], f1=[1, 2], f3=[1, 2]), "found no f2; write them all"),
    "two groups": (lambda f: table(f, **TWO_GROUPS), "found resnet (8), osnet (8)"),
    "two names": (
        lambda f: np.savez(f / "query_a.npz", features=rows(2), path=names(2), filename=names(2)),
        "wanted one entry for name, found path, filename",
    ),
    "a word": (
        lambda f: table(f, f0=["a", "1"], f1=[1, 2]),
        "wanted numbers in features, found a cell that is none",
    ),
    "uneven": (lambda f: pickled(f / "query_a.pkl", [rows(2)[0], rows(1, 3)[0]]), "wanted arrays of one width"),
}


@each("name", FILES)
def test_a_refusal(tmp_path: Path, name: str) -> None:
    write, wanted = FILES[name]
    write(tmp_path)
    said = "\n".join(problems(read_folder, tmp_path))
    assert wanted in said
    assert "damaged" not in said


def test_splits_that_are_no_sides(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert "wanted the splits query and gallery, found train, test" in "\n".join(problems(scan, tmp_path))


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    for side in ("query", "gallery"):
        pd.DataFrame({"features": list(rows(2))}).to_parquet(tmp_path / f"{side}_a.parquet")
    monkeypatch.setattr("ensemble.io.readers.arrow_files.find_spec", lambda name: None)
    said = "\n".join(problems(scan, tmp_path))
    assert f"query_a.parquet: wanted the package pyarrow, which reads it, found none; {sys.executable} -m" in said


def test_a_file_that_is_none_is_no_model(tmp_path: Path) -> None:
    """Labels, logs and raw numbers beside a model are left out with the reason; a run goes on."""
    arrays(tmp_path, "a", rows(2), rows(3))
    (tmp_path / "query_labels.json").write_text('{"a.jpg": 5}')
    pd.DataFrame({"query": ["a"], "rank": [1]}).to_csv(tmp_path / "ranking.csv", index=False)
    pd.DataFrame({"name": ["a"], "x1": [1], "y1": [2], "x2": [3], "y2": [4]}).to_csv(tmp_path / "query_boxes.csv")
    np.ones(3).tofile(tmp_path / "query_raw.bin")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "model.pt").write_bytes(b"a checkpoint")
    pickled(tmp_path / "settings.pkl", {"features": 3, "f": "text"})
    pd.DataFrame({f"x{number}": [0.5] for number in range(9)}).to_csv(tmp_path / "log.csv")
    found = scan(tmp_path)
    assert list(found.models) == ["a"]
    reasons = {path.name: reason for path, reason in found.ignored.items()}
    assert reasons["query_labels.json"] == "no features inside"
    assert reasons["query_boxes.csv"].startswith("no features among its columns (")
    assert "numbers without their shape" in reasons["query_raw.bin"]
    assert set(reasons) == {
        "query_labels.json",
        "ranking.csv",
        "query_boxes.csv",
        "query_raw.bin",
        "log.csv",
        "settings.pkl",
    }


def test_columns_that_are_not_used(tmp_path: Path) -> None:
    for side in ("query", "gallery"):
        table = pd.DataFrame(
            {"name": ["a", "b"], "f0": [0.5, 1], "f1": [1, 2], "camra": [1, 2], "weather": [1, 2]}
        )
        table.to_csv(tmp_path / f"{side}_a.csv", index=False)
    said = "columns that are not used: camra (did you mean 'cam'?), weather"
    assert scan(tmp_path).notes == tuple(f"{tmp_path}/{side}_a.csv: {said}" for side in ("gallery", "query"))


def test_keys_of_the_gallery_are_told_by_its_own(tmp_path: Path) -> None:
    features = {"qf": np.ones((2, 3), np.float32), "gf": np.ones((2, 3), np.float32)}
    np.savez(tmp_path / "a.npz", **features, g_ids=[1, 2])
    (note,) = scan(tmp_path).notes
    assert note.endswith("keys that are not used: g_ids (did you mean 'gallery_pid'?)")
