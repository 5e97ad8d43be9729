"""The uncertainty of a list: by hand, against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from postproc import list_uncertainty
from postproc.kernels import reference

G = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [-1, 0.1]], np.float32)


def test_by_hand():
    assert_allclose(list_uncertainty(G[:1], G, depth=2, k=2), [0], atol=1e-6)
    assert_allclose(list_uncertainty(G[:1], G, depth=4, k=2), [np.log(2)], rtol=1e-6)
    # the last has the third as its nearest: groups of two and of three
    wanted = -(0.4 * np.log(0.4) + 0.6 * np.log(0.6))
    assert_allclose(list_uncertainty(G[:2], G, depth=5, k=2), [wanted, wanted], rtol=1e-6)
    assert_allclose(list_uncertainty(G[:1], G, depth=5, k=1), [np.log(5)], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 25), st.integers(1, 12), st.integers(1, 5))
def test_equals_the_definition(seed, count, depth, k):
    rng = np.random.default_rng(seed)
    query, gallery = (rng.normal(size=(n, 4)).astype(np.float32) for n in (4, count))
    found = list_uncertainty(query, gallery, depth=depth, k=k)
    assert_allclose(found, reference.groups.list_uncertainty(query, gallery, depth, k), atol=1e-6)


def test_refuses():
    with pytest.raises(ValueError, match="depth: wanted"):
        list_uncertainty(G, G[:2], depth=0)
