"""Expanded cross neighbourhoods: by hand, against the definition, against the released code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import ecn, l2_normalize, rank, sqeuclidean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load, settings_in
from tests.support.worlds import world

DATA = world(nq=10, ng=60, people=12)
TWO = DATA["query"], DATA["gallery"]


def test_by_hand():
    angle = np.radians([0, 10, 25, 90, 95])
    images = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    found = ecn(images[:1], images[1:], k=2, t=1, q=0)
    # lists of two: 0: [0, 1], 1: [1, 0], 2: [2, 1], 3: [3, 4], 4: [4, 3]; places count 2 and 1
    # E(0) = {1}, E(1) = {0}, E(2) = {1}, E(3) = {4}, E(4) = {3}
    # g = 1: r(1, 1) = -(4 + 1), r(0, 0) = -5;  g = 2: r(1, 2) = -2 * 1, r(1, 0) = -(1 * 2 + 2 * 1)
    # g = 3, 4: nothing in common, so the cosine distance
    wanted = [-5, -(2 + 4) / 2, 1 - np.cos(np.radians(90)), 1 - np.cos(np.radians(95))]
    assert_allclose(found, [wanted], atol=1e-6)
    found = ecn(images[:1], images[1:], k=2, t=1, q=0, measure="cosine")
    far = 1 - np.cos(angle[:, None] - angle)
    #         E(0) = {1} to g,  E(g) to 0
    wanted = [(far[1, g] + far[e, 0]) / 2 for g, e in ((1, 0), (2, 1), (3, 4), (4, 3))]
    assert_allclose(found, [wanted], atol=1e-6)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 50),
    k=st.integers(1, 40),
    t=st.integers(1, 5),
    q=st.integers(0, 9),
    measure=st.sampled_from(["rank_lists", "cosine"]),
)
def test_equals_the_definition(seed, k, t, q, measure):
    data = world(nq=6, ng=40, people=8, seed=seed)
    found = ecn(data["query"], data["gallery"], k=k, t=t, q=q, measure=measure)
    wanted = reference.cross_neighbours.ecn(data["query"], data["gallery"], k, t, q, measure)
    assert_allclose(found, wanted, rtol=1e-6, atol=2e-6)


def test_equals_the_released_code(shared):
    golden = load(shared, "ecn")
    keys = [key for key in golden if key.startswith("distGxQ__")]
    assert len(keys) > 3
    for key in keys:
        measure = "rank_lists" if "rankdist" in key else "cosine"
        found = ecn(golden["q"], golden["g"], measure=measure, **settings_in(key))
        tolerance = {"rtol": 1e-6} if measure == "rank_lists" else {"rtol": 0, "atol": 1e-5}
        assert_allclose(found.T, golden[key], err_msg=key, **tolerance)


@each("measure", ["rank_lists", "cosine"])
def test_top_k_is_the_cut_of_the_whole_answer(measure):
    whole, found = ecn(*TWO, measure=measure), ecn(*TWO, measure=measure, top_k=7)
    assert_array_equal(found.rows, rank(whole)[:, :7])
    assert_array_equal(found.distances, np.sort(whole, axis=1)[:, :7])


def test_takes_a_pairwise_where_ranks_are_enough():
    pairs = sqeuclidean(*map(l2_normalize, TWO))
    assert_array_equal(ecn(pairs), ecn(*TWO))
    with pytest.raises(ValueError, match=r'measure: wanted "rank_lists" with a Pairwise, got "cosine"'):
        ecn(pairs, measure="cosine")
