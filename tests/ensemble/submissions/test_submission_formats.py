"""Rank lists as files: every format byte for byte, round trips, and files that are broken or hostile."""

import importlib.util
import io
import json
import re
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble import submissions
from ensemble.base.errors import InputError
from ensemble.submissions import RankList, from_matrix, json_lists, trec
from tests.support.each import each
from tests.support.folders import problems as problems_of

QUERIES = ["q1.png", "q2.png"]
GALLERY = ["a.png", "b.png", "c.png"]
ROWS = np.array([[2, 0, 1], [1, 2, -1]])
DISTANCES = np.array([[0.25, 0.5, 1e-5 + 1], [0, 3, np.inf]], np.float32)
RANKING = from_matrix(ROWS, QUERIES, GALLERY, DISTANCES)
WRITTEN = [name for name, used in submissions.all_formats().items() if used.write]
BY_NAME = [name for name in WRITTEN if name not in ("track2", "visda")]


def content(tmp_path: Path, name: str, ranking: RankList = RANKING, **settings: object) -> bytes:
    path = tmp_path / submissions.named(name).file
    submissions.write(path, ranking, name, **settings)  # type: ignore[arg-type]
    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    return path.read_bytes()


def put(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def same(left: RankList, right: RankList) -> None:
    assert left.query_names == right.query_names
    assert left.gallery_names == right.gallery_names
    assert_array_equal(left.starts, right.starts)
    assert_array_equal(left.rows, right.rows)
    assert (left.distances is None) == (right.distances is None)
    if left.distances is not None:
        assert_array_equal(left.distances, right.distances)


# Written by hand


def test_csv(tmp_path: Path) -> None:
    assert content(tmp_path, "csv") == (
        b"query,rank,gallery,distance\n"
        b"q1.png,1,c.png,0.25\nq1.png,2,a.png,0.5\nq1.png,3,b.png,1.00001001\n"
        b"q2.png,1,b.png,0\nq2.png,2,c.png,3\n"
    )


def test_trec(tmp_path: Path) -> None:
    assert content(tmp_path, "trec") == (
        b"q1.png Q0 c.png 1 -0.25 reid-ensemble\n"
        b"q1.png Q0 a.png 2 -0.5 reid-ensemble\n"
        b"q1.png Q0 b.png 3 -1.00001001 reid-ensemble\n"
        b"q2.png Q0 b.png 1 0 reid-ensemble\n"  # not -0
        b"q2.png Q0 c.png 2 -3 reid-ensemble\n"
    )


def test_trec_without_distances_scores_by_the_place(tmp_path: Path) -> None:
    written = content(tmp_path, "trec", from_matrix(ROWS, QUERIES, GALLERY), top_k=2)
    assert [line.split()[4] for line in written.splitlines()] == [b"-1", b"-2", b"-1", b"-2"]


def test_naic(tmp_path: Path) -> None:
    names = ["查询.png", 'q"2.png']
    ranking = from_matrix(ROWS, names, GALLERY, DISTANCES)
    assert content(tmp_path, "naic", ranking) == (
        b'{\n"\\u67e5\\u8be2.png": ["c.png", "a.png", "b.png"],\n"q\\"2.png": ["b.png", "c.png"]\n}\n'
    )
    path = tmp_path / "result.json"
    json_lists.write_naic(path, ranking, top_k=1, objects_in_list=True)
    assert path.read_bytes() == b'[\n{"\\u67e5\\u8be2.png": ["c.png"]},\n{"q\\"2.png": ["b.png"]}\n]\n'
    assert json.loads(path.read_text()) == [{"查询.png": ["c.png"]}, {'q"2.png': ["b.png"]}]


def test_naic_lists_two_hundred(tmp_path: Path) -> None:
    ranking = from_matrix(np.arange(300)[None], ["q"], [f"{i}.png" for i in range(300)])
    assert len(json.loads(content(tmp_path, "naic", ranking))["q"]) == 200


def test_json(tmp_path: Path) -> None:
    infinite = from_matrix(ROWS, QUERIES, GALLERY, np.array([[1, 2, np.inf], [0, 1, 2]], np.float32))
    assert content(tmp_path, "json", infinite) == (
        b'{\n"q1.png": [["c.png", 1], ["a.png", 2], ["b.png", 1e999]],\n'
        b'"q2.png": [["b.png", 0], ["c.png", 1]]\n}\n'
    )


def test_visda_counts_from_zero_and_the_zip_is_flat(tmp_path: Path) -> None:
    written = content(tmp_path, "visda")
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.namelist() == ["result.txt"]
        assert archive.read("result.txt") == b"0002 0000 0001\n0001 0002\n"
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)


