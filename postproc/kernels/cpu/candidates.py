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

from postproc.kernels.compiled import compiled, inner
from postproc.kernels.cpu.sorting import kth

WIDE, NEAR, FAR = 2, 3, 4  # rows of ``limits``; see int8_blocks.block_of
CAMERA, TRACK, MORE, USUAL = 5, 6, 7, 8
HALVINGS = 10
BELOW = np.float32(-np.inf)


@compiled
def keep(pairs, names, i, count, limit, spare):
    """Drop entries of row i above ``limit``, and of too many the largest: (count, limit); who went is no less."""
    most = 2 * count // 3
    kept = _up_to(pairs, names, i, count, limit)
    if kept <= most:
        return kept, limit
    for a in range(kept):
        spare[a] = pairs[i, a, 0]
    limit = _about(spare, kept, most)
    return _up_to(pairs, names, i, kept, np.nextafter(limit, BELOW)), limit  # of equals all go, or some had to


@inner
def _up_to(pairs, names, i, count, limit):
    """Drop entries of row i above ``limit``: how many stay."""
    kept = 0
    for a in range(count):  # without a branch, because nobody could foretell it
        value = pairs[i, a, 0]
        pairs[i, kept, 0], names[i, kept, 1] = value, names[i, a, 1]
        kept += int(value <= limit)
    return kept


@inner
def _about(values, count, most):
    """A number with ``most`` of the ``values[:count]`` below it, or not many fewer."""
    low, high = values[0], values[0]
    for a in range(count):
        low, high = min(low, values[a]), max(high, values[a])
    for _ in range(HALVINGS):
        middle = np.float32(0.5) * (low + high)
        below = np.int32(0)
        for a in range(count):
            below += np.int32(values[a] < middle)
        if below > most:
            high = middle
        elif below < most - most // 4:
            low = middle
        else:
            return middle
    return kth(values, count, most)


@compiled
def take(values, rows, columns, count, limits, best, near, near_names, near_counts, far, far_names, far_counts):
    """Offer ``count`` pairs with their L to the candidates of both ends.

    In one piece: calls with so many arrays would take longer than what is done.
    """
    spare = np.empty(max(near.shape[1], far.shape[1]), np.float32)
    last = best.shape[1] - 1
    for at in range(count):
        value, i, j = values[at], rows[at], columns[at]
        for _ in range(1 + int(i != j)):
            if value <= limits[NEAR, i]:
                high = value + limits[WIDE, j]
                if high < best[i, last]:
                    place = last
                    while place > 0 and best[i, place - 1] > high:
                        best[i, place] = best[i, place - 1]
                        place -= 1
                    best[i, place] = high
                    limits[NEAR, i] = min(limits[NEAR, i], best[i, last] + limits[WIDE, i])
                held = near_counts[i]
                if held == near.shape[1]:
                    held, limits[NEAR, i] = keep(near, near_names, i, held, limits[NEAR, i], spare)
                near[i, held, 0], near_names[i, held, 1] = value, j
                near_counts[i] = held + int(value <= limits[NEAR, i])
            away = value + limits[WIDE, j]
            if away >= limits[FAR, i]:
                limits[FAR, i] = max(limits[FAR, i], value - limits[WIDE, i])
                held = far_counts[i]
                if held == far.shape[1]:
                    held, limit = keep(far, far_names, i, held, -limits[FAR, i], spare)
                    limits[FAR, i] = -limit
                far[i, held, 0], far_names[i, held, 1] = -away, j
                far_counts[i] = held + int(away >= limits[FAR, i])
            i, j = j, i
