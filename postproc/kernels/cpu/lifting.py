"""Who came along with whom: the nearest of some queries together in every camera, and what is near them in time.

Gallery images stand in the order of their cameras here: those of camera b are columns ``ends[b]:ends[b + 1]``.
"""

import numpy as np

from postproc.kernels.compiled import compiled, inner
from postproc.kernels.cpu.exponentials import exp_below

NOBODY = np.int32(2**31 - 1)  # behind every real column


@inner
def _take(value, row, values, rows):
    """Put (value, row) into lists that ascend by both, in the place of the last, if it comes before that."""
    at = values.size - 1
    if value > values[at] or (value == values[at] and row >= rows[at]):
        return
    while at > 0 and (value < values[at - 1] or (value == values[at - 1] and row < rows[at - 1])):
        values[at], rows[at] = values[at - 1], rows[at - 1]
        at -= 1
    values[at], rows[at] = value, row


@compiled
def nearest_in_cameras(distances, queries, order, ends, start, stop, values, rows):
    """The nearest of the queries ``queries[start:stop]`` in every camera: ``values`` and ``rows`` (queries, b, k).

    ``rows`` are gallery rows; where there are fewer than k at a finite distance the rest is +inf and NOBODY.
    """
    for i in range(start, stop):
        own = distances[queries[i]]
        values[i] = np.inf
        rows[i] = NOBODY
        for b in range(ends.size - 1):
            for at in range(ends[b], ends[b + 1]):
                value = own[order[at]]
                if value < np.inf and value <= values[i, b, -1]:
                    _take(value, order[at], values[i, b], rows[i, b])


@compiled
def lift(
    distances, queries, order, ends, frames, times, first, last, values, rows, sigma, alpha, start, stop, out
):  # fmt: skip
    """``out <- 1 - s (w + alpha) / (1 + alpha)``, s = 1 - distance, for the queries ``queries[start:stop]``.

    w of an image is the mean of exp(-((t - t_p) / sigma)^2) over p, the nearest in the image's camera of the
    queries ``first[i]:last[i]`` together. ``frames`` are times of gallery rows, ``times`` the same in ``order``.
    Where s is below 0 w counts as 0, and so it does for images behind the last camera.
    """
    k = values.shape[2]
    near, who = np.empty(k, np.float32), np.empty(k, np.int32)
    weights = np.zeros(order.size)
    for i in range(start, stop):
        own, found = distances[queries[i]], out[queries[i]]
        for b in range(ends.size - 1):
            near[:] = np.inf
            who[:] = NOBODY
            for other in range(first[i], last[i]):
                for at in range(k):
                    _take(values[other, b, at], rows[other, b, at], near, who)
            part, when = weights[ends[b] : ends[b + 1]], times[ends[b] : ends[b + 1]]
            part[:] = 0
            count = 0
            for at in range(k):
                if near[at] < np.inf:
                    count += 1
                    time = frames[who[at]]
                    for j in range(part.size):
                        away = (when[j] - time) / sigma
                        part[j] += exp_below(-away * away)
            if count:
                part /= count
        for at in range(order.size):
            value = own[order[at]]
            if value < np.inf:
                s = 1 - np.float64(value)
                value = 1 - s * ((weights[at] if s > 0 else 0.0) + alpha) / (1 + alpha)
            found[order[at]] = value
