"""The nearest of those that came before, as in :mod:`postproc.kernels.cpu.gallery`."""

import numpy as np
from numba import cuda

from postproc.kernels.cuda import block, launch

INFINITE = np.float32(np.inf)


def nearest_before(tile, first_row, first_column, values, rows):
    """A block a row of the tile."""
    launch.blocks(_nearest_before, len(tile), tile, first_row, first_column, values, rows)


@cuda.jit(cache=True)
def _nearest_before(tile, first_row, first_column, values, rows):
    i = cuda.blockIdx.x
    row = first_row + i
    width = row - first_column
    if width > tile.shape[1]:
        width = tile.shape[1]
    nearest = INFINITE
    at = np.int32(tile.shape[1])
    for j in range(cuda.threadIdx.x, width, cuda.blockDim.x):
        if tile[i, j] < nearest:
            nearest = tile[i, j]
            at = np.int32(j)
    at = block.owner_of_least(nearest, at)
    if cuda.threadIdx.x == 0 and at < tile.shape[1] and tile[i, at] < values[row]:
        values[row] = tile[i, at]
        rows[row] = np.int32(first_column + at)
