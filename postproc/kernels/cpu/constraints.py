"""What is known of images beside their looks, put on a finished matrix of distances: rows ``start:stop`` of it.

An entry of +inf stays +inf.
"""

import numpy as np

from postproc.kernels.compiled import compiled

CHUNK = 1024  # columns of a row whose sums are kept in double precision at a time
LARGEST = float(np.finfo(np.float32).max)


@compiled
def add_by_label(distances, rows, columns, equal, penalty, start, stop):
    """Add ``penalty`` where both labels are known, 0 or more, and equal; or differ, if not ``equal``."""
    for i in range(start, stop):
        label = rows[i]
        if label < 0:
            continue
        for j in range(columns.size):
            if columns[j] >= 0 and (columns[j] == label) == equal:
                distances[i, j] += penalty


@compiled
def scale_by_table(distances, rows, columns, table, start, stop):
    """``distances[i, j] *= table[rows[i], columns[j]]``."""
    for i in range(start, stop):
        factors = table[rows[i]]
        for j in range(columns.size):
            if distances[i, j] < np.inf:
                distances[i, j] *= factors[columns[j]]


@compiled
def add_combinations(distances, left, right, start, stop):
    """``distances[i] += sum_c left[i, c] right[c]``, the same bits wherever equal rows and columns stand."""
    sums = np.empty(CHUNK)
    for first in range(0, right.shape[1], CHUNK):
        last = min(first + CHUNK, right.shape[1])
        for i in range(start, stop):
            sums[:] = 0
            for c in range(right.shape[0]):
                if left[i, c] != 0:
                    weight = np.float64(left[i, c])
                    for j in range(first, last):
                        sums[j - first] += weight * right[c, j]
            for j in range(first, last):
                distances[i, j] += sums[j - first]


@compiled
def subtract_from(others, distances, queries, weight, start, stop):
    """``others[i] <- distances[queries[i]] - weight others[i]``; finite ones are cut to what float32 can hold."""
    for i in range(start, stop):
        given = distances[queries[i]]
        for j in range(given.size):
            value = np.float64(given[j])
            if value < np.inf:
                value = min(max(value - weight * others[i, j], -LARGEST), LARGEST)
            others[i, j] = value


@compiled
def add_where_alike(others, distances, queries, tracks, count, near, far, penalty, start, stop):
    """``others[i] <- distances[queries[i]]``, and ``penalty`` more where that is above ``far`` and the smallest
    of the others' in the track, numbered ``0 .. count - 1``, is below ``near``.
    """
    smallest = np.empty(count, np.float32)
    for i in range(start, stop):
        given = distances[queries[i]]
        smallest[:] = np.inf
        for j in range(given.size):
            smallest[tracks[j]] = min(smallest[tracks[j]], others[i, j])
        for j in range(given.size):
            alike = smallest[tracks[j]] < near and given[j] > far
            others[i, j] = given[j] + penalty if alike else given[j]


@compiled
def add_where_near(others, distances, queries, looked_at, limit, penalty, start, stop):
    """``others[i] <- distances[queries[i]]``, and ``penalty`` more where the query is ``looked_at`` and the value
    of the others was ``limit`` or less.
    """
    for i in range(start, stop):
        given = distances[queries[i]]
        for j in range(given.size):
            near = looked_at[queries[i]] and others[i, j] <= limit
            others[i, j] = given[j] + penalty if near else given[j]
