"""CSLS: by hand, against the definition, against the released function."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from postproc import csls, csls_distances, rank, same_camera, sqeuclidean
from postproc.kernels import reference
from postproc.pairs import layout
from tests.support.each import each
from tests.support.worlds import cubes, world

SIDES = st.tuples(cubes(st.integers(1, 6), (1.0, 2.0)), cubes(st.integers(1, 25), (1.0, 0.5)))
MATRICES = st.tuples(st.integers(1, 7), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.sampled_from([0, 0.5, 1, 2, 3, 7, np.inf]))
)


def test_by_hand():
    distances = np.array([[1, 4], [3, 2]], np.float32)
    #                     2*1 - 1 - 1   2*4 - 1 - 2
    #                     2*3 - 2 - 1   2*2 - 2 - 2
    assert_array_equal(csls_distances(distances, k=1), [[0, 5], [3, 0]])


def test_a_hub_falls_behind():
    """The first image is nearest to both queries; against what is usual for it, each gets its own."""
    distances = np.array([[1, 1.2, 5], [1, 5, 1.2]], np.float32)
    # 2d - 1 - (1, 1.2, 1.2)
    assert_allclose(csls_distances(distances, k=1), [[0, 0.2, 7.8], [0, 7.8, 0.2]], rtol=1e-6)
    # 2d - 1.1 - (1, 3.1, 3.1)
    assert_array_equal(rank(csls_distances(distances, k=2)), [[1, 0, 2], [2, 0, 1]])


def test_infinity_stays_and_counts_in_no_mean():
    distances = np.array([[np.inf, 2], [np.inf, 4], [np.inf, np.inf]], np.float32)
    #                      2*2 - 2 - (2 + 4)/2, 2*4 - 4 - 3
    assert_array_equal(csls_distances(distances, k=5), [[np.inf, -1], [np.inf, 1], [np.inf, np.inf]])
    found = csls_distances(distances, k=5, top_k=2)
    assert_array_equal(found.rows, [[1, -1], [1, -1], [-1, -1]])


@given(distances=MATRICES, k=st.integers(1, 12), top_k=st.integers(1, 12))
def test_equals_the_definition(distances, k, top_k):
    found = csls_distances(distances, k=k)
    assert_allclose(found, reference.hubness.csls(distances, k), rtol=1e-6, atol=1e-6)
    nearest = csls_distances(distances, k=k, top_k=top_k)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))


@settings(max_examples=40)
@given(sides=SIDES, k=st.integers(1, 12), top_k=st.integers(1, 12))
def test_features_equal_the_definition(sides, k, top_k):
    cosine = 1 - reference.basic.unit(sides[0]) @ reference.basic.unit(sides[1]).T
    found = csls(*sides, k=k)
    assert_allclose(found, reference.hubness.csls(cosine, k), atol=1e-6)
    nearest = csls(*sides, k=k, top_k=top_k)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))
    assert_array_equal(nearest.distances, np.take_along_axis(found, nearest.rows, axis=1))


def test_a_pairwise_decides_with_its_penalties():
    data = world()
    query, gallery = (reference.basic.unit(data[side]).astype(np.float32) for side in ("query", "gallery"))
    cams = data["query_cam"], data["gallery_cam"]
    pairs = sqeuclidean(query, gallery) + 0.5 * same_camera(*cams)
    wanted = 1 - np.float64(query) @ gallery.T + 0.25 * (cams[0][:, None] == cams[1])
    assert_allclose(csls(pairs, k=4), reference.hubness.csls(wanted, 4), atol=2e-6)


@each("k", [5, 10])
def test_muse(shared, k):
    golden = np.load(shared / "golden" / "csls.npz")
    assert_allclose(-csls(golden["q"], golden["g"], k=k), golden[f"sim__muse__csls_knn_{k}"], rtol=0, atol=2e-6)


def test_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match=r"^k: wanted a whole number, 1 or more, got 0$"):
        csls_distances(np.zeros((2, 2)), k=0)
    with pytest.raises(ValueError, match=r"^distances: wanted at least one image"):
        csls_distances(np.zeros((2, 0)))


def test_the_first_of_all_strips_are_the_first_of_the_whole():
    """What is near a gallery image is collected over strips of queries, where no matrix is; with copies."""
    rng = np.random.default_rng(2)
    query, gallery = (rng.standard_normal((n, 5)).astype(np.float32) for n in (300, 40))
    query[290], gallery[30] = gallery[3], gallery[3]
    whole = csls(query, gallery, k=7)
    with patch.object(layout, "STRIP", 1):
        found = csls(query, gallery, k=7, top_k=40)
    assert_array_equal(found.rows, rank(whole))
    assert_array_equal(found.distances, np.take_along_axis(whole, found.rows, axis=1))
