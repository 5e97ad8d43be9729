"""Distances where products lose them: a large common part, near pairs, very small numbers."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, l2_normalize, rerank, sqeuclidean
from postproc.base.runtime import Runtime, within
from postproc.kernels import reference
from postproc.pairs import dbscan, exact, layout, nearest
from postproc.pairs.tiles import PairwiseTiles
from tests.support.each import each

RNG = np.random.default_rng(0)
QUERY, GALLERY = (RNG.normal(size=(count, 16)).astype(np.float32) for count in (9, 60))
SIDE = np.where(np.arange(60) % 2, 1, -1).astype(np.float32)[:, None]  # two groups far apart
WORLDS = [
    (f"{name} at {offset:g}", QUERY + np.float32(offset), GALLERY * scale + offset * side)
    for offset in map(np.float32, (0, 3, 10, 1e2, 1e3, 1e4, 1e5, 1e6))
    for name, scale, side in (("one group", np.float32(1), np.float32(1)), ("two groups", np.float32(1), SIDE))
]


def definition(query, gallery):
    return reference.basic.sqeuclidean(query, gallery)


def test_by_hand():
    query = [[4208848, 2334863.5, 4171170.25]]
    gallery = [[4208292, 2335623.5, 4171305], [4208843.5, 2334869.5, 4171171.5]]
    #                 556² + 760² + 134.75²         4.5² + 6² + 1.25²
    wanted = np.sqrt([[309136 + 577600 + 18157.5625, 20.25 + 36 + 1.5625]])
    assert_allclose(distances(query, gallery, metric="euclidean"), wanted, rtol=1e-6)


@each(("world", "query", "gallery"), WORLDS)
def test_distances_equal_the_definition(world, query, gallery):
    # a squared distance of 2^-12 of the squared lengths keeps 24 - 12 bits
    assert_allclose(distances(query, gallery), definition(query, gallery), rtol=1e-3)
    if "one" in world:
        assert_allclose(distances(query, gallery), definition(query, gallery), rtol=2e-5)


@each("offset", [1e3, 1e4, 1e5])
def test_everything_that_uses_tiles(offset):
    far = [side + np.float32(offset) for side in (QUERY, GALLERY)]
    near = [side - np.float32(offset) for side in far]  # exactly those
    assert_allclose(rerank(*far, k1=8, k2=3), rerank(*near, k1=8, k2=3), atol=1e-5)
    lists = [nearest.of_all(PairwiseTiles(sqeuclidean(*sides)), 9).rows for sides in (far, near)]
    assert_array_equal(*lists)
    groups = [dbscan.clusters(PairwiseTiles(sqeuclidean(*sides)), 16.0, 3) for sides in (far, near)]
    assert_array_equal(*groups)
    between = [
        PairwiseTiles(sqeuclidean(*sides)).between(np.arange(9), np.arange(9) + 20) for sides in (far, near)
    ]
    assert_allclose(*between, rtol=1e-5)


def test_a_sum_of_distances():
    far = [side + np.float32(1e4) for side in (QUERY, GALLERY)]
    pairs = sqeuclidean(*far) - 0.5 * sqeuclidean(QUERY, GALLERY)
    wanted = definition(*far) - 0.5 * definition(QUERY, GALLERY)
    assert_allclose(distances(pairs), wanted, rtol=1e-5, atol=1e-4)
    found = PairwiseTiles(pairs).between(np.arange(9), np.arange(9) + 9)
    assert_allclose(found, wanted[np.arange(9), np.arange(9)], rtol=1e-5, atol=1e-4)


@each(("world", "query", "gallery"), WORLDS)
def test_threads_and_tiles_change_no_bit(world, query, gallery):
    wanted = distances(query, gallery)
    with within(Runtime(5, memory=1)):
        assert_array_equal(distances(query, gallery), wanted)
    with patch.multiple(layout, SMALLEST=16, EDGE=16):
        assert_allclose(distances(query, gallery), wanted, rtol=1e-3)


def test_unit_length_and_the_origin_are_as_they_were():
    for sides in ((QUERY, GALLERY), tuple(map(l2_normalize, (QUERY, GALLERY))), (abs(QUERY), abs(GALLERY))):
        of = PairwiseTiles(sqeuclidean(*sides))
        assert of.centre is None
        with patch.object(exact, "NEAR", np.float32(0)):
            wanted = distances(*sides)  # the product alone
        assert_array_equal(distances(*sides), wanted)


@each("scale", [1e-10, 1e-20, 1e-25, 1e-37])
def test_very_small_numbers(scale):
    query, gallery = (side * np.float32(scale) for side in (QUERY, GALLERY))
    wanted = np.sqrt(definition(query, gallery))
    assert_allclose(distances(query, gallery, metric="euclidean"), wanted, rtol=1e-5)
    cosine = distances(QUERY, GALLERY, metric="cosine")
    assert_allclose(distances(query, gallery, metric="cosine"), cosine, atol=1e-6)
    if scale < 1e-16:  # squared, they are no numbers of float32
        for step in (distances, rerank):
            with pytest.raises(ValueError, match="features: wanted squared lengths that float32 can hold"):
                step(query, gallery)


def test_features_that_are_all_alike_or_zero():
    for value in (0, 1e-30, 5, 1e6):
        same = np.full((4, 3), value, np.float32)
        if value != 1e-30:
            assert_array_equal(distances(same[:1], same[1:]), 0)
        assert_array_equal(distances(same[:1], same[1:], metric="euclidean"), 0)


def test_near_pairs_of_unit_length_keep_their_numbers():
    near = l2_normalize(GALLERY + np.float32(1e-4) * RNG.normal(size=GALLERY.shape).astype(np.float32))
    unit = l2_normalize(GALLERY)
    found = distances(near, unit)
    assert_allclose(found, definition(near, unit), atol=5e-7)  # rounding of 1
    assert not PairwiseTiles(sqeuclidean(near, unit)).near
    twice = near + near, unit + unit
    assert_allclose(distances(*twice), definition(*twice), rtol=1e-5)


def test_near_pairs_of_one_block_are_exact_below_the_diagonal_too():
    some = GALLERY[:16]
    whole = np.concatenate([some, some + np.float32(1e-4)])
    tiles, block = PairwiseTiles(sqeuclidean(QUERY, whole)), slice(9, 9 + 32)
    found = tiles.tile(block, block, np.empty(32 * 32, np.float32))
    assert_allclose(found, definition(whole, whole), rtol=1e-5)
