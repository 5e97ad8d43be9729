"""DisSimLocal: by hand, against the definition, against scikit-hubness."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import dis_sim, distances, rank
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import lattices, world

Q, G = np.zeros((1, 1), np.float32), np.array([[1], [3], [4]], np.float32)


def test_by_hand():
    # centres of two nearest: (1 + 3)/2, (3 + 4)/2, (4 + 3)/2; of the query: (2 + 3.5)/2
    # d^2 - 2.75^2 - (1, 0.25, 0.25)
    assert_allclose(dis_sim(Q, G, k=2), [[1 - 7.5625 - 1, 9 - 7.5625 - 0.25, 16 - 7.5625 - 0.25]])


def test_extremes():
    data = world()
    query, gallery = data["query"], data["gallery"]
    # one neighbour is the image itself
    assert_array_equal(rank(dis_sim(query, gallery, k=1)), rank(distances(query, gallery)))
    # from one centre: |q - g|^2 - |q - c|^2 - |g - c|^2 = -2 (q - c).(g - c)
    centre = gallery.mean(axis=0)
    found = dis_sim(query, gallery, k=len(gallery))
    assert_allclose(found, -2 * (query - centre) @ (gallery - centre).T, rtol=0, atol=1e-4)


@settings(max_examples=60)
@given(
    sides=st.tuples(lattices(st.integers(1, 6)), lattices(st.integers(1, 25))),
    k=st.integers(1, 30),
    top_k=st.integers(1, 12),
)
def test_equals_the_definition(sides, k, top_k):
    found = dis_sim(*sides, k=k)
    assert_allclose(found, reference.hubness.dis_sim(*sides, k), rtol=0, atol=1e-5)
    nearest = dis_sim(*sides, k=k, top_k=top_k)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))


def test_a_query_is_answered_by_itself():
    data = world()
    query, gallery = data["query"], data["gallery"]
    assert_allclose(dis_sim(query[:3], gallery), dis_sim(query, gallery)[:3], rtol=0, atol=1e-5)


@each("k", [5, 10])
def test_scikit_hubness(shared, k):
    """Theirs lifts the whole batch so that nothing is below 0."""
    golden = np.load(shared / "golden" / "hubness_dsl.npz")
    found = dis_sim(golden["q"], golden["g"], k=k)
    assert found.min() < 0
    assert_allclose(found - found.min(), golden[f"dist__dsl_sqeuclidean__k={k}"], rtol=0, atol=2e-6)
