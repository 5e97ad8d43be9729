"""Distances measured against what is usual at both their ends, a range of rows (or columns) at a time.

Numbers of a row and of a column are float64 vectors; what is said of a strip holds for the rows ``start:stop``.
"""

from math import erfc, exp, expm1, log, sqrt

import numpy as np

from postproc.kernels.compiled import compiled

RATIO, KERNEL, ROOT = 0, 1, 2  # forms of rescale
LARGEST = float(np.finfo(np.float32).max)
ZERO = np.float32(0)


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
def _distance(value, root):
    return np.float32(np.sqrt(max(value, ZERO))) if root else value


@compiled
def _mean_and_deviation(row, root):
    """Both to double precision, without entries of +inf, and 0 where nothing else is; of equal entries exactly the
    entry and 0, as sums of float32 are exact."""
    total = 0.0
    count = 0
    for j in range(row.size):
        if row[j] < np.inf:
            total += _distance(row[j], root)
            count += 1
    if count == 0:
        return 0.0, 0.0
    mean = total / count
    total = 0.0
    for j in range(row.size):
        if row[j] < np.inf:
            away = _distance(row[j], root) - mean
            total += away * away
    return mean, sqrt(total / count)


@compiled
def moments(strip, root, start, stop, means, deviations):
    """Mean and standard deviation of every row but for +inf, of the square roots of its entries if ``root``."""
    for i in range(start, stop):
        means[i], deviations[i] = _mean_and_deviation(strip[i], root)


@compiled
def _share_below(distance, mean, deviation):
    """How much of a normal distribution is below ``distance``; one half where it has no width."""
    if deviation == 0:
        return 0.5
    return 0.5 * erfc((mean - distance) / (deviation * sqrt(2.0)))


@compiled
def mutual_normal(strip, root, means, deviations, start, stop):
    """``1 - (1 - a)(1 - b)``, a and b the normal shares below the distance in its row and in its column."""
    for i in range(start, stop):
        row = strip[i]
        mean, deviation = _mean_and_deviation(row, root)
        for j in range(row.size):
            distance = _distance(row[j], root)
            a = _share_below(distance, mean, deviation)
            b = _share_below(distance, means[j], deviations[j])
            row[j] = a + b - a * b


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
def log_sums_of_rows(strip, scale, columns, start, stop, out):
    """``out[i] = log sum_j exp(scale strip[i, j] + columns[j])``, ``scale`` below 0; -inf for a row of +inf."""
    for i in range(start, stop):
        row = strip[i]
        peak = -np.inf
        for j in range(row.size):
            peak = max(peak, scale * row[j] + columns[j])
        out[i] = peak
        if peak > -np.inf:
            total = 0.0
            for j in range(row.size):
                total += exp(scale * row[j] + columns[j] - peak)
            out[i] += log(total)


@compiled
def add_to_columns(strip, scale, rows, start, stop, peaks, totals):
    """Columns ``start:stop`` of a strip into ``peaks + log(totals)``, the log sums of exp(scale strip + rows).

    One row after the other, so that the result is the same however rows are gathered in strips. Begin with
    ``peaks`` -inf and ``totals`` 0.
    """
    for i in range(strip.shape[0]):
        for j in range(start, stop):
            value = scale * strip[i, j] + rows[i]
            if value > peaks[j]:
                totals[j] = totals[j] * exp(peaks[j] - value) + 1
                peaks[j] = value
            elif value > -np.inf:
                totals[j] += exp(value - peaks[j])
