"""Lists of pairs and their similarities."""

from pathlib import Path

import numpy as np
import pytest

from ensemble import validate
from ensemble.base.errors import InputError
from ensemble.submissions.similarities import read_pairs, similarity_faults, write_similarities
from tests.support import folders
from tests.support.each import each

ASKED = ["row_id,query_image,gallery_image", "0,a.jpg,b.jpg", "1,b.jpg,a.jpg", "2,a.jpg,c.jpg"]


def test_pairs_by_name(tmp_path: Path) -> None:
    pairs = read_pairs(folders.listed(tmp_path / "test.csv", ASKED))
    assert pairs.row_ids == ["0", "1", "2"]
    assert pairs.rows(["a.jpg", "b.jpg"], ["c.jpg", "b.jpg", "a.jpg"], []).tolist() == [[0, 1], [1, 2], [0, 0]]
    notes: list[str] = []
    assert pairs.rows(["i/a.png", "i/b.png"], ["c.jpg", "b.jpg", "a.jpg"], notes).tolist()[0] == [0, 1]
    assert len(notes) == 1
    found = folders.problems(pairs.rows, ["a.jpg"], ["b.jpg"], [])
    assert len(found) == 2
    assert "wanted query images in query_image, found 1 others (b.jpg" in found[0]


def test_written_and_looked_through(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    asked = folders.listed(tmp_path / "test.csv", ASKED)
    path = tmp_path / "submission.csv"
    write_similarities(path, ["0", "1", "2"], np.array([0.25, 1, -0.0]))
    assert path.read_text() == "row_id,similarity\n0,0.25\n1,1.0\n2,0.0\n"
    assert similarity_faults(path, read_pairs(asked)) == []
    assert validate.main([str(path), "--pairs", str(asked)]) == 0
    assert "ok: 3 similarities" in capsys.readouterr().out
    path.write_text("row_id,similarity\n0,0.25\n1,2\n")
    assert validate.main([str(path), "--pairs", str(asked)]) == 1
    printed = capsys.readouterr().out
    assert "found 1 others (1: 2)" in printed
    assert "1 missing" in printed


@each(
    ("text", "message"),
    [
        ("row_id,sim\n0,1\n", "wanted row_id,similarity as first line"),
        ("row_id,similarity\n0,1\n1,1\n2,nan\n", "found 1 others .2: nan."),
        ("row_id,similarity\n0,1\n1,1\n2,1_0\n", "found 1 others"),
        ("row_id,similarity\n0,1\n1,1\n1,1\n", "wanted every row_id once, found again 1"),
        ("row_id,similarity\n0,1\n2,1\n1,1\n", "wanted the rows in the order of"),
        ("row_id,similarity\n0,1\n1,1\n7,1\n", "1 missing .2. and 1 that it lacks .7."),
        ("row_id,similarity\n0,1\n1\n", "wanted 2 values a line"),
    ],
)
def test_faults(tmp_path: Path, text: str, message: str) -> None:
    asked = read_pairs(folders.listed(tmp_path / "test.csv", ASKED))
    path = tmp_path / "submission.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        raise InputError(similarity_faults(path, asked))


@each(
    ("lines", "message"),
    [
        (["row_id,query,gallery", "0,a,b"], "wanted the columns row_id, query_image, gallery_image"),
        (
            [ASKED[0], "0,a,", "0,a,b"],
            "(?s)wanted a gallery_image in every row, found none in row 2.*found again 0",
        ),
        ([ASKED[0]], "found only the first line"),
    ],
)
def test_what_is_no_list_of_pairs(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_pairs(folders.listed(tmp_path / "test.csv", lines))
