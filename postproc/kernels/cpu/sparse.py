"""Products of sparse rows, a range of rows of the answer at a time.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32; the gallery side comes inverted, as
:func:`postproc.kernels.cpu.reciprocal.invert` makes it.
"""

from numba import njit


@njit(nogil=True, cache=True)
def add_products(
    strip, queries, offsets, members, weights, inverted_offsets, inverted_rows, inverted_weights, start, stop
):
    """``strip[r, j] += sum_t A[queries[r], t] * A[j, t]`` for the rows ``start:stop`` of a strip.

    Every sum is taken in the order of the query's own row, whatever the range.
    """
    for r in range(start, stop):
        row = strip[r]
        query = queries[r]
        for at in range(offsets[query], offsets[query + 1]):
            t, weight = members[at], weights[at]
            for column in range(inverted_offsets[t], inverted_offsets[t + 1]):
                row[inverted_rows[column]] += weight * inverted_weights[column]
