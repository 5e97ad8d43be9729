"""Candidates from elsewhere: exact distances to those that are named, and nobody else in an answer."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import GalleryIndex, NeighbourLists, l2_normalize, neighbours
from postproc.pairs.known import ApproximateNeighbours
from tests.support.each import each
from tests.support.worlds import world

DRAWN = world(ng=200)
GALLERY, QUERY = l2_normalize(DRAWN["gallery"]), l2_normalize(DRAWN["query"])


class Index:
    """An exact index with faiss' interface."""

    ids = np.arange(200)

    def search(self, queries, k):
        found = ((queries[:, None] - GALLERY) ** 2).sum(-1)
        order = np.argsort(found, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(found, order, axis=1), self.ids[order]


@each(
    "finder",
    [
        Index(),
        Index().search,
        lambda queries, k: Index().search(queries, k)[1],
        lambda queries, k: SimpleNamespace(keys=Index().search(queries, k)[1]),
    ],
)
def test_all_as_candidates_are_no_other_answer(finder):
    whole = GalleryIndex(GALLERY, normalize=False)
    index = GalleryIndex(GALLERY, normalize=False, candidates=finder)
    assert (whole.exact, index.exact) == (True, False)
    found, wanted = index.rerank(QUERY), whole.rerank(QUERY)
    assert found.distances.tobytes() == wanted.distances.tobytes()
    assert_array_equal(found.rows, wanted.rows)
    index.use_candidates(None)
    assert index.exact


def test_only_candidates_are_in_the_answer():
    index = GalleryIndex(GALLERY, candidates=Index(), shortlist=30)
    found = index.rerank(QUERY, 50)
    for query, rows, distances in zip(QUERY, found.rows, found.distances, strict=True):
        named = Index().search(query[None], 30)[1][0]
        assert_array_equal(np.sort(rows[:30]), np.sort(named))
        assert (rows[30:] == -1).all()
        assert np.isinf(distances[30:]).all()
    wanted = GalleryIndex(GALLERY).rerank(QUERY, 10)
    near = [len(set(a) & set(b)) for a, b in zip(found.rows[:, :10].tolist(), wanted.rows.tolist(), strict=True)]
    assert np.mean(near) > 8
    assert_array_equal(index.rerank(QUERY, 50, by_id=True).rows, found.rows)


def test_candidates_are_ids_and_strangers_are_nobody():
    index = GalleryIndex(GALLERY, ids=np.arange(200) + 1000, candidates=lambda queries, k: [[1003, 7, -1, 1003]])
    found = index.rerank(QUERY[0], 3)
    assert_array_equal(found.rows, [[3, -1, -1]])
    assert_array_equal(index.rerank(QUERY[0], 3, by_id=True).rows, [[1003, -1, -1]])
    assert np.isfinite(found.distances[0, 0])
    index.remove(1003)
    assert_array_equal(index.rerank(QUERY[0], 3).rows, [[-1, -1, -1]])


def test_wrong_candidates():
    with pytest.raises(TypeError, match=r"candidates: wanted a function or an object with search\(queries, k\)"):
        GalleryIndex(GALLERY, candidates=3)
    with pytest.raises(ValueError, match="shortlist: wanted a whole number, 1 or more, got 0"):
        GalleryIndex(GALLERY, candidates=Index(), shortlist=0)
    index = GalleryIndex(GALLERY, candidates=lambda queries, k: np.zeros((5, 3), int))
    with pytest.raises(ValueError, match=r"candidates: wanted ids for 12 queries, got shape \(5, 3\)"):
        index.rerank(QUERY)
    index.use_candidates(lambda queries, k: np.zeros((12, 3)))
    with pytest.raises(ValueError, match="candidates: wanted whole numbers, ids of the index, got float64"):
        index.rerank(QUERY)


def test_lists_from_elsewhere_are_said_to_be_approximate():
    exact = neighbours(GALLERY, k=24)
    lists = NeighbourLists.given(exact.rows, exact.distances, unit_length=True)
    with pytest.warns(ApproximateNeighbours):
        index = GalleryIndex(GALLERY, neighbours=lists, normalize=False)
    assert not index.exact
    wanted = GalleryIndex(GALLERY, normalize=False).rerank(QUERY)
    assert_allclose(index.rerank(QUERY).distances, wanted.distances, atol=1e-6)
