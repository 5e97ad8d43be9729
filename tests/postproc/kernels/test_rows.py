"""What looks at single rows, at every width around those of its lanes, against NumPy in float64."""

from unittest.mock import patch

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc.kernels.cpu import rows
from postproc.pairs.pairwise import read_only
from tests.support.each import each

WIDTHS = [1, 31, 32, 33, 63, 64, 65, 127, 128, 129, 300]


def some(width, count=40):
    return read_only(np.random.default_rng(width).standard_normal((count, width)).astype(np.float32))


@each("width", WIDTHS)
def test_equal_rows_alone_have_equal_keys(width):
    x = some(width).copy()
    x[30] = x[3]
    for at, column in enumerate({0, width // 2, width - 1}):  # one bit in one place
        x[31 + at] = x[3]
        x[31 + at, column] = np.nextafter(x[3, column], np.float32(np.inf))
    keys = np.zeros(len(x), np.uint64)
    rows.hash_rows(read_only(x.view(np.uint32)), keys, 0, len(x))
    assert keys[30] == keys[3]
    assert len(np.unique(keys)) == len(np.unique(x, axis=0))


@each("width", WIDTHS)
def test_square_norms_and_sums(width):
    x, signs = some(width), np.where(np.arange(width) % 3, 1, -1).astype(np.float32)
    out, sums = np.full(len(x), np.nan, np.float32), np.zeros(width)
    rows.square_norms(x, signs, 0, 25, out, sums)
    rows.square_norms(x, signs, 25, len(x), out, sums)
    wide = x.astype(np.float64)
    assert_allclose(out, (signs * wide * wide).sum(axis=1), rtol=1e-6, atol=1e-6)
    assert_allclose(sums, wide.sum(axis=0), rtol=1e-12, atol=1e-12)


@each("width", WIDTHS)
def test_products_of_pairs_depend_on_no_other_pair(width):
    first, second, signs = some(width), some(width, 7), np.ones(width, np.float32)
    left, right = np.arange(47), np.arange(47)[::-1].copy()
    out = np.empty(47, np.float32)
    rows.products_of_pairs(first, second, 40, signs, left, right, 0, 47, out)
    both = np.concatenate([first, second]).astype(np.float64)
    assert_allclose(out, (both[left] * both[right]).sum(axis=1), rtol=1e-5, atol=1e-5)
    again = np.empty(47, np.float32)
    for at in range(47):
        rows.products_of_pairs(first, second, 40, signs, left, right, at, at + 1, again)
    assert_array_equal(again, out)


@each("width", WIDTHS)
def test_products_with_one_row_side_by_side_are_those_of_each_alone(width):
    first, second, signs = some(width), some(width, 7), np.where(np.arange(width) % 3, 1, -1).astype(np.float32)
    left = np.repeat([3, 44, 3, 12, 41], [9, 4, 3, 1, 6])  # of fours and what is left of them
    right = np.random.default_rng(0).integers(0, 47, len(left))
    out, again = np.full((2, len(left)), np.nan, np.float32)
    with patch.object(rows, "MANY", 1):
        rows.products_of_pairs(first, second, 40, signs, left, right, 0, len(left), out)
    both = np.concatenate([first, second]).astype(np.float64)
    assert_allclose(out, (signs * both[left] * both[right]).sum(axis=1), rtol=1e-5, atol=1e-5)
    for at in range(len(left)):
        rows.products_of_pairs(first, second, 40, signs, left, right, at, at + 1, again)
    assert_array_equal(again, out)
