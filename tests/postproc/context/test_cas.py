"""Cluster-aware similarity diffusion: by hand, against the definition, against the released code."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import Nearest, cas, sqeuclidean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import lattices, world


def line(*places):
    return np.array(places, np.float32)[:, None]


def test_rows_and_paths_by_hand():
    """k1 = 1: nothing spreads, so f is the identity; the mean of the first two then is all there is."""
    found = cas(line(0), line(1, 3), k1=1, k4=2, level=0, lambda_value=0.25)
    # M: (1/2, 1/2, 0), (1/2, 1/2, 0), (0, 1/2, 1/2)        the first of 3 is 1, whose first is 0
    # T: (1/2, 1/2, 0), (1/2, 1/2, 0), (1/4, 1/2, 1/4)
    # V: (1/2, 1/2, 0), (1/2, 1/2, 0), (7/16, 8/16, 1/16)
    common = 8 * np.log2(8 / 15) + 7 * np.log2(7 / 15) + 8 * np.log2(8 / 16) + 8 * np.log2(8 / 16)
    assert_allclose(found, [[0.75 * 0 + 0.25 / 9, 0.75 * (1 + common / 16 / 2) + 0.25 * 1]], rtol=1e-6)


def test_diffusion_by_hand():
    """Two images: S changes one into the other, W = 2 s S, and powers of S are S and the identity in turn."""
    sigma, mu = 0.7, 0.3
    found = cas(line(0), line(2), k1=2, k4=1, level=0, sigma=sigma, mu=mu, lambda_value=0)
    alpha, s = 1 / (1 + mu), np.exp(-1 / sigma**2)
    own = (1 - alpha) * (1 + alpha**2 + alpha**4 + alpha**6 + alpha**8)
    other = alpha * own + alpha**10 * 2 * s
    # f = (own, other) / (own + other); M = f; four such steps keep the fourth power of the difference of the two
    difference = ((own - other) / (own + other)) ** 4
    p, q = (1 + difference) / 2, (1 - difference) / 2
    assert_allclose(found, [[1 + p * np.log2(p) + q * np.log2(q)]], rtol=0, atol=2e-7)


@settings(max_examples=20)
@given(
    seed=st.integers(0, 50),
    nq=st.integers(1, 12),
    ng=st.integers(61, 90),
    setting=st.fixed_dictionaries(
        {
            "k1": st.integers(3, 8),
            "k2": st.integers(1, 30),
            "k3": st.integers(1, 30),
            "k4": st.integers(1, 8),
            "k5": st.integers(1, 30),
            "level": st.sampled_from([0.0, 2.0, 9.0]),
            "sigma": st.sampled_from([0.2, 0.3, 5.0]),
            "mu": st.sampled_from([0.05, 0.23, 4.0]),
            "beta": st.sampled_from([0.0, 1e-4, 2.0]),
            "lambda_value": st.sampled_from([0.0, 0.3, 1.0]),
        }
    ),
)
def test_equals_the_definition(seed, nq, ng, setting):
    data = world(nq=nq, ng=ng, seed=seed)
    found = cas(data["query"], data["gallery"], **setting)
    assert_allclose(found, reference.cas.cas(data["query"], data["gallery"], **setting), rtol=0, atol=2e-6)


@settings(max_examples=40)
@given(
    sides=st.tuples(lattices(st.integers(1, 6)), lattices(st.integers(1, 30))),
    setting=st.fixed_dictionaries(
        {
            **{name: st.integers(1, 12) for name in ("k1", "k2", "k3", "k4")},
            "mu": st.sampled_from([0.0, 0.23]),
        }
    ),
)
def test_equals_the_definition_where_ties_abound(sides, setting):
    found = cas(*sides, k5=100, **setting)  # nothing is cut by values that only rounding tells apart
    assert_allclose(found, reference.cas.cas(*sides, k5=100, **setting), rtol=0, atol=2e-6)


def test_no_path_is_the_longest():
    """Two crowds of more than a hundred: nobody has anybody of the other among the first hundred."""
    x = np.random.default_rng(0).normal(size=(230, 3)).astype(np.float32)
    x[::2] += 8
    found = cas(x[:4], x[4:])
    assert_allclose(found, reference.cas.cas(x[:4], x[4:]), rtol=0, atol=2e-6)
    assert (found[0, 1::2] > 0.7 * 50).all()
    assert (found[0, ::2] < 0.7 * 10).all()


def test_images_that_nothing_tells_apart_count_as_one():
    data = world()
    query, gallery = data["query"], data["gallery"]
    once = cas(query, gallery)
    assert_array_equal(cas(np.tile(query, (2, 1)), np.tile(gallery, (3, 1))), np.tile(once, (2, 3)))


def test_what_is_not_kept_hardly_counts():
    data = world(nq=20, ng=400, people=60)
    sides = data["query"], data["gallery"]
    exact = cas(*sides)
    assert_array_equal(cas(*sides, keep=420), exact)
    away = [abs(cas(*sides, keep=keep) - exact) for keep in (250, 100)]
    assert np.median(away[0]) < 1e-5
    assert np.median(away[1]) < 1e-3


def test_takes_a_pairwise_distance():
    data = world()
    query, gallery = data["query"], data["gallery"]
    assert_array_equal(cas(sqeuclidean(query, gallery)), cas(query, gallery))
    mixed = cas(sqeuclidean(query, gallery) - 1.5 * sqeuclidean(query[:, :3], gallery[:, :3]))
    assert np.isfinite(mixed).all()


@each("top_k", [1, 7, 1000])
def test_top_k_is_the_cut_of_the_whole(top_k):
    data = world()
    whole = cas(data["query"], data["gallery"])
    found = cas(data["query"], data["gallery"], top_k=top_k)
    rows = np.argsort(whole, axis=1, kind="stable")[:, :top_k]
    assert isinstance(found, Nearest)
    assert_array_equal(found.rows, rows)
    assert_array_equal(found.distances, np.take_along_axis(whole, rows, axis=1))


@each("keep", [None, 1000])
@each(
    ("key", "setting"),
    [
        ("k1=5_k2=20_k3=25_k4=6_k5=25", {}),
        (
            "k1=6_k2=30_k3=40_k4=7_k5=40_lambda_value=0.1",
            {"k1": 6, "k2": 30, "k3": 40, "k4": 7, "k5": 40, "lambda_value": 0.1},
        ),
    ],
)
def test_released_code(shared, key, setting, keep):
    golden = np.load(shared / "golden" / "diffusion_cas.npz")
    found = cas(golden["q"], golden["g"], keep=keep, **setting)
    assert_allclose(found, golden[f"dist__cas__{key}"], rtol=0, atol=2e-6)
