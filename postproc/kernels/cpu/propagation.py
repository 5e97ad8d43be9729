"""Sums over neighbours on a sparse graph, and products within small sets of images."""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def propagate(offsets, members, weights, x, start, stop, out):
    """``out[i] = sum_at weights[at] * x[members[at]]``, at in ``offsets[i]:offsets[i + 1]``, for the rows
    ``start:stop`` of (n, d) float32; weights are float64, and so are sums, taken in order."""
    total = np.empty(x.shape[1], np.float64)
    for i in range(start, stop):
        total[:] = 0
        for at in range(offsets[i], offsets[i + 1]):
            weight, row = weights[at], x[members[at]]
            for j in range(total.size):
                total[j] += weight * row[j]
        out[i] = total


def products_within(features):
    """(n, m, d) float32 -> (n, m, m): the products of the rows of every set."""
    return features @ features.transpose(0, 2, 1)


def weighted_sums(weights, features):
    """(n, m) float64 and (n, m, d) float32 -> (n, d) float64: a sum for every set."""
    return np.einsum("ij,ijd->id", weights, features)
