"""Distances measured against what is usual at both their ends, a range of rows (or columns) at a time.

Numbers of a row and of a column are float64 vectors; what is said of a strip holds for the rows ``start:stop``.
"""

from math import exp, expm1, log, sqrt

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.exponentials import exp_below, log_of_single, single_erfc_of, single_exp_below

RATIO, KERNEL, ROOT = 0, 1, 2  # forms of rescale
LARGEST = float(np.finfo(np.float32).max)
LOWEST = -float(np.finfo(np.float64).max)
ROOT_OF_2 = sqrt(2.0)
LARGEST_OF_FLOAT32 = np.finfo(np.float32).max
ZERO, HALF = np.float32(0), np.float32(0.5)
LANES = 16  # partial sums of a row, so that it can run in vector registers without fast-math
SUMS = 64  # the same, where nothing else is done meanwhile and each would wait for the one before
PART = 512  # entries of a row that stay in the nearest cache, a multiple of LANES


@compiled
def scale_and_add(strip, scale, rows, columns, start, stop):
    """``strip[i, j] <- scale strip[i, j] + rows[i] + columns[j]``."""
    for i in range(start, stop):
        row = strip[i]
        for j in range(row.size):
            row[j] = scale * row[j] + (rows[i] + columns[j])


@compiled
def rescale(strip, rows, columns, square, form, start, stop):
    """``x = D / (rows[i] columns[j])``, or D^2 if ``square``; then x, ``1 - exp(-x)`` or ``sqrt(x)`` by ``form``.

    D below 0 counts as 0. What float32 cannot hold is its largest number.
    """
    for i in range(start, stop):
        row = strip[i]
        for j in range(row.size):
            value = max(np.float64(row[j]), 0.0)
            if square:
                value *= value
            value /= rows[i] * columns[j]
            if form == KERNEL:
                value = (
                    1 - exp(-value) if value > 0.1 else -expm1(-value)
                )  # the first is quicker, and enough there
            elif form == ROOT:
                value = sqrt(value)
            row[j] = min(value, LARGEST)


@compiled
def _measured(row, root, out):
    """The distances of a row, +inf too; of squared ones the square roots if ``root``."""
    if root:
        for j in range(row.size):
            out[j] = np.sqrt(max(row[j], ZERO))
    else:
        out[:] = row


@compiled
def _mean_and_deviation(row):
    """Both to double precision, without entries of +inf, and 0 where nothing else is; of equal entries exactly the
    entry and 0, as sums of float32 are exact."""
    count, lanes = np.zeros(SUMS, np.int64), np.zeros(SUMS)
    whole = row.size // SUMS * SUMS
    for start in range(0, whole, SUMS):
        for lane in range(SUMS):
            value = row[start + lane]
            count[lane] += value < np.inf
            lanes[lane] += value if value < np.inf else ZERO
    for j in range(whole, row.size):
        count[0] += row[j] < np.inf
        lanes[0] += row[j] if row[j] < np.inf else ZERO
    there = count.sum()
    if there == 0:
        return 0.0, 0.0
    mean = lanes.sum() / there
    lanes[:] = 0
    for start in range(0, whole, SUMS):
        for lane in range(SUMS):
            value = row[start + lane]
            away = np.float64(value) - mean
            lanes[lane] += away * away if value < np.inf else 0.0
    for j in range(whole, row.size):
        away = np.float64(row[j]) - mean
        lanes[0] += away * away if row[j] < np.inf else 0.0
    return mean, sqrt(lanes.sum() / there)


