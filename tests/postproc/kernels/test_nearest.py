"""The nearest of rows and columns, where tiles are larger than what is collected before it is selected."""

import numpy as np
import pytest
from numba import TypingError
from numpy.testing import assert_array_equal

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu import marks, nearest
from tests.support.each import each

N = 500
BLOCKS = {"wide": [slice(0, 210), slice(210, N)], "narrow": [slice(0, N - 9), slice(N - 9, N)]}
RNG = np.random.default_rng(0)
WAYS = {"kernel": 0, "NumPy": N, "waits": N}
PLACES = np.arange(N, dtype=np.float32)
MATRICES = {
    "ties": np.floor(40 * RNG.random((N, N))).astype(np.float32) - 7,  # below 0 too
    "ever nearer": -(PLACES[:, None] + PLACES),
    "ever farther": PLACES[:, None] + PLACES,
}


@each("name", MATRICES)
@each("k", [1, 60])
@each("blocks", BLOCKS)
@each("way", WAYS)
def test_of_a_symmetric_matrix_in_tiles(name, k, blocks, way, monkeypatch):
    monkeypatch.setattr(nearest, "FEW", WAYS[way])
    blocks, wait = BLOCKS[blocks], way == "waits"
    matrix = np.minimum(MATRICES[name], MATRICES[name].T)
    values, rows = np.full((N, k), np.inf, np.float32), np.full((N, k), nearest.NOBODY)
    worst, largest = np.full(N, np.inf, np.float32), np.full(N, -np.inf, np.float32)
    waiting = (np.empty((N, 100), np.int64), np.zeros(N, np.int64)) if wait else None
    for i, j in [(0, 1), (1, 1), (0, 0)]:
        offer = nearest.offer_rows if i == j else nearest.offer_both
        tile = np.ascontiguousarray(matrix[blocks[i], blocks[j]])
        offer(tile, blocks[i].start, blocks[j].start, values, rows, worst, largest, waiting)
    if waiting:
        assert waiting[1].any() or name == "ever farther"
        nearest.settle(values, rows, waiting, 0, N)
    nearest.sort_lists(values, rows, 0, N)
    wanted = np.argsort(matrix, axis=1, kind="stable")[:, :k]
    assert_array_equal(rows, wanted)
    assert_array_equal(values, np.take_along_axis(matrix, wanted, axis=1))
    assert (worst >= values[:, -1]).all()
    assert wait or (worst == values[:, -1]).all()
    assert_array_equal(largest, matrix.max(axis=1))


def test_numpy_takes_in_what_the_kernel_does(monkeypatch):
    tile = np.floor(5 * RNG.standard_normal((40, 70))).astype(np.float32)
    tile[tile == 3], tile[tile == 2], tile[tile == 1] = np.nan, np.inf, -0.0
    tile[5], tile[6, ::3] = np.nan, -np.nan  # whose bits are smaller than any
    found = []
    for few in (0, 110):
        monkeypatch.setattr(nearest, "FEW", few)
        values, rows = np.full((110, 50), np.inf, np.float32), np.full((110, 50), nearest.NOBODY)
        worst, largest = np.full(110, np.inf, np.float32), np.full(110, -np.inf, np.float32)
        nearest.offer_both(tile, 0, 40, values, rows, worst, largest)
        nearest.offer_rows(tile[:, :10], 0, 0, values, rows, worst, largest)
        nearest.sort_lists(values, rows, 0, 110)
        found.append((values.view(np.int32), rows, worst, largest))
    for one, other in zip(*found, strict=True):
        assert_array_equal(one, other)


@compiled
def marks_from(values, place, limits, tops, first):
    one = marks.marks(values, place, limits[first], tops[first])
    return one, marks.marks_of_each(values, place, limits, tops, first)


def test_marks_by_hand():
    values = np.full((2, 70), 2, np.float32)
    values[1, 2:5] = 1, np.nan, 5  # 1 <= 1: bit 0; nothing of NaN; 5 > 4: bit 2
    ones = np.ones(65, np.float32)
    assert marks_from(values, 72, ones, 4 * ones, 1) == (0b101, 0b101)
    ones[3] = 2  # and number 2 of its own limit, 2
    assert marks_from(values, 75, ones, 4 * ones, 0) == (0, 0b1000)


@each("wrong", [np.ones(128, np.float32)[::2], np.ones(64)])
def test_marks_are_of_float32_side_by_side(wrong):
    ones = np.ones(64, np.float32)
    with pytest.raises(TypingError):
        marks_from(wrong, 0, ones, ones, 0)


def test_first_of_rows():
    matrix = np.array([[3.0, 1, 1, 2], [-np.inf, 0, 5, 5]])
    rows = np.empty((2, 3), np.int32)
    nearest.first_of_rows(matrix, rows)
    assert_array_equal(rows, [[1, 2, 3], [0, 1, 2]])
