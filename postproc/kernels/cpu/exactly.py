"""Squared Euclidean distances of chosen pairs whose bits depend on the two rows alone.

So copies are equally far from everybody, whoever computes it, when, and in the company of which others.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.reciprocal import ZERO
from postproc.kernels.cpu.rows import difference

LANES = 64  # partial sums of one product: four vector registers, so that memory is waited for and no addition
NEAR = np.float32(2.0**-12)  # postproc.pairs.exact
NEAR_ENOUGH = np.float32(2.0**-10)
INFINITE = np.float32(np.inf)


@compiled
def product(a, b, lanes):
    """The inner product of two rows, with the same bits as that of (b, a)."""
    width = a.size
    whole = width // LANES * LANES
    lanes[:] = 0
    for j in range(0, whole, LANES):
        for lane in range(LANES):
            lanes[lane] += a[j + lane] * b[j + lane]
    for j in range(whole, width):
        lanes[j - whole] += a[j] * b[j]
    part = LANES // 2
    while part > 0:  # by halves: one after the other would take as long as the products
        for lane in range(part):
            lanes[lane] += lanes[lane + part]
        part //= 2
    return lanes[0]


@compiled
def distance(a, b, a_norm, b_norm, near, ones, lanes):
    """The squared Euclidean distance of two rows: 0 of copies; where asked, of near pairs from differences."""
    inner = product(a, b, lanes)
    value = (a_norm + b_norm) - (inner + inner)
    limit = NEAR * a_norm + NEAR * b_norm
    if value < limit + limit:
        if near:
            total, apart = difference(a, b, ones, limit)
            if apart < limit:
                value = np.float32(total)
        else:
            same = True
            for j in range(a.size):
                if a[j] != b[j]:
                    same = False
                    break
            if same:
                value = ZERO
    return max(value, ZERO)


@compiled
def distances_to(features, norms, queries, query_norms, near, start, stop, out):
    """``out[m, i]``: distances of few queries (m, d) to the rows ``start:stop``; each row is read once."""
    lanes = np.empty(LANES, np.float32)
    ones = np.ones(features.shape[1], np.float32)
    for i in range(start, stop):
        row = features[i]
        for m in range(queries.shape[0]):
            inner = product(row, queries[m], lanes)
            value = (norms[i] + query_norms[m]) - (inner + inner)
            if value < NEAR_ENOUGH * (norms[i] + query_norms[m]):  # for these distance() looks closer
                value = distance(row, queries[m], norms[i], query_norms[m], near, ones, lanes)
            out[m, i] = value


@compiled
def distances_to_some(features, norms, query, query_norm, near, rows, out):
    """``out[i]`` for the ``rows`` given, as :func:`distances_to`; the others stay."""
    lanes = np.empty(LANES, np.float32)
    ones = np.ones(features.shape[1], np.float32)
    for i in rows:
        out[i] = distance(features[i], query, norms[i], query_norm, near, ones, lanes)


@compiled
def list_distances(features, norms, near, rows, start, stop, values):
    """Rows ``start:stop``: the distances of listed images by :func:`distance`, and the lists in their order."""
    lanes = np.empty(LANES, np.float32)
    ones = np.ones(features.shape[1], np.float32)
    for i in range(start, stop):
        for s in range(rows.shape[1]):
            j = rows[i, s]
            if j < 0:
                values[i, s] = INFINITE
                continue
            value = distance(features[i], features[j], norms[i], norms[j], near, ones, lanes)
            at = s
            while at > 0 and (values[i, at - 1] > value or (values[i, at - 1] == value and rows[i, at - 1] > j)):
                values[i, at] = values[i, at - 1]
                rows[i, at] = rows[i, at - 1]
                at -= 1
            values[i, at] = value
            rows[i, at] = j
