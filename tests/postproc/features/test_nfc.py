"""Mutual neighbours pulled together: by hand, against the definition, against the released function."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import l2_normalize, nfc
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, world

X = np.array([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]], np.float32)


def test_by_hand():
    # nearest by cosine:  0: image 1 at 0.8;  1: image 0 at 0.8;  2: image 1 at 0.6;  3: image 2 at 0
    # so only 0 and 1 choose each other: (1.8, 0.6) over sqrt(3.6), both
    pair = np.array([1.8, 0.6]) / np.sqrt(3.6)
    assert_allclose(nfc(X, k1=1, k2=1), [pair, pair, X[2], X[3]], atol=1e-7)
    # the two nearest: 0: 1, 2;  1: 0, 2;  2: 1, and then 0 and 3 at 0 alike, so 0;  3: 2, 0
    # three choose each other; 2 is no farther from 3 than from 0, so 3 takes 2, while 2 does not take 3
    three = np.array([1.8, 1.6]) / np.hypot(1.8, 1.6)
    assert_allclose(nfc(X), [three, three, three, [-np.sqrt(0.5), np.sqrt(0.5)]], atol=1e-7)
    # of its two, only 1 has 0 as its nearest; 0 and 2 both have 1; nobody has 2 or 3
    assert_allclose(nfc(X, k1=2, k2=1), [pair, three, X[2], X[3]], atol=1e-7)


@settings(max_examples=60)
@given(features=cubes(st.integers(1, 30), (0.0, 1.0, 2.0)), k1=st.integers(1, 40), k2=st.integers(1, 8))
def test_equals_the_definition(features, k1, k2):
    assert_allclose(nfc(features, k1=k1, k2=k2), reference.expansion.nfc(features, k1, k2), atol=1e-6)


@each(("k1", "k2"), [(2, 2), (5, 3), (7, 7)])
def test_equals_the_definition_without_ties(k1, k2):
    features = np.delete(world(ng=200)["gallery"], [5, 17], axis=0)
    assert_allclose(nfc(features, k1=k1, k2=k2), reference.expansion.nfc(features, k1, k2), atol=1e-6)


def test_more_k2_than_k1_is_as_much():
    x = world()["gallery"]
    assert_array_equal(nfc(x, k1=3, k2=9), nfc(x, k1=3, k2=3))
    assert_array_equal(nfc(x[:1]), l2_normalize(x[:1]))


@each(("k1", "k2"), [(2, 2), (5, 3), (4, 4)])
def test_released(shared, k1, k2):
    golden = np.load(shared / "golden" / "nfc.npz")
    for side in "qg":
        found = nfc(golden[side], k1=k1, k2=k2)
        assert_allclose(found, golden[f"f{side}__nfc__k1={k1}_k2={k2}"], rtol=0, atol=1e-6)
