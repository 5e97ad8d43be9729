"""Affinity inference, visual neighbours, one-sided re-ranking: by hand and against the definitions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import aim, rank, rerank_one_sided, visual_neighbours
from postproc.kernels import reference

Q = np.array([[1, 0]], np.float32)
G = np.array([[0.8, 0.6], [0.6, 0.8], [0, -1]], np.float32)


@st.composite
def worlds(draw):
    """Queries and a gallery without ties."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    return tuple(rng.normal(size=(draw(st.integers(1, most)), 6)).astype(np.float32) for most in (6, 25))


def test_by_hand():
    # cosines of the query: .8, .6, 0; of the gallery: 1, .96, -.6; .96, 1, -.8
    unit = np.array([0.8, 0.6])  # of k1 = 2, of length 1 already
    first, second = np.array([1, 0.96]), np.array([0.96, 1])
    means = [(first + second) / 2, (first + second) / 2]
    wanted = [2 - s - unit @ mean / np.linalg.norm(mean) for s, mean in zip((0.8, 0.6), means, strict=True)]
    assert_allclose(aim(Q, G, k1=2, k2=2)[0, :2], wanted, rtol=1e-6)
    # the first two have each other, the third itself and the first: 2 of 2, 2 of 2, 1 of 3 images in common
    wanted = [[1 - 0.8 - 2, 1 - 0.6 - 2, 1 - 0 - 2 / 3]]
    assert_allclose(visual_neighbours(Q, G, k=2, weight=2), wanted, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(1, 12), st.integers(1, 8), st.integers(1, 12))
def test_aim_equals_the_definition(sides, k1, k2, top_k):
    found = aim(*sides, k1=k1, k2=k2)
    assert_allclose(found, reference.affinities.aim(*sides, k1, k2), atol=5e-6)
    assert_array_equal(aim(*sides, k1=k1, k2=k2, top_k=top_k).rows, rank(found, top_k=top_k))


@settings(max_examples=60, deadline=None)
@given(worlds(), st.integers(1, 12), st.sampled_from([0, 0.5, 2]), st.integers(1, 12))
def test_visual_neighbours_equal_the_definition(sides, k, weight, top_k):
    found = visual_neighbours(*sides, k=k, weight=weight)
    assert_allclose(found, reference.affinities.visual_neighbours(*sides, k, weight), atol=5e-6)
    assert_array_equal(visual_neighbours(*sides, k=k, weight=weight, top_k=top_k).rows, rank(found, top_k=top_k))


def test_one_sided_by_hand():
    # cosine distances .2, .4, 1; of the gallery .04 between the first two, 1.6 and 1.8 to the third
    # by way of the nearest of two neighbours: min(.2, .4 + .0004), min(.4, .2 + .0004), min(1, .2 + .016)
    e = np.array([0.2, 0.2004, 0.216])
    found = rerank_one_sided(Q, G, lambda_value=1, ways=2, mean=1)
    assert_allclose(found, [e / 0.216], rtol=1e-5)
    # V of the query is all on the first; of the first two it is shared with each other, of the third as it comes
    v = np.exp([0, -0.04 / 1.6])[0] / np.exp([0, -0.04 / 1.6]).sum()
    found = rerank_one_sided(Q, G, k1=1, query_k=1, ways=2, mean=1, lambda_value=0)
    assert_allclose(found[0, 0], 1 - v / (2 - v), rtol=1e-5)


def test_one_sided_with_ways_of_any_length():
    far = rerank_one_sided(Q, G, ways=3, mean=3, step_weight=1e6)  # by e alone: V is all on the nearest
    assert np.isfinite(far).all()
    assert far.argmin() == 0


@settings(max_examples=60, deadline=None)
@given(
    sides=worlds(),
    k1=st.integers(1, 12),
    query_k=st.integers(1, 12),
    ways=st.integers(1, 12),
    mean=st.integers(1, 12),
    step_weight=st.sampled_from([0, 0.01, 1]),
    lambda_value=st.sampled_from([0, 0.3, 1]),
)
def test_one_sided_equals_the_definition(sides, **chosen):
    found = rerank_one_sided(*sides, **chosen)
    assert_allclose(found, reference.affinities.rerank_one_sided(*sides, **chosen), atol=1e-5)
    assert_array_equal(rerank_one_sided(*sides, **chosen, top_k=3).rows, rank(found, top_k=3))
