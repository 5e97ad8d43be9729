"""Which rows may be among the nearest of a row, and which may be the farthest, while bounds come in.

A row has room for so many candidates near and far, in any order. Near is kept L, a bound from below of a distance,
and the bound from above is ``L + wide[i] + wide[j]``. Far is kept ``-(L + wide[j])``. When the room is used up,
what cannot be wanted any more goes; when that is not enough, the least likely go too, and ``limits`` remembers
from where on something may be missing. So what is found in the end is exact or known to be unsure, in whatever
order pairs came.

Candidates are ``pairs`` (n, room, 2) float32 and ``names``, the same memory as int32: ``pairs[i, a, 0]`` is the
number that is kept and ``names[i, a, 1]`` the row; ``counts`` (n,) int32. ``best`` (n, k) are the smallest bounds
from above so far, sorted, each without ``wide[i]``.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.sorting import kth

WIDE, NEAR, FAR = 2, 3, 4  # rows of ``limits``; see int8.narrow
AHEAD = 32  # hits whose memory is asked for together, because one after the other would wait for it


@compiled
def keep(pairs, names, count, limit, spare):
    """Drop entries above ``limit``, and of too many the largest: (count, limit); who went is no smaller."""
    most = 2 * count // 3
    kept = 0
    for a in range(count):  # without a branch, because nobody could foretell it
        value = pairs[a, 0]
        pairs[kept, 0], names[kept, 1] = value, names[a, 1]
        kept += int(value <= limit)
    if kept <= most:
        return kept, limit
    for a in range(kept):
        spare[a] = pairs[a, 0]
    limit = kth(spare, kept, most)
    count, kept = kept, 0
    for a in range(count):
        if pairs[a, 0] < limit:  # who is at the limit goes, or of equals a smaller one could have to
            pairs[kept, 0], names[kept, 1] = pairs[a, 0], names[a, 1]
            kept += 1
    return kept, limit


@compiled
def _add_near(pairs, names, counts, best, limits, i, value, high, j, spare):
    """One more near candidate of row i."""
    last = best.shape[1] - 1
    if high < best[i, last]:
        at = last
        while at > 0 and best[i, at - 1] > high:
            best[i, at] = best[i, at - 1]
            at -= 1
        best[i, at] = high
        limits[NEAR, i] = min(limits[NEAR, i], best[i, last] + limits[WIDE, i])
    count = counts[i]
    if count == pairs.shape[1]:
        count, limits[NEAR, i] = keep(pairs[i], names[i], count, limits[NEAR, i], spare)
        counts[i] = count
        if value > limits[NEAR, i]:
            return
    pairs[i, count, 0], names[i, count, 1] = value, j
    counts[i] = count + 1


@compiled
def _add_far(pairs, names, counts, limits, i, value, low, j, spare):
    """One more far candidate of row i."""
    limits[FAR, i] = max(limits[FAR, i], low)
    count = counts[i]
    if count == pairs.shape[1]:
        count, limit = keep(pairs[i], names[i], count, -limits[FAR, i], spare)
        counts[i], limits[FAR, i] = count, -limit
        if value < -limit:
            return
    pairs[i, count, 0], names[i, count, 1] = -value, j
    counts[i] = count + 1


@compiled
def take(values, rows, columns, count, limits, best, near, near_names, near_counts, far, far_names, far_counts):
    """Offer ``count`` pairs with their L to the candidates of both ends."""
    spare = np.empty(max(near.shape[1], far.shape[1]), np.float32)
    wide, nears, fars = limits[WIDE], limits[NEAR], limits[FAR]
    last_near, last_far = near.shape[1] - 1, far.shape[1] - 1
    for begin in range(0, count, AHEAD):
        end = min(begin + AHEAD, count)
        touched = np.float32(0)
        for at in range(begin, end):
            v, i, j = values[at], rows[at], columns[at]
            if v <= nears[i]:
                touched += near[i, min(near_counts[i], last_near), 0]
            if v <= nears[j]:
                touched += near[j, min(near_counts[j], last_near), 0]
            if v + wide[j] >= fars[i]:
                touched += far[i, min(far_counts[i], last_far), 0]
            if v + wide[i] >= fars[j]:
                touched += far[j, min(far_counts[j], last_far), 0]
        spare[0] = touched
        for at in range(begin, end):
            v, i, j = values[at], rows[at], columns[at]
            if v <= nears[i]:
                _add_near(near, near_names, near_counts, best, limits, i, v, v + wide[j], j, spare)
            if v + wide[j] >= fars[i]:
                _add_far(far, far_names, far_counts, limits, i, v + wide[j], v - wide[i], j, spare)
            if i == j:
                continue
            if v <= nears[j]:
                _add_near(near, near_names, near_counts, best, limits, j, v, v + wide[i], i, spare)
            if v + wide[i] >= fars[j]:
                _add_far(far, far_names, far_counts, limits, j, v + wide[i], v - wide[j], i, spare)
