"""Sums over the rows of neighbours: what query expansion and its relatives are made of."""

import numpy as np

from postproc.kernels.compiled import compiled


def similarities(images, bank, rows, out):
    """``out[i, r] = images[i] . bank[rows[i, r]]``."""
    for column, found in zip(rows.T, out.T, strict=True):
        found[:] = np.einsum("ij,ij->i", images, bank[column])


@compiled
def add_neighbours(images, bank, rows, weights, out):
    """``out[i] = images[i] + sum_r weights[i, r] * bank[rows[i, r]]``, summed in float64 in the order of the list.

    Entries of weight 0 are not looked at; their row may be -1.
    """
    total = np.empty(images.shape[1], np.float64)
    for i in range(len(images)):
        total[:] = images[i]
        for r in range(rows.shape[1]):
            weight = np.float64(weights[i, r])
            if weight != 0:
                neighbour = bank[rows[i, r]]
                for j in range(total.size):
                    total[j] += weight * neighbour[j]
        out[i] = total
