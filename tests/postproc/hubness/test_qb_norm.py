"""Normalisation by banks: by hand, against the definition, against the published order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import qb_norm, rank
from postproc.kernels import reference
from tests.support.worlds import cubes

Q = np.array([[1, 0], [0, 1]], np.float32)
G = np.array([[1, 0], [0.6, 0.8]], np.float32)
BANK = np.array([[1, 0], [0.8, 0.6]], np.float32)


def test_by_hand():
    # cosines of the bank: 1, 0.6 and 0.8, 0.96: the hubs are both images, the biases log means of exp(2 s) / 2
    soft = [np.log((np.exp(2 * 1.0) + np.exp(2 * 0.8)) / 2) / 2, np.log((np.exp(1.2) + np.exp(1.92)) / 2) / 2]
    wanted = [[0 + soft[0], 0.4 + soft[1]], [1 + soft[0], 0.2 + soft[1]]]
    assert_allclose(qb_norm(Q, G, BANK, beta=2), wanted, rtol=1e-6)
    # a bank that names the first alone: the second query, whose nearest is the second, stays as it is
    assert_allclose(qb_norm(Q, G, BANK[:1]), [[0 + 1, 0.4 + 0.6], [1, 0.2]], atol=1e-6)
    assert_allclose(qb_norm(Q, G, BANK[:1], dynamic=False), [[1, 1], [2, 0.8]], atol=1e-6)
    # both gallery images have one other, at cosine .6: every bias is the mean of two with weights 20 and 60
    wanted = [[0 + (20 * 1 + 60 * 0.6) / 80, 0.4 + 0.6], [1 + (20 + 36) / 80, 0.2 + 0.6]]
    assert_allclose(qb_norm(Q, G, BANK[:1], gallery_beta=60, dynamic=False), wanted, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    sides=st.tuples(*(cubes(st.integers(1, most), (1.0, 2.0)) for most in (6, 25, 10))),
    betas=st.sampled_from([(20.0, 0.0), (0.5, 3.0)]),
    k=st.integers(1, 12),
    dynamic=st.booleans(),
    top_k=st.integers(1, 12),
)
def test_equals_the_definition(sides, betas, k, dynamic, top_k):
    query, gallery, bank = map(reference.basic.unit, sides)
    among = gallery @ gallery.T
    np.fill_diagonal(among, -np.inf)
    chosen = {"beta": betas[0], "gallery_beta": betas[1], "k": k, "dynamic": dynamic}
    if betas[1] and len(gallery) == 1:
        return  # nobody else is there
    found = qb_norm(*sides, **chosen)
    tables = ((query @ gallery.T).round(9), (bank @ gallery.T).round(9), among.round(9))  # of equal ones the first
    assert_allclose(found, reference.hubness.qb_norm(*tables, betas, k, dynamic), atol=5e-6)
    nearest = qb_norm(*sides, **chosen, top_k=top_k)
    assert_array_equal(nearest.rows, rank(found, top_k=top_k))


def test_the_order_is_that_of_the_quotient():
    rng = np.random.default_rng(0)
    query, gallery, bank = (reference.basic.unit(rng.normal(size=(n, 8))) for n in (30, 40, 25))
    found = qb_norm(*(side.astype(np.float32) for side in (query, gallery, bank)))
    s, b = query @ gallery.T, np.exp(20 * bank @ gallery.T)
    hubs = b.argmax(axis=1)
    quotient = np.where(np.isin(s.argmax(axis=1), hubs)[:, None], np.exp(20 * s) / b.sum(axis=0), s)
    assert_array_equal(rank(found), np.argsort(-quotient, axis=1))


def test_refuses_a_bank_that_does_not_fit():
    with pytest.raises(ValueError, match=r"^gallery and train: wanted the same width, got 2 and 3 numbers"):
        qb_norm(Q, G, np.eye(3))
    with pytest.raises(ValueError, match=r"^beta: wanted "):
        qb_norm(Q, G, BANK, beta=0)
