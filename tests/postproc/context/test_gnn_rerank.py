"""Message passing on the neighbour graph: by hand, against the definition, against the released program."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import gnn_rerank, l2_normalize, rank, sqeuclidean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load, settings_in
from tests.support.worlds import world

DATA = world(nq=10, ng=60, people=12)
TWO = DATA["query"], DATA["gallery"]


def test_by_hand_without_messages():
    query, gallery = np.array([[1, 0]], np.float32), np.array([[0.8, 0.6], [0, 1]], np.float32)
    found = gnn_rerank(query, gallery, k1=2, k2=1, lambda_value=0.25)
    # lists: 0 -> {0, 1}, 1 -> {1, 0} or {1, 2}: cosines .8 and .6, so {1, 0}; 2 -> {2, 1}
    # common neighbours: 0 and 1 have 2; 0 and 2 have 1
    assert_allclose(found, [[1 - 0.75 * 2 - 0.25 * 0.8, 1 - 0.75 * 1 - 0.25 * 0]], atol=1e-6)


def test_by_hand_with_messages():
    query, gallery = np.array([[1, 0]], np.float32), np.array([[0.8, 0.6], [-1, 0]], np.float32)
    found = gnn_rerank(query, gallery, k1=2, k2=2, lambda_value=0)
    # A = 1 on {0, 1}, {1, 0}, {2, 1}; A + A' = [[2, 2, 0], [2, 2, 1], [0, 1, 2]]
    # W = 1, .64 on the lists of 0 and 1; on that of 2: 1 on itself, .64 on image 1 (cosine -.8)
    once = reference.basic.unit(
        np.array([[1, 0.64, 0], [0.64, 1, 0], [0, 0.64, 1]]) @ [[2, 2, 0], [2, 2, 1], [0, 1, 2]]
    )
    twice = reference.basic.unit(np.array([[1, 0.64, 0], [0.64, 1, 0], [0, 0.64, 1]]) @ (once + once.T))
    assert_allclose(found, [1 - twice[0] @ twice[1:].T], atol=1e-6)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 50),
    k1=st.integers(1, 60),
    k2=st.integers(1, 12),
    lambda_value=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_equals_the_definition(seed, k1, k2, lambda_value):
    data = world(nq=6, ng=40, people=8, seed=seed)
    found = gnn_rerank(data["query"], data["gallery"], k1=k1, k2=k2, lambda_value=lambda_value)
    wanted = reference.propagation.gnn_rerank(data["query"], data["gallery"], k1, k2, lambda_value)
    assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_equals_the_released_program(shared):
    golden = load(shared, "gnn")
    keys = [key for key in golden if key.startswith("sim__")]
    assert len(keys) > 2
    for key in keys:
        theirs = settings_in(key)
        setting = {"k1": theirs["k1"], "k2": theirs["k2"], "lambda_value": theirs["lam"]}
        found = gnn_rerank(golden["q"], golden["g"], **setting)
        assert_allclose(1 - found, golden[key], rtol=0, atol=1e-5, err_msg=key)


@each("k2", [1, 7])
def test_top_k_is_the_cut_of_the_whole_answer(k2):
    whole, found = gnn_rerank(*TWO, k2=k2), gnn_rerank(*TWO, k2=k2, top_k=7)
    assert_array_equal(found.rows, rank(whole)[:, :7])
    assert_array_equal(found.distances, np.sort(whole, axis=1)[:, :7])


def test_takes_a_pairwise():
    assert_array_equal(gnn_rerank(sqeuclidean(*map(l2_normalize, TWO))), gnn_rerank(*TWO))
