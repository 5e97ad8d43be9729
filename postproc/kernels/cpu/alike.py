"""What a tile says of images whose features others have too: bits that depend on the two rows alone.

A product of matrices has other last bits in other places of a tile, and copies stand in several.
"""

import numpy as np

from postproc.base import arrays
from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.compiled import compiled, lean
from postproc.kernels.cpu.reciprocal import ZERO
from postproc.kernels.cpu.settling import apart

SOME = 64  # rows of a side that a cache holds while the other side passes by


def differences(
    tile: Floats, left: Floats, right: Floats, signs: Floats, row_alike: Ints, column_alike: Ints
) -> None:
    """``tile[i, j] <- sum_k signs[k] (left[i, k] - right[j, k])^2`` where either image is alike another, >= 0."""
    if row_alike.max(initial=-1) < 0 and column_alike.max(initial=-1) < 0:
        return
    turns = np.flatnonzero(np.diff(signs)) + 1  # values of one sign are added up as if there were no others
    borders = np.concatenate([[0], turns, [len(signs)]])
    left, right = arrays.contiguous(left), arrays.contiguous(right)
    _differences(tile, left, right, signs[borders[:-1]], borders, row_alike, column_alike)


@compiled
def _differences(tile, left, right, signs, borders, row_alike, column_alike):
    for start in range(0, tile.shape[1], SOME):
        for i in range(tile.shape[0]):
            for j in range(start, min(start + SOME, tile.shape[1])):
                if row_alike[i] >= 0 or column_alike[j] >= 0:
                    total = ZERO
                    for part in range(signs.size):
                        first, last = borders[part], borders[part + 1]
                        total += signs[part] * apart(left[i, first:last], right[j, first:last])
                    tile[i, j] = total


def products(tile: Floats, left: Floats, right: Floats, row_alike: Ints, column_alike: Ints) -> None:
    """``tile[i, j] <- left[i] . right[j]`` where either image is alike another: its number is 0 or more."""
    _products(tile, left, np.ascontiguousarray(right.T), row_alike, np.flatnonzero(column_alike >= 0))


@lean
def _products(tile, left, right, row_alike, columns):
    for i in range(tile.shape[0]):
        if row_alike[i] < 0:
            for j in columns:
                total = ZERO
                for k in range(left.shape[1]):
                    total += left[i, k] * right[k, j]
                tile[i, j] = total
            continue
        for j in range(tile.shape[1]):
            tile[i, j] = ZERO
        for k in range(left.shape[1]):  # each sum in the order of those above, many at a time
            value = left[i, k]
            for j in range(tile.shape[1]):
                tile[i, j] += value * right[k, j]
