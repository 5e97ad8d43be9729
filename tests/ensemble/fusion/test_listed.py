"""Rank lists joined without matrices: the same as with them, and nothing that no list names."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fusion
from ensemble.fusion import join_lists
from ensemble.fusion.join import join
from ensemble.pipeline import joins
from ensemble.submissions import RankList, candidates, dense, from_matrix, merged
from tests.support.each import each

QUERIES, GALLERY = [f"q{i}" for i in range(9)], [f"g{i}" for i in range(40)]
WAYS = [
    (name, settings)
    for name in sorted(set(fusion.AFTER) - {"local_evidence"})
    if not any(data.startswith("train_") for data in joins.needs(name))
    for settings in (
        {},
        {"missing": "worst"},
        {"missing": "mean"},
        {"missing": "known"},
        {"scaling": "z-score", "missing": "mean"},
        {"scaling": "min-max-whole", "missing": "mean"},
        {"scaling": "rank", "missing": "known"},
        {"weights": [1, 0, 2]},
        {"weights": [1, 0, 2], "missing": "mean"},
    )
]


def lists(count: int, seed: int = 0, *, whole: bool = False, known: bool = False) -> list[RankList]:
    """Lists of 0 to 12 images, or of all of them."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        rows = np.stack([rng.permutation(len(GALLERY)) for _ in QUERIES])
        if not whole:
            rows = np.where(np.arange(12) < rng.integers(0, 13, len(QUERIES))[:, None], rows[:, :12], -1)
        distances = np.sort(rng.integers(0, 9, rows.shape), axis=1).astype(np.float32)
        made.append(from_matrix(rows, QUERIES, GALLERY, distances if known else None))
    return made


def matrix(ranking: RankList) -> np.ndarray:
    out = np.full((len(QUERIES), len(GALLERY)), np.nan, np.float32)
    values = ranking.places if ranking.distances is None else ranking.telling(ties=True)
    out[ranking.query_of, ranking.rows] = values
    return out


@each("known", [False, True])
@each(("name", "settings"), WAYS)
def test_as_with_matrices_and_only_what_is_named(name: str, settings: dict, known: bool) -> None:
    parts = lists(3, known=known)
    matrices = [matrix(part) for part in parts]
    by = fusion.AFTER[name]
    try:
        wanted = by(matrices, **settings)
    except (ValueError, TypeError):
        with pytest.raises((ValueError, TypeError)):
            join_lists(parts, by, **settings)
        return
    used = [part for part, weight in zip(matrices, settings.get("weights", [1] * 3), strict=True) if weight]
    wanted = np.where(np.all(np.isnan(used), axis=0), np.inf, wanted)
    found = join_lists(parts, by, **settings)
    for query, line in enumerate(found.lines()):
        assert set(line.tolist()) == set(np.flatnonzero(np.isfinite(wanted[query])).tolist())
        assert_allclose(found.distances[found.query_of == query], np.sort(wanted[query])[: len(line)], rtol=1e-5)
    first = join_lists(parts, by, top_k=3, **settings)
    assert_array_equal(first.rows, found.first(3).rows)


def test_a_join_that_wants_every_image_is_not_stopped_by_shorter_lists_of_other_queries() -> None:
    """Both lists name the same images; that they name three for one query and two for another is no gap."""
    one, other = (
        from_matrix(np.array(rows), ["a", "b"], ["x", "y", "z"])
        for rows in ([[0, 1, 2], [2, 0, -1]], [[2, 1, 0], [2, 0, -1]])
    )
    assert [line.tolist() for line in join_lists([one, other], fusion.weighted_sum).lines()] == [[0, 1, 2], [2, 0]]
    gap = from_matrix(np.array([[2, 1, 0], [2, -1, -1]]), ["a", "b"], ["x", "y", "z"])
    with pytest.raises(ValueError, match="wanted every pair known to all 2 parts, found that part 2 lacks 1"):
        join_lists([one, gap], fusion.weighted_sum)


def test_columns_that_have_to_be_the_gallery_are() -> None:
    """The released rule takes means over rows of the gallery: candidates of one query are none of another's."""
    parts = lists(2, whole=True)
    wanted = fusion.released_query_adaptive([matrix(part) for part in parts])
    found = join_lists(parts, fusion.released_query_adaptive)
    for query, line in enumerate(found.lines()):
        assert_array_equal(line, np.argsort(wanted[query], kind="stable"))


def test_a_join_of_somebody_gets_all_queries() -> None:
    seen = []

    @join()
    def nearest_of_all(distances):
        seen.append(distances[0].shape)
        return np.minimum(*distances)

    join_lists(lists(2), nearest_of_all, places=True)
    assert len(seen) == 1
    assert seen[0][0] == len(QUERIES)
    with pytest.raises(TypeError, match="unexpected keyword argument 'k'"):
        join_lists(lists(2), nearest_of_all, k=3)


def test_candidates_as_tables_and_spread_say_the_same() -> None:
    parts = lists(2)
    rows, values = candidates(parts)
    joined = fusion.reciprocal_rank_fusion(values)
    order = np.argsort(dense(np.where(rows < 0, 0, joined), rows, len(GALLERY)), axis=1, kind="stable")
    for query, line in enumerate(join_lists(parts, fusion.reciprocal_rank_fusion).lines()):
        assert_array_equal(line, order[query, : len(line)])


def test_memory_is_that_of_the_entries() -> None:
    """300 queries, 20,000 images, one list of all of them: a matrix would be 24 MB, a table as well."""
    rng = np.random.default_rng(0)
    counts = np.where(np.arange(300) == 7, 20_000, 5)
    rows = np.concatenate([rng.permutation(20_000)[:count] for count in counts])
    names = [str(i) for i in range(20_000)]
    starts = np.concatenate([[0], np.cumsum(counts)])
    parts = [RankList(names[:300], names, starts, rows) for _ in range(2)]
    join_lists(parts, fusion.reciprocal_rank_fusion)
    tracemalloc.start()
    try:
        join_lists(parts, fusion.reciprocal_rank_fusion, top_k=100)
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()


def test_places_behind_2_to_the_24th_are_told_apart() -> None:
    """float32 has one number for 16777216 and 16777217."""
    count = (1 << 24) + 6
    long = RankList(["q"], [], np.array([0, count]), np.arange(count))
    last = long.telling(ties=False)[-10:]
    assert (np.diff(last) > 0).all()


@each("gallery", [1, 5])
def test_nobody_has_an_answer(gallery: int) -> None:
    empty = from_matrix(np.zeros((3, 0), int), QUERIES[:3], GALLERY[:gallery])
    assert join_lists([empty, empty], fusion.borda).counts.tolist() == [0, 0, 0]
    assert merged([empty]).rows.size == 0
