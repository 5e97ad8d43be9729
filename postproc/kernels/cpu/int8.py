"""Rows of whole numbers, and which pairs of them their products cannot rule out.

The definition and the bounds are in :mod:`postproc.kernels.reference.int8`, how they are multiplied in
:mod:`.int8_blocks`. A row becomes ``step * q`` with q in -127 .. 127. All lanes are explicit, no fast-math.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.int8_blocks import (
    BLOCK,
    GROUPS,
    LANES,
    PANEL,
    TALL,
    WIDEST,
    WORDS,
    block_of,
    put_down,
    room_of,
    take_up,
)
from postproc.kernels.cpu.marks import lowest

__all__ = ["GROUPS", "PANEL", "WIDEST", "first_limits", "narrow", "quantise", "room_of"]
HALF = np.float32(0.70710678)
HIGHEST = np.float32(127)
SHORTEST = np.float32(2.0**-100)  # largest value of a row that is worth a step
ROUND = np.float32(1.5 * 2**23)  # added and taken off again it leaves the next whole number, ties to even
STRETCH = 64  # partial sums, enough for a loop of its own in vector registers; rows are whole stretches


@compiled
def narrow(packed, start, limits, panels, others, upper, at, room, values, rows, columns):
    """Collect the pairs of two ranges of panels that their limits do not rule out: (how far, how many).

    ``panels``, ``others``: (first, behind the last) panel of rows and of columns; ``upper``: the same range, each
    pair once. ``limits`` (8 or more, n) float32: see :func:`.int8_blocks.block_of`. Found are L of
    a pair, its row and column. ``at`` is the number of the block to begin with; where there is no room for one
    more it ends, to be called again with what it returned. ``room``: of :func:`.int8_blocks.room_of`.
    """
    sums, block, flags = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.float32), np.empty(WORDS, np.int64)
    count, there = 0, np.int64(-1)
    width = others[1] - others[0]
    every = GROUPS * (panels[1] - panels[0]) * width
    while at < every and count + BLOCK <= values.size:
        i0, c = panels[0] * PANEL + at // width * TALL, others[0] + at % width
        at += 1
        if upper and i0 // PANEL > c:
            continue
        if there != i0:
            take_up(packed, i0, room)
            there = i0
        block_of(packed, i0, start, limits, packed, c, limits, room, sums, block, flags)
        for word in range(WORDS):
            left = flags[word]
            while left != 0:
                place = 64 * word + lowest(left)  # type: ignore[call-arg]
                left &= left - 1
                i, j = i0 + place // PANEL, c * PANEL + place % PANEL
                if not upper or j >= i:
                    values[count], rows[count], columns[count] = block[place], i, j
                    count += 1
    put_down(room)
    return at, count


@compiled
def first_limits(packed, start, limits, few, few_limits, k, first, stop, room, nearest, farthest):
    """Limits of the rows in panels ``first:stop`` by what they are to a ``few`` rows (panels of them), k or more.

    ``few_limits``, as many: low + wide, step, -wide, -inf, +inf, the rest as it is. So what is compared is the
    bound from above with the k-th smallest so far, and L with the largest; ``nearest``, ``farthest`` (n,) int32
    are the numbers of such rows among the few.
    """
    sums, block, flags = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.float32), np.empty(WORDS, np.int64)
    best = np.empty((TALL, k), np.float32)
    for i0 in range(first * PANEL, stop * PANEL, TALL):
        best[:] = np.inf
        take_up(packed, i0, room)
        for c in range(few.shape[0]):
            block_of(packed, i0, start, limits, few, c, few_limits, room, sums, block, flags)
            for word in range(WORDS):
                left = flags[word]
                while left != 0:
                    place = 64 * word + lowest(left)  # type: ignore[call-arg]
                    left &= left - 1
                    a, b, value = place // PANEL, c * PANEL + place % PANEL, block[place]
                    low = value + few_limits[2, b]
                    if low > limits[4, i0 + a]:
                        limits[4, i0 + a], farthest[i0 + a] = low, b
                    if value < best[a, k - 1]:
                        if value < best[a, 0]:
                            nearest[i0 + a] = b
                        t = k - 1
                        while t > 0 and best[a, t - 1] > value:
                            best[a, t] = best[a, t - 1]
                            t -= 1
                        best[a, t] = value
            limits[3, i0 : i0 + TALL] = best[:, k - 1]
        limits[3, i0 : i0 + TALL] = best[:, k - 1] + limits[2, i0 : i0 + TALL]
        limits[4, i0 : i0 + TALL] -= limits[2, i0 : i0 + TALL]
    put_down(room)


@compiled
def _turn(row, block):
    """Butterflies over distances 16, 32, .. of blocks of a power of two, in place: no length changes."""
    width = LANES
    while width < block:
        for base in range(0, row.size, 2 * width):
            left, right = row[base : base + width], row[base + width : base + 2 * width]
            for t in range(width):
                u, v = left[t], right[t]
                left[t] = (u + v) * HALF
                right[t] = (u - v) * HALF
        width *= 2


@compiled
def quantise(first, second, border, mean, signs, block, start, stop, packed, begin, step, length, lost):
    """Rows ``start:stop`` of ``first`` and (from ``border`` on) ``second`` -> panels of whole numbers.

    ``begin`` is -128 times the sum of a row's numbers, ``length`` its squared length without the mean and ``lost``
    the length of what the numbers lose of it, both in float64. ``start`` begins a panel.
    """
    width, wide = first.shape[1], packed.shape[1] * 4
    row, other = np.zeros(wide, np.float32), np.zeros(wide, np.float32)
    numbers = np.empty((PANEL, wide), np.int8)
    words, places = numbers.view(np.int32), packed.view(np.int32)
    tops = np.empty(STRETCH, np.float32)
    squares, aways = np.empty(STRETCH), np.empty(STRETCH)
    for i in range(start, stop):
        p, w = i // PANEL, i % PANEL
        source = first[i] if i < border else second[i - border]
        for t in range(width):
            row[t] = (source[t] - mean[t]) * signs[t]
        row[width:] = 0
        _turn(row, block)
        if block >= LANES * LANES:  # once more, with what stood side by side far apart
            apart = wide // LANES
            for a in range(LANES):
                for t in range(apart):
                    other[a * apart + t] = row[LANES * t + a]
            _turn(other, block)
            row, other = other, row
        tops[:] = 0
        for t in range(0, wide, STRETCH):
            for a in range(STRETCH):
                tops[a] = max(tops[a], abs(row[t + a]))
        top = tops.max()
        s = top / HIGHEST if top > SHORTEST else np.float32(1)
        inverse = np.float32(1) / s
        for t in range(wide):
            other[t] = (row[t] * inverse + ROUND) - ROUND
        total = np.int32(0)
        for t in range(wide):
            q = np.int32(other[t])
            numbers[w, t] = np.int8(q)
            total += q
        squares[:] = 0
        aways[:] = 0
        for t in range(0, wide, STRETCH):
            for a in range(STRETCH):
                value = np.float64(row[t + a])
                rest = value - np.float64(s) * np.float64(other[t + a])
                squares[a] += value * value
                aways[a] += rest * rest
        begin[i], step[i], length[i], lost[i] = -128 * total, s, squares.sum(), np.sqrt(aways.sum())
        if w == PANEL - 1 or i == stop - 1:  # a panel lies in memory word by word
            for t in range(wide // 4):
                for v in range(w + 1):
                    places[p, t, v, 0] = words[v, t]
