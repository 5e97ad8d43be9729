"""Distances measured against what is usual at both their ends, as in :mod:`postproc.kernels.cpu.hubness`.

Numbers of a row and of a column are float64 vectors; what is said of a strip holds for the rows ``start:stop``.
"""

from math import erfc, exp, expm1, log, sqrt

import numpy as np
from numba import cuda

from postproc.kernels.cuda import block, launch

RATIO, KERNEL, ROOT = 0, 1, 2  # forms of rescale
LARGEST = float(np.finfo(np.float32).max)
ZERO = np.float32(0)
LEAST = -np.inf
MOST = np.inf
TOGETHER = 8  # columns of count_beyond that a block reads one row of the strip for


def scale_and_add(strip, scale, rows, columns, start, stop):
    """A thread an entry."""
    launch.entries(_scale_and_add, (stop - start, strip.shape[1]), strip, scale, rows, columns, start)


@cuda.jit(cache=True)
def _scale_and_add(strip, scale, rows, columns, start):
    i = start + cuda.blockIdx.x
    j = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < strip.shape[1]:
        strip[i, j] = np.float32(scale * np.float64(strip[i, j]) + (rows[i] + columns[j]))


def rescale(strip, rows, columns, square, form, start, stop):
    """A thread an entry."""
    launch.entries(_rescale, (stop - start, strip.shape[1]), strip, rows, columns, square, form, start)


@cuda.jit(cache=True)
def _rescale(strip, rows, columns, square, form, start):
    i = start + cuda.blockIdx.x
    j = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= strip.shape[1]:
        return
    value = np.float64(strip[i, j])
    if value < 0:
        value = np.float64(0)
    if square:
        value *= value
    value /= rows[i] * columns[j]
    if form == KERNEL:
        value = 1 - exp(-value) if value > 0.1 else -expm1(-value)
    elif form == ROOT:
        value = sqrt(value)
    if value > LARGEST:
        value = LARGEST
    strip[i, j] = np.float32(value)


@cuda.jit(device=True)
def _distance(value, root):
    """The distance that ``value`` stands for, rounded to float32 as on the CPU."""
    if not root:
        return value
    return np.float32(sqrt(np.float64(value))) if value > ZERO else ZERO


@cuda.jit(device=True)
def _mean_and_deviation(strip, i, root):
    """Of row i without entries of +inf, to all threads of a block, and 0 where nothing else is; of equal entries
    exactly the entry and 0: sums of float32 are exact."""
    width = strip.shape[1]
    own = np.float64(0)
    found = 0
    for j in range(cuda.threadIdx.x, width, cuda.blockDim.x):
        if strip[i, j] < MOST:
            own += np.float64(_distance(strip[i, j], root))
            found += 1
    count = max(block.count(found), 1)
    mean = block.total(own) / count
    own = np.float64(0)
    for j in range(cuda.threadIdx.x, width, cuda.blockDim.x):
        if strip[i, j] < MOST:
            away = np.float64(_distance(strip[i, j], root)) - mean
            own += away * away
    return mean, sqrt(block.total(own) / count)


def moments_of_tile(
    tile, root, row_pivots, column_pivots, row_copies, column_copies, of_rows, of_columns, diagonal
):
    """A block a row; then a thread a column, over one row after the other."""
    launch.blocks(_moments_of_rows, tile.shape[0], tile, root, row_pivots, column_copies, of_rows, diagonal)
    if not diagonal:
        launch.rows(_moments_of_columns, tile.shape[1], tile, root, column_pivots, row_copies, of_columns)


@cuda.jit(cache=True)
def _moments_of_rows(tile, root, pivots, copies, sums, diagonal):
    i = cuda.blockIdx.x
    off = np.float64(0)
    square = np.float64(0)
    for j in range(cuda.threadIdx.x, tile.shape[1], cuda.blockDim.x):
        if not diagonal or i != j:
            away = np.float64(_distance(tile[i, j], root)) - pivots[i]
            off += copies[j] * away
            square += copies[j] * away * away
    off = block.total(off)
    square = block.total(square)
    if cuda.threadIdx.x == 0:
        sums[0, i] += off
        sums[1, i] += square


@cuda.jit(cache=True)
def _moments_of_columns(count, tile, root, pivots, copies, sums):
    j = cuda.grid(1)
    if j >= count:
        return
    off = np.float64(0)
    square = np.float64(0)
    for i in range(tile.shape[0]):
        away = np.float64(_distance(tile[i, j], root)) - pivots[j]
        off += copies[i] * away
        square += copies[i] * away * away
    sums[0, j] += off
    sums[1, j] += square


@cuda.jit(device=True)
def _share_below(distance, mean, deviation):
    """How much of a normal distribution is below ``distance``; one half where it has no width."""
    if deviation == 0:
        return 0.5
    return 0.5 * erfc((mean - np.float64(distance)) / (deviation * sqrt(2.0)))


