"""Tiles of lists alone: copies, cameras and the gallery, as tiles of features have them."""

from unittest.mock import patch

import numpy as np
import pytest

from postproc import NeighbourLists, neighbours, sqeuclidean
from postproc.pairs import answering, layout
from postproc.pairs.list_tiles import ListTiles
from postproc.pairs.tiles import PairwiseTiles
from postproc.testing import small
from tests.support.each import each

WORLD = small()  # with copies, some of them of unknown camera


def sides(one_set):
    names = ("gallery",) if one_set else ("query", "gallery")
    cams = [WORLD[f"{name}_cam"] for name in names]
    return [WORLD[name] for name in names], (cams * 2 if one_set else cams)


@each("one_set, cameras, edge", [(o, c, e) for o in (False, True) for c in (False, True) for e in (7, 2048)])
def test_lists_of_everybody_are_the_features(one_set, cameras, edge):
    images, cams = sides(one_set)
    cams = tuple(cams) if cameras else None
    with patch.multiple(layout, EDGE=edge, SMALLEST=min(edge, layout.SMALLEST)):
        of_features = PairwiseTiles(sqeuclidean(*images), cams)
        of_lists = ListTiles(neighbours(*images, k=200), cams)
        np.testing.assert_array_equal(of_lists.layout.inverse, of_features.layout.inverse)
        assert not of_lists.layout.distinct
        np.testing.assert_array_equal(answering.everything(of_lists), answering.everything(of_features))
        if cameras:
            np.testing.assert_array_equal(of_lists.cameras, of_features.cameras)
        count = of_features.layout.count
        left, right = np.divmod(np.arange(count**2, dtype=np.int32), count)
        wanted = of_features.between(left, right)
        np.testing.assert_allclose(of_lists.between(left, right), wanted, rtol=1e-6, atol=1e-4)


@each("one_set", [False, True])
def test_short_lists_say_no_more_than_is_true(one_set):
    images, _ = sides(one_set)
    lists = ListTiles(neighbours(*images, k=10))
    found, true = answering.everything(lists), answering.everything(PairwiseTiles(sqeuclidean(*images)))
    assert (found <= true).all()
    assert 0.05 < (found == true).mean() < 0.5


def test_of_two_numbers_for_a_pair_that_of_the_first_counts():
    """As rough distances of an index are: 0 says 1 of the pair, and 1 says 2."""
    rows, far = np.array([[0, 1], [1, 0]], np.int32), np.array([[0, 1], [0, 2]], np.float32)
    found = ListTiles(NeighbourLists(rows, far, far[:, 1].copy(), (2, 2), one_set=True))
    np.testing.assert_array_equal(answering.everything(found), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(found.between(np.array([0, 1]), np.array([1, 0])), [1, 1])


def test_copies_are_known_by_their_lists():
    """Images 0 and 2 are at one place, and so is their list; 3 is as near to 1 as they are, but has its own."""
    x = np.array([[0.0], [1.0], [0.0], [2.0]], np.float32)
    assert ListTiles(neighbours(x, k=2)).layout.inverse.tolist() == [0, 1, 0, 2]


def test_lists_of_the_gallery_of_both_sides():
    """Queries 0 and 10; gallery 1, 9, 4. Of the lists with two others the gallery images are left."""
    q, g = np.array([[0.0], [10.0]], np.float32), np.array([[1.0], [9.0], [4.0]], np.float32)
    lists = neighbours(q, g, k=2)
    assert lists.rows.tolist() == [[0, 2, 4], [1, 3, 4], [2, 0, 4], [3, 1, 4], [4, 2, 0]]
    found = lists.of_gallery()
    assert (found.sizes, found.count, found.one_set) == ((0, 3), 3, False)
    assert found.rows.tolist() == [[0, 2, -1], [1, 2, -1], [2, 0, -1]]
    assert found.distances.tolist() == [[0, 9, np.inf], [0, 25, np.inf], [0, 9, np.inf]]
    np.testing.assert_array_equal(found.largest, lists.largest[2:])


def test_lists_whose_ends_are_missing_are_still_a_bound():
    rows, far = np.array([[0, -1], [1, 0]], np.int32), np.array([[0, np.inf], [0, 9]], np.float32)
    found = ListTiles(NeighbourLists(rows, far, np.full(2, 9, np.float32), (2, 2), one_set=True))
    np.testing.assert_array_equal(answering.everything(found), [[0, 9], [9, 0]])


def test_lists_alone_are_of_no_gallery_rows():
    lists = neighbours(WORLD["gallery"], k=5)
    from postproc.pairs import pairwise

    with pytest.raises(ValueError, match="lists alone do not say the neighbours of the gallery images"):
        pairwise.of(lists).of_gallery(np.arange(3))