@compiled
def moments_of_tile(
    tile, root, row_pivots, column_pivots, row_copies, column_copies, of_rows, of_columns, diagonal
):
    """Sums of what distances are off the pivot of their row, and of its square, to ``of_rows`` (2, n).

    Of the square roots of a tile's entries if ``root``; an entry counts as often as the other class has copies.
    Likewise ``of_columns`` (2, m), but not of a tile on the ``diagonal``, which itself is left out.
    """
    measured = np.empty(tile.shape[1], np.float32)
    off, square = np.zeros(SUMS), np.zeros(SUMS)
    whole = measured.size // SUMS * SUMS
    for i in range(tile.shape[0]):
        _measured(tile[i], root, measured)
        pivot, copies = row_pivots[i], row_copies[i]
        if diagonal:
            measured[i] = np.float32(pivot)
        off[:], square[:] = 0, 0
        for start in range(0, whole, SUMS):
            for lane in range(SUMS):
                away = measured[start + lane] - pivot
                weighed = column_copies[start + lane] * away
                off[lane] += weighed
                square[lane] += weighed * away
        for j in range(whole, measured.size):
            away = measured[j] - pivot
            off[0] += column_copies[j] * away
            square[0] += column_copies[j] * away * away
        for lane in range(SUMS):
            of_rows[0, i] += off[lane]
            of_rows[1, i] += square[lane]
        if not diagonal:
            _add_off(measured, column_pivots, copies, of_columns[0], of_columns[1])


@compiled
def _add_off(measured, pivots, copies, off, square):
    """Of every column what it is off its pivot, and the square of it, so many times."""
    for j in range(measured.size):
        away = measured[j] - pivots[j]
        weighed = copies * away
        off[j] += weighed
        square[j] += weighed * away


@compiled
def _rate(deviation):
    """What the distance to the mean is multiplied by for erfc; 0 of no width: a share of one half."""
    return 1 / (deviation * ROOT_OF_2) if deviation > 0 else 0.0


@compiled
def mutual_normal(strip, root, means, deviations, start, stop):
    """``1 - (1 - a)(1 - b)``, a and b the normal shares below the distance in its row and in its column."""
    measured, rates = np.empty(means.size, np.float32), np.empty(means.size)
    of_row, of_column = np.empty(PART, np.float32), np.empty(PART, np.float32)
    for j in range(rates.size):
        rates[j] = _rate(deviations[j])
    for i in range(start, stop):
        row = strip[i]
        _measured(row, root, measured)
        mean, deviation = _mean_and_deviation(measured)
        rate = _rate(deviation)
        for begin in range(0, row.size, PART):
            some = row[begin : begin + PART]
            far, usual = measured[begin : begin + PART], means[begin : begin + PART]
            rates_here = rates[begin : begin + PART]
            for j in range(some.size):
                value = np.float64(min(far[j], LARGEST_OF_FLOAT32))
                of_row[j] = (mean - value) * rate
                of_column[j] = (usual[j] - value) * rates_here[j]
            for j in range(some.size):
                of_row[j] = HALF * single_erfc_of(of_row[j])
            for j in range(some.size):
                share = HALF * single_erfc_of(of_column[j])
                some[j] = of_row[j] + share - of_row[j] * share


@compiled
def count_beyond(strip, others, columns, start, stop, counts):
    """``counts[i, c]``, c = ``columns[b]``: the x with ``strip[i, x]`` and ``others[b, x]`` > ``strip[i, c]``."""
    for b in range(others.shape[0]):
        other = others[b]
        for i in range(start, stop):
            row = strip[i]
            limit = row[columns[b]]
            count = np.int32(0)
            for x in range(row.size):
                count += np.int32((row[x] > limit) & (other[x] > limit))
            counts[i, columns[b]] = count


@compiled
def _peak(row, scale, columns):
    """The largest of ``scale row + columns``."""
    lanes = np.full(LANES, -np.inf)
    whole = row.size // LANES * LANES
    for begin in range(0, whole, LANES):
        for lane in range(LANES):
            lanes[lane] = max(lanes[lane], scale * row[begin + lane] + columns[begin + lane])
    for j in range(whole, row.size):
        lanes[0] = max(lanes[0], scale * row[j] + columns[j])
    return lanes.max()


@compiled
def _exponentials(row, scale, columns, peak, shares):
    """``exp(scale row + columns - peak)`` into ``shares``, in float32 or float64 as that is; none is above 1."""
    for j in range(row.size):
        shares[j] = scale * row[j] + columns[j] - peak
    if shares.itemsize == 4:
        for j in range(row.size):
            shares[j] = single_exp_below(np.float32(shares[j]))
    else:
        for j in range(row.size):
            shares[j] = exp_below(np.float64(shares[j]))


