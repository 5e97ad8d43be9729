"""Two ways to the factors of Sinkhorn's rows and columns: exponentials that are kept, and logarithms."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import sinkhorn, sinkhorn_distances, sqeuclidean
from postproc.hubness import factors
from postproc.kernels.cpu.exponentials import log_of_single
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=130, ng=310)
QUERY, GALLERY = DATA["query"], DATA["gallery"]


def both_ways(step, *data, **settings):
    """By shares that are kept, and by logarithms."""
    with patch.object(factors, "by_logarithms", side_effect=AssertionError("shares are wanted")):
        kept = step(*data, **settings)
    with patch.object(factors, "are_kept", lambda *limits: False):
        return kept, step(*data, **settings)


@each("temperature", [0.025, 0.05, 1.0, 2.0])
def test_both_ways_are_one(temperature):
    for data in ((QUERY, GALLERY), (GALLERY,)):
        for half_rounds in (6, 7, 40):
            kept, other = both_ways(sinkhorn, *data, temperature=temperature, half_rounds=half_rounds)
            assert_allclose(kept, other, rtol=2e-6, atol=1e-6)


@each("shift", [0.0, -3.0])
def test_of_distances_with_images_that_never_return(shift):
    far = np.random.default_rng(0).random((40, 70), np.float32) + np.float32(shift)
    far[3], far[:, 5], far[7, 9:60] = np.inf, np.inf, np.inf
    kept, other = both_ways(sinkhorn_distances, far, temperature=0.05, half_rounds=20)
    assert_array_equal(np.isinf(kept), np.isinf(far))
    assert_allclose(kept, other, rtol=2e-6, atol=1e-6)


def test_what_float32_cannot_hold_goes_by_logarithms():
    for settings in ({"temperature": 0.024}, {"temperature": 2.1}, {"half_rounds": 5}):
        with (
            patch.object(factors, "by_shares", side_effect=AssertionError("logarithms are wanted")),
            patch.object(factors, "by_logarithms", wraps=factors.by_logarithms) as asked,
        ):
            sinkhorn(QUERY, GALLERY, **settings)
            sinkhorn(sqeuclidean(QUERY, GALLERY))  # nobody knows how large these may be
        assert asked.call_count == 2


@pytest.mark.parametrize("half_rounds", [6, 7])
def test_the_first_are_those_of_the_whole(half_rounds):
    whole = sinkhorn(QUERY, GALLERY, half_rounds=half_rounds)
    near = sinkhorn(QUERY, GALLERY, half_rounds=half_rounds, top_k=9)
    assert_array_equal(near.distances, np.take_along_axis(whole, near.rows.astype(np.int64), axis=1))
    assert_array_equal(near.distances, np.sort(whole, axis=1)[:, :9])


def test_the_logarithm():
    values = np.concatenate([np.logspace(-37, 38, 4001), [1.0, 0.70710677, 0.7071068, 1.4142135]]).astype(
        np.float32
    )
    found = np.array([log_of_single(value) for value in values])
    assert_allclose(found, np.log(values.astype(np.float64)), rtol=0, atol=2e-9)
    assert log_of_single(np.float32(0)) == -np.inf