@each(("gallery", "digits"), [(1, 4), (3600, 4), (10000, 4), (10001, 5), (24006, 5)])
def test_visda_fills_up_with_zeros(tmp_path: Path, gallery: int, digits: int) -> None:
    names = [f"{i}.jpg" for i in range(gallery)]
    written = content(tmp_path, "visda", from_matrix(np.array([[gallery - 1]]), ["q"], names))
    assert f"{gallery - 1:0{digits}d}\n".encode() in written


def test_parquet_has_the_columns_of_the_table(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(content(tmp_path, "parquet")))
    assert table.schema.names == ["query", "rank", "gallery", "distance"]
    assert [str(kind) for kind in table.schema.types] == ["string", "int32", "string", "float"]
    assert table.to_pylist()[3] == {"query": "q2.png", "rank": 1, "gallery": "b.png", "distance": 0.0}


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    put(tmp_path / "r.parquet", b"PAR1")
    for call in (
        lambda: submissions.write(tmp_path / "x.parquet", RANKING, "parquet"),
        lambda: submissions.read(tmp_path / "r.parquet"),
    ):
        with pytest.raises(InputError, match=r'package pyarrow, .* -m pip install "pyarrow>=16"'):
            call()
    assert not (tmp_path / "x.parquet").exists()


@each("name", WRITTEN)
def test_the_same_bytes_twice(tmp_path: Path, name: str) -> None:
    numbered = from_matrix(ROWS, QUERIES, ["1.png", "2.png", "3.png"], DISTANCES)
    assert content(tmp_path, name, numbered) == content(tmp_path, name, numbered)


def test_qrels(tmp_path: Path) -> None:
    names = [f"g{i}" for i in range(6)]
    labels = [np.array(values) for values in ([7, 8], [7, 7, 8, -1, 7, 9], [1, 2], [1, 2, 2, 1, 3, 1])]
    path = tmp_path / "qrels.txt"  # g0: camera of q0; g3: pid -1; g2: q1's, with its camera
    trec.write_qrels(path, ["q0", "q1"], names, *labels)
    assert path.read_text() == "q0 0 g1 1\nq0 0 g4 1\n"
    trec.write_qrels(path, ["q0", "q1"], names, *labels, marked=True)
    assert path.read_text() == "q0 0 g0 -1\nq0 0 g1 1\nq0 0 g3 -1\nq0 0 g4 1\nq1 0 g2 -1\nq1 0 g3 -1\n"
    trec.write_qrels(path, ["q0", "q1"], names, *labels, junk="none")
    assert path.read_text() == "q0 0 g0 1\nq0 0 g1 1\nq0 0 g4 1\nq1 0 g2 1\n"
    with pytest.raises(ValueError, match="junk: wanted one of"):
        trec.write_qrels(path, ["q0", "q1"], names, *labels, junk="some")


@each("name", ["two words", "tab\t", "", "nbsp\u00a0", "next\x85line", "end\n"])
def test_trec_refuses_names_with_white_space(tmp_path: Path, name: str) -> None:
    for queries, gallery in ((["q", name], GALLERY), (QUERIES, ["a", "b", name])):
        with pytest.raises(InputError, match="wanted no white space in a TREC run"):
            submissions.write(tmp_path / "x", from_matrix(ROWS, queries, gallery), "trec")
    assert not list(tmp_path.iterdir())


# Round trips

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
WORDS = NAMES.filter(lambda name: not re.search(r"\s", name))


