"""The nearest of rows and columns, where tiles are larger than what is collected before it is selected."""

import numpy as np
from numpy.testing import assert_array_equal

from postproc.kernels.cpu import marks, nearest
from tests.support.each import each

N = 500
BLOCKS = [slice(0, 210), slice(210, N)]
RNG = np.random.default_rng(0)
PLACES = np.arange(N, dtype=np.float32)
MATRICES = {
    "ties": np.floor(40 * RNG.random((N, N))).astype(np.float32) - 7,  # below 0 too
    "ever nearer": -(PLACES[:, None] + PLACES),
    "ever farther": PLACES[:, None] + PLACES,
}


@each("name", MATRICES)
@each("k", [1, 60])
def test_of_a_symmetric_matrix_in_tiles(name, k):
    matrix = np.minimum(MATRICES[name], MATRICES[name].T)
    values, rows = np.full((N, k), np.inf, np.float32), np.full((N, k), nearest.NOBODY)
    worst, largest = np.full(N, np.inf, np.float32), np.full(N, -np.inf, np.float32)
    for i, j in [(0, 1), (1, 1), (0, 0)]:
        offer = nearest.offer_rows if i == j else nearest.offer_both
        tile = np.ascontiguousarray(matrix[BLOCKS[i], BLOCKS[j]])
        offer(tile, BLOCKS[i].start, BLOCKS[j].start, values, rows, worst, largest)
    nearest.sort_heaps(values, rows, 0, N)
    wanted = np.argsort(matrix, axis=1, kind="stable")[:, :k]
    assert_array_equal(rows, wanted)
    assert_array_equal(values, np.take_along_axis(matrix, wanted, axis=1))
    assert_array_equal(worst, values[:, -1])
    assert_array_equal(largest, matrix.max(axis=1))


@each("size", [3, 64])
def test_marks_by_hand(size):
    values = np.full(size, 2, np.float32)
    values[:3] = 1, np.nan, 5  # 1 <= 1: bit 0; nothing of NaN; 5 > 4: bit 2
    ones = np.ones(size, np.float32)
    assert marks.marks(values, ones[0], 4 * ones[0]) == 0b101
    assert marks.marks_of_each(values, ones, 4 * ones) == 0b101


def test_first_of_rows():
    matrix = np.array([[3.0, 1, 1, 2], [-np.inf, 0, 5, 5]])
    rows = np.empty((2, 3), np.int32)
    nearest.first_of_rows(matrix, rows)
    assert_array_equal(rows, [[1, 2, 3], [0, 1, 2]])


def test_marks_of_numbers_that_are_not_side_by_side():
    """Every other float32, and float64: looked at one by one, and not read as what they are not."""
    values = np.random.default_rng(0).random(2 * marks.STRETCH).astype(np.float32)
    for some in (values[::2], values[::2].astype(np.float64)):
        wanted = sum(1 << j for j, value in enumerate(some.tolist()) if value <= 0.25 or value > 0.5)
        found = marks.marks(some, np.float32(0.25), np.float32(0.5))
        assert found % 2**64 == wanted