def mutual_normal(strip, root, means, deviations, start, stop):
    """A block a row."""
    launch.blocks(_mutual_normal, stop - start, strip, root, means, deviations, start)


@cuda.jit(cache=True)
def _mutual_normal(strip, root, means, deviations, start):
    i = start + cuda.blockIdx.x
    mean, deviation = _mean_and_deviation(strip, i, root)
    for j in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
        distance = _distance(strip[i, j], root)
        a = _share_below(distance, mean, deviation)
        b = _share_below(distance, means[j], deviations[j])
        strip[i, j] = np.float32(a + b - a * b)


def count_beyond(strip, others, columns, start, stop, counts):
    """A block for every row and TOGETHER others."""
    groups = -(-len(others) // TOGETHER)
    launch.blocks(_count_beyond, (stop - start) * groups, strip, others, columns, start, groups, counts)


@cuda.jit(cache=True)
def _count_beyond(strip, others, columns, start, groups, counts):
    i = start + cuda.blockIdx.x // groups
    first = cuda.blockIdx.x % groups * TOGETHER
    limits = cuda.local.array(TOGETHER, np.float32)
    found = cuda.local.array(TOGETHER, np.int32)
    for b in range(TOGETHER):
        found[b] = 0
        limits[b] = strip[i, columns[first + b]] if first + b < others.shape[0] else ZERO
    for x in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
        value = strip[i, x]
        for b in range(TOGETHER):
            if first + b < others.shape[0] and value > limits[b] and others[first + b, x] > limits[b]:
                found[b] += 1
    for b in range(TOGETHER):
        whole = block.count(found[b])
        if cuda.threadIdx.x == 0 and first + b < others.shape[0]:
            counts[i, columns[first + b]] = whole


def log_sums_of_rows(strip, scale, columns, start, stop, out):
    """A block a row."""
    launch.blocks(_log_sums_of_rows, stop - start, strip, scale, columns, start, out)


@cuda.jit(cache=True)
def _log_sums_of_rows(strip, scale, columns, start, out):
    i = start + cuda.blockIdx.x
    own = LEAST
    for j in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
        value = scale * np.float64(strip[i, j]) + columns[j]
        if value > own:
            own = value
    peak = block.greatest(own)
    own = np.float64(0)
    if peak > LEAST:
        for j in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
            own += exp(scale * np.float64(strip[i, j]) + columns[j] - peak)
    sums = block.total(own)
    if cuda.threadIdx.x == 0:
        out[i] = peak + log(sums) if peak > LEAST else peak


def shares_of_rows(strip, scale, columns, start, stop, shares, peaks, totals):
    """A block a row; exponentials are of float64, whatever ``shares`` hold."""
    launch.blocks(_shares_of_rows, stop - start, strip, scale, columns, start, shares, peaks, totals)


@cuda.jit(cache=True)
def _shares_of_rows(strip, scale, columns, start, shares, peaks, totals):
    i = start + cuda.blockIdx.x
    own = LEAST
    for j in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
        value = scale * np.float64(strip[i, j]) + columns[j]
        if value > own:
            own = value
    peak = block.greatest(own)
    own = np.float64(0)
    for j in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
        share = exp(scale * np.float64(strip[i, j]) + columns[j] - peak) if peak > LEAST else np.float64(0)
        shares[i, j] = share
        own += share
    sums = block.total(own)
    if cuda.threadIdx.x == 0:
        peaks[i] = peak
        totals[i] = sums


def add_shares(shares, weights, start, stop, totals):
    """A thread a column, over one row after the other, so that rows may be cut anywhere."""
    launch.rows(_add_shares, stop - start, shares, weights, start, totals)


@cuda.jit(cache=True)
def _add_shares(count, shares, weights, start, totals):
    j = cuda.grid(1)
    if j >= count:
        return
    j += start
    total = totals[j]
    for i in range(shares.shape[0]):
        total += weights[i] * np.float64(shares[i, j])
    totals[j] = total


def add_to_columns(strip, scale, rows, start, stop, peaks, totals):
    """A thread a column, over one row after the other, so that strips may be cut anywhere."""
    launch.rows(_add_to_columns, stop - start, strip, scale, rows, start, peaks, totals)


@cuda.jit(cache=True)
def _add_to_columns(count, strip, scale, rows, start, peaks, totals):
    j = cuda.grid(1)
    if j >= count:
        return
    j += start
    peak = peaks[j]
    total = totals[j]
    for i in range(strip.shape[0]):
        value = scale * np.float64(strip[i, j]) + rows[i]
        if value > peak:
            total = total * exp(peak - value) + 1
            peak = value
        elif value > LEAST:
            total += exp(value - peak)
    peaks[j] = peak
    totals[j] = total
