"""Sinkhorn normalisation: by hand, against the definition, against MUSE's inverted softmax."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from postproc import rank, sinkhorn, sinkhorn_distances
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, world

MATRICES = st.tuples(st.integers(1, 7), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.sampled_from([0, 0.5, 1, 2, 3, 7, np.inf]))
)
HALF_ROUNDS = st.sampled_from([0, 1, 2, 3, 8, 9])


def test_by_hand():
    far = -np.log(np.array([[2, 1], [6, 1]], np.float32))  # exp(-far) = 2 1 / 6 1
    wanted = {
        0: [[2, 1], [6, 1]],
        1: [[2 / 8, 1 / 2], [6 / 8, 1 / 2]],  # columns sum to one
        2: [[1 / 3, 2 / 3], [3 / 5, 2 / 5]],  # then rows
        3: [[5 / 14, 5 / 8], [9 / 14, 3 / 8]],  # then columns again
    }
    for half_rounds, shares in wanted.items():
        found = sinkhorn_distances(far, temperature=1.0, half_rounds=half_rounds)
        assert_allclose(np.exp(-found), shares, rtol=1e-6)


def test_in_the_end_both_sums_are_one():
    far = world(nq=20, ng=20)["distances"]
    shares = np.exp(-sinkhorn_distances(far, temperature=10.0, half_rounds=200) / 10)
    assert_allclose(shares.sum(axis=0), 1, atol=1e-4)
    assert_allclose(shares.sum(axis=1), 1, atol=1e-4)


def test_infinity_stays_and_has_no_share():
    far = np.array([[0, np.inf, 0], [np.inf, np.inf, np.inf]], np.float32)
    for half_rounds in range(4):
        found = sinkhorn_distances(far, temperature=1.0, half_rounds=half_rounds)
        assert_array_equal(np.isinf(found), np.isinf(far))
    assert_allclose(found[0, [0, 2]], 0, atol=1e-6)  # each the whole share of its column


@settings(max_examples=60)
@given(
    far=MATRICES,
    temperature=st.sampled_from([0.1, 1.0, 50.0, 1000.0]),
    half_rounds=HALF_ROUNDS,
    top_k=st.integers(1, 12),
)
def test_equals_the_definition(far, temperature, half_rounds, top_k):
    setting = {"temperature": temperature, "half_rounds": half_rounds}
    found = sinkhorn_distances(far, **setting)
    assert_allclose(found, reference.hubness.sinkhorn(far, temperature, half_rounds), rtol=1e-6, atol=1e-5)
    nearest = sinkhorn_distances(far, top_k=top_k, **setting)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))


@settings(max_examples=40)
@given(
    sides=st.tuples(cubes(st.integers(1, 6), (1.0, 2.0)), cubes(st.integers(1, 25), (1.0, 0.5))),
    half_rounds=HALF_ROUNDS,
    top_k=st.integers(1, 12),
)
def test_features_equal_the_definition(sides, half_rounds, top_k):
    cosine = 1 - reference.basic.unit(sides[0]) @ reference.basic.unit(sides[1]).T
    found = sinkhorn(*sides, half_rounds=half_rounds)
    assert_allclose(found, reference.hubness.sinkhorn(cosine, 0.05, half_rounds), atol=1e-6)
    nearest = sinkhorn(*sides, half_rounds=half_rounds, top_k=top_k)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))
    assert_array_equal(nearest.distances, np.take_along_axis(found, nearest.rows, axis=1))


@each("half_rounds", [1000, 1001])
def test_many_rounds_of_sides_of_unlike_sizes(half_rounds):
    query, gallery = world()["query"][:2], world()["gallery"]
    cosine = 1 - reference.basic.unit(query) @ reference.basic.unit(gallery).T
    wanted = reference.hubness.sinkhorn(cosine, 0.05, half_rounds)
    assert_allclose(sinkhorn(query, gallery, half_rounds=half_rounds), wanted, atol=1e-4)


def test_the_size_of_a_strip_changes_no_bit(monkeypatch):
    data = world(ng=40)
    query = np.concatenate([data["query"], data["query"][:3]])
    wanted = sinkhorn(query, data["gallery"], half_rounds=6)
    monkeypatch.setattr(sys.modules["postproc.hubness.sinkhorn"], "STRIP", 4 * 40 * 2)  # two rows
    assert_array_equal(sinkhorn(query, data["gallery"], half_rounds=6), wanted)


def test_muse_inverted_softmax(shared):
    golden = np.load(shared / "golden" / "csls.npz")
    found = sinkhorn(golden["q"], golden["g"], temperature=1 / 30, half_rounds=1)
    assert_allclose(np.exp(-30 * found), golden["sim__muse__invsm_beta_30"], rtol=0, atol=2e-6)


@each("temperature", [0, -0.05, 1e7])
def test_refuses_temperatures(temperature):
    with pytest.raises(ValueError, match=r"^temperature: wanted 0.0001 to 1000000.0, got"):
        sinkhorn_distances(np.zeros((2, 2)), temperature=temperature)