@compiled
def shares_of_rows(strip, scale, columns, start, stop, shares, peaks, totals):
    """``shares[i, j] = exp(scale strip[i, j] + columns[j] - peaks[i])``, ``scale`` below 0, and the sums of rows.

    ``peaks[i]`` is the largest, so that the log of a row's true sum is ``peaks + log(totals)``; -inf for a row of
    +inf, whose shares are 0. ``shares`` are float32 or float64, and so are the exponentials.
    """
    for i in range(start, stop):
        peaks[i] = _peak(strip[i], scale, columns)
        if peaks[i] == -np.inf:
            shares[i], totals[i] = 0, 0
            continue
        lanes, total = np.zeros(LANES), 0.0
        for begin in range(0, columns.size, PART):
            part = slice(begin, min(begin + PART, columns.size))
            some = shares[i, part]
            _exponentials(strip[i, part], scale, columns[part], peaks[i], some)
            whole = some.size // LANES * LANES
            for at in range(0, whole, LANES):
                for lane in range(LANES):
                    lanes[lane] += some[at + lane]
            for j in range(whole, some.size):
                total += some[j]
        for lane in range(LANES):
            total += lanes[lane]
        totals[i] = total


@compiled
def log_sums_of_rows(strip, scale, columns, start, stop, out):
    """``out[i] = log sum_j exp(scale strip[i, j] + columns[j])``, ``scale`` below 0; -inf for a row of +inf."""
    shares, peak, total = np.empty((1, strip.shape[1])), np.empty(1), np.empty(1)
    for i in range(start, stop):
        shares_of_rows(strip[i : i + 1], scale, columns, 0, 1, shares, peak, total)
        out[i] = peak[0] + log(total[0]) if total[0] > 0 else -np.inf


@compiled
def exponentials(strip, scale, start, stop):
    """``strip[i, j] <- exp(scale strip[i, j])`` in float32, where +inf has 0."""
    for i in range(start, stop):
        row = strip[i]
        for j in range(row.size):
            row[j] = single_exp_below(np.float32(scale * row[j]))


@compiled
def weighted_sums(shares, weights, start, stop, out):
    """``out[i] = sum_j shares[i, j] weights[j]``, in float64."""
    for i in range(start, stop):
        row, lanes, total = shares[i], np.zeros(SUMS), 0.0
        whole = row.size // SUMS * SUMS
        for begin in range(0, whole, SUMS):
            for lane in range(SUMS):
                lanes[lane] += row[begin + lane] * weights[begin + lane]
        for j in range(whole, row.size):
            total += row[j] * weights[j]
        for lane in range(SUMS):
            total += lanes[lane]
        out[i] = total


@compiled
def distances_of_shares(shares, scale, rows, columns, start, stop):
    """``shares[i, j] <- scale (log shares[i, j] + rows[i] + columns[j])``, ``scale`` below 0; of 0 +inf."""
    for i in range(start, stop):
        row = shares[i]
        for j in range(row.size):
            row[j] = scale * (log_of_single(row[j]) + (rows[i] + columns[j]))


@compiled
def add_shares(shares, weights, start, stop, totals):
    """Columns ``start:stop`` of ``sum_i weights[i] shares[i]`` to ``totals``, one row after the other."""
    sums = totals[start:stop]
    for i in range(shares.shape[0]):
        row, weight = shares[i, start:stop], weights[i]
        for j in range(row.size):
            sums[j] += weight * row[j]


@compiled
def add_to_columns(strip, scale, rows, start, stop, peaks, totals):
    """Columns ``start:stop`` of a strip into ``peaks + log(totals)``, the log sums of exp(scale strip + rows).

    One row after the other, so that the result is the same however rows are gathered in strips. Begin with
    ``peaks`` -inf and ``totals`` 0. Of the two exponentials that a higher peak and a lower value need, one is 1.
    """
    highest, sums = peaks[start:stop], totals[start:stop]
    for i in range(strip.shape[0]):
        row, own = strip[i, start:stop], rows[i]
        for j in range(row.size):
            value, peak = scale * row[j] + own, highest[j]
            less = exp_below(-abs(value - max(peak, LOWEST)))
            sums[j] = sums[j] * less + 1 if value > peak else sums[j] + less
            highest[j] = max(peak, value)
