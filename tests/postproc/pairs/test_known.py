"""Tiles where neighbour lists are known."""

import re

import numpy as np
import pytest

from postproc import NeighbourLists, Pairwise, neighbours, rerank, same_camera, sqeuclidean
from postproc.pairs import answering, nearest
from postproc.pairs.known import ListTiles, tiles_of
from postproc.pairs.tiles import PairwiseTiles
from tests.postproc.pairs.test_listed import unit
from tests.support.each import each


@each("one_set", [False, True])
def test_features_and_lists_are_the_features(one_set, monkeypatch):
    x = unit(300)
    x[7] = x[100] = x[250]
    sides = (x,) if one_set else (x[:90], x[90:])
    lists = neighbours(*sides, k=25)
    wanted, head = rerank(*sides), rerank(*sides, top_k=9)
    monkeypatch.setattr(nearest, "_walked", None)  # no walk over all pairs
    np.testing.assert_array_equal(rerank(*sides, neighbours=lists), wanted)
    for found, part in zip(rerank(*sides, neighbours=lists, top_k=9), head, strict=True):
        np.testing.assert_array_equal(found, part)


@each("one_set", [False, True])
def test_lists_of_everybody_say_everything(one_set):
    x = unit(70)
    x[3] = x[50]
    sides = (x,) if one_set else (x[:20], x[20:])
    found, wanted = rerank(neighbours=neighbours(*sides, k=69)), rerank(*sides)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_what_no_list_says_is_the_least_that_it_can_be():
    x = np.array([[0.0], [1.0], [3.0], [7.0]], np.float32)
    tiles = ListTiles(neighbours(x, k=1))  # 0-1, 1-0, 2-1, 3-2; ends 1, 1, 4, 16
    wanted = [[0, 1, 4, 16], [1, 0, 4, 16], [4, 4, 0, 16], [16, 16, 16, 0]]
    np.testing.assert_array_equal(answering.everything(tiles), wanted)
    left, right = np.divmod(np.arange(16), 4)
    np.testing.assert_array_equal(tiles.between(left, right), np.ravel(wanted))
    np.testing.assert_array_less(wanted, ((x - x.T) ** 2) + 1e-6)


def test_tiles_are_symmetric_whatever_is_listed():
    x = unit(500, seed=3)
    rows = neighbours(x, k=12).rows.copy()
    rng = np.random.default_rng(0)
    far = np.take_along_axis(((x[:, None] - x) ** 2).sum(-1), rows, axis=1)
    rows[rng.random(rows.shape) < 0.2] = -1  # approximate
    rows[:, 0] = np.arange(500)
    whole = answering.everything(ListTiles(NeighbourLists.given(rows, far, unit_length=True)))
    np.testing.assert_array_equal(whole, whole.T)


def test_lists_of_others_are_refused():
    x, cam = unit(60), np.arange(60) % 4
    two, one = neighbours(x[:20], x[20:], k=20), neighbours(x, k=20)
    sum_of = sqeuclidean(x) + 0.1 * same_camera(cam)
    for call, message in [
        (lambda: rerank(x, neighbours=two), "wanted lists of 60 images of one set, found lists of 20 queries"),
        (lambda: rerank(x[:20], x[20:], neighbours=one), "found lists of 60 images of one set"),
        (lambda: rerank(2 * x, neighbours=one), "found lists of others: of other features"),
        (lambda: rerank(x, query_cam=cam, camera_penalty=0.1, neighbours=one), "without the same penalties"),
        (lambda: rerank(x, k1=30, neighbours=one), "wanted lists of k = 30 or more, found k = 20"),
        (lambda: rerank(one, query_cam=cam, camera_penalty=0.1), "lists alone do not say the sum with other"),
        (lambda: rerank(one, x), "gallery: lists hold queries and gallery already"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            call()
    with pytest.raises(TypeError, match=r"neighbours: wanted postproc.NeighbourLists, got ndarray"):
        rerank(neighbours=x)
    np.testing.assert_array_equal(rerank(sum_of, neighbours=neighbours(sum_of)), rerank(sum_of))


@pytest.mark.filterwarnings("ignore:neighbours. the lists are approximate")
def test_lists_without_a_digest_are_held_against_the_features():
    x = unit(60)
    lists = neighbours(x)
    found = NeighbourLists.given(lists.rows, lists.distances, largest=lists.largest, exact=True)
    np.testing.assert_allclose(rerank(x, neighbours=found), rerank(x), atol=1e-6)
    for features, distances, message in [
        (x[::-1].copy(), lists.distances, "found distances that are not theirs"),
        (x, np.sqrt(lists.distances), "found Euclidean distances; give their squares"),
        (x, lists.distances / 2, "found cosine distances"),
    ]:
        for exact in (True, False):
            given = NeighbourLists.given(lists.rows, distances, largest=4.0, exact=exact)
            with pytest.raises(ValueError, match=message):
                rerank(features, neighbours=given)


@pytest.mark.filterwarnings("ignore:neighbours. the lists are approximate")
@each("scale", [1e-6, 1e6])
def test_they_are_at_any_scale(scale):
    x = unit(60) * np.float32(scale)
    lists = neighbours(x)
    for features, distances in [(x[::-1].copy(), lists.distances), (x, np.sqrt(lists.distances))]:
        given = NeighbourLists.given(lists.rows, distances, largest=lists.largest, exact=True)
        with pytest.raises(ValueError, match="found"):
            rerank(features, neighbours=given)


def test_tiles_of_features_and_of_lists():
    x = unit(30)
    assert type(tiles_of(sqeuclidean(x))) is PairwiseTiles
    lists = neighbours(x, k=5)
    assert type(tiles_of(Pairwise((), (30, 30), one_set=True, known=lists))) is ListTiles
