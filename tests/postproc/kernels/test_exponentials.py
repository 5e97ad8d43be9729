"""exp and erfc of the kernels against those of the standard library."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from postproc.kernels.cpu.exponentials import exp_below, single_erfc_of, single_exp_below


@given(st.floats(-700, 0))
def test_exp(x):
    assert_allclose(exp_below(x), math.exp(x), rtol=1e-13)


@given(st.floats(-86, 0, width=32))
def test_exp_of_float32(x):
    assert_allclose(single_exp_below(np.float32(x)), math.exp(x), rtol=3e-7)


@given(st.floats(-30, 9.25, width=32))
def test_erfc_of_float32(x):
    assert_allclose(single_erfc_of(np.float32(x)), math.erfc(x), rtol=3e-7 + 3e-7 * x * x)


def test_ends():
    assert [exp_below(x) for x in (0.0, -0.0, -708.5, -np.inf)] == [1, 1, 0, 0]
    assert [single_exp_below(np.float32(x)) for x in (0.0, -0.0, -87.0, -np.inf)] == [1, 1, 0, 0]
    assert [single_erfc_of(np.float32(x)) for x in (-np.inf, -40.0, 0.0, 40.0, np.inf)] == [2, 2, 1, 0, 0]
