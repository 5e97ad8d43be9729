"""What is known of images beside their looks, put on a finished matrix of distances: rows ``start:stop`` of it.

An entry of +inf stays +inf.
"""

import numpy as np
from numba import cuda, float32, float64

from postproc.base.vocabulary import Array
from postproc.kernels.cpu.constraints import LARGEST
from postproc.kernels.cuda import launch

INFINITY = float("inf")


@cuda.jit(cache=True)
def _add_by_label(distances, rows, columns, equal, penalty, start):
    i, j = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    known = j < distances.shape[1] and rows[i] >= 0 and columns[j] >= 0
    if known and (rows[i] == columns[j]) == equal:
        distances[i, j] += penalty


def add_by_label(
    distances: Array, rows: Array, columns: Array, equal: bool, penalty: float, start: int, stop: int
) -> None:
    """Add ``penalty`` where both labels are known, 0 or more, and equal; or differ, if not ``equal``."""
    shape = stop - start, distances.shape[1]
    launch.entries(_add_by_label, shape, distances, rows, columns, equal, penalty, start)


@cuda.jit(cache=True)
def _scale_by_table(distances, rows, columns, table, start):
    i, j = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < distances.shape[1] and distances[i, j] < INFINITY:
        distances[i, j] *= table[rows[i], columns[j]]


def scale_by_table(distances: Array, rows: Array, columns: Array, table: Array, start: int, stop: int) -> None:
    """``distances[i, j] *= table[rows[i], columns[j]]``."""
    shape = stop - start, distances.shape[1]
    launch.entries(_scale_by_table, shape, distances, rows, columns, table, start)


@cuda.jit(cache=True)
def _add_combinations(distances, left, right, start):
    i, j = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < distances.shape[1]:
        total = 0.0
        for c in range(right.shape[0]):
            if left[i, c] != 0:
                total += float64(left[i, c]) * float64(right[c, j])
        distances[i, j] = float32(float64(distances[i, j]) + total)


def add_combinations(distances: Array, left: Array, right: Array, start: int, stop: int) -> None:
    """``distances[i] += sum_c left[i, c] right[c]``, the same bits wherever equal rows and columns stand."""
    launch.entries(_add_combinations, (stop - start, distances.shape[1]), distances, left, right, start)


@cuda.jit(cache=True)
def _subtract_from(others, distances, queries, weight, start):
    i, j = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= others.shape[1]:
        return
    value = float64(distances[queries[i], j])
    if value < INFINITY:
        value -= weight * float64(others[i, j])
        if value > LARGEST:
            value = LARGEST
        if value < -LARGEST:
            value = -LARGEST
    others[i, j] = float32(value)


def subtract_from(others: Array, distances: Array, queries: Array, weight: float, start: int, stop: int) -> None:
    """``others[i] <- distances[queries[i]] - weight others[i]``; finite ones are cut to what float32 can hold."""
    shape = stop - start, others.shape[1]
    launch.entries(_subtract_from, shape, others, distances, queries, weight, start)


@cuda.jit(cache=True)
def _add_where_alike(others, distances, queries, offsets, members, near, far, penalty, start):
    i, track = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if track >= offsets.size - 1:
        return
    smallest = float32(INFINITY)
    for at in range(offsets[track], offsets[track + 1]):
        smallest = min(smallest, others[i, members[at]])
    alike = smallest < near
    for at in range(offsets[track], offsets[track + 1]):
        j = members[at]
        given = distances[queries[i], j]
        others[i, j] = given + penalty if alike and given > far else given


def add_where_alike(
    others: Array, distances: Array, queries: Array, tracks: np.ndarray, count: int,
    near: float, far: float, penalty: float, start: int, stop: int,
) -> None:  # fmt: skip
    """``others[i] <- distances[queries[i]]``, and ``penalty`` more where that is above ``far`` and the smallest
    of the others' in the track, numbered ``0 .. count - 1``, is below ``near``.

    A thread has a row of a track.
    """
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(tracks, minlength=count), out=offsets[1:])
    members = np.argsort(tracks, kind="stable").astype(np.int32)
    launch.entries(
        _add_where_alike, (stop - start, count),
        others, distances, queries, offsets, members, near, far, penalty, start,
    )  # fmt: skip


@cuda.jit(cache=True)
def _add_where_near(others, distances, queries, looked_at, limit, penalty, start):
    i, j = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < others.shape[1]:
        query = queries[i]
        near = looked_at[query] and others[i, j] <= limit
        others[i, j] = distances[query, j] + penalty if near else distances[query, j]


def add_where_near(
    others: Array,
    distances: Array,
    queries: Array,
    looked_at: Array,
    limit: float,
    penalty: float,
    start: int,
    stop: int,
) -> None:
    """``others[i] <- distances[queries[i]]``, and ``penalty`` more where the query is ``looked_at`` and the value
    of the others was ``limit`` or less.
    """
    shape = stop - start, others.shape[1]
    launch.entries(_add_where_near, shape, others, distances, queries, looked_at, limit, penalty, start)
