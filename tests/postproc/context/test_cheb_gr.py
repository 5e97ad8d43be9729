"""Neighbours by a threshold: by hand, against the definition, and that nobody is a neighbour where all are far."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import cheb_gr, l2_normalize
from postproc.kernels import reference

X = np.array([[1, 0], [0.8, 0.6], [-1, 0], [0, -1]], np.float32)


def test_by_hand():
    # the means to others less their deviations are .33, .49, 1.17 and .92: the first two are near each other, the
    # third has the fourth at 1, the fourth nobody; what is taken is divided by the roots of both sums
    a, b = np.exp(-0.2 / 0.5), np.exp(-1 / 0.5)
    third = X[2] / np.sqrt(1 + b) + b * X[3] / (1 + b)
    wanted = reference.basic.unit(np.array([X[0] + a * X[1], X[1] + a * X[0], third, X[3]]))
    assert_allclose(cheb_gr(X, deviations=1, beta=0.5), wanted, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 30),
    st.sampled_from([0, 0.7, 1.5]),
    st.sampled_from([0.2, 2.0]),
    st.integers(0, 2),
)
def test_equals_the_definition(seed, count, deviations, beta, rounds):
    x = np.random.default_rng(seed).normal(size=(count, 4)).astype(np.float32)
    found = cheb_gr(x, deviations=deviations, beta=beta, rounds=rounds)
    wanted = reference.propagation.cheb_gr(x, deviations, beta, rounds) if rounds else x
    assert_allclose(found, wanted, atol=2e-5)
    if count > 1:
        sides = cheb_gr(x[:1], x[1:], deviations=deviations, beta=beta, rounds=rounds)
        assert_array_equal(np.concatenate(sides), found)


def test_where_nobody_is_near_features_stay():
    x = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    for settings_ in ({"deviations": 60}, {"most": 1, "deviations": 0}):
        assert_allclose(cheb_gr(x, **settings_), l2_normalize(x), atol=1e-6)
