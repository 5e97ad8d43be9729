"""What is read off lists is what a walk finds, whatever is asked for."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postproc import neighbours, sqeuclidean
from postproc.pairs import from_lists, nearest
from postproc.pairs.known import nearest_in_gallery, tiles_of, tiles_of_gallery
from postproc.pairs.tiles import PairwiseTiles
from tests.support.each import each


def people(count, seed):
    """Whole numbers around few places, so that there are ties and copies; and cameras, some unknown."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4, (count, 3)).astype(np.float32), rng.integers(-1, 3, count)


def same(found, wanted):
    for name in ("rows", "values"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


@settings(max_examples=40, deadline=None)
@given(nq=st.integers(1, 9), ng=st.integers(1, 30), k=st.integers(1, 40), seed=st.integers(0, 99))
def test_as_a_walk_finds_them(nq, ng, k, seed):
    (images, cams), border = people(nq + ng, seed), nq
    q, g = images[:border], images[border:]
    pairs, lists = sqeuclidean(q, g), neighbours(q, g, k=nq + ng)
    cameras = cams[:border], cams[border:]
    plain, known = PairwiseTiles(pairs, cameras), tiles_of(pairs, lists, cameras)
    same(nearest.of_all(known, k), nearest.of_all(plain, k))
    same(nearest.of_classes(known, k), nearest.of_classes(plain, k))
    for found, wanted in zip(
        nearest.of_cameras(known, same=k, other=k + 1), nearest.of_cameras(plain, same=k, other=k + 1), strict=True
    ):
        same(found, wanted)
    found, wanted = nearest_in_gallery(pairs, lists, k), nearest.of_queries(plain, k)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.values, wanted.distances)
    wanted = nearest.of_all(PairwiseTiles(pairs.of_gallery()), k)
    for some in (lists, neighbours(g, k=ng), neighbours(pairs.of_gallery(), k=ng)):
        same(nearest.of_all(tiles_of_gallery(pairs, some), k), wanted)


def test_distances_are_filled_on_the_way():
    images, _ = people(20, 0)
    pairs, wanted, found = sqeuclidean(images), np.zeros((20, 20), np.float32), np.ones((20, 20), np.float32)
    nearest.of_all(PairwiseTiles(pairs), 3, wanted)
    nearest.of_all(tiles_of(pairs, neighbours(images, k=3)), 3, found)
    np.testing.assert_array_equal(found, wanted)


def test_found_arrays_are_the_callers_own():
    images, _ = people(20, 0)
    lists = neighbours(images, k=5)
    before = lists.rows.copy()
    nearest.of_all(tiles_of(sqeuclidean(images), lists), 3).rows[:] = 7
    np.testing.assert_array_equal(lists.rows, before)


LINE = np.array([[0.0], [0.0], [1.0], [3.0]], np.float32)  # the first two are copies
CAMS = np.array([0, 0, 0, 1])


def of_line(k):
    return tiles_of(sqeuclidean(LINE), neighbours(LINE, k=k), (CAMS, CAMS))


@each(
    ("ask", "message"),
    [
        (lambda: nearest.of_all(of_line(1), 3), "wanted lists of k = 2 or more, found k = 1"),
        (
            lambda: nearest.of_classes(of_line(1), 2),
            "wanted 2 images, copies counted once, in every list, found 1 in that of image 0 and too few in",
        ),
        (
            lambda: nearest.of_cameras(of_line(2), same=3, other=1),
            "wanted 1 images of other cameras in every list, found 0 in that of image 0 and too few in 3 of 4",
        ),
    ],
)
def test_lists_that_are_too_short_are_refused(ask, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ask()


def test_a_hole_in_a_list_makes_it_short():
    tiles = of_line(2)
    tiles.known.rows[3, 2], tiles.known.values[3, 2] = -1, np.inf
    with pytest.raises(ValueError, match="wanted 3 images, itself one of them, in every list, found 2 in"):
        nearest.of_all(tiles, 3)
    assert nearest.of_all(tiles, 2).rows.shape == (4, 2)


def test_of_a_camera_lists_alone_end_where_they_end():
    lists = neighbours(LINE, k=2)
    found = from_lists.of_cameras(
        of_line(2).known, of_line(2).layout, CAMS[of_line(2).layout.first], 3, same=False, whole=False
    )
    assert lists.rows.tolist() == [[0, 1, 2], [0, 1, 2], [2, 0, 1], [3, 2, 0]]
    assert found.rows.tolist() == [[-1, -1, -1], [-1, -1, -1], [-1, -1, -1], [2, 0, -1]]
