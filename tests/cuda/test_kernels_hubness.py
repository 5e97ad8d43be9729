import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tests.cuda.twice import twice
from tests.support.each import each

RNG = np.random.default_rng(0)
STRIP = RNG.gamma(2, size=(6, 11)).astype(np.float32)
ROWS, COLUMNS = RNG.gamma(2, size=6), RNG.gamma(2, size=11)


def test_scale_and_add(on_device):
    ((cuda, cpu),) = twice(on_device, "hubness.scale_and_add", STRIP, 2.0, ROWS, COLUMNS, 1, 5, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)


@each("form", [0, 1, 2])
@each("square", [True, False])
def test_rescale(on_device, form, square):
    strip = STRIP - 1
    strip[2, 3] = 1e30  # its square is more than float32 can hold
    ((cuda, cpu),) = twice(on_device, "hubness.rescale", strip, ROWS, COLUMNS, square, form, 1, 5, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)


@each("diagonal", [True, False])
@each("root", [True, False])
def test_moments_of_tile(on_device, root, diagonal):
    strip = (STRIP if not diagonal else STRIP[:, :6].copy()) - np.float32(0.5)
    width = strip.shape[1]
    vectors = ROWS, COLUMNS[:width], np.arange(1.0, 7), np.arange(1.0, 1 + width)
    arguments = (strip, root, *vectors, np.ones((2, 6)), np.ones((2, width)), diagonal)
    for cuda, cpu in twice(on_device, "hubness.moments_of_tile", *arguments, written=(6, 7)):
        assert_allclose(cuda, cpu, rtol=1e-6)


@each("root", [True, False])
def test_mutual_normal(on_device, root):
    deviations = COLUMNS.copy()
    deviations[4] = 0
    arguments = (STRIP, root, COLUMNS, deviations, 1, 5)
    ((cuda, cpu),) = twice(on_device, "hubness.mutual_normal", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6, atol=1e-7)


@each("others", [3, 10])
def test_count_beyond(on_device, others):
    strip = RNG.integers(0, 6, (4, 11)).astype(np.float32)
    banks = RNG.integers(0, 6, (others, 11)).astype(np.float32)
    columns, counts = RNG.permutation(11)[:others], np.zeros((4, 11), np.int32)
    ((cuda, cpu),) = twice(on_device, "hubness.count_beyond", strip, banks, columns, 1, 4, counts, written=(5,))
    assert_array_equal(cuda, cpu)


def test_log_sums_of_rows(on_device):
    strip = STRIP.copy()
    strip[2], strip[4, 3] = np.inf, np.inf
    arguments = (strip, -3.0, COLUMNS, 1, 6, np.zeros(6))
    ((cuda, cpu),) = twice(on_device, "hubness.log_sums_of_rows", *arguments, written=(5,))
    assert_allclose(cuda, cpu, rtol=1e-12)


@each("kind", [np.float32, np.float64])
def test_shares_of_rows(on_device, kind):
    strip = STRIP.copy()
    strip[2], strip[4, 3] = np.inf, np.inf
    arguments = (strip, -3.0, COLUMNS, 1, 6, np.zeros((6, 11), kind), np.zeros(6), np.zeros(6))
    found = twice(on_device, "hubness.shares_of_rows", *arguments, written=(5, 6, 7))
    for cuda, cpu in found:
        assert_allclose(cuda, cpu, rtol=1e-12 if kind is np.float64 else 3e-6)
    assert not found[0][1][2].any()
    assert found[0][1][4, 3] == 0


def test_add_shares(on_device):
    arguments = (np.exp(-STRIP), ROWS, 1, 10, COLUMNS)
    for cuda, cpu in twice(on_device, "hubness.add_shares", *arguments, written=(4,)):
        assert_allclose(cuda, cpu, rtol=1e-12)


def test_add_to_columns(on_device):
    strip = STRIP.copy()
    strip[0], strip[:, 7] = np.inf, np.inf
    arguments = (strip, -3.0, ROWS, 1, 10, np.full(11, -np.inf), np.zeros(11))
    for cuda, cpu in twice(on_device, "hubness.add_to_columns", *arguments, written=(5, 6)):
        assert_allclose(cuda, cpu, rtol=1e-12)