@st.composite
def rankings(draw: st.DrawFn, names: st.SearchStrategy[str], known: bool) -> RankList:
    queries = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    gallery = draw(st.lists(names, min_size=1, max_size=6, unique=True))
    k = draw(st.integers(1, len(gallery)))
    rows = np.array([draw(st.permutations(range(len(gallery))))[:k] for _ in queries])
    finite = st.floats(-(2.0**60), 2.0**60, width=32)
    values = np.array([sorted(draw(st.lists(finite, min_size=k, max_size=k))) for _ in queries], np.float32)
    if draw(st.booleans()):
        values[:, -1] = np.inf
    return from_matrix(rows, queries, gallery, values if known else None)


@each("known", [True, False])
@each("name", BY_NAME)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_written_is_read(tmp_path: Path, name: str, known: bool, data: st.DataObject) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    ranking = data.draw(rankings(WORDS if name in ("trec", "landmarks") else NAMES, known))
    path = tmp_path / submissions.named(name).file
    submissions.write(path, ranking, name)
    assert ranking.query_names is not None
    assert (
        submissions.faults(path, name, ranking.query_names, ranking.gallery_names, top_k=int(ranking.counts[0]))
        == []
    )
    read = submissions.read(path, name)
    joined = submissions.aligned("it", read, ranking.query_names, ranking.gallery_names)
    if name == "trec" and not known:
        assert joined.distances is not None  # the place, from 1
        assert_array_equal(joined.distances, joined.places + 1)
        joined = RankList(joined.query_names, joined.gallery_names, joined.starts, joined.rows)
    if name == "trec" and known:
        ranking = replace(ranking, distances=ranking.telling(ties=False))
    if name in ("naic", "landmarks"):
        ranking = RankList(ranking.query_names, ranking.gallery_names, ranking.starts, ranking.rows)
    same(joined, ranking)
    first = path.read_bytes()
    submissions.write(path, submissions.aligned("it", read, ranking.query_names, ranking.gallery_names), name)
    assert path.read_bytes() == first


@each("name", ["track2", "visda"])
@given(rows=st.permutations(range(12)))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_come_back_as_rows(tmp_path: Path, name: str, rows: list[int]) -> None:
    gallery = [f"{7 * place + 3:06d}.jpg" for place in range(12)]
    ranking = from_matrix(np.array([rows, rows[::-1]]), QUERIES, gallery)
    path = tmp_path / submissions.named(name).file
    submissions.write(path, ranking, name)
    assert submissions.guess(path) == name
    assert submissions.faults(path, name, QUERIES, gallery) == []
    same(submissions.read_aligned(path, QUERIES, gallery), ranking)


@each("name", BY_NAME)
def test_the_format_is_recognised(tmp_path: Path, name: str) -> None:
    content(tmp_path, name)
    (path,) = tmp_path.iterdir()
    assert submissions.guess(path) == name
    assert submissions.guess(path.rename(tmp_path / "renamed")) == ("visda" if name == "npz" else name)


def test_the_order_of_the_lists_is_put_right(tmp_path: Path) -> None:
    content(tmp_path, "csv")
    read = submissions.read_aligned(
        tmp_path / "ranking.csv", ["q2.png", "q1.png"], ["x", "c.png", "b.png", "a.png"]
    )
    assert read.query_names == ["q2.png", "q1.png"]
    assert [rows.tolist() for rows in read.lines()] == [[2, 1], [1, 3, 2]]
    assert read.distances is not None
    assert_array_equal(read.distances, DISTANCES[[1, 1, 0, 0, 0], [0, 1, 0, 1, 2]])


def test_queries_without_a_list_are_refused_unless_told(tmp_path: Path) -> None:
    content(tmp_path, "csv")
    path, queries = tmp_path / "ranking.csv", ["q0.png", *QUERIES]
    (problem,) = problems_of(submissions.read_aligned, path, queries, GALLERY)
    assert "wanted a list for each of 3 queries, found none for 1 (q0.png)" in problem
    assert submissions.read_aligned(path, queries, GALLERY, partial=True).counts.tolist() == [0, 3, 2]


# Other people's tables


