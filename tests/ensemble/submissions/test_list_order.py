"""A list's order is what it says: read, written, joined and scored by others as it stands there."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from ensemble import evaluate, submissions
from ensemble.base.errors import InputError
from ensemble.fusion import join_lists, reciprocal_rank_fusion
from ensemble.submissions import RankList, candidates, dense, from_matrix
from ensemble.submissions.ties import told
from postproc import rank
from tests.support.each import each
from tests.support.folders import listed

GALLERY = [f"{number}.png" for number in (3, 1, 2, 12, 5)]
QUERIES = ["q2.png", "q1.png"]
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
LARGEST = np.finfo(np.float32).max
TINY = np.finfo(np.float32).tiny
WRITTEN = [name for name, used in submissions.all_formats().items() if used.write]


# Ties by hand


@each(
    ("given", "behind", "wanted"),
    [
        ([0.5, 0.5, 2], [0, 1, 1], [0.5, np.nextafter(np.float32(0.5), np.float32(1)), 2]),
        ([0.5, 0.5, 2], [0, 0, 0], [0.5, 0.5, 2]),
        ([0, 0, 0], [0, 1, 1], [0, TINY, np.nextafter(TINY, np.float32(1))]),  # not 1e-45, which some take for 0
        ([-TINY, -TINY, 0], [0, 1, 1], [-TINY, 0, TINY]),
        ([LARGEST, LARGEST], [0, 1], [np.nextafter(LARGEST, np.float32(0)), LARGEST]),
        ([1, np.inf, np.inf], [0, 1, 1], [1, LARGEST, np.inf]),
        ([3, 1, 2], [0, 0, 0], [3, 3, 3]),  # what falls is no list: not nearer than what stands before
    ],
)
def test_told_by_hand(given: list[float], behind: list[int], wanted: list[float]) -> None:
    found = told(np.float32(given), np.array(behind, bool), np.zeros(len(given), np.int64))
    assert_array_equal(found, np.float32(wanted))


@given(data=st.data(), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_told_tells_every_order_and_changes_no_more_than_that(data: st.DataObject, sizes: list[int]) -> None:
    list_of = np.repeat(np.arange(len(sizes)), sizes)
    few = st.one_of(st.sampled_from([0.0, 0.5, TINY, float(LARGEST)]), FLOATS)
    drawn = [sorted(data.draw(st.lists(few, min_size=size, max_size=size))) for size in sizes]
    distances = np.float32(np.concatenate(drawn))
    behind = data.draw(arrays(bool, len(distances)))
    found = told(distances, behind, list_of)
    within = list_of[1:] == list_of[:-1]
    assert (found[1:] >= found[:-1])[within].all()
    assert (found[1:] > found[:-1])[within & behind[1:]].all()
    assert np.isfinite(found).all()
    assert_array_equal(told(found, behind, list_of), found)
    told_already = all(
        (here > before) if far else (here >= before)
        for here, before, far, one in zip(distances[1:], distances, behind[1:], within, strict=False)
        if one
    )
    if told_already and (np.abs(distances[distances != 0]) >= TINY).all():
        assert_array_equal(found, distances)


# In and out again


@st.composite
def rankings(draw: st.DrawFn) -> RankList:
    """Lists with many ties, the second perhaps empty."""
    rows = np.full((2, len(GALLERY)), -1)
    values = np.full(rows.shape, np.nan, np.float32)
    for query in range(2):
        count = draw(st.integers(1 - query, len(GALLERY)))
        rows[query, :count] = draw(st.permutations(range(len(GALLERY))))[:count]
        few = st.sampled_from([0.0, 0.25, 0.98765432107, 0.98765432109, -1.0])
        values[query, :count] = sorted(draw(st.lists(few, min_size=count, max_size=count)))
    return from_matrix(rows, QUERIES, GALLERY, values)


@each("name", WRITTEN)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ranking=rankings())
def test_one_list_in_comes_out_as_it_went_in(tmp_path: Path, name: str, ranking: RankList) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / submissions.named(name).file
    submissions.write(path, ranking, name)
    read = submissions.read_aligned(path, QUERIES, GALLERY, partial=True)
    rows, (distances,) = candidates([read])
    alone = dense(np.where(rows < 0, 0, distances), rows, len(GALLERY))
    joined = dense(np.where(rows < 0, 0, reciprocal_rank_fusion([distances])), rows, len(GALLERY))
    for query, line in enumerate(ranking.lines()):
        for answer in (rank(alone)[query], rank(joined)[query]):
            assert_array_equal(answer[: len(line)], line)


@each("scores", [[0.99, 0.99, 0.99], [0.98765432109, 0.98765432108, 0.98765432107]])
@each("name", ["trec", "csv", "score.csv", "json", "object", "text"])
def test_ties_in_a_file_are_scored_in_its_order(
    tmp_path: Path, name: str, scores: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    images = ["g3", "g2", "g1"]  # g3 is the match: 1 at the first place, 1/3 at the last
    pairs = list(zip(images, scores, strict=True))
    lists = {
        "trec": [f"q Q0 {image} {place} {score} t" for place, (image, score) in enumerate(pairs, 1)],
        "csv": ["query,rank,gallery,distance"]
        + [f"q,{place},{image},{-score}" for place, (image, score) in enumerate(pairs, 1)],
        "score.csv": ["query,gallery,score"] + [f"q,{image},{score}" for image, score in pairs],
        "json": ['{"q": [' + ", ".join(f'["{image}", {-score}]' for image, score in pairs) + "]}"],
        "object": ['{"q": {' + ", ".join(f'"{image}": {-score}' for image, score in pairs) + "}}"],
        "text": [f"[('q', OrderedDict({ {image: -score for image, score in pairs} }))]"],
    }
    listed(tmp_path / "query.csv", ["name,pid,cam", "q,7,0"])
    listed(tmp_path / "gallery.csv", ["name,pid,cam", "g1,8,1", "g2,9,1", "g3,7,1"])
    listed(tmp_path / f"mine.{name}", lists[name])
    assert evaluate.main(["--rankings", str(tmp_path)]) == 0
    assert "mAP 1.0000" in capsys.readouterr().out.replace("mAP    ", "mAP ")


# Names and numbers as odd as they come

ODD = [
    "000012.jpg",
    "12.jpg",
    "1e3",
    "+7",
    "nan",
    "inf",
    "007",
    "a,b;c.png",
    'say"x".png',
    "it's.png",
    "Zo\u00eb.png",
    "Zoe\u0308.png",
    "\u56fe\u7247.png",
    "\\back\\slash",
    "x/y/../z.png",
    "=cmd.png",
    "#1.png",
    "[('q'",
    "{1.png",
    "-1",
]
SPACED = ["a b.png", " before.png", "behind.png ", "tab\tname.png", "line\nend.png"]
VALUES = [
    [-3.5, -3.5, -1, 0, 0],
    [0.98765432107, 0.98765432108, 0.98765432109, 1, np.inf],
    [-1e38, 1e-45, 2e-45, 3e38, 3.4e38],
    None,
]


@each("values", VALUES)
@each("name", [name for name in WRITTEN if name not in ("track2", "visda")])
def test_odd_names_and_numbers_come_back(tmp_path: Path, name: str, values: list[float] | None) -> None:
    if name == "parquet":
        pytest.importorskip("pyarrow")
    names = ODD if name in ("trec", "landmarks") else ODD + SPACED
    queries = names[::-1]
    rng = np.random.default_rng(len(name))
    rows = np.stack([rng.permutation(len(names))[:5] for _ in queries])
    rows = np.where(np.arange(5) < (np.arange(len(queries)) % 6)[:, None], rows, -1)
    distances = None if values is None else np.tile(np.array(values, np.float64), (len(queries), 1))
    ranking = from_matrix(rows, queries, names, distances)
    path = tmp_path / submissions.named(name).file
    submissions.write(path, ranking, name)
    read = submissions.read_aligned(path, queries, names, partial=True)
    assert_array_equal(read.starts, ranking.starts)
    assert_array_equal(read.rows, ranking.rows)
    if read.distances is not None and name not in ("trec", "naic"):
        assert_array_equal(read.distances, ranking.distances)
    again = join_lists([read], reciprocal_rank_fusion)
    there = slice(None) if read.distances is None else np.isfinite(read.distances)
    assert_array_equal(again.rows, ranking.rows[there])  # +inf is never returned


@each("sides", [(["q", "q"], ["a", "b"]), (["p", "q"], ["a", "a"])])
@each("name", WRITTEN)
def test_a_name_for_two_images_is_not_written(
    tmp_path: Path, name: str, sides: tuple[list[str], list[str]]
) -> None:
    ranking = from_matrix(np.array([[0, 1], [1, 0]]), *sides)
    with pytest.raises(InputError, match=r"names: wanted every (query|gallery) once, found again [qa]"):
        submissions.write(tmp_path / "mine", ranking, name)
    assert not list(tmp_path.iterdir())


# Other people's readers


def by_trec_eval(path: Path) -> dict[str, list[str]]:
    """trec_eval's order (form_res_rels.c): by the score as a float, equal ones by the name, both descending."""
    found: dict[str, list[tuple[np.float32, str]]] = {}
    for line in path.read_text().splitlines():
        query, _, image, _, score, _ = line.split()
        found.setdefault(query, []).append((np.float32(score), image))
    return {query: [image for _, image in sorted(entries, reverse=True)] for query, entries in found.items()}


