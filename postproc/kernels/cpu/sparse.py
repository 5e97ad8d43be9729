"""Sparse rows: sums of them, their transpose, products; a range of rows at a time.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32.
"""

import numpy as np

from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.compiled import lean
from postproc.kernels.cpu.ahead import ask_for

ENTRY = 4  # bytes of a row's number and of a weight


def squares_of_rows(offsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n,) float64: the sum of the squares of every row."""
    rows = len(offsets) - 1
    owners = np.repeat(np.arange(rows), np.diff(offsets))
    return np.bincount(owners, np.square(weights, dtype=np.float64), rows)


def plus_transposed(
    offsets: np.ndarray, members: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``A + A'`` of a square matrix; members ascend."""
    from scipy.sparse import csr_matrix

    rows = len(offsets) - 1
    matrix = csr_matrix((weights, members, offsets), shape=(rows, rows))
    matrix.sort_indices()
    total = (matrix + matrix.T.tocsr()).tocsr()
    total.sort_indices()
    return total.indptr.astype(np.int64), total.indices.astype(np.int32), total.data


def sum_of_rows(
    offsets: Ints, members: Ints, weights: Floats, lists: Ints, factors: Floats, start: int, stop: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``sum_s factors[i, s] * row(lists[i, s])`` for the rows ``start:stop``, as (sizes, members, weights).

    Entries of ``lists`` below 0 are nobody. ``factors`` (1, 1) stands for one factor for all. A row's members
    come in the order in which they are met, and so are sums taken.
    """
    images, some = len(offsets) - 1, lists[start:stop]
    lengths = np.where(some < 0, 0, offsets[some + 1] - offsets[some])
    room = int(np.minimum(lengths.sum(axis=1), images).sum())
    sizes = np.empty(stop - start, np.int64)
    new_members, new_weights = np.empty(room, np.int32), np.empty(room, np.float32)
    total, seen = np.empty(images, np.float32), np.full(images, -1, np.int32)
    end = _sum_of_rows(
        offsets, members, weights, lists, factors, start, sizes, new_members, new_weights, total, seen
    )
    return sizes, new_members[:end].copy(), new_weights[:end].copy()


@lean
def _sum_of_rows(offsets, members, weights, lists, factors, start, sizes, new_members, new_weights, total, seen):
    one_factor = factors.shape[1] == 1
    end = 0
    for i in range(start, start + sizes.size):
        begin = end
        for s in range(lists.shape[1]):
            j = lists[i, s]
            if j < 0:
                continue
            factor = factors[0, 0] if one_factor else factors[i, s]
            for at in range(offsets[j], offsets[j + 1]):
                member = members[at]
                if seen[member] != i:
                    seen[member] = i
                    total[member] = 0
                    new_members[end] = member
                    end += 1
                total[member] += factor * weights[at]
        for at in range(begin, end):
            new_weights[at] = total[new_members[at]]
        sizes[i - start] = end - begin
    return end


def invert(offsets: Ints, members: Ints, weights: Floats, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Column lists of rows ``first ..`` of a sparse matrix: (offsets, rows - first, weights), rows ascending."""
    images, begin = len(offsets) - 1, offsets[first]
    new_offsets = np.zeros(images + 1, np.int64)
    np.cumsum(np.bincount(members[begin:], minlength=images), out=new_offsets[1:])
    rows, new_weights = np.empty(len(members) - begin, np.int32), np.empty(len(members) - begin, np.float32)
    _invert(offsets, members, weights, first, new_offsets[:-1].copy(), rows, new_weights)
    return new_offsets, rows, new_weights


@lean
def _invert(offsets, members, weights, first, end, rows, new_weights):
    for i in range(first, offsets.size - 1):
        for at in range(offsets[i], offsets[i + 1]):
            t = members[at]
            rows[end[t]] = i - first
            new_weights[end[t]] = weights[at]
            end[t] += 1


@lean
def add_products(
    strip, queries, offsets, members, weights, inverted_offsets, inverted_rows, inverted_weights, start, stop
):
    """``strip[r, j] += sum_t A[queries[r], t] * A[j, t]`` for the rows ``start:stop`` of a strip.

    The gallery side comes from :func:`invert`. Every sum is taken in the order of the query's own row.
    """
    for r in range(start, stop):
        row = strip[r]
        query = queries[r]
        last = offsets[query + 1] - 1
        for at in range(offsets[query], offsets[query + 1]):
            t, weight = members[at], weights[at]
            soon = inverted_offsets[members[min(at + 1, last)]] * ENTRY  # what comes behind it comes by itself
            ask_for(inverted_rows.ctypes.data + soon)  # type: ignore[call-arg]
            ask_for(inverted_weights.ctypes.data + soon)
            for column in range(inverted_offsets[t], inverted_offsets[t + 1]):
                row[inverted_rows[column]] += weight * inverted_weights[column]
