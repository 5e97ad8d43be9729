"""Means of neighbours from other cameras: by hand, against the definition, against the released code."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import kwf, l2_normalize, sqeuclidean
from postproc.kernels import reference
from tests.support.golden import load, settings_in
from tests.support.worlds import cubes, world

Q, G = np.array([[1, 0]], np.float32), np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)
CAMS = np.array([0]), np.array([0, 1, 1])
# D from the query: 0, 0.4, 2.  s among the gallery: 0-1: 0.8, 0-2: 0, 1-2: 0.6.  The pool: images 1 and 2


def test_by_hand():
    #                  1    1    2
    assert_allclose(kwf(Q, G, *CAMS, k=1), [[0.4, 0.4, 2]], atol=1e-6)
    assert_allclose(kwf(Q, G, *CAMS, k=2, weighting="uniform"), [[1.2, 1.2, 1.2]], atol=1e-6)
    #         weights (0.8, 0)   (1, 0.6)            (0.6, 1)
    wanted = [0.4, (0.4 + 0.6 * 2) / 1.6, (0.6 * 0.4 + 2) / 1.6]
    assert_allclose(kwf(Q, G, *CAMS, k=2), [wanted], atol=1e-5)
    a, b, c = np.exp([-0.2, -1, -0.4])  # exp(s - 1)
    wanted = [(a * 0.4 + b * 2) / (a + b), (0.4 + c * 2) / (1 + c), (c * 0.4 + 2) / (1 + c)]
    assert_allclose(kwf(Q, G, *CAMS, k=5, weighting="exponential"), [wanted], atol=1e-6)
    #                  the nearest only; the others stand for themselves
    assert_allclose(kwf(Q, G, *CAMS, k=2, shortlist=1, weighting="uniform"), [[1.2, 0.4, 2]], atol=1e-6)
    found = kwf(Q, G, *CAMS, k=1, own=0.5, mean=2, camera_penalty=0.3)
    assert_allclose(found, [[0.5 * 0 + 2 * 0.4 + 0.3, 0.5 * 0.4 + 2 * 0.4, 0.5 * 2 + 2 * 2]], atol=1e-6)


def test_unknown_cameras_equal_no_other():
    wanted = kwf(Q, G, np.array([7]), CAMS[1], k=2)  # the pool is the whole gallery
    assert_array_equal(kwf(Q, G, np.array([-1]), CAMS[1], k=2, camera_penalty=9.0), wanted)
    assert_array_equal(kwf(Q, G, CAMS[0], np.full(3, -1), k=2), wanted)
    assert_array_equal(kwf(Q, G, np.array([-1]), np.full(3, -1), k=2), wanted)


def test_without_another_camera_every_image_stands_for_itself():
    assert_allclose(kwf(Q, G, CAMS[0], np.zeros(3, int)), [[0, 0.4, 2]], atol=1e-6)


SIDES = st.tuples(cubes(st.integers(1, 5), (0.0, 1.0, 2.0)), cubes(st.integers(1, 30), (0.0, 1.0, 0.5)))
SIDES = SIDES.map(lambda sides: [side + 0.0 for side in sides])  # one kind of zero only
SETTINGS = st.fixed_dictionaries(
    {
        "k": st.integers(1, 12),
        "shortlist": st.sampled_from([None, 1, 3, 10, 100]),
        "weighting": st.sampled_from(["uniform", "similarity", "exponential"]),
        "own": st.sampled_from([0.0, 0.6]),
        "mean": st.sampled_from([1.0, 1.4]),
        "camera_penalty": st.sampled_from([0.0, 0.3]),
    }
)


@settings(max_examples=60)
@given(
    sides=SIDES,
    seed=st.integers(0, 20),
    setting=SETTINGS,
)
def test_equals_the_definition_with_ties_and_copies(sides, seed, setting):
    rng = np.random.default_rng(seed)
    cams = [rng.integers(-1, 3, len(side)) for side in sides]
    found = kwf(*sides, *cams, **setting)
    assert_allclose(found, reference.shortlists.kwf(*sides, *cams, **setting), rtol=1e-5, atol=1e-5)


@settings(max_examples=30)
@given(seed=st.integers(0, 20), share=st.sampled_from([0.05, 0.5, 0.95]), setting=SETTINGS)
def test_equals_the_definition_where_one_camera_crowds_the_lists(seed, share, setting):
    data = world(nq=6, ng=60, people=5, seed=seed)
    rng = np.random.default_rng(seed)
    cams = [np.where(rng.random(n) < share, 2, rng.integers(-1, 2, n)) for n in (6, 60)]
    found = kwf(data["query"], data["gallery"], *cams, **setting)
    wanted = reference.shortlists.kwf(data["query"], data["gallery"], *cams, **setting)
    assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_an_image_among_many_of_a_foreign_camera():
    """Its 2 k nearest are all of the query's camera, which is not its own: the pool is farther away."""
    angle = np.radians([0, 1, 2, 3, 4, 5, 60, 70, 80])
    gallery = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    cams = np.array([1, 0, 0, 0, 0, 0, 1, 2, 2])
    found = kwf(gallery[:1], gallery, np.array([0]), cams, k=2, weighting="uniform")
    #   images of camera 0 and the first image have images 0 and 6 as their nearest of others
    wanted = [2 - 2 * np.cos(angle[[0, 6]]).mean()] * 6
    assert_allclose(found[0, :6], wanted, atol=1e-6)


