import numpy as np
from numpy.testing import assert_allclose

from tests.cuda.twice import twice
from tests.support.each import each

RNG = np.random.default_rng(0)
FACTORS = RNG.random((4, 4, 6)).astype(np.float32)
NORMS, CAMS = RNG.random(12).astype(np.float32), RNG.integers(0, 4, 12).astype(np.int32)
TIMES = RNG.integers(0, 70, 12).astype(np.float64)
TIMES[[2, 9]] = TIMES[3]


@each("rows_later", [True, False])
def test_join_tile(on_device, rows_later):
    tile = (4 * RNG.random((5, 12))).astype(np.float32)
    row = NORMS[:5], CAMS[:5], TIMES[:5]
    arguments = (tile, *row, NORMS, CAMS, TIMES, FACTORS, 10, 5.0, 1.0, rows_later, 1, 5)
    ((cuda, cpu),) = twice(on_device, "spatio_temporal.join_tile", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)


def test_join_tile_far_beyond_what_an_exponential_holds(on_device):
    tile = np.full((1, 12), 1e4, np.float32)
    arguments = (tile, NORMS[:1], CAMS[:1], TIMES[:1], NORMS, CAMS, TIMES, FACTORS, 10, 64.0, 1.0, True, 0, 1)
    ((cuda, cpu),) = twice(on_device, "spatio_temporal.join_tile", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)


def test_join_pairs(on_device):
    left, right = RNG.integers(0, 12, (2, 40)).astype(np.int32)
    squared = (4 * RNG.random(40)).astype(np.float32)
    arguments = (squared, left, right, NORMS, CAMS, TIMES, FACTORS, 10, 5.0, 1.0, 2, 39)
    ((cuda, cpu),) = twice(on_device, "spatio_temporal.join_pairs", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)
