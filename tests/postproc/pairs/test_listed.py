"""Neighbour lists as a value, made here and handed over from elsewhere."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postproc import NeighbourLists, neighbours, rerank, same_camera, sqeuclidean
from tests.support.each import each


def unit(n=80, d=8, seed=0, people=12):
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=(people, d))
    x = (centre[rng.integers(0, people, n)] + 0.4 * rng.normal(size=(n, d))).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def searched(x, k):
    """Squared distances and rows of the k nearest, itself too, by brute force in float64."""
    far = ((x[:, None].astype(np.float64) - x) ** 2).sum(-1)
    rows = np.argsort(far, axis=1, kind="stable")[:, :k]
    return rows, np.take_along_axis(far, rows, axis=1), far.max(axis=1)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(1, 70), st.integers(0, 999))
def test_found_as_by_brute_force(n, k, seed):
    x = unit(n, seed=seed)
    lists = neighbours(x, k=k)
    rows, far, largest = searched(x, k + 1)
    assert lists.k == min(k, n - 1)
    np.testing.assert_array_equal(lists.rows, rows)
    np.testing.assert_allclose(lists.distances, far, atol=1e-6)
    np.testing.assert_allclose(lists.largest, largest, atol=1e-6)
    assert (lists.sizes, lists.one_set, lists.exact, lists.unit_length) == ((n, n), True, True, True)


def test_queries_are_numbered_first():
    x = unit()
    two, one = neighbours(x[:20], x[20:], k=9), neighbours(x, k=9)
    np.testing.assert_array_equal(two.rows, one.rows)
    assert (two.sizes, two.one_set, one.sizes, one.one_set) == ((20, 60), False, (80, 80), True)
    assert not neighbours(2 * x).unit_length
    assert str(two) == "NeighbourLists(20 queries and 60 gallery images, k=9, exact)"
    assert str(one) == "NeighbourLists(80 images, k=9, exact)"


def test_the_digest_is_of_the_numbers():
    x = unit().astype(np.float16)
    digest = neighbours(x).digest
    assert len(digest) == 32
    assert neighbours(x.astype(np.float32)).digest == sqeuclidean(x).digest == digest
    others = [sqeuclidean(x[::-1]), sqeuclidean(x[:40], x[40:]), 2 * sqeuclidean(x), sqeuclidean(x[:, :-1])]
    cam = np.arange(80) % 3
    others += [sqeuclidean(x) + 0.1 * same_camera(cam), sqeuclidean(x).zero_within_tracks(cam)]
    assert len({digest, *(pairs.digest for pairs in others)}) == 7


def test_saved_and_loaded(tmp_path):
    x = unit()
    lists = neighbours(x[:30], x[30:], k=20)
    lists.save(tmp_path / "graph")
    found = NeighbourLists.load(tmp_path / "graph")
    assert isinstance(found.rows, np.memmap)
    for name in ("rows", "distances", "largest"):
        np.testing.assert_array_equal(getattr(found, name), getattr(lists, name))
    names = "sizes", "one_set", "unit_length", "exact", "recall", "digest", "k"
    assert [getattr(found, name) for name in names] == [getattr(lists, name) for name in names]
    wanted = rerank(x[:30], x[30:])
    np.testing.assert_array_equal(rerank(x[:30], x[30:], neighbours=found), wanted)
    lists.save(tmp_path / "graph")  # over the old one
    np.testing.assert_array_equal(NeighbourLists.load(tmp_path / "graph", in_memory=True).rows, lists.rows)


def test_the_lists_of_others_are_the_lists_found_here():
    x = unit()
    lists = neighbours(x, k=10)
    rows, far, _ = searched(x, 11)
    others = far[:, 1:], rows[:, 1:]
    for found in (
        NeighbourLists.given(rows, far, unit_length=True, exact=True),
        NeighbourLists.given(rows[:, ::-1], far[:, ::-1], unit_length=True),  # farthest first
        NeighbourLists.given(others[1], others[0], count_self=False, unit_length=True),
        NeighbourLists.given(rows.astype(np.uint32), far, largest=lists.largest),
        NeighbourLists.given(rows.tolist(), (far - 1e-7).tolist(), largest=4.0),
    ):
        np.testing.assert_array_equal(found.rows, lists.rows)
        np.testing.assert_allclose(found.distances, lists.distances, atol=1e-6)
        assert found.distances.dtype == np.float32
    assert NeighbourLists.given(rows, far, queries=30, unit_length=True).sizes == (30, 50)
    np.testing.assert_array_equal(NeighbourLists.given(rows, far, unit_length=True).largest, 4)


def test_places_of_nobody_come_last():
    rows = np.array([[-1, 1, 0], [0, 1, -1], [-1, -1, 2]])
    far = np.array([[np.nan, 0.5, 0.0], [0.5, 0.0, -3.4e38], [9.0, 9.0, 0.0]])
    found = NeighbourLists.given(rows, far, largest=9.0)
    assert found.rows.tolist() == [[0, 1, -1], [1, 0, -1], [2, -1, -1]]
    assert found.distances.tolist() == [[0, 0.5, np.inf], [0, 0.5, np.inf], [0, np.inf, np.inf]]


def test_an_image_that_an_approximate_search_missed_takes_the_last_place():
    found = NeighbourLists.given([[1, 2], [1, 0], [2, 1]], [[1.0, 4.0], [0.0, 1.0], [0.0, 1.0]], largest=9)
    assert found.rows.tolist() == [[0, 1], [1, 0], [2, 1]]


BAD = [
    ({"rows": [[0.5]]}, "rows: wanted whole numbers of two axes"),
    ({"rows": [[0, 1]]}, "rows: wanted whole numbers of two axes"),
    ({"rows": [[0], [1], [3]]}, "rows: wanted images below 3, found 3"),
    ({"rows": [[0, 0], [1, 0], [2, 0]], "distances": [[0, 1]] * 3}, "found one twice first in row 0"),
    ({"rows": [[0], [1], [-1]]}, "rows: wanted a neighbour of every image, found none first in row 2"),
    ({"distances": [[0.0], [np.nan], [0.0]]}, "distances: wanted finite numbers, found NaN"),
    ({"distances": [[-1.0], [-0.5], [-0.9]]}, "of similarities s of unit vectors give 2 - 2 s"),
    ({"rows": [[0, 1], [1, 2], [2, 1]], "distances": [[1, 0.9], [1, 0.2], [1, 0.2]]}, "of similarities s of unit"),
    (
        {"rows": [[1, 2], [2, 0], [1, 0]], "distances": [[0.9, 0.1], [0.2, 0.1], [0.2, 0.1]], "count_self": False},
        "found numbers that fall where images are farther, as similarities do",
    ),
    ({"distances": [["a"], ["b"], ["c"]]}, "rows: wanted whole numbers of two axes, and as many distances"),
    ({"distances": [[0.0], [4.5], [0.0]], "unit_length": True}, "wanted at most 4 between vectors of unit length"),
    ({"count_self": False}, "wanted no image in its own list, found one first in row 0"),
    ({"rows": [[1], [2], [0]]}, "wanted each image in its own list, found 0%; say count_self=False"),
    ({"largest": None}, "largest: wanted the farthest distance of each image or a bound"),
    ({"largest": [1.0, 2.0]}, "largest: wanted 3 distances or one"),
    ({"largest": -1.0}, "largest: wanted 3 distances or one"),
    ({"queries": 3}, "queries: wanted a number of 1 to 2, got 3"),
]  # fmt: skip


@each(("change", "message"), BAD)
def test_what_is_wrong_with_lists_is_said(change, message):
    good = {"rows": [[0], [1], [2]], "distances": [[0.0]] * 3, "largest": 9.0}
    NeighbourLists.given(**good)
    with pytest.raises(ValueError, match=re.escape(message)):
        NeighbourLists.given(**{**good, **change})


def test_all_that_is_wrong_is_said_at_once():
    with pytest.raises(ValueError) as said:  # noqa: PT011
        NeighbourLists.given([[1, 5], [0, 0]], [[1.0, np.inf], [1.0, 1.0]])
    for part in ("images below 2", "finite numbers", "twice", "count_self", "largest"):
        assert part in str(said.value)
