"""The nearest of other cameras off longer lists of all: what a walk for both finds."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import gcr
from postproc.pairs import beyond, forecast, nearest
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.rows import rows_in
from postproc.pairs.tiles import PairwiseTiles
from tests.support.each import each

RNG = np.random.default_rng(0)
NQ, NG = 60, 440


def images(copies):
    centre = RNG.integers(-2, 3, (25, 8))
    found = centre[RNG.integers(0, 25, NQ + NG)] + RNG.integers(0, 2, (NQ + NG, 8))
    return found.astype(np.float32) if copies else (found + RNG.normal(0, 0.1, found.shape)).astype(np.float32)


def cameras():
    return RNG.integers(0, 15, NQ + NG)


@pytest.fixture
def small():
    """As if a few hundred images were many."""
    with patch.object(forecast, "FEWEST", 0):
        yield


@each("copies", [False, True])
@each("crowd", [0, 5])
def test_equals_a_walk_for_both(small, copies, crowd):
    x, cams = images(copies), cameras()
    x[100 : 100 + 9 * crowd] = x[100] + (RNG.normal(0, 1e-3, (9 * crowd, 8)) if crowd else 0)
    cams[100 : 100 + 9 * crowd] = 20  # 45 images of one camera that have each other alone among their 32 nearest
    pairs = sqeuclidean(x[:NQ], x[NQ:])
    tiles = PairwiseTiles(pairs, (cams[:NQ], cams[NQ:]))
    wanted = nearest.of_all_and_others(tiles, every=15, other=2)
    with (
        patch.object(beyond, "LACKING", 0.5),
        patch.object(nearest, "of_all_and_others", side_effect=AssertionError("walked for both")),
    ):
        found = beyond.of_all_and_others(tiles, sqeuclidean(x), every=15, other=2)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_array_equal(ours.rows, theirs.rows)
        assert_allclose(ours.values, theirs.values, atol=1e-4)
    assert_array_equal(found[0].values, wanted[0].values)


@each("count", [1, 2, 15])
def test_where_lists_are_too_short_it_walks_for_both(small, count):
    x = images(False)
    cams = np.arange(NQ + NG) * count // (NQ + NG)
    order = np.argsort(x[:, 0], kind="stable")  # who is near is of one camera
    pairs = sqeuclidean(x[order][:NQ], x[order][NQ:])
    tiles = PairwiseTiles(pairs, (cams[:NQ], cams[NQ:]))
    with (
        patch.object(beyond, "LONG", 3),
        patch.object(nearest, "of_all_and_others", wraps=nearest.of_all_and_others) as walked,
    ):
        beyond.of_all_and_others(tiles, sqeuclidean(x[order]), every=3, other=3)
    assert walked.call_count == (count > 1)


@each("cameras_of", ["everywhere", "an identity"])
def test_lists_are_no_longer_than_they_must_be(small, cameras_of):
    who = np.arange(NQ + NG) % 25
    x = (10 * RNG.normal(0, 1, (25, 8))[who] + RNG.normal(0, 1, (NQ + NG, 8))).astype(np.float32)
    cams = who if cameras_of == "an identity" else cameras()
    tiles = PairwiseTiles(sqeuclidean(x[:NQ], x[NQ:]), (cams[:NQ], cams[NQ:]))
    with patch.object(nearest, "of_all", wraps=nearest.of_all) as looked:
        beyond.of_all_and_others(tiles, sqeuclidean(x), every=15, other=2)
    assert looked.call_args.args[1] == (32 if cameras_of == "an identity" else 15)


@each("graph", ["directed", "local"])
@each("one_set", [False, True])
def test_gcr_is_the_same(small, graph, one_set):
    x, cams = images(False), cameras()
    data = (x, None, cams, None) if one_set else (x[:NQ], x[NQ:], cams[:NQ], cams[NQ:])
    with patch.object(forecast, "FEWEST", 10_000):
        wanted = gcr(*data, k1=6, rounds=2, graph=graph)
    with patch.object(nearest, "of_all_and_others", side_effect=AssertionError("walked for both")):
        found = gcr(*data, k1=6, rounds=2, graph=graph)
    assert_allclose(np.concatenate(found), np.concatenate(wanted), atol=1e-6)


def test_by_whole_numbers(small):
    """The lists that these find, however the processor multiplies."""
    x, cams = images(False), cameras()
    tiles = PairwiseTiles(sqeuclidean(x[:NQ], x[NQ:]), (cams[:NQ], cams[NQ:]))
    wanted = nearest.of_all_and_others(tiles, every=15, other=2)
    with patch.object(forecast, "worth", lambda tiles, k: rows_in(tiles.parts)):
        found = beyond.of_all_and_others(tiles, sqeuclidean(x), every=15, other=2)
    for ours, theirs in zip(found, wanted, strict=True):
        assert_array_equal(ours.rows, theirs.rows)
        assert_allclose(ours.values, theirs.values, atol=1e-4)
