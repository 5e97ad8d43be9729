"""The file of Google Landmark Retrieval."""

import numpy as np
import pytest

from ensemble import submissions, validate
from ensemble.base.errors import InputError
from ensemble.submissions.ranklist import from_matrix

RANKING = from_matrix(np.array([[2, 0, 1], [1, 2, -1]]), ["q1", "q,2"], ["a", "b", "c"])


def test_written_and_read(tmp_path):
    path = tmp_path / "submission.csv"
    submissions.write(path, RANKING, "landmarks", top_k=2)
    assert path.read_text() == 'id,images\nq1,c a\n"q,2",b c\n'
    found = submissions.read(path)
    assert found.query_names == ["q1", "q,2"]
    assert [[found.gallery_names[row] for row in rows] for rows in found.lines()] == [["c", "a"], ["b", "c"]]


def test_looked_through(tmp_path, capsys):
    path, names = tmp_path / "submission.csv", []
    for side, listed in (("query", ["q1", "q2"]), ("gallery", ["a", "b", "c"])):
        (tmp_path / f"{side}.txt").write_text("\n".join(listed) + "\n")
        names.append(f"--{side}-names={tmp_path / f'{side}.txt'}")
    path.write_text("id,images\nq1,c a b\nq2,b a d\n")
    assert validate.main([str(path), "--format", "landmarks", *names]) == 1
    assert "d" in capsys.readouterr().out
    path.write_text("id,images\nq1,c a b\nq2,b a c\n")
    assert validate.main([str(path), "--format", "landmarks", *names]) == 0


def test_names_with_spaces_are_refused(tmp_path):
    with pytest.raises(InputError, match="gallery names: wanted no white space"):
        submissions.write(tmp_path / "s.csv", from_matrix(np.array([[0]]), ["q"], ["a b"]), "landmarks")
    assert not list(tmp_path.iterdir())
