"""What looks at single feature rows: fingerprints, norms, products of chosen pairs."""

import numpy as np

from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.compiled import inner, lean

KEYS, SUMS = (
    64,
    128,
)  # side by side, so that they can run in vector registers without fast-math; fewer are unrolled
FIRST = np.uint64(0xCBF29CE484222325)
LANES = 32  # the same for products of two rows
MANY = 1 << 16  # products


def hash_rows(bits: Ints, keys: Ints, start: int, stop: int) -> None:
    """Fold the bits of every row of (n, d) uint32 into its 64-bit key; equal rows get equal keys."""
    _hash_rows(bits, keys, start, stop, np.zeros(KEYS, np.uint64))


@lean
def _hash_rows(bits, keys, start, stop, lanes):
    width = bits.shape[1]
    whole = width // KEYS * KEYS
    for i in range(start, stop):
        for lane in range(KEYS):
            lanes[lane] = FIRST
        for j in range(0, whole, KEYS):
            for lane in range(KEYS):
                lanes[lane] = _fold(lanes[lane], np.uint64(bits[i, j + lane]))
        key = keys[i] ^ FIRST
        for lane in range(KEYS if whole else 0):
            key = _fold(key, lanes[lane])
        for j in range(whole, width):
            key = _fold(key, np.uint64(bits[i, j]))
        keys[i] = key


@inner
def _fold(key, more):
    key = (key ^ more) * np.uint64(0x9E3779B97F4A7C15)
    return key ^ (key >> np.uint64(29))


@lean
def differ(query_bits, gallery_bits, images, others, out):
    """``out[i] |= `` whether images ``images[i]`` and ``others[i]`` (queries first) differ in any bit."""
    nq = query_bits.shape[0]
    for i in range(images.size):
        a, b = images[i], others[i]
        left = query_bits[a] if a < nq else gallery_bits[a - nq]
        right = query_bits[b] if b < nq else gallery_bits[b - nq]
        for j in range(left.size):
            if left[j] != right[j]:
                out[i] = True
                break


def square_norms(
    rows: Floats, signs: Floats, start: int, stop: int, out: Floats, sums: np.ndarray | None = None
) -> None:
    """``out[i] = sum_j signs[j] rows[i, j]^2``, summed in float64; ``sums`` (d,) float64 += the rows."""
    every = np.zeros(rows.shape[1]) if sums is None else sums
    _square_norms(rows, signs, start, stop, out, every, np.zeros(SUMS))


@lean
def _square_norms(rows, signs, start, stop, out, sums, lanes):
    width = rows.shape[1]
    whole = width // SUMS * SUMS
    for i in range(start, stop):
        for lane in range(SUMS):
            lanes[lane] = 0.0
        for j in range(0, whole, SUMS):
            for lane in range(SUMS):
                value = np.float64(rows[i, j + lane])
                lanes[lane] += signs[j + lane] * value * value
                sums[j + lane] += value
        total = 0.0
        for lane in range(SUMS):
            total += lanes[lane]
        for j in range(whole, width):
            value = np.float64(rows[i, j])
            total += signs[j] * value * value
            sums[j] += value
        out[i] = total


def products_of_pairs(
    first: Floats, second: Floats, border: int, signs: Floats, left: Ints, right: Ints, start: int, stop: int,
    out: Floats,
) -> None:  # fmt: skip
    """``out[i] = sum_j signs[j] x[left[i], j] x[right[i], j]``; rows from ``border`` on stand in ``second``.

    Of many, four pairs with one ``left[i]`` side by side are summed together, each in the order of one alone; of
    few that takes longer to compile than it wins.
    """
    lanes = np.zeros((4, LANES), np.float32)
    if out.size >= MANY:
        _many_products(first, second, border, signs, left, right, start, stop, out, lanes)
    else:
        _products_of_pairs(first, second, border, signs, left, right, start, stop, out, lanes[0])


@lean
def _products_of_pairs(first, second, border, signs, left, right, start, stop, out, lanes):
    width = first.shape[1]
    whole = width // LANES * LANES
    for i in range(start, stop):
        m, n = left[i], right[i]
        a = first[m] if m < border else second[m - border]
        b = first[n] if n < border else second[n - border]
        for j in range(0, whole, LANES):
            for lane in range(LANES):
                at = j + lane
                lanes[lane] += a[at] * signs[at] * b[at]
        total = 0.0
        for lane in range(LANES):
            total += lanes[lane]
            lanes[lane] = 0
        for j in range(whole, width):
            total += a[j] * signs[j] * b[j]
        out[i] = total


