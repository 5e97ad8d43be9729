"""Other people's layouts of one list: which they are, what they say, and what is no list at all."""

from pathlib import Path

import pytest

from ensemble import submissions
from ensemble.base.errors import InputError
from tests.support.each import each

QUERIES, GALLERY = ["q0.jpg", "q1.jpg", "q2.jpg"], ["g0.jpg", "g1.jpg", "g2.jpg"]


@each(
    ("name", "text"),
    [
        ("lines", "q0.jpg g2.jpg g0.jpg\nq1.jpg\nq2.jpg g1.jpg\n"),
        ("lines", "q1.jpg\n\nq0.jpg  g2.jpg g0.jpg \r\nq2.jpg g1.jpg"),
        ("lines", "q0.jpg,g2.jpg,g0.jpg\nq1.jpg,\nq2.jpg, g1.jpg\n"),
        ("lines", "q0.jpg\tg2.jpg\tg0.jpg\nq1.jpg\t\nq2.jpg\tg1.jpg\n"),
        ("landmarks", "id,images\nq0.jpg,g2.jpg g0.jpg\nq1.jpg,\nq2.jpg,g1.jpg\n"),
        ("csv", 'images,query_id\n"g1.jpg ",q2.jpg\n"g2.jpg  g0.jpg",q0.jpg\n"",q1.jpg\n'),
        ("csv", "query;rank;gallery\nq0.jpg;1;g2.jpg\nq0.jpg;2;g0.jpg\nq1.jpg;;\nq2.jpg;1;g1.jpg\n"),
        ("csv", "query\trank\tgallery\nq0.jpg\t1\tg2.jpg\nq0.jpg\t2\tg0.jpg\nq1.jpg\t\t\nq2.jpg\t1\tg1.jpg\n"),
        (
            "json",
            '[{"query_id": "q0.jpg", "ans_ids": ["g2.jpg", "g0.jpg"]},\n{"query_id": "q1.jpg", "ans_ids": []},'
            '{"ans_ids": ["g1.jpg"], "query_id": "q2.jpg"}]',
        ),
        ("json", '{"0": [2, 0], "1": [], "2": [1]}'),
        ("json", '{"2": [1], "1": [],\n"0": [2, 0]}'),
        ("json", '[{"query_id": 1, "ans_ids": []}, {"query_id": 0, "ans_ids": [2, 0]}, {"2": [1]}]'),
    ],
)
def test_spellings(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(text)
    assert submissions.guess(path) in ((name, "naic") if name == "json" else (name,))
    read = submissions.read_aligned(path, QUERIES, GALLERY)
    assert [line.tolist() for line in read.lines()] == [[2, 0], [], [1]]
    assert read.distances is None


@each(
    ("text", "message"),
    [
        ("These are the lists of net 7.\n", "wanted a file of track2, "),
        ("q0.jpg\nq1.jpg\n", "wanted a file of track2, "),  # a list of names
        ("q0 0 g0 1\nq0 0 g2 1\n", "wanted every query once, found again q0"),  # judgements
        ("q0 g1 g2 g1\n", "wanted every image once in a list, found again g1"),
        ('{"0": [2], "2": [1]}', r"wanted a list for the queries 0 to 1, found none for 1 \(1\)"),
        ('{"0": [-1]}', "wanted places of images from 0, found -1"),
        ('{"0": [1, "a"]}', "wanted lists of names"),
        ('{"q": [1, 2]}', "wanted lists of names"),
        ('{"0": [1, true]}', "wanted lists of names"),
        ('{"0": [1, 1]}', "wanted every image once"),
        ('{"0": [1], "0": [2]}', "wanted a list for the queries|every query once|wanted lists"),
        ('{"0": [' + "9" * 400 + "]}", "wanted places of images from 0"),
        ('[{"query_id": "a", "ans_ids": ["g"]}, {"query_id": "a", "ans_ids": []}]', "wanted every query once"),
        ("id,images\n,g1\n", "wanted names in id and in images, found an empty cell"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        submissions.read(path)


def test_lists_in_parquet_cells(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    for cells in ([["g2.jpg", "g0.jpg"], [], ["g1.jpg"]], ["g2.jpg g0.jpg", None, "g1.jpg"]):
        parquet.write_table(pyarrow.table({"id": QUERIES, "images": cells}), tmp_path / "r.parquet")
        read = submissions.read_aligned(tmp_path / "r.parquet", QUERIES, GALLERY)
        assert [line.tolist() for line in read.lines()] == [[2, 0], [], [1]]


@each("separator, suffix", [(";", "csv"), ("\t", "tsv"), (";", "txt")])
def test_decimal_commas_where_no_commas_separate(tmp_path: Path, separator: str, suffix: str) -> None:
    path = tmp_path / f"mine.{suffix}"
    rows = [("query", "gallery", "distance"), ("q,0", "g0", "0,25"), ("q,0", "g1", "0,125"), ("q,0", "g2", "1,5")]
    path.write_text("".join(f"{separator.join(row)}\n" for row in rows))
    read = submissions.read_aligned(path, ["q,0"], ["g0", "g1", "g2"], partial=True)
    assert read.distances is not None
    assert (read.rows.tolist(), read.distances.tolist()) == ([1, 0, 2], [0.125, 0.25, 1.5])
    path.write_text("".join(f"{separator.join(row)}\n" for row in [*rows[:1], ("q,0", "g0", "1,250")]))
    with pytest.raises(InputError, match=r"distance, found commas that may stand between thousands \(1,250\);"):
        submissions.read(path)


@each("suffix", ["txt", "csv"])
@each("titles", [False, True])
def test_a_matrix_in_text_is_no_list(tmp_path: Path, suffix: str, titles: bool) -> None:
    path = tmp_path / f"mine.{suffix}"
    between = "," if suffix == "csv" else " "
    rows = [["1.5", "2.5e-01", "3.0", ".25"], ["0.5", "1e+00", "2.0", "4.0"]]
    if titles:
        rows = [["", *GALLERY, "g3.jpg"], *([name, *row] for name, row in zip(QUERIES, rows, strict=False))]
    path.write_text("".join(f"{between.join(row)}\n" for row in rows))
    with pytest.raises(InputError, match=r"found rows of numbers with a fraction, .*; write it as mine.npy$"):
        submissions.guess(path)