def by_ranx(path: Path, *, ties: int) -> dict[str, list[str]]:
    """ranx's order: by the score as a double, descending; ``ties`` 1 or -1: equal ones in whatever order."""
    found: dict[str, list[tuple[float, int, str]]] = {}
    for number, line in enumerate(path.read_text().splitlines()):
        query, _, image, _, score, _ = line.split()
        found.setdefault(query, []).append((-float(score), ties * number, image))
    return {query: [image for *_, image in sorted(entries)] for query, entries in found.items()}


@given(ranking=rankings(), known=st.booleans(), infinite=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_trec_says_the_ranking_to_any_reader(
    tmp_path: Path, ranking: RankList, known: bool, infinite: bool
) -> None:
    values = ranking.distances if known else None
    if values is not None and infinite:
        values = np.where(values == values.max(initial=0), np.inf, values)
    ranking = RankList(ranking.query_names, ranking.gallery_names, ranking.starts, ranking.rows, values)
    path = tmp_path / "ranking.trec"
    submissions.write(path, ranking, "trec")
    lines = dict(zip(QUERIES, ranking.lines(), strict=True))
    wanted = {query: [GALLERY[row] for row in line] for query, line in lines.items() if len(line)}
    assert by_trec_eval(path) == by_ranx(path, ties=1) == by_ranx(path, ties=-1) == wanted
