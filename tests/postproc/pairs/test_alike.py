"""Copies that cameras or tracks alone tell apart: at 0 from each other by features, and equally far from all."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from postproc import distances, expected_same_camera, rerank, same_camera, sqeuclidean
from postproc.base import machine
from postproc.pairs import answering, forecast, nearest
from postproc.pairs.layout import alike_of
from postproc.pairs.tiles import PairwiseTiles
from tests.postproc.pairs.test_nearest import blocks_of
from tests.support.each import each

N, NQ = 187, 37


def copied(width, seed=0, copies=60):
    """Images (N, width), and which of them are copies of whom: of some pairs, and of one image more often."""
    rng = np.random.default_rng(seed)
    same_as = np.arange(N)
    drawn = rng.permutation(N)
    same_as[drawn[:copies]] = drawn[copies : 2 * copies]
    same_as[drawn[-9:]] = drawn[-1]
    x = rng.normal(size=(N, width))[same_as].astype(np.float32)
    return x, same_as


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


KINDS = {"of unit length": unit, "of all lengths": lambda x: x, "a common part": lambda x: x + np.float32(40)}


def of(x, one_set):
    return sqeuclidean(x) if one_set else sqeuclidean(x[:NQ], x[NQ:])


def sides(labels, one_set):
    return (labels, None) if one_set else (labels[:NQ], labels[NQ:])


def of_all_pairs(tiles):
    """(N, N) by tiles, and by single pairs."""
    layout = tiles.layout
    found = np.empty((layout.classes, layout.classes), np.float32)
    for i, rows in enumerate(layout.blocks):
        for columns in layout.blocks[i:]:
            tile = tiles.tile(rows, columns, np.empty(layout.classes**2, np.float32))
            found[rows, columns] = tile
            found[columns, rows] = tile.T
    left, right = np.indices((N, N)).reshape(2, -1)
    return found[np.ix_(layout.inverse, layout.inverse)], tiles.between(left, right).reshape(N, N)


@each("one_set", [False, True])
@each("kind", list(KINDS))
@each("edge", [23, 1000])
@each("width", [3, 61, 200])
def test_features_of_copies_are_alike(width, edge, kind, one_set):
    x, same_as = copied(width)
    x = KINDS[kind](x)
    beside = np.random.default_rng(1).normal(size=(N, 5))[same_as].astype(np.float32)
    plain = of(x, one_set)
    for pairs in (plain, 0.7 * plain - 0.1 * of(beside, one_set)):
        with blocks_of(edge):
            tiles = PairwiseTiles(pairs, (np.arange(N),) * 2 if one_set else (np.arange(NQ), np.arange(NQ, N)))
            assert tiles.layout.classes == N
            for found in of_all_pairs(tiles):
                assert (found[np.arange(N), same_as] == 0).all()
                assert_array_equal(found[same_as], found)
                assert_array_equal(found, found.T)
        with blocks_of(edge):
            wanted = of_all_pairs(PairwiseTiles(pairs))[1]
        np.testing.assert_allclose(found, wanted, atol=2e-6 * np.abs(wanted).max())


@each("one_set", [False, True])
@each("weight", [0.3, -0.3])
@each("term", ["a camera", "cameras that are likely", "no features"])
def test_penalties_come_on_top(term, weight, one_set):
    """Copies whose penalties are the same are equally far, and apart by no more than what is between them."""
    x, same_as = copied(100)
    rng = np.random.default_rng(2)
    cams, tracks = np.zeros(N, np.int64), np.arange(N)
    likely = rng.dirichlet(np.ones(5), N)[same_as].astype(np.float32)
    of_cameras, known = (same_camera, cams) if term == "a camera" else (expected_same_camera, likely)
    pairs = weight * of_cameras(*sides(known, one_set), *sides(tracks, one_set))
    if term != "no features":
        pairs = of(unit(x), one_set) + pairs
    with blocks_of(29):
        found, _ = of_all_pairs(PairwiseTiles(pairs))
    others = ~np.eye(N, dtype=bool)
    for a, b in enumerate(same_as):
        rest = others[a] & others[b]
        assert_array_equal(found[a, rest], found[b, rest])
        if a != b and term == "a camera":
            assert found[a, b] == np.float32(weight)


@pytest.fixture(params=["walked over", "whole numbers"])
def way(request, monkeypatch):
    if request.param == "walked over":
        monkeypatch.setenv(machine.NO_INT8, "1")
    elif not machine.int8():
        pytest.skip("the processor has no AVX-512 VNNI")
    with patch.object(forecast, "worth", lambda tiles, k: tiles.all_rows):
        yield


@each("one_set", [False, True])
def test_ties_are_broken_by_row(way, one_set):
    x, same_as = copied(300)
    cams, tracks = np.arange(N) % 5, np.arange(N)
    pairs = of(unit(x), one_set) + 0.4 * same_camera(*sides(cams, one_set), *sides(tracks, one_set))
    with blocks_of(29):
        lists = nearest.of_all(PairwiseTiles(pairs), 40)
        found = distances(pairs)
        first = distances(pairs, top_k=30)
    rows, values = lists.rows.astype(np.int64), lists.values
    tied = same_as[rows[:, :-1]] == same_as[rows[:, 1:]]
    penalised = cams[rows] == cams[:, None]
    tied &= penalised[:, :-1] == penalised[:, 1:]
    tied &= (rows[:, :-1] != np.arange(N)[:, None]) & (rows[:, 1:] != np.arange(N)[:, None])
    assert tied.sum() > N
    assert (values[:, :-1] == values[:, 1:])[tied].all()
    assert (rows[:, :-1] < rows[:, 1:])[tied].all()
    assert_array_equal(first.rows, np.argsort(found, axis=1, kind="stable")[:, :30])


def test_reranked_copies_are_in_the_order_of_rows(way):
    """Copies in a gallery whose tracks alone differ, all of the same: those of a camera that no query is of."""
    rng = np.random.default_rng(5)
    x = unit(rng.normal(size=(NQ + 80, 210))).astype(np.float32)
    query, gallery = x[:NQ], x[NQ:][rng.permutation(np.repeat(np.arange(80), 3))]
    same_as = np.unique(gallery, axis=0, return_inverse=True)[1].reshape(-1)
    penalty = same_camera(np.zeros(NQ, int), np.ones(240, int), np.arange(NQ), np.arange(240))
    pairs = sqeuclidean(query, gallery) + 0.2 * penalty
    with blocks_of(31):
        for lambda_value in (1.0, 0.3):
            found = rerank(pairs, k1=12, k2=4, lambda_value=lambda_value)
            for number in range(80):
                own = np.flatnonzero(same_as == number)
                assert_array_equal(found[:, own], np.repeat(found[:, own[:1]], 3, axis=1))


def test_no_copies_no_work():
    x = np.random.default_rng(0).normal(size=(N, 8)).astype(np.float32)
    assert PairwiseTiles(sqeuclidean(x), (np.arange(N) % 3,) * 2).alike is None
    x[5] = x[9]
    assert PairwiseTiles(sqeuclidean(x)).alike is None  # one class
    found = PairwiseTiles(sqeuclidean(x), (np.arange(N) % 3,) * 2).alike
    assert_array_equal(np.flatnonzero(found >= 0), [5, 9])
    assert alike_of(np.array([3, 1, 2])) is None
    assert answering.everything(PairwiseTiles(sqeuclidean(x)))[5, 9] == 0


def test_rows_that_follow_one_another_are_not_copied_beside_copies():
    """A bank that is a part of the gallery leaves the gallery where it is."""
    images = np.random.default_rng(4).standard_normal((60, 8)).astype(np.float32)
    for query, gallery in ((images, images[20:35]), (images[:15], images)):
        first, second = PairwiseTiles(sqeuclidean(query, gallery)).parts
        assert np.shares_memory(first, images)
        assert [len(first), len(second)] == [len(query), len(images) - len(query)]
        assert not len(second) or np.shares_memory(second, images)
    first, second = PairwiseTiles(sqeuclidean(images[[3, 1, 3]], images[::-1])).parts
    assert_array_equal(first, images[[3, 1]])
    assert_array_equal(second, np.delete(images[::-1], [56, 58], axis=0))
