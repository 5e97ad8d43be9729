"""Nearest-neighbour normalisation: by hand, against the definition, against the released class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import nnn, rank
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes

Q = np.array([[1, 0]], np.float32)
G = np.array([[1, 0], [0.6, 0.8]], np.float32)
BANK = np.array([[0, 1], [0, 5], [-1, 0], [2, 0]], np.float32)


def test_by_hand():
    # cosines of the first to the bank: 0, 0, -1, 1: two largest 1, 0; of the second: 0.8, 0.8, -0.6, 0.6: 0.8, 0.8
    wanted = [[1 - (1 - 0.5 * 0.5), 1 - (0.6 - 0.5 * 0.8)]]
    assert_allclose(nnn(Q, G, BANK, k=2, alpha=0.5), wanted, rtol=1e-6)
    # the whole bank: means 0 and 0.4
    assert_allclose(nnn(Q, G, BANK, k=99, alpha=1.0), [[0, 1 - (0.6 - 0.4)]], atol=1e-6)


@settings(max_examples=60)
@given(
    sides=st.tuples(*(cubes(st.integers(1, most), (1.0, 2.0)) for most in (6, 25, 10))),
    k=st.integers(1, 12),
    alpha=st.sampled_from([0, 0.5, 2.0]),
    top_k=st.integers(1, 12),
)
def test_equals_the_definition(sides, k, alpha, top_k):
    query, gallery, bank = map(reference.basic.unit, sides)
    found = nnn(*sides, k=k, alpha=alpha)
    assert_allclose(found, reference.hubness.nnn(query @ gallery.T, gallery @ bank.T, k, alpha), atol=2e-6)
    nearest = nnn(*sides, k=k, alpha=alpha, top_k=top_k)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))


@each(("k", "alpha"), [(16, 0.75), (32, 0.5)])
def test_released_code(shared, k, alpha):
    golden = np.load(shared / "golden" / "nnn.npz")
    sides = golden["q"], golden["g"], golden["train"]
    found = nnn(*sides, k=k, alpha=alpha)
    assert_allclose(1 - found, golden[f"sim__nnn__k={k}_alpha={alpha}"], rtol=0, atol=1e-6)
    bias = (found - nnn(*sides, alpha=0)) / alpha
    assert_allclose(bias, np.tile(golden[f"aux__bias_means__k={k}"].T, (len(found), 1)), rtol=0, atol=2e-6)


def test_refuses_a_bank_that_does_not_fit():
    with pytest.raises(ValueError, match=r"^gallery and train: wanted the same width, got 2 and 3 numbers"):
        nnn(Q, G, np.eye(3))
    with pytest.raises(ValueError, match=r"^train: wanted at least one image"):
        nnn(Q, G, np.zeros((0, 2)))
