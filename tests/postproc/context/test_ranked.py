"""Re-ranking by places in lists: each technique against its definition, and what all of them have in common."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from postproc import distances, rank
from postproc.context import ranked
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=10, ng=60, people=12)
TWO = DATA["query"], DATA["gallery"]
NAMES = ("bfs_tree", "cprr", "knn_rank", "lhrr", "recknn", "rfe")
OTHERS = {
    "bfs_tree": {"p": st.sampled_from([0.3, 0.7])},
    "cprr": {"rounds": st.integers(1, 3)},
    "knn_rank": {"rounds": st.integers(1, 3)},
    "lhrr": {"rounds": st.integers(1, 3)},
    "recknn": {"rounds": st.integers(1, 3)},
    "rfe": {"rounds": st.integers(0, 2), "slope": st.sampled_from([0.1, 1.0])},
}


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_definition(name):
    @settings(max_examples=12)
    @given(
        seed=st.integers(0, 50),
        k=st.integers(2, 25),
        depth=st.integers(1, 50),
        chosen=st.fixed_dictionaries(OTHERS[name]),
    )
    def check(seed, k, depth, chosen):
        data = world(nq=6, ng=40, people=8, seed=seed)
        chosen = {**chosen, "k": k, "depth": depth}
        found = getattr(postproc, name)(data["query"], data["gallery"], **chosen)
        wanted = getattr(reference.ranks, name)(data["query"], data["gallery"], **chosen)
        assert_allclose(found, wanted, rtol=2e-5, atol=1e-7)

    check()


@each("name", NAMES)
def test_top_k_is_the_cut_of_the_whole_answer(name):
    step = getattr(postproc, name)
    whole, found = step(*TWO), step(*TWO, top_k=7)
    assert_array_equal(found.rows, rank(whole)[:, :7])
    assert_array_equal(found.distances, np.sort(whole, axis=1)[:, :7])


@each("name", NAMES)
def test_what_no_list_names_stays_behind_at_its_distance(name):
    found, far = getattr(postproc, name)(*TWO, depth=8, k=4), distances(*TWO)
    assert (found < 0).any(axis=1).all()
    assert ((found == far) | (found < 0)).all()
    assert ((found < 0).sum(axis=1) <= 8 + 2).all()  # some gallery images have copies


@each("name", ["cprr", "knn_rank", "lhrr", "recknn"])
def test_no_round_is_the_distance(name):
    assert_array_equal(getattr(postproc, name)(*TWO, rounds=0), distances(*TWO))


def test_a_copy_of_the_query_comes_first():
    query, gallery = DATA["query"], np.concatenate([DATA["gallery"], DATA["query"]])
    for name in NAMES:
        assert_array_equal(rank(getattr(postproc, name)(query, gallery))[:, 0], 60 + np.arange(10), err_msg=name)


LINE = np.array([[0.0], [1.0], [3.0]], np.float32)  # lists [0, 1, 2], [1, 0, 2], [2, 1, 0]


def test_cprr_by_hand():
    found = postproc.cprr(LINE[:1], LINE[1:], k=2, depth=3, rounds=1)
    # places together, out of 6: 0: 1 has 4, 2 has 2; so lists stay: first two [0, 1], [1, 0], [2, 1] weigh 2, 1
    # F'F(0, 1) = 2 * 1 + 1 * 2 + 0 = 4, F'F(0, 2) = 0
    # G: 0: [1], 1: [0], 2: [1]; GG'(0, 1) = 0, GG'(0, 2) = 1 * 1
    assert_array_equal(found, [[-4, -1]])


def test_knn_rank_by_hand():
    found = postproc.knn_rank(LINE[:1], LINE[1:], k=1, depth=3)
    #                own list  half of 1's
    assert_allclose(found, [[-(1 / 2 + 1 / 2), -(1 / 3 + 1 / 6)]], rtol=1e-6)


def test_recknn_by_hand():
    found = postproc.recknn(LINE[:1], LINE[1:], k=2, depth=3)
    # first two: 0: {0, 1}, whose lists hold 2 and 2 of them: e = 4 / 4; 1 likewise; 2: {2, 1}: 2 and 1: e = 3 / 4
    # S(0, 1) = 1 + 1, places 2 and 2; S(0, 2) = 0, so 2 stays where it is
    assert_allclose(found, [[-1 / (2 / (3 * (1 + 2))), 9]], rtol=1e-6)


def test_lhrr_by_hand():
    found = postproc.lhrr(LINE[:1], LINE[1:], k=2, depth=3, rounds=1)
    # the second of two places weighs 1 - log 2 / log 2 = 0: W = I, H = 2 I; nothing is shared, and s is 1 * 0 * 0
    assert_array_equal(found, [[1, 9]])
    found = postproc.lhrr(LINE[:1], LINE[1:], k=3, depth=3, rounds=1)
    a = 1 - np.log(2) / np.log(3)
    w = np.array([[1, a, 0], [a, 1, 0], [0, a, 1]])
    h = np.eye(3) + w @ w
    c = np.diag(h.sum(axis=1))
    assert_allclose(found[0, 0], -((1 + h.T @ c @ h) * (h @ h.T) * (h @ h).T)[0, 1], rtol=1e-5)


def test_bfs_tree_by_hand():
    found = postproc.bfs_tree(LINE[:1], LINE[1:], k=2, depth=3, p=0.5)
    # overlap of the first one and two: 0 and 1: .5 (0 + .5 * 2 / 2) = .25; 2 with 1: .5 (0 + .5 * 1 / 2) = .125
    c = np.array([[0, 0.25, 0], [0.25, 0, 0], [0, 0.125, 0]])
    u, v = np.eye(3) + c, c @ c
    s = u.T @ u + v.T @ v + u.T @ v
    s /= 1 + s.sum(axis=0)
    s = s @ s.T
    assert_allclose(found, -(s / (1 + s.sum(axis=0)))[:1, 1:], rtol=1e-5)


def test_rfe_by_hand():
    found = postproc.rfe(LINE[:1], LINE[1:], k=3, depth=3, rounds=0)
    a = 1 - np.log(2) / np.log(3)
    w = np.array([[1, a, 0], [a, 1, 0], [0, a, 1]])
    b = w + w @ w
    e = b * b.T
    c = e.sum(axis=1)
    wanted = e.T @ np.diag(c / c.max()) @ e
    assert_allclose(found[0, 0], -wanted[0, 1], rtol=1e-5)


def test_lists_keep_the_order_of_equals_and_their_own_image_first():
    rows = np.array([[0, 2, 1], [1, 2, 0], [2, 0, 1]], np.int32)
    scores = np.array([[0, 1, 1], [5, 1, 2], [-1, 3, 3]], np.float32)
    assert_array_equal(ranked.resorted(rows, scores), [[0, 2, 1], [1, 0, 2], [2, 0, 1]])