@lean
def _many_products(first, second, border, signs, left, right, start, stop, out, lanes):
    i = start
    while i < stop:
        m = left[i]
        if i + 4 <= stop and m == left[i + 1] and m == left[i + 2] and m == left[i + 3]:
            a = first[m] if m < border else second[m - border]
            _four_products(a, first, second, border, signs, right, i, out, lanes)
            i += 4
        else:
            _products_of_pairs(first, second, border, signs, left, right, i, i + 1, out, lanes[0])
            i += 1


@inner
def _four_products(a, first, second, border, signs, right, i, out, lanes):
    n0, n1, n2, n3 = right[i], right[i + 1], right[i + 2], right[i + 3]
    b0 = first[n0] if n0 < border else second[n0 - border]
    b1 = first[n1] if n1 < border else second[n1 - border]
    b2 = first[n2] if n2 < border else second[n2 - border]
    b3 = first[n3] if n3 < border else second[n3 - border]
    whole = a.size // LANES * LANES
    twice = a.size // (2 * LANES) * (2 * LANES)
    for j in range(0, twice, 2 * LANES):
        for lane in range(LANES):  # twice each, because the sums are in memory meanwhile
            at, then = j + lane, j + LANES + lane
            value, other = a[at] * signs[at], a[then] * signs[then]
            lanes[0, lane] = (lanes[0, lane] + value * b0[at]) + other * b0[then]
            lanes[1, lane] = (lanes[1, lane] + value * b1[at]) + other * b1[then]
            lanes[2, lane] = (lanes[2, lane] + value * b2[at]) + other * b2[then]
            lanes[3, lane] = (lanes[3, lane] + value * b3[at]) + other * b3[then]
    for j in range(twice, whole, LANES):
        for lane in range(LANES):
            at = j + lane
            value = a[at] * signs[at]
            lanes[0, lane] += value * b0[at]
            lanes[1, lane] += value * b1[at]
            lanes[2, lane] += value * b2[at]
            lanes[3, lane] += value * b3[at]
    sum0, sum1, sum2, sum3 = 0.0, 0.0, 0.0, 0.0
    for lane in range(LANES):
        sum0 += lanes[0, lane]
        sum1 += lanes[1, lane]
        sum2 += lanes[2, lane]
        sum3 += lanes[3, lane]
    for lane in range(LANES):
        lanes[0, lane] = 0
        lanes[1, lane] = 0
        lanes[2, lane] = 0
        lanes[3, lane] = 0
    for j in range(whole, a.size):
        value = a[j] * signs[j]
        sum0 += value * b0[j]
        sum1 += value * b1[j]
        sum2 += value * b2[j]
        sum3 += value * b3[j]
    out[i], out[i + 1], out[i + 2], out[i + 3] = sum0, sum1, sum2, sum3


@inner
def difference(a, b, signs, limit):
    """``sum_j signs[j] (a[j] - b[j])^2`` and the same without signs, in float64; no further than to ``limit``."""
    total, apart = 0.0, 0.0
    for j in range(a.size):
        away = np.float64(a[j]) - np.float64(b[j])
        square = away * away
        total += signs[j] * square
        apart += square
        if apart >= limit:
            break
    return total, apart


def finish_near(
    first: Floats, second: Floats, border: int, signs: Floats, left: Ints, right: Ints, limits: Floats, start: int,
    stop: int, out: Floats,
) -> None:  # fmt: skip
    """Distances ``out[i]`` of near pairs from their differences; rows from ``border`` on stand in ``second``.

    Near is a pair whose :func:`difference` without signs is less than ``limits[i]``. Most often there is none.
    """
    some = slice(start, stop)
    if (np.abs(out[some]) < limits[some] + limits[some]).any():
        _finish_near(first, second, border, signs, left, right, limits, start, stop, out)


@lean
def _finish_near(first, second, border, signs, left, right, limits, start, stop, out):
    for i in range(start, stop):
        limit = limits[i]
        if abs(out[i]) < limit + limit:
            m, n = left[i], right[i]
            a = first[m] if m < border else second[m - border]
            b = first[n] if n < border else second[n - border]
            total, apart = difference(a, b, signs, limit)
            if apart < limit:
                out[i] = total
