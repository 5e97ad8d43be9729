"""Whole models in one table: who is a query, who of the gallery, who of the training set."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from ensemble.io import read_folder, scan
from tests.support.each import each
from tests.support.folders import problems

ROWS = np.arange(24, dtype=np.float32).reshape(6, 4) + 1


def table(folder: Path, **columns: object) -> Path:
    """Six images called 0.jpg to 5.jpg, in m.csv."""
    values = {f"f{place}": ROWS[:, place] for place in range(4)}
    names = [f"{row}.jpg" for row in range(6)]
    pd.DataFrame({"path": names, "label": [1, 1, 2, 2, 3, 3], **columns, **values}).to_csv(folder / "m.csv")
    return folder


def test_queries_by_yes_and_no_and_training_images_by_a_word(tmp_path: Path) -> None:
    asked = [None, None, True, False, True, False]
    (found,) = read_folder(table(tmp_path, split=["train"] * 2 + ["validation"] * 4, is_query=asked))
    assert found.train is not None
    assert_array_equal(found.train, ROWS[:2])
    assert_array_equal(found.query, ROWS[[2, 4]])
    assert_array_equal(found.gallery, ROWS[[3, 5]])
    assert found.gallery_table["pid"].tolist() == [2, 3]


def test_an_image_may_be_a_query_and_of_the_gallery(tmp_path: Path) -> None:
    folder = table(tmp_path, is_query=[1, 1, 0, 0, 0, 0], is_gallery=[0, 1, 1, 1, 1, 1])
    (found,) = read_folder(folder)
    assert_array_equal(found.query, ROWS[:2])
    assert_array_equal(found.gallery, ROWS[1:])
    assert not any("not used" in note for note in scan(folder).notes)


@each(
    "columns, said",
    [
        (
            {"is_query": [1, 1, 0, 0, 0, "maybe"]},
            "wanted true or false in is_query of all images that are not for",
        ),
        (
            {"is_query": [1, 1, 0, 0, 0, 0], "is_gallery": [0, 0, 1, 1, 1, 0]},
            "wanted every image among queries, gallery or train, found 1 that are none (row 5)",
        ),
        (
            {"is_query": [1, 1, 0, 0, 0, 0], "split": ["val"] * 3 + ["test"] * 3},
            "wanted one set beside train in split, found val, test",
        ),
        ({"split": ["query"] * 3 + ["base"] * 3}, "wanted query, gallery or train in split, found base"),
    ],
)
def test_a_row_of_no_side_is_refused(tmp_path: Path, columns: dict[str, list[object]], said: str) -> None:
    assert said in problems(read_folder, table(tmp_path, **columns))[0]


@pytest.mark.parametrize("kind", ["npz", "parquet"])
def test_in_other_formats(tmp_path: Path, kind: str) -> None:
    flags: dict[str, Any] = {"is_query": np.arange(6) < 2, "is_gallery": np.arange(6) > 0}
    if kind == "npz":
        np.savez(tmp_path / "m.npz", embeddings=ROWS, label=np.arange(6), **flags)
    else:
        pd.DataFrame({"embedding": [*ROWS], "label": np.arange(6), **flags}).to_parquet(tmp_path / "m.parquet")
    (found,) = read_folder(tmp_path)
    assert_array_equal(found.query, ROWS[:2])
    assert_array_equal(found.gallery, ROWS[1:])


BATCHES = [slice(0, 2), slice(2, 5), slice(5, 6)]


@each("batches", [False, True])
def test_queries_stand_first_as_many_as_a_number_says(tmp_path: Path, batches: bool) -> None:
    """As fast-reid's evaluator holds them."""
    content: dict[str, Any] = {"features": ROWS, "pids": np.arange(6) % 3, "camids": np.arange(6) % 2}
    content["img_paths"] = [f"{row}.jpg" for row in range(6)]
    if batches:
        content = {key: [values[some] for some in BATCHES] for key, values in content.items()}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({**content, "num_query": 2}))
    (found,) = read_folder(tmp_path)
    assert_array_equal(found.query, ROWS[:2])
    assert_array_equal(found.gallery, ROWS[2:])
    assert found.gallery_table["cam"].tolist() == [0, 1, 0, 1]
    assert found.gallery_table["name"].tolist() == ["2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert not any("not used" in note for note in scan(tmp_path).notes)


def test_a_number_of_queries_that_leaves_none_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", features=ROWS, num_query=6)
    (said,) = problems(read_folder, tmp_path)
    assert "m.npz: wanted the number of queries in num_query, 1 to 5, found 6; correct it" in said


def test_a_number_of_queries_divides_no_file_of_one_side(tmp_path: Path) -> None:
    for side in ("query", "gallery"):
        np.savez(tmp_path / f"{side}_m.npz", features=ROWS, num_query=2)
    (found,) = read_folder(tmp_path)
    assert_array_equal(found.query, ROWS)
