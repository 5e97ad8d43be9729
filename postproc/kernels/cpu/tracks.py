"""What happens inside tracks: means, weights, augmentation, the reduction of distances. Track t holds
``members[offsets[t]:offsets[t + 1]]``."""

import numpy as np

from postproc.kernels.compiled import compiled

LANES = 16  # partial sums of one distance, so that it can run in vector registers without fast-math
LEAST, MEAN, GREATEST = 0, 1, 2  # what a track's distances become
INFINITE = np.float32(np.inf)


@compiled
def means_of_tracks(rows, offsets, members, weights, start, stop, out):
    """``out[t] = sum_i weights[i] rows[i] / sum_i weights[i]`` over track t, in float64; plain if all are 0."""
    total = np.empty(rows.shape[1], np.float64)
    for t in range(start, stop):
        total[:] = 0
        weight = 0.0
        for at in range(offsets[t], offsets[t + 1]):
            weight += weights[members[at]]
        for at in range(offsets[t], offsets[t + 1]):
            row = rows[members[at]]
            own = np.float64(weights[members[at]]) if weight > 0 else 1.0
            if own > 0:
                for j in range(total.size):
                    total[j] += own * row[j]
        if weight == 0:
            weight = np.float64(offsets[t + 1] - offsets[t])
        for j in range(total.size):
            out[t, j] = total[j] / weight


@compiled
def weigh_by_queries(strip, offsets, threshold, epsilon, start, stop, out):
    """``out[i] = 1 / (mean_q strip[i, q] + epsilon)`` over the queries q nearer than ``threshold`` to any row of
    i's track, or else over the nearest. Track t, of ``start:stop``, is the rows ``offsets[t]:offsets[t + 1]``."""
    closest = np.empty(strip.shape[1], np.float32)
    own = np.empty(strip.shape[1], np.int64)
    for t in range(start, stop):
        closest[:] = INFINITE
        for i in range(offsets[t], offsets[t + 1]):
            row = strip[i]
            for q in range(row.size):
                closest[q] = min(closest[q], row[q])
        nearest = closest.min()
        count = 0
        for q in range(closest.size):
            if closest[q] < threshold or (nearest >= threshold and closest[q] == nearest):
                own[count] = q
                count += 1
        for i in range(offsets[t], offsets[t + 1]):
            total = 0.0
            for at in range(count):
                total += strip[i, own[at]]
            out[i] = 1 / (total / count + epsilon)


@compiled
def augment_in_tracks(rows, offsets, members, of, epsilon, start, stop, out):
    """``out[i]``: the mean of the images of i's track by ``1 / (d + epsilon)``, d their squared distance to i."""
    width = rows.shape[1]
    whole = width // LANES * LANES
    lanes = np.empty(LANES, np.float32)
    total = np.empty(width, np.float64)
    for i in range(start, stop):
        total[:] = 0
        weights = 0.0
        own = rows[i]
        for at in range(offsets[of[i]], offsets[of[i] + 1]):
            other = rows[members[at]]
            lanes[:] = 0
            for j in range(0, whole, LANES):
                for lane in range(LANES):
                    difference = own[j + lane] - other[j + lane]
                    lanes[lane] += difference * difference
            distance = np.float64(0)
            for lane in range(LANES):
                distance += lanes[lane]
            for j in range(whole, width):
                difference = np.float64(own[j]) - other[j]
                distance += difference * difference
            weight = 1 / (distance + epsilon)
            weights += weight
            for j in range(width):
                total[j] += weight * other[j]
        for j in range(width):
            out[i, j] = total[j] / weights


@compiled
def reduce_tracks(distances, offsets, members, how, k, start, stop, out):
    """``out[i, t]``: the least, mean or greatest of the ``k`` smallest (0: all) distances from row i to track t.

    Entries of +inf do not count; a track of nothing else gets +inf.
    """
    longest = 0
    for t in range(offsets.size - 1):
        longest = max(longest, offsets[t + 1] - offsets[t])
    found = np.empty(longest, np.float32)
    for i in range(start, stop):
        row = distances[i]
        for t in range(offsets.size - 1):
            count = 0
            for at in range(offsets[t], offsets[t + 1]):
                value = row[members[at]]
                if value < INFINITE:
                    found[count] = value
                    count += 1
            if 0 < k < count:
                found[:count].sort()
                count = k
            out[i, t] = _reduced(found[:count], how) if count else INFINITE


@compiled
def _reduced(values, how):
    """The least, the mean or the greatest of at least one value."""
    if how == MEAN:
        total = 0.0
        for value in values:
            total += value
        return np.float32(total / values.size)
    best = values[0]
    for value in values:
        if (how == LEAST and value < best) or (how == GREATEST and value > best):
            best = value
    return best


@compiled
def give_nearest_first(strip, queries, by_track, offsets, members, later, start, stop):
    """Rows ``start:stop`` of a strip, in place: distances of images -> the distance of their track, and ``later``
    more unless nobody of the track is nearer. Row i of the strip is row ``queries[i]`` of ``by_track``."""
    for i in range(start, stop):
        row, values = strip[i], by_track[queries[i]]
        for t in range(offsets.size - 1):
            nearest = INFINITE
            for at in range(offsets[t], offsets[t + 1]):
                nearest = min(nearest, row[members[at]])
            for at in range(offsets[t], offsets[t + 1]):
                j = members[at]
                row[j] = values[t] if row[j] == nearest else values[t] + later


def spread_tracks(by_track, queries, of, strip, start, stop):
    """``strip[i, j] = by_track[queries[i], of[j]]``: rows ``start:stop`` of images get what their tracks have."""
    np.take(by_track[queries[start:stop]], of, axis=1, out=strip[start:stop], mode="clip")
