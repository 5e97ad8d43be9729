"""Regularised diffusion: by hand, against the definition, against the released function."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import Nearest, rdp, sqeuclidean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import lattices, world

SIDES = st.tuples(lattices(st.integers(1, 5)), lattices(st.integers(1, 22)))


def scores(found):
    return np.maximum(-found, 0)


def key_settings(key):
    return {name: float(value) for name, value in (part.split("=") for part in key.split("__")[2].split("_"))}


def test_by_hand():
    x = np.array([[0], [1], [3]], np.float32)
    # Squared distances 0-1: 1, 1-2: 4, 0-2: 9, the largest. Lists of two: 0 {0, 1}, 1 {1, 0}, 2 {2, 1}.
    near, far = np.exp(-((1 / 9) ** 2)), np.exp(-((4 / 9) ** 2)) / 2  # 2 has 1, but 1 has not 2: half the weight
    d0, d1, d2 = 1 + near, near + 1 + far, far + 1
    s00, s01, s11, s12 = 1 / d0, near / np.sqrt(d0 * d1), 1 / d1, far / np.sqrt(d1 * d2)
    # alpha = 1 / 1.25, and one step gives alpha S S + (1 - alpha) I
    wanted = [[-0.8 * (s00 * s01 + s01 * s11), -0.8 * s01 * s12]]
    assert_allclose(rdp(x[:1], x[1:], k=2, sigma=1, mu=0.25, iterations=1), wanted, rtol=1e-5)
    assert_array_equal(rdp(x[:1], x[1:], k=1), [[1, 9]])


@settings(max_examples=60)
@given(
    sides=SIDES,
    k=st.integers(1, 12),
    sigma=st.sampled_from([0.3, 0.5, 2.0]),
    mu=st.sampled_from([0.0, 0.3, 4.0]),
    iterations=st.integers(0, 12),
)
def test_equals_the_definition(sides, k, sigma, mu, iterations):
    """Copies abound, so this is also the proof that classes of copies give what images would."""
    found = rdp(*sides, k=k, sigma=sigma, mu=mu, iterations=iterations)
    wanted = reference.diffusion.rdp(*sides, k, sigma, mu, iterations)
    assert_allclose(scores(found), wanted, rtol=0, atol=2e-6)
    far = reference.basic.sqeuclidean(*sides)
    assert_allclose(found[found >= 0], far[found >= 0], rtol=0, atol=1e-5)


def test_many_queries_equal_the_definition():
    data = world(nq=40, ng=300, d=12, people=40)
    found = rdp(data["query"], data["gallery"], k=9)
    assert_allclose(
        scores(found), reference.diffusion.rdp(data["query"], data["gallery"], 9, 0.5, 0.3, 20), atol=1e-6
    )


def test_top_k_is_the_head_of_the_full_answer():
    data = world(nq=30, ng=200)
    full = rdp(data["query"], data["gallery"], k=3, iterations=2)
    assert (full >= 0).any()
    head = rdp(data["query"], data["gallery"], k=3, iterations=2, top_k=150)
    assert isinstance(head, Nearest)
    assert_array_equal(head.rows, np.argsort(full, axis=1, kind="stable")[:, :150])
    assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


def test_copies_are_equal_however_short_the_lists():
    data = world(ng=120)
    gallery = np.concatenate([data["gallery"]] * 3)
    for k in (1, 2, 4, 7):
        found = rdp(data["query"], gallery, k=k)
        assert_array_equal(found, np.tile(found[:, :120], 3))


def test_a_pairwise_in_the_place_of_features():
    data = world()
    pairs = sqeuclidean(data["query"], data["gallery"])
    assert_array_equal(rdp(pairs), rdp(data["query"], data["gallery"]))


@each(
    ("setting", "message"),
    [
        ({"k": 0}, "k: wanted a whole number, 1 or more, got 0"),
        ({"sigma": 0}, "sigma: wanted 0.01 to 100, got 0"),
        ({"mu": -0.1}, "mu: wanted 0 to 100, got -0.1"),
        ({"iterations": -1}, "iterations: wanted a whole number, 0 or more, got -1"),
    ],
)
def test_refuses_settings(setting, message):
    with pytest.raises(ValueError, match=message):
        rdp(np.eye(3), np.eye(3), **setting)


def test_released_function(shared):
    golden = np.load(shared / "golden" / "diffusion_rdp.npz")
    keys = [key for key in golden if key.startswith("sim__rdp_zoo")]
    assert keys
    for key in keys:
        setting = key_settings(key)
        found = rdp(
            golden["q"], golden["g"], k=int(setting["knn"]), sigma=setting["sigma"], mu=setting["mu"],
            iterations=int(setting["it"]),
        )  # fmt: skip
        assert_allclose(scores(found), golden[key], rtol=0, atol=1e-6, err_msg=key)


def test_the_variant_that_is_not_offered(shared):
    """Rows over their sums among *all* images instead of D^-1/2 W D^-1/2, which leaves S with eigenvalues far
    below 1, and S in the place of I: after two steps or three it stands still, and has hardly spread."""
    golden = np.load(shared / "golden" / "diffusion_rdp.npz")
    images = np.concatenate([golden["q"], golden["g"]]).astype(np.float64)
    nq = len(golden["q"])
    weights = np.exp(-(2 - 2 * images @ images.T) / 0.5)
    weights /= weights.sum(axis=1, keepdims=True)
    keys = [key for key in golden if key.startswith("sim__rdp_qilinli")]
    assert keys
    for key in keys:
        k = int(key_settings(key)["K"])
        s = np.where(weights >= np.sort(weights, axis=1)[:, [-k]], weights, 0)
        s = (s + s.T) / 2
        assert np.linalg.norm(s, 2) < 0.5
        a = s
        for _ in range(50):
            new = 0.8 * s @ a @ s.T + 0.2 * s
            if np.linalg.norm(new - a) < 1e-2:
                break
            a = new
        assert_allclose(a[:nq, nq:], golden[key], rtol=0, atol=1e-7)
