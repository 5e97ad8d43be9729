"""Mutual proximity: by hand, against the definition, against scikit-hubness."""

from statistics import NormalDist

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import mutual_proximity, rank, same_camera, sqeuclidean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, lattices, world

Q, G = np.zeros((1, 1), np.float32), np.array([[1], [2], [4]], np.float32)


def far(one, other, metric):
    """In float32, as equal distances must be equal."""
    if metric == "cosine":
        one, other = reference.basic.unit(one), reference.basic.unit(other)
    square = np.float32(reference.basic.sqeuclidean(one, other))
    return np.float64(np.sqrt(square) if metric == "euclidean" else square)


def test_by_hand():
    # d(q, .) = 1, 2, 4; d(g, .) = (0, 1, 3), (1, 0, 2), (3, 2, 0)
    # farther from both: than 1: only the third (4 and 3); than 2: none (4, but 2 is not more); than 4: none
    assert_allclose(mutual_proximity(Q, G, method="empirical"), [[1 - 1 / 3, 1, 1]], rtol=1e-6)
    query = NormalDist(7 / 3, (14 / 9) ** 0.5)  # variance ((4/3)^2 + (1/3)^2 + (5/3)^2) / 3 = 42/27
    first = NormalDist(4 / 3, (14 / 9) ** 0.5)  # ((4/3)^2 + (1/3)^2 + (5/3)^2) / 3 once more
    wanted = 1 - (1 - query.cdf(1)) * (1 - first.cdf(1))
    assert_allclose(mutual_proximity(Q, G)[0, 0], wanted, rtol=1e-6)


def test_without_spread_a_share_is_one_half():
    same = np.tile(G[:1], (4, 1))
    assert_array_equal(mutual_proximity(Q, same), [[0.75] * 4])
    assert_array_equal(mutual_proximity(Q, same, method="empirical"), [[1] * 4])


@settings(max_examples=40)
@given(
    sides=st.tuples(lattices(st.integers(1, 6)), lattices(st.integers(1, 20))),
    method=st.sampled_from(["normal", "empirical"]),
    metric=st.sampled_from(["euclidean", "sqeuclidean"]),
    top_k=st.integers(1, 12),
)
def test_equals_the_definition(sides, method, metric, top_k):
    query, gallery = sides
    found = mutual_proximity(query, gallery, method=method, metric=metric)
    wanted = reference.hubness.mutual_proximity(far(query, gallery, metric), far(gallery, gallery, metric), method)
    assert_allclose(found, wanted, rtol=0, atol=1e-6)
    nearest = mutual_proximity(query, gallery, method=method, metric=metric, top_k=top_k)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))


@settings(max_examples=20)
@given(
    sides=st.tuples(cubes(st.integers(1, 6), (1.0, 2.0)), cubes(st.integers(1, 20), (1.0, 0.5))),
    method=st.sampled_from(["normal", "empirical"]),
)
def test_cosine_equals_the_definition(sides, method):
    found = mutual_proximity(*sides, method=method, metric="cosine")
    wanted = reference.hubness.mutual_proximity(far(*sides, "cosine"), far(sides[1], sides[1], "cosine"), method)
    assert_allclose(found, wanted, rtol=0, atol=1e-6)


@each("method", ["normal", "empirical"])
def test_a_pairwise_with_penalties_between_gallery_images_too(method):
    data = world(ng=40)
    query, gallery, cams = data["query"], data["gallery"], (data["query_cam"], data["gallery_cam"])
    tracks = data["query_track"], data["gallery_track"]
    pairs = sqeuclidean(query, gallery) + 9.0 * same_camera(*cams, *tracks)
    images, cam, track = (np.concatenate(sides) for sides in ((query, gallery), cams, tracks))
    square = reference.basic.sqeuclidean(images, images) + 9 * reference.basic.same_camera(cam, track)
    square[(images[:, None] == images).all(-1) & (track[:, None] == track)] = 0  # an image and its copies
    wanted = reference.hubness.mutual_proximity(square[:12, 12:], square[12:, 12:], method)
    assert_allclose(mutual_proximity(pairs, method=method, metric="sqeuclidean"), wanted, rtol=0, atol=2e-6)


def test_scikit_hubness_normal(shared):
    golden = np.load(shared / "golden" / "hubness.npz")
    found = mutual_proximity(golden["q"], golden["g"])
    assert_allclose(found, golden["dist__normal_euclidean__k=0"], rtol=0, atol=1e-6)


def test_scikit_hubness_empirical(shared):
    """Two distances that differ in the eighth digit are equal in float32: one step of 1 / ng, now and then."""
    golden = np.load(shared / "golden" / "hubness.npz")
    found = mutual_proximity(golden["q"], golden["g"], method="empirical")
    away = abs(found - golden["dist__empiric_euclidean__k=0"])
    assert away.max() < 1 / len(golden["g"]) + 1e-6
    assert (away > 1e-6).mean() < 0.001
