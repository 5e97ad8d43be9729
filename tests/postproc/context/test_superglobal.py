"""SuperGlobal: by hand, against the definition, against the released code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import rank, superglobal
from postproc.kernels import reference
from tests.support.golden import load, settings_in
from tests.support.worlds import world

Q, G = np.array([[1, 0]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8], [0, 1]], np.float32)


def test_by_hand():
    w = 0.5 * 0.96  # the two of the shortlist weigh each other by beta times their similarity
    y = [(G[0] + w * G[1]) / (1 + w), (G[1] + w * G[0]) / (1 + w)]
    expanded = np.array([y[0][0], y[1][1]])  # entry by entry the larger
    wanted = [2 - (Q[0] + expanded) @ y[0], 2 - (Q[0] + expanded) @ y[1], 2 + 3 + np.sqrt(2)]
    assert_allclose(superglobal(Q, G, shortlist=2, k=1, beta=0.5), [wanted], atol=1e-6)
    #                        nothing refined: the query as it is and the nearest image
    wanted = [2 - 0.8 - 1, 2 - 0.6 - 0.96, 2 - 0 - 0.6]
    assert_allclose(superglobal(Q, G, k=0), [wanted], atol=1e-6)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 50),
    shortlist=st.sampled_from([1, 2, 7, 20, 41, 400]),
    k=st.integers(0, 12),
    beta=st.sampled_from([0.0, 0.15, 2.0]),
)
def test_equals_the_definition(seed, shortlist, k, beta):
    data = world(nq=5, ng=41, people=8, seed=seed)
    found = superglobal(data["query"], data["gallery"], shortlist=shortlist, k=k, beta=beta)
    wanted, _ = reference.shortlists.superglobal(data["query"], data["gallery"], shortlist, k, beta)
    assert_allclose(found, wanted, rtol=1e-6, atol=2e-6)


def test_the_shortlist_comes_first_and_the_rest_keeps_its_place():
    data = world(nq=20, ng=200)
    plain = rank(
        reference.basic.sqeuclidean(reference.basic.unit(data["query"]), reference.basic.unit(data["gallery"]))
    )
    for setting in ({"k": 9}, {"k": 0}, {"k": 3, "beta": 50.0}):
        found = rank(superglobal(data["query"], data["gallery"], shortlist=20, **setting))
        assert_array_equal(found[:, 20:], plain[:, 20:])
        assert_array_equal(np.sort(found[:, :20]), np.sort(plain[:, :20]))


def test_copies_at_the_end_of_the_shortlist_follow_the_first():
    gallery = np.concatenate([G, G[1:2], G[:1], G[1:2]])
    found = superglobal(Q, gallery, shortlist=4, k=2)  # images 0, 4, 1 and 3; 5 is a copy of 1
    assert_array_equal(found[:, [3, 4, 5]], found[:, [1, 0, 1]])
    wanted, _ = reference.shortlists.superglobal(Q, gallery, 4, 2, 0.15)
    assert_allclose(found, wanted, atol=1e-6)


def test_top_k_is_the_cut_of_the_whole():
    data = world(nq=20, ng=200)
    whole = superglobal(data["query"], data["gallery"], shortlist=20)
    for top_k in (9, 50):
        rows = reference.ranking.rank(whole)[:, :top_k]
        found = superglobal(data["query"], data["gallery"], shortlist=20, top_k=top_k)
        assert_array_equal(found.rows, rows)
        assert_array_equal(found.distances, np.take_along_axis(whole, rows, axis=1))


def test_equals_the_released_code(shared):
    """Theirs is a similarity, 1 - out / 2, and -9 beside the shortlist; their first stage is the definition's."""
    golden = load(shared, "superglobal")
    keys = [key for key in golden if key.startswith("sim__")]
    assert keys
    for key in keys:
        given = settings_in(key)
        setting = {"shortlist": given["M"], "k": given["K"], "beta": given["beta"]}
        found = superglobal(golden["q"], golden["g"], **setting)
        inside = golden[key] > -9
        assert_allclose((1 - found / 2)[inside], golden[key][inside], rtol=0, atol=1e-6, err_msg=key)
        assert found[~inside].min() > found[inside].max()
        name = key.removeprefix("sim__")
        if f"rank__{name}" in golden:
            assert_array_equal(rank(found), golden[f"rank__{name}"])
        wanted, stage = reference.shortlists.superglobal(golden["q"][:10], golden["g"], *setting.values())
        assert_allclose(found[:10], wanted, rtol=0, atol=2e-6)
        assert_allclose(
            stage, golden[f"aux__stage1_score_in_initial_order__{name}"][:10], rtol=0, atol=1e-6, err_msg=key
        )


def test_bad_input():
    with pytest.raises(ValueError, match=r"^query and gallery: wanted the same width, got 2 and 3 numbers"):
        superglobal(Q, np.eye(3))
