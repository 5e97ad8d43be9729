"""What ranx gives for exponents of hits, weighted hits, LogNISR and MAPFuse; ``tests/data/ranx_more.npz``."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble import fusion

FILE = Path(__file__).parents[2] / "data" / "ranx_more.npz"  # ranx 0.3 on drawn scores, a list of 14 of each model


@pytest.fixture(scope="module")
def ranx():
    """The scores of ranx, and every model's list as distances."""
    found = dict(np.load(FILE))
    lists = [-found[f"score{model}"] for model in (1, 2, 3)]
    return found, [np.where(fusion.places(d) < found["top"], d, np.float32(np.nan)) for d in lists]


def check(found, wanted):
    known = ~np.isnan(wanted)
    assert known.sum() > 80
    assert_allclose(-found[known], wanted[known], rtol=1e-5, atol=1e-6)


def test_exponents_of_hits(ranx):
    found, lists = ranx
    for exponent in (-1.0, 0.5, 1.5):
        check(fusion.comb_mnz(lists, exponent=exponent), found[f"gmnz_{exponent}"])
    check(fusion.comb_mnz(lists, exponent=0.5, weights=found["weights"].tolist()), found["mixed"])


def test_weighted_hits(ranx):
    found, lists = ranx
    check(fusion.comb_mnz(lists, weigh="hits", weights=found["weights"].tolist()), found["wmnz"])


def test_by_rank(ranx):
    found, lists = ranx
    for sigma in (0.01, 0.5):
        check(fusion.inverse_square_rank(lists, hits="log", sigma=sigma), found[f"logn_isr_{sigma}"])
    check(fusion.reciprocal_rank_fusion(lists, k=0, weights=[0.6, 0.4, 0.3]), found["mapfuse_0.6_0.4_0.3"])


def test_by_hand():
    far = [np.array([[0.0, 0.5, 1.0]], np.float32), np.array([[0.0, np.nan, 1.0]], np.float32)]
    # near: 1 and 1, .5 and nobody's, 0 and 0
    assert_allclose(fusion.comb_mnz(far, exponent=-1), [[-1, -0.5, 0]])
    assert_allclose(fusion.comb_mnz(far, exponent=2), [[-8, -0.5, 0]])
    assert_allclose(fusion.comb_mnz(far, weigh="hits", weights=[3, 1]), [[-(3 + 1) * 2, -3 * 0.5, 0]])
