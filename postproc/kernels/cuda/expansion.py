"""Sums over the rows of neighbours, as in :mod:`postproc.kernels.cpu.expansion`."""

import numpy as np
from numba import cuda

from postproc.kernels.cuda import block, launch


def similarities(images, bank, rows, out):
    """A block for every image and neighbour."""
    launch.blocks(_similarities, len(images) * rows.shape[1], images, bank, rows, out)


@cuda.jit(cache=True)
def _similarities(images, bank, rows, out):
    i = cuda.blockIdx.x // rows.shape[1]
    r = cuda.blockIdx.x % rows.shape[1]
    other = rows[i, r]
    own = np.float64(0)
    for j in range(cuda.threadIdx.x, images.shape[1], cuda.blockDim.x):
        own += np.float64(images[i, j]) * np.float64(bank[other, j])
    total = block.total(own)
    if cuda.threadIdx.x == 0:
        out[i, r] = np.float32(total)


def add_neighbours(images, bank, rows, weights, out):
    """A block an image, a thread a column: neighbours are read along their rows."""
    launch.blocks(_add_neighbours, len(images), images, bank, rows, weights, out)


@cuda.jit(cache=True)
def _add_neighbours(images, bank, rows, weights, out):
    i = cuda.blockIdx.x
    for j in range(cuda.threadIdx.x, images.shape[1], cuda.blockDim.x):
        total = np.float64(images[i, j])
        for r in range(rows.shape[1]):
            weight = np.float64(weights[i, r])
            if weight != 0:
                total += weight * np.float64(bank[rows[i, r], j])
        out[i, j] = np.float32(total)
