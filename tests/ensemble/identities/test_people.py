"""Identities as people write them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.identities.people import groups, people
from ensemble.io import in_memory
from tests.support import folders
from tests.support.each import each


def folder(tmp_path: Path, gallery: list[str], query: list[str] | None = None) -> io.Folder:
    for side, lines in (("gallery", gallery), ("query", query or ["name,pid", "q,"])):
        folders.listed(tmp_path / f"{side}.csv", lines)
        np.save(tmp_path / f"{side}_m.npy", folders.rows(len(lines) - 1))
    return io.scan(tmp_path)


def found(tmp_path: Path, gallery: list[str], query: list[str] | None = None):
    scanned = folder(tmp_path, gallery, query)
    features = io.read(scanned, ["m"])[0]
    notes: list[str] = []
    return people(scanned, features.query_table, features.gallery_table, notes), notes


@each(
    ("cells", "wanted"),
    [
        (["w_7", "w_8", "w_7"], ["w_7", "w_8", "w_7"]),
        (["7", "8", "7"], ["7", "8", "7"]),
        (["0012", "8", "0012"], ["0012", "8", "0012"]),  # zeros in front are no zeros to people
        (["12", "w_1", ""], ["12", "w_1", ""]),
        (["7.0", "8.0", "7"], ["7", "8", "7"]),  # as spreadsheets write whole numbers
    ],
)
def test_labels_come_back_as_they_were_written(tmp_path: Path, cells: list[str], wanted: list[str]) -> None:
    who, _ = found(tmp_path, ["name,pid", *(f"g{i},{cell}" for i, cell in enumerate(cells))])
    assert [who.called[number] if number >= 0 else "" for number in who.gallery.tolist()] == wanted
    assert who.text(np.array([[who.gallery[0], -1, -2]]), "new") == [[wanted[0], "new"]]


def test_zeros_in_front_come_back_from_any_file(tmp_path: Path) -> None:
    cells, wanted = ["0012", "8", "", "0012"], {12: "0012", 8: "8"}
    np.savez(tmp_path / "m.npz", query=folders.rows(1), gallery=folders.rows(4), gallery_pid=np.array(cells))
    in_file = io.scan(tmp_path)
    (tmp_path / "other").mkdir()
    for side, rows in (("query", 1), ("gallery", 4)):
        np.save(tmp_path / "other" / f"{side}_m.npy", folders.rows(rows))
    (tmp_path / "other" / "gallery_pid.txt").write_text("\n".join(["0012", "8", "-1", "0012"]))
    held = in_memory.folder_of((folders.rows(1), folders.rows(4)), {"gallery_pid": cells})
    for folder in (in_file, io.scan(tmp_path / "other"), held):
        features = io.read(folder)[0]
        who = people(folder, features.query_table, features.gallery_table, [])
        assert who.gallery.tolist() == [12, 8, -1, 12]
        assert {number: who.called[number] for number in wanted} == wanted


def test_two_spellings_of_one_number_are_said(tmp_path: Path) -> None:
    who, notes = found(tmp_path, ["name,pid", "a,007", "b,7", "c,8"])
    assert who.gallery[0] == who.gallery[1]
    assert who.called[7] == "007"
    assert "007 and 7 are one identity" in notes[0]


def test_queries_and_gallery_share_their_numbers(tmp_path: Path) -> None:
    who, _ = found(tmp_path, ["name,pid", "a,x", "b,y"], ["name,pid", "q,y", "r,z"])
    assert who.query is not None
    assert who.query[0] == who.gallery[1]
    assert who.query[1] not in who.gallery


@each("cells", [["", ""], ["-1", "-1"]])
def test_a_gallery_of_nobody_is_refused(tmp_path: Path, cells: list[str]) -> None:
    with pytest.raises(InputError, match="wanted identities of the gallery, found only unknown ones"):
        found(tmp_path, ["name,pid", *(f"g{i},{cell}" for i, cell in enumerate(cells))])


def test_a_gallery_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wanted identities of the gallery, found none; write a column pid"):
        found(tmp_path, ["name,cam", "a,1", "b,2"])


def test_groups() -> None:
    tables = (
        pd.DataFrame({"name": list("abc"), "set": ["y", "x", "y"]}),
        pd.DataFrame({"name": ["d"], "set": ["z"]}),
    )
    assert [(name, [rows.tolist() for rows in both]) for name, both in groups(tables, "set")] == [
        ("x", [[1], []]),
        ("y", [[0, 2], []]),
        ("z", [[], [0]]),
    ]
    assert [rows.tolist() for rows in groups(tables, None)[0][1]] == [[0, 1, 2], [0]]
    with pytest.raises(InputError) as caught:
        groups((tables[0].assign(set=["", "x", "y"]), tables[1].drop(columns="set")), "set")
    assert len(caught.value.problems) == 2
    assert "found none for 1 of the query (a)" in caught.value.problems[0]