@each(
    "table",
    [
        "query_id,gallery_id,score\nq1,a,1\nq1,b,3\n",  # larger is nearer
        "gallery,query,distance\na,q1,-1\nb,q1,-3\n",
        "\n query,rank,gallery,distance\nq1,2,a,-1\nq1,1,b,-3\n",  # rows in any order
        "query,rank,gallery,distance,who\r\nq1,1,b,-3,me\r\nq1,2,a,-1,me\r\n",
        "q1 Q0 b 1 3 x\nq1 Q0 a 2 1 x\n",
        "q1 Q0 a 2 1 x\nq1 Q0 b 1 3 x\n",
        '{"q1": {"a": -1, "b": -3}}',
        '[{"q1": [["b", -3], ["a", -1.0]]}]',
        "[('q1', OrderedDict([('a', -1.0), ('b', -3)]))]",
        '[ ( "q1" , {"a":np.float64(-1.), "b":-3e0,} ) ]\n',
    ],
)
def test_spellings_of_one_list(tmp_path: Path, table: str) -> None:
    ranking = submissions.read(put(tmp_path / "list", table))
    assert ranking.query_names == ["q1"]
    assert [ranking.gallery_names[row] for row in ranking.rows] == ["b", "a"]
    assert ranking.distances is not None
    assert ranking.distances.tolist() == [-3, -1]


def test_similarities_are_turned_round_where_told(tmp_path: Path) -> None:
    for text in ('{"q1": {"a": 1, "b": 3}}', "[('q1', OrderedDict({'a': 1, 'b': 3}))]"):
        path = put(tmp_path / "list", text)
        near, far = submissions.read(path, similarity=True), submissions.read(path)
        assert [near.gallery_names[row] for row in near.rows] == ["b", "a"]
        assert [far.gallery_names[row] for row in far.rows] == ["a", "b"]
        assert near.distances is not None
        assert near.distances.tolist() == [-3, -1]


# Printed Python


@each("spelling", ["numpy1_float32", "numpy2_float32", "python312", "c1s0_keys"])
def test_the_four_spellings_of_distance_files(shared: Path, spelling: str) -> None:
    wanted = np.load(shared / "golden" / "s2_text_expected.npz")
    read = submissions.read(shared / "golden" / f"s2_rank_dist_{spelling}.txt")
    files = {side: [f"{number}.png" for number in wanted[f"{side}_number"]] for side in "qg"}
    joined = submissions.aligned("it", read, files["q"], files["g"])  # by the file in the key
    assert joined.distances is not None
    full = np.zeros_like(wanted["dist"])
    full[joined.query_of, joined.rows] = joined.distances
    assert_array_equal(full, wanted["dist"])
    assert_array_equal(joined.rows.reshape(3, 6), np.argsort(wanted["dist"], axis=1, kind="stable"))


def test_result_files_of_printed_python(shared: Path, tmp_path: Path) -> None:
    path = shared / "golden" / "s2_test_fusion_A_example.txt"
    read = submissions.read(path)
    assert read.query_names == ["433629.png", "66983.png", "486661.png"]
    assert [read.gallery_names[row] for row in read.rows[:2]] == ["883386.png", "541529.png"]
    assert read.counts.tolist() == [5, 5, 5]
    put(
        tmp_path / "r.txt", "[{'433629.png': array(['a.png', 'b.png',\n       'c.png'], dtype='<U10')}, {'x': []}]"
    )
    assert submissions.read(tmp_path / "r.txt").counts.tolist() == [3, 0]
    (fault,) = submissions.faults(path, "naic", ["433629.png"], ["a"])
    assert "found printed Python (single quotes)" in fault


def test_numbers_of_printed_python(tmp_path: Path) -> None:
    pairs = "('a', 1e-05), ('b', inf), ('c', nan), ('d', -inf), ('e', np.float32(inf)), ('f', .5)"
    path = put(tmp_path / "d.txt", f"[('q', OrderedDict([{pairs}]))]")
    (problem,) = problems_of(submissions.read, path)
    assert "NaN or -inf for 1 query (q)" in problem  # only -inf: nan is an unknown pair
    read = submissions.read(put(path, path.read_text().replace("-inf", "2")))
    assert [read.gallery_names[row] for row in read.rows] == ["a", "f", "d", "b", "e"]


