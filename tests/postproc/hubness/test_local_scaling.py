"""Local scaling: by hand, against the definition, against scikit-hubness."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import local_scaling, rank, same_camera, sqeuclidean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, lattices, world

Q, G = np.zeros((1, 1), np.float32), np.array([[1], [2], [4]], np.float32)
METHODS = ["ls", "nicdm", "bi_dakr", "inv_dakr"]


def far(one, other, metric):
    if metric == "cosine":
        return 0.5 * reference.basic.sqeuclidean(reference.basic.unit(one), reference.basic.unit(other))
    square = reference.basic.sqeuclidean(one, other)
    return np.sqrt(square) if metric == "euclidean" else square


def test_by_hand():
    # d = 1, 2, 4; nearest other of each gallery image: 1, 1, 2; of the query: 1
    ratio = np.array([[1 / (1 * 1), 4 / (1 * 1), 16 / (1 * 2)]])
    assert_allclose(local_scaling(Q, G, k=1, method="bi_dakr"), ratio)
    assert_allclose(local_scaling(Q, G, k=1), 1 - np.exp(-ratio), rtol=1e-6)
    assert_allclose(local_scaling(Q, G, k=1, method="inv_dakr"), [[1, 4, 16 / 4]])
    # two nearest: 1, 3; 1, 2; 2, 3; of the query 1, 2
    mean = np.array([[2, 1.5, 2.5]])
    assert_allclose(local_scaling(Q, G, k=2, method="nicdm"), [[1, 2, 4]] / np.sqrt(1.5 * mean), rtol=1e-6)
    # three nearest of the query alone: 1, 2, 4
    wanted = [[1, 2, 4]] / np.sqrt(7 / 3 * mean)
    assert_allclose(local_scaling(Q, G, k=2, query_k=3, method="nicdm"), wanted, rtol=1e-6)


def test_images_with_copies_get_the_smallest_other_scale():
    gallery = np.array([[1], [1], [3], [6]], np.float32)
    # nearest others at 0, 0, 2, 3: 2 in the place of 0; of the query 1
    wanted = [[1 / 2, 1 / 2, 9 / 2, 36 / 3]]
    assert_allclose(local_scaling(Q, gallery, k=1, method="bi_dakr"), wanted)
    # an image alone: r = 1, and so for queries at 0 of it
    assert_allclose(local_scaling(Q, Q, k=1, method="bi_dakr"), [[0]])
    assert_allclose(local_scaling(Q, Q + 3, k=1, method="bi_dakr"), [[9 / 3]])


@settings(max_examples=60)
@given(
    sides=st.tuples(lattices(st.integers(1, 6)), lattices(st.integers(1, 25))),
    k=st.integers(1, 12),
    query_k=st.none() | st.integers(1, 12),
    method=st.sampled_from(METHODS),
    metric=st.sampled_from(["euclidean", "sqeuclidean"]),
    top_k=st.integers(1, 12),
)
def test_equals_the_definition(sides, k, query_k, method, metric, top_k):
    query, gallery = sides
    setting = {"k": k, "query_k": query_k, "method": method, "metric": metric}
    found = local_scaling(query, gallery, **setting)
    wanted = reference.hubness.local_scaling(
        far(query, gallery, metric), far(gallery, gallery, metric), k, query_k or k, method
    )
    assert_allclose(found, wanted, rtol=2e-6, atol=1e-7)
    nearest = local_scaling(query, gallery, top_k=top_k, **setting)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))


@settings(max_examples=20)
@given(
    sides=st.tuples(cubes(st.integers(1, 6), (1.0, 2.0)), cubes(st.integers(1, 25), (1.0, 0.5))),
    k=st.integers(1, 12),
    method=st.sampled_from(METHODS),
)
def test_cosine_equals_the_definition(sides, k, method):
    found = local_scaling(*sides, k=k, method=method, metric="cosine")
    wanted = reference.hubness.local_scaling(
        far(*sides, "cosine"), far(sides[1], sides[1], "cosine"), k, k, method
    )
    assert_allclose(found, wanted, rtol=2e-6)


def test_bi_dakr_has_the_order_of_ls():
    data = world()
    ls, ratio = (local_scaling(data["query"], data["gallery"], method=method) for method in ("ls", "bi_dakr"))
    assert_allclose(ls, 1 - np.exp(-np.float64(ratio)), rtol=1e-6)


def test_a_pairwise_is_a_squared_distance():
    data = world()
    query, gallery = data["query"], data["gallery"]
    pairs = sqeuclidean(query, gallery)
    assert_array_equal(local_scaling(pairs), local_scaling(query, gallery))
    # a penalty below 0 cannot make a distance less than 0
    less = pairs - 100.0 * same_camera(data["query_cam"], data["gallery_cam"])
    together = data["query_cam"][:, None] == data["gallery_cam"]
    assert (local_scaling(less, k=40)[together] == 0).all()


def test_numbers_stay_finite():
    gallery = np.concatenate([np.full((7, 1), 1e-22), np.full((1, 1), 1e18)]).astype(np.float32)
    for method in METHODS:
        assert np.isfinite(local_scaling(gallery, gallery, k=1, method=method)).all()


@each(("metric", "k"), [("euclidean", 5), ("cosine", 10)])
def test_scikit_hubness_ls(shared, metric, k):
    """Theirs is 1 + d^2 / (r_q r_g) and drops a query's nearest as if it were the query itself."""
    golden = np.load(shared / "golden" / "hubness.npz")
    theirs = golden[f"dist__ls_{metric}__k={k}"]
    setting = {"k": k, "query_k": k + 1, "metric": metric}
    found = local_scaling(golden["q"], golden["g"], method="bi_dakr", **setting)
    assert_allclose(1 + found, theirs, rtol=0, atol=5e-6)
    found = local_scaling(golden["q"], golden["g"], method="ls", **setting)
    assert_allclose(found, 1 - np.exp(1 - np.float64(theirs)), rtol=0, atol=2e-6)


def test_scikit_hubness_nicdm(shared):
    golden = np.load(shared / "golden" / "hubness.npz")
    found = local_scaling(golden["q"], golden["g"], k=5, query_k=6, method="nicdm")
    assert_allclose(found, golden["dist__nicdm_euclidean__k=5"], rtol=0, atol=1e-6)
