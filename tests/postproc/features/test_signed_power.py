"""Signed power: by hand, against the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import signed_power
from tests.support.each import each
from tests.support.worlds import lattices


def test_by_hand():
    features = np.array([[4, -9, 0.25, 0]], np.float32)
    assert_array_equal(signed_power(features), [[2, -3, 0.5, 0]])
    assert_array_equal(signed_power(features, exponent=0), [[1, -1, 1, 0]])
    assert_array_equal(signed_power(features, exponent=1), features)


@given(features=lattices(st.integers(0, 12)), exponent=st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 1.0]))
def test_equals_the_definition(features, exponent):
    wanted = [[np.sign(x) * abs(float(x)) ** exponent for x in row] for row in features]
    assert_allclose(signed_power(features, exponent=exponent), np.reshape(wanted, features.shape), rtol=1e-6)


def test_values_at_the_ends_of_float32():
    edges = np.array([[1e-38, -1e-44, 3e38, -3e38]], np.float32)
    found = signed_power(edges)
    assert_allclose(found**2 * np.sign(found), edges, rtol=1e-5, atol=1e-45)


@each("exponent", [-0.1, 1.1])
def test_refuses_the_exponent(exponent):
    with pytest.raises(ValueError, match=rf"^exponent: wanted 0 to 1, got {exponent}$"):
        signed_power(np.eye(2), exponent=exponent)