@given(names=st.lists(st.text(st.characters(codec="utf-8"), max_size=6), min_size=2, max_size=5, unique=True))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_printed_name_is_read(tmp_path: Path, names: list[str]) -> None:
    query, *gallery = names
    dump = str([(query, dict.fromkeys(gallery, 0.5)), (query + "2", {})])
    read = submissions.read(put(tmp_path / "d", dump), "text")
    assert read.query_names == [query, query + "2"]
    assert read.gallery_names == gallery
    lists = submissions.read(put(tmp_path / "d", str([{query: gallery}])), "text")
    assert (lists.query_names, lists.gallery_names) == ([query], gallery)


@each(
    ("text", "message"),
    [
        ("[('q', __import__('os').system('true'))]", "wanted the end of a query's list, found \"__import__"),
        ("[('q', OrderedDict([('a', eval('1'))]))]", "wanted a gallery image and a number"),
        ("[('q', OrderedDict([('a', 1)]))][('q2', OrderedDict([('a', 1)]))]", "was a second run appended"),
        ("[('q', OrderedDict([('a', 1)])), ", "found the end of the file"),
        ("[('q', OrderedDict([('a', 1)", "character 29"),
        ("[('q', OrderedDict([('a', 1)), ('b', 2)]))]", "character"),
        ("[('q", 'found "\\(\'q"'),
        ("[('q', OrderedDict([('\\q', 1)]))]", "only the escapes"),
        ("[('q', OrderedDict([('\\U00110000', 1)]))]", "only the escapes"),
        ("[('q', OrderedDict([('a', 1), ('a', 2)]))]", r"every image once in a list, found again a \(q\)"),
        ("[('q', {}), ('q', {})]", "wanted every query once, found again q"),
        ("[]", "wanted a list for every query, found none"),
        ("[('q', OrderedDict([('a', " + "9" * 100000 + ")]))]", "a gallery image and a number"),
        ("[(" * 50000, "wanted \\('QUERY', OrderedDict"),
        ("[('q', OrderedDict([" + "('a', 1), " * 50000, "found the end of the file"),
        ("[('" + "\\" * 100001, "wanted \\('QUERY'"),
    ],
    ids=range(16),
)
def test_printed_python_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        submissions.read(put(tmp_path / "d.txt", text), "text")
    assert len(raised.value.problems) == 1
    assert len(str(raised.value)) < 500


def test_a_large_distance_file_is_read_in_time(tmp_path: Path) -> None:
    """2 MB in well under 2 s (40 MB take 3); a reader that goes back over the text takes minutes."""
    pairs = ", ".join(f"('{i}_3_{i}.png', np.float32(1.{i:05d}))" for i in range(1000))
    dump = "[" + ", ".join(f"('{i}_1_{i}.png', OrderedDict([{pairs}]))" for i in range(50)) + "]"
    assert len(submissions.read(put(tmp_path / "d.txt", dump)).rows) == 50000


# Broken and hostile files


