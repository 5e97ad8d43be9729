"""A query without an answer: written, read, validated and scored as such in every format and command."""

import json
from pathlib import Path

import numpy as np
import pytest

from ensemble import evaluate, run, submissions, validate
from ensemble.base.errors import InputError
from ensemble.scores import PROTOCOLS, score_ranking
from ensemble.submissions import candidates, dense, from_matrix
from tests.support.each import each
from tests.support.folders import listed

QUERIES, GALLERY = ["q1", "q2", "q3", "q4"], ["1.png", "2.png", "3.png"]
ROWS = np.array([[-1, -1], [2, 0], [-1, -1], [-1, -1]])
DISTANCES = np.array([[0, 0], [0.5, 1], [0, 0], [0, 0]], np.float32)
WRITTEN = [name for name, used in submissions.all_formats().items() if used.write]
LINES = [[], [2, 0], [], []]


@each("known", [True, False])
@each("name", WRITTEN)
def test_in_every_format(tmp_path: Path, name: str, known: bool, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / submissions.named(name).file
    submissions.write(path, from_matrix(ROWS, QUERIES, GALLERY, DISTANCES if known else None), name)
    name = "naic" if name == "json" and not known else name  # names only look alike
    assert submissions.guess(path) == name
    read = submissions.read_aligned(path, QUERIES, GALLERY)
    assert [line.tolist() for line in read.lines()] == LINES
    if known and name not in ("track2", "visda", "naic", "landmarks"):
        assert read.distances is not None
        assert read.distances.tolist() == [0.5, 1]
    lists = [listed(tmp_path / f"{side}.list", names) for side, names in (("q", QUERIES), ("g", GALLERY))]
    status = validate.main([str(path), "--query-names", str(lists[0]), "--gallery-names", str(lists[1])])
    printed = capsys.readouterr().out
    if submissions.named(name).top_k is None:
        assert status == 0
        assert "wanted an answer for every query, found none for 3 (q1, q3, q4)" in printed
    else:
        assert status == 1  # their servers demand full lines
    path.rename(tmp_path / f"mine{path.suffix}")
    for file in lists:
        file.unlink()
    listed(tmp_path / "query.csv", ["name,pid,cam", *(f"{query},7,0" for query in QUERIES)])
    listed(tmp_path / "gallery.csv", ["name,pid,cam", "1.png,7,1", "2.png,8,1", "3.png,8,1"])
    assert evaluate.main(["--rankings", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mAP"] == 1 / 2 / 4
    assert any("no answer for 3 queries (q1, q3, q4), which counts" in note for note in found["notes"])
    assert evaluate.main(["--rankings", str(tmp_path)]) == 0
    assert f"mine{path.suffix}: no answer for 3 queries (q1, q3, q4), which counts" in capsys.readouterr().out


def test_the_record_of_a_run_says_what_the_run_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    submissions.write(tmp_path / "mine.csv", from_matrix(ROWS, QUERIES, GALLERY, DISTANCES), "csv")
    listed(
        tmp_path / "query.csv",
        ["name,pid,cam,shoe", *(f"{query},{pid},0,1" for query, pid in zip(QUERIES, (7, 7, -1, 9), strict=True))],
    )
    listed(tmp_path / "gallery.csv", ["name,pid,cam", "1.png,7,1", "2.png,8,1", "3.png,8,1"])
    chosen = ["--set", "submission=visda", "--out", str(tmp_path / "out")]
    run.main(["--rankings", str(tmp_path), *chosen])
    printed = capsys.readouterr().out
    notes = json.loads((tmp_path / "out" / "run.json").read_text())["notes"]
    for what in ("shoe", "no answer for 3", "unknown identity", "without a match: q4"):
        assert [note for note in notes if what in note], what
    assert all(note in printed for note in notes)


def test_nobody_has_an_answer() -> None:
    empty = from_matrix(np.zeros((2, 0), int), ["a", "b"], GALLERY)
    rows, (places,) = candidates([empty])
    assert dense(places, rows, 3).tolist() == [[1, 1, 1]] * 2
    found = score_ranking(np.zeros((2, 0), int), [7, 7], [7, 8, 8], protocol=PROTOCOLS["aicity"])
    assert found.mAP == 0


@each("name", WRITTEN)
def test_nobody_has_an_answer_in_every_format(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / submissions.named(name).file
    submissions.write(path, from_matrix(np.zeros((4, 0), int), QUERIES, GALLERY), name)
    if name == "trec":  # nothing names the queries
        assert path.read_bytes() == b""
        with pytest.raises(
            InputError, match="wanted the names of the query images, found none; give --query-names"
        ):
            run.main(["--rankings", str(tmp_path), "--out", str(tmp_path / "out")])
    read = submissions.read_aligned(path, QUERIES, GALLERY)
    assert [line.tolist() for line in read.lines()] == [[]] * 4
    lists = [listed(tmp_path / f"{side}.list", names) for side, names in (("q", QUERIES), ("g", GALLERY))]
    status = validate.main([str(path), "--query-names", str(lists[0]), "--gallery-names", str(lists[1])])
    assert (status, "none for 4 (q1, q2, q3" in capsys.readouterr().out) in ((0, True), (1, False))
    for file in lists:
        file.unlink()
    listed(tmp_path / "query.csv", ["name,pid,cam", *(f"{query},7,0" for query in QUERIES)])
    listed(tmp_path / "gallery.csv", ["name,pid,cam", "1.png,7,1", "2.png,8,1", "3.png,8,1"])
    assert evaluate.main(["--rankings", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "mAP 0.0000" in printed
    assert "no answer for 4 queries (q1, q2, q3 and 1 more), which counts as missed" in printed


def test_another_list_names_the_queries(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none.trec").write_bytes(b"")
    listed(tmp_path / "some.csv", ["query,gallery", "q1,1.png", "q2,"])
    assert run.main(["--rankings", str(tmp_path), "--set", "submission=trec", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "ranking.trec").read_text().startswith("q1 Q0 1.png 1 ")
    assert "none.trec: no answer for 2 queries (q1, q2)" in capsys.readouterr().out


def test_a_query_with_and_without_an_answer(tmp_path: Path) -> None:
    path = listed(tmp_path / "r.csv", ["query,rank,gallery", "q1,,", "q1,1,1.png", "q2,,"])
    with pytest.raises(InputError, match=r"wanted a row without an image only .*, found answers too for 1 \(q1\)"):
        submissions.read(path)
    path = listed(tmp_path / "r.csv", ["query,rank,gallery", "q1,1,", "q2,,"])
    with pytest.raises(InputError, match="wanted names in gallery, found 1 others"):
        submissions.read(path)


@each(
    ("ranks", "wanted"),
    [
        ([0, 0, 0], ["b", "c", "a"]),  # says nothing: by the score, equal ones as they stand there
        ([1, 1, 1], ["b", "c", "a"]),
        ([2, 0, 1], ["b", "c", "a"]),
        ([1, 1, 0], ["b", "c", "a"]),  # with another rank they say something, and not that
    ],
)
def test_ranks_of_trec(tmp_path: Path, ranks: list[int], wanted: list[str]) -> None:
    path = listed(
        tmp_path / "r.trec",
        [f"q Q0 {name} {rank} {score} t" for name, rank, score in zip("abc", ranks, (1, 2, 2), strict=True)],
    )
    if ranks == [1, 1, 0]:
        with pytest.raises(InputError, match="wanted ranks that grow as the scores fall"):
            submissions.read(path)
        return
    read = submissions.read(path)
    assert [read.gallery_names[row] for row in read.rows] == wanted
