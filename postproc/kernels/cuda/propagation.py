"""Sums over neighbours on a sparse graph, as in :mod:`postproc.kernels.cpu.propagation`."""

import numpy as np
import torch
from numba import cuda

from postproc.kernels.cuda import launch
from postproc.kernels.cuda.tiles import in_float32


def propagate(offsets, members, weights, x, start, stop, out):
    """A block a row, a thread a column."""
    launch.blocks(_propagate, stop - start, offsets, members, weights, x, start, out)


@cuda.jit(cache=True)
def _propagate(offsets, members, weights, x, start, out):
    i = start + cuda.blockIdx.x
    for j in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        total = np.float64(0)
        for at in range(offsets[i], offsets[i + 1]):
            total += weights[at] * np.float64(x[members[at], j])
        out[i, j] = total


def products_within(features):
    """(n, m, d) float32 -> (n, m, m): the products of the rows of every set."""
    with in_float32():
        return torch.bmm(features, features.mT)


def weighted_sums(weights, features):
    """(n, m) float64 and (n, m, d) float32 -> (n, d) float64: a sum for every set."""
    return torch.bmm(weights[:, None], features.double())[:, 0]