@each(
    ("name", "data", "message"),
    [
        ("csv", "query,rank,gallery\nq,0,a\nq,1,b\n", "wanted the ranks 1, 2, 3, … .* were they counted from 0"),
        ("csv", "query,rank,gallery\nq,1,a\nq,3,b\n", "wanted the ranks 1, 2, 3, … .*number them again"),
        ("csv", "query,rank,gallery\nq,x,a\n,1,b\n", "wanted names in query, found 1 others"),
        ("csv", "query,rank,gallery\nq,1\n", "found another number in row 2"),
        ("csv", "name,place\nq,1\n", "wanted the columns query, rank, gallery and distance, found name, place"),
        ("csv", "query,query,gallery\nq,1,2\n", "found a title twice"),
        ("csv", "query,gallery\n", "found only titles"),
        ("csv", 'query,gallery\n"' + "x" * 200000 + "\n", "a line that is none"),
        ("csv", "query,rank,gallery,distance\nq,1,a,2\nq,2,b,1\n", "wanted the nearest first"),
        ("csv", "query,rank,gallery,distance\nq,1,a,nan\n", "found NaN or -inf for 1 query"),
        ("csv", "query,rank,gallery,distance\nq,1,a,1_0\n", "wanted numbers in distance, found 1_0"),
        ("trec", "q Q0 a 1 x t\n", "wanted numbers as scores, found x"),
        ("trec", "q Q0 a -1 1 t\n", "wanted numbers as ranks, found -1"),
        ("trec", "q Q0 a 1 1\n", "wanted six words a line"),
        ("trec", "q Q0 a 1 1 t\nq Q0 b 2 5 t\n", "wanted ranks that grow as the scores fall"),
        ("trec", "q Q0 a 1 2 t\nq Q0 a 2 1 t\n", "wanted every image once"),
        ("json", '{"q": ["a"], "q": ["b"]}', "wanted every query once, found again q"),
        ("json", '{"q": ["a", "a"]}', "wanted every image once"),
        ("json", '{"q": ["a", 1]}', "wanted lists of names, .* found q: a"),
        ("json", '{"q": ["a"], "r": [["a", 1]]}', "both names and pairs"),
        ("json", '{"q": [["a", true]]}', "wanted lists of names"),
        ("json", '{"q": [["a", NaN]]}', "found NaN or -inf"),
        ("json", '{"q": [["a", ' + "9" * 5000 + "]]}", "wanted JSON, found Exceeds the limit"),
        ("json", '{"q": [["a", ' + "9" * 400 + "]]}", None),  # infinitely far
        ("json", '["a"]', "wanted lists of names"),
        ("json", "{}", "wanted a list for every query, found none"),
        ("json", '{"q": ', "wanted JSON, found Expecting value"),
        ("json", "[" * 100000, "found far deeper nesting"),
        ("json", '{"a":' * 100000, "found far deeper nesting"),
        ("naic", '{"q": [["a", 1]]}', "wanted names only, found numbers"),
        ("naic", b"\xef\xbb\xbf" + b'{"q": ["a"]}', r"byte-order mark \(utf-8\)"),
        ("naic", '{"q": ["é"]}'.encode("latin-1"), "wanted UTF-8 text, found another byte at 8"),
        ("track2", "1 2 2\n", r"wanted every image once in a list, found again 2 \(line 1\)"),
        ("track2", "1 -2\n", "wanted whole numbers only"),
        ("visda", "PK\x03\x04rubbish", "wanted a zip file, found a damaged one"),
        ("npz", b"\x93NUMPY\x01\x00", "damaged"),
        ("npz", b"", "empty"),
        ("parquet", b"PAR1" + b"\0" * 100 + b"PAR1", "wanted a Parquet table"),
        ("parquet", b"", "wanted a Parquet table"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 8 else "",
)
def test_broken_files_are_refused_in_words(
    tmp_path: Path, name: str, data: str | bytes, message: str | None
) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    path = put(tmp_path / "file", data)
    if message is None:
        submissions.read(path, name)
        return
    with pytest.raises(InputError, match=message) as raised:
        submissions.read(path, name)
    assert len(str(raised.value)) < 1000
    assert submissions.faults(path, name, ["q"], ["1", "2"])


@each("name", list(submissions.all_formats()))
@given(noise=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)), cut=st.integers(0, 400))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rubbish_and_cut_files_are_no_traceback(tmp_path: Path, name: str, noise: bytes, cut: int) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "whole"
    numbered = from_matrix(ROWS, QUERIES, ["1.png", "2.png", "3.png"], DISTANCES)
    if submissions.named(name).write is not None:
        submissions.write(path, numbered, name)
    else:
        put(path, str([("q", {"a": 1.0, "b": 2.0})]))
    for data in (noise, path.read_bytes()[:cut], noise + path.read_bytes()):
        broken = put(tmp_path / "broken", data)
        assert isinstance(submissions.faults(broken, name, QUERIES, ["1.png", "2.png", "3.png"]), list)
        submissions.doubts(broken, name, QUERIES, ["1.png", "2.png", "3.png"])
        for read in (
            lambda path=broken: submissions.read(path, name),
            lambda path=broken: submissions.guess(path),
        ):
            with suppress(InputError):
                read()


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.array([["a"]], object), allow_pickle=True)
    (problem,) = problems_of(submissions.read, tmp_path / "r.npy")
    assert "wanted (queries, k) whole numbers as ranking" in problem


