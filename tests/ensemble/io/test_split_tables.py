"""A table of all images beside features without names, as open-metric-learning has them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from ensemble.io import read_folder, scan
from tests.support.each import each
from tests.support.folders import pickled, problems

ROWS = np.arange(32, dtype=np.float32).reshape(8, 4) + 1
NAMES = [f"{folder}/{row}.jpg" for row in range(4) for folder in "ab"]  # known with their folders alone
TRAIN, QUERY, GALLERY = [0, 1], [2, 5], [3, 4, 5, 6, 7]


def described(tmp_path: Path) -> Path:
    rows = np.arange(8)
    asked, searched = (np.isin(rows, side).astype(object) for side in (QUERY, GALLERY))
    asked[TRAIN] = searched[TRAIN] = None
    split = np.where(np.isin(rows, TRAIN), "train", "validation")
    columns = {"split": split, "is_query": asked, "is_gallery": searched, "label": rows % 3, "path": NAMES}
    pd.DataFrame(columns).to_csv(tmp_path / "df.csv", index=False)
    return tmp_path


def saved(folder: Path, kind: str, rows: np.ndarray) -> None:
    if kind == "npy":
        np.save(folder / "net.npy", rows)
    elif kind == "npz":
        np.savez(folder / "net.npz", features=rows)
    elif kind == "pt":
        pytest.importorskip("torch").save(pytest.importorskip("torch").from_numpy(rows), folder / "net.pt")
    else:
        pickled(folder / "net.pkl", dict(zip(NAMES[-len(rows) :], rows, strict=True)))


@each("kind", ["pt", "npy", "npz", "names"])
def test_all_images(tmp_path: Path, kind: str) -> None:
    folder = described(tmp_path)
    saved(folder, kind, ROWS)
    (found,) = read_folder(folder)
    assert found.train is not None
    for rows, side in ((found.query, QUERY), (found.gallery, GALLERY), (found.train, TRAIN)):
        assert_array_equal(rows, ROWS[side])
    assert found.query_table.to_dict("list") == {"name": [NAMES[row] for row in QUERY], "pid": [2, 2]}
    assert scan(folder).inputs[0] == folder / "df.csv"


@each("kind", ["pt", "npy", "npz"])
def test_those_that_are_not_for_training(tmp_path: Path, kind: str) -> None:
    folder = described(tmp_path)
    saved(folder, kind, ROWS[2:])
    (found,) = read_folder(folder)
    assert found.train is None
    assert not scan(folder).learns
    assert_array_equal(found.query, ROWS[QUERY])
    assert_array_equal(found.gallery, ROWS[GALLERY])


def test_other_rows_are_refused(tmp_path: Path) -> None:
    folder = described(tmp_path)
    saved(folder, "npy", ROWS[1:])
    assert "net.npy: 7 rows for 8 or 6 images of df.csv" in "".join(problems(read_folder, folder))
    saved(folder, "npy", ROWS)
    (folder / "copy.csv").write_text((folder / "df.csv").read_text())
    assert "wanted one table with a split, found copy.csv, df.csv" in "".join(problems(read_folder, folder))


def test_where_models_say_their_sides_the_table_is_nothing(tmp_path: Path) -> None:
    folder = described(tmp_path)
    for side in ("query", "gallery"):
        np.save(folder / f"{side}_net.npy", ROWS)
    saved(folder, "npz", ROWS)
    assert "wanted query and gallery, found features of nobody says which" in "".join(problems(scan, folder))


@each("kind", ["other zeros", "paths", "paths as keys", "paths elsewhere"])
def test_ids_and_paths_of_all_images_in_other_spellings(tmp_path: Path, kind: str) -> None:
    """As data sets of wildlife are described: features name their images in whatever order."""
    paths, order = [f"images/{row}.jpg" for row in range(8)], np.array([3, 7, 1, 0, 6, 2, 5, 4])
    split = ["query", *["database"] * 7]
    columns = {"image_id": [f"{row:05}" for row in range(8)], "identity": list("abababab"), "path": paths}
    pd.DataFrame({**columns, "split": split}).to_csv(tmp_path / "metadata.csv", index=False)
    named = {
        "other zeros": [str(row) for row in order],
        "paths elsewhere": [f"D:\\data\\images\\{row}.jpg" for row in order],
    }.get(kind, [paths[row] for row in order])
    if kind == "paths as keys":
        pickled(tmp_path / "net.pkl", dict(zip(named, ROWS[order], strict=True)))
    else:
        np.savez(tmp_path / "net.npz", features=ROWS[order], name=np.array(named))
    (found,) = read_folder(tmp_path)
    assert_array_equal(found.query, ROWS[:1])
    assert_array_equal(found.gallery, ROWS[1:])
    assert found.gallery_table["pid"].tolist() == list("bababab")
    assert "metadata.csv" in "".join(found.notes)