def test_copies_at_the_end_of_the_shortlist_are_on_it():
    gallery = np.concatenate([G, G[1:2]])
    found = kwf(Q, gallery, CAMS[0], np.array([0, 1, 1, 1]), k=3, shortlist=2, weighting="uniform")
    assert_allclose(found, [[2.8 / 3, 2.8 / 3, 2, 2.8 / 3]], atol=1e-6)


def test_a_pairwise_decides_neighbours_and_distances():
    data = world()
    sides = [l2_normalize(data[name]) for name in ("query", "gallery")]
    cams = data["query_cam"], data["gallery_cam"]
    for setting in ({}, {"shortlist": 10, "weighting": "exponential", "k": 2}):
        wanted = kwf(*sides, *cams, **setting)
        assert_array_equal(kwf(sqeuclidean(*sides), None, *cams, **setting), wanted)
    far = kwf(1000 * sqeuclidean(*sides), None, *cams, weighting="exponential")
    assert np.isfinite(far).all()  # weights down to exp(-2000)


def test_top_k_is_the_cut_of_the_whole():
    data = world(nq=20, ng=200)
    arguments = [data[name] for name in ("query", "gallery", "query_cam", "gallery_cam")]
    whole = kwf(*arguments, shortlist=30, own=0.3)
    rows = reference.ranking.rank(whole)[:, :9]
    found = kwf(*arguments, shortlist=30, own=0.3, top_k=9)
    assert_array_equal(found.rows, rows)
    assert_array_equal(found.distances, np.take_along_axis(whole, rows, axis=1))


def test_equals_the_released_code(shared):
    golden = load(shared, "kwf_uffm")
    arguments = [golden[name] for name in ("q", "g", "q_cam", "g_cam")]
    words = {"uniform": "uniform", "sim": "similarity", "exp_decay": "exponential"}
    keys = [key for key in golden if key.startswith("sim__")]
    assert len(keys) > 3
    for key in keys:
        _, name, *word = key.split("__")
        given = settings_in(key)
        if name.startswith("kwf"):
            found = kwf(*arguments, k=6, weighting=words[word[0]])
            similar = 1 - found / 2
        else:
            alpha, beta, theta = (given.get(name, 0.0) for name in ("alpha", "beta", "theta"))
            beta = beta or 1.0
            found = kwf(*arguments, k=given["k"], shortlist=None, own=alpha, mean=beta, camera_penalty=-2 * theta)
            similar = alpha + beta - found / 2
        assert_allclose(similar, golden[key], rtol=0, atol=1e-6, err_msg=key)


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match=r"^own, mean: wanted one that is not 0"):
        kwf(Q, G, *CAMS, mean=0.0, camera_penalty=1.0)