def test_a_bare_array_is_rows_of_the_list(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", np.array([[2, 0], [1, -1]], np.int16))
    assert [rows.tolist() for rows in submissions.read_aligned(tmp_path / "r.npy", QUERIES, GALLERY).lines()] == [
        [2, 0],
        [1],
    ]
    (problem,) = problems_of(submissions.read_aligned, tmp_path / "r.npy", QUERIES, GALLERY[:2])
    assert "wanted images of the gallery (such as 0 to 1), found 1 unknown (2)" in problem


def test_a_zip_that_is_not_flat(tmp_path: Path) -> None:
    def faults(*names: str, text: bytes = b"0002 0000 0001\n0001 0002 0000\n") -> list[str]:
        with zipfile.ZipFile(tmp_path / "result.zip", "w") as archive:
            for name in names:
                archive.writestr(name, text)
        return submissions.faults(tmp_path / "result.zip", "visda", QUERIES, GALLERY)

    assert faults("result.txt") == []
    assert (
        "wanted result.txt alone, in no folder, found out/result.txt; pack it again" in faults("out/result.txt")[0]
    )
    assert "found result.txt, __MACOSX/._result.txt" in faults("result.txt", "__MACOSX/._result.txt")[0]
    assert "found answer.txt" in faults("answer.txt")[0]
    assert "found nothing" in faults()[0]
    assert "wanted result.txt alone" in faults("a.txt", "b.txt")[0]
    (padding,) = faults("result.txt", text=b"2 0 1\n0001 0002 0000\n")
    assert "line 1: wanted numbers of 4 digits, found 2, 0, 1; write 0002" in padding
    (known,) = faults("result.txt", text=b"0003 0001 0002\n0001 0002 0003\n")
    assert "wanted numbers of gallery images (0000 to 0002), found 0003" in known
    assert "were they counted from 1?" in submissions.doubts(tmp_path / "result.zip", "visda", QUERIES, GALLERY)[0]
    put(tmp_path / "result.txt", b"0002 0000 0001\n0001 0002 0000\n")
    assert submissions.faults(tmp_path / "result.txt", "visda", QUERIES, GALLERY) == []
    assert "found the text alone" in submissions.doubts(tmp_path / "result.txt", "visda", QUERIES, GALLERY)[0]


# Real files


def test_the_official_visda_sample(shared: Path, tmp_path: Path) -> None:
    file = np.load(shared / "visda2020_val.npz")
    queries, gallery = file["query_name"].tolist(), file["gallery_name"].tolist()
    path = tmp_path / "result.zip"
    submissions.write(path, from_matrix(file["submission"], queries, gallery), "visda")
    text = "".join(" ".join(f"{place:04d}" for place in row) + "\n" for row in file["submission"])
    with zipfile.ZipFile(path) as archive:
        assert archive.read("result.txt").decode() == text
    assert submissions.faults(path, "visda", queries, gallery) == []
    assert submissions.doubts(path, "visda", queries, gallery) == []
    assert_array_equal(submissions.read_aligned(path, queries, gallery).rows.reshape(-1, 100), file["submission"])
    first = path.read_bytes()
    submissions.write(path, submissions.read_aligned(path, queries, gallery), "visda")
    assert path.read_bytes() == first


def test_a_real_file_with_zeros_and_spaces_too_many(shared: Path) -> None:
    path = shared / "golden" / "iosb_submission_example.txt"
    gallery = [f"{i:06d}.jpg" for i in range(1, 261)]
    queries = [f"{i:06d}.jpg" for i in range(1, 41)]
    found = submissions.faults(path, submissions.guess(path), queries, gallery)
    assert [fault.partition(": wanted ")[2].partition(",")[0] for fault in found] == [
        "a number last",
        "numbers without leading zeros",
    ]
    assert submissions.read_aligned(path, queries, gallery).counts.tolist() == [100] * 40
