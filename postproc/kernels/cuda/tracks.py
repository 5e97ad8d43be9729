"""What happens inside tracks, as in :mod:`postproc.kernels.cpu.tracks`: track t holds
``members[offsets[t]:offsets[t + 1]]``."""

import numpy as np
from numba import cuda

from postproc.kernels.cuda import block, launch

LEAST, MEAN, GREATEST = 0, 1, 2  # what a track's distances become
INFINITE = np.float32(np.inf)
COLUMNS = 16  # of a feature, that a thread sums at a time


def means_of_tracks(rows, offsets, members, weights, start, stop, out):
    """A block a track, a thread a column."""
    launch.blocks(_means_of_tracks, stop - start, rows, offsets, members, weights, start, out)


@cuda.jit(cache=True)
def _means_of_tracks(rows, offsets, members, weights, start, out):
    t = start + cuda.blockIdx.x
    weight = np.float64(0)
    for at in range(offsets[t], offsets[t + 1]):
        weight += np.float64(weights[members[at]])
    weighted = weight > 0
    if not weighted:
        weight = np.float64(offsets[t + 1] - offsets[t])
    for j in range(cuda.threadIdx.x, rows.shape[1], cuda.blockDim.x):
        total = np.float64(0)
        for at in range(offsets[t], offsets[t + 1]):
            own = np.float64(weights[members[at]]) if weighted else np.float64(1)
            if own > 0:
                total += own * np.float64(rows[members[at], j])
        out[t, j] = total / weight  # float32, or float64 where the mean is not the last step


def weigh_by_queries(strip, offsets, threshold, epsilon, start, stop, out):
    """A thread for every track and query, then a block a row."""
    closest = strip.new_empty((stop - start, strip.shape[1]))
    launch.entries(_closest_in_tracks, tuple(closest.shape), strip, offsets, start, closest)
    track, first = np.repeat(np.arange(stop - start), np.diff(offsets[start : stop + 1])), int(offsets[start])
    launch.blocks(_weigh_by_queries, len(track), strip, closest, track, threshold, epsilon, first, out)


@cuda.jit(cache=True)
def _closest_in_tracks(strip, offsets, start, closest):
    t = cuda.blockIdx.x
    q = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if q >= strip.shape[1]:
        return
    least = INFINITE
    for i in range(offsets[start + t], offsets[start + t + 1]):
        if strip[i, q] < least:
            least = strip[i, q]
    closest[t, q] = least


@cuda.jit(cache=True)
def _weigh_by_queries(strip, closest, track, threshold, epsilon, first, out):
    t = track[cuda.blockIdx.x]
    i = first + cuda.blockIdx.x
    own = -INFINITE
    for q in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
        if -closest[t, q] > own:
            own = -closest[t, q]
    nearest = -block.greatest(np.float64(own))
    alone = nearest >= threshold
    count = np.int32(0)
    total = np.float64(0)
    for q in range(cuda.threadIdx.x, strip.shape[1], cuda.blockDim.x):
        if closest[t, q] < threshold or (alone and closest[t, q] == nearest):
            count += np.int32(1)
            total += np.float64(strip[i, q])
    whole = block.count(count)
    total = block.total(total)
    if cuda.threadIdx.x == 0:
        out[i] = np.float32(1 / (total / whole + epsilon))


def augment_in_tracks(rows, offsets, members, of, epsilon, start, stop, out):
    """A block an image: all its threads take one image of the track after the other."""
    launch.blocks(_augment_in_tracks, stop - start, rows, offsets, members, of, epsilon, start, out)


@cuda.jit(cache=True)
def _augment_in_tracks(rows, offsets, members, of, epsilon, start, out):
    i = start + cuda.blockIdx.x
    t = of[i]
    thread = cuda.threadIdx.x
    step = cuda.blockDim.x
    width = rows.shape[1]
    totals = cuda.local.array(COLUMNS, np.float64)
    for first in range(0, width, COLUMNS * step):  # one round, unless features are very wide
        for c in range(COLUMNS):
            totals[c] = 0
        weights = np.float64(0)
        for at in range(offsets[t], offsets[t + 1]):
            other = members[at]
            distance = np.float64(0)
            for j in range(thread, width, step):
                difference = np.float64(rows[i, j]) - np.float64(rows[other, j])
                distance += difference * difference
            weight = 1 / (block.total(distance) + epsilon)
            weights += weight
            for c in range(COLUMNS):
                j = first + c * step + thread
                if j < width:
                    totals[c] += weight * np.float64(rows[other, j])
        for c in range(COLUMNS):
            j = first + c * step + thread
            if j < width:
                out[i, j] = np.float32(totals[c] / weights)


def reduce_tracks(distances, offsets, members, how, k, start, stop, out):
    """A thread for every row and track."""
    launch.entries(
        _reduce_tracks, (stop - start, len(offsets) - 1), distances, offsets, members, how, k, start, out
    )


@cuda.jit(cache=True)
def _reduce_tracks(distances, offsets, members, how, k, start, out):
    i = start + cuda.blockIdx.x
    t = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if t >= offsets.size - 1:
        return
    count = 0
    least = INFINITE
    greatest = -INFINITE
    total = np.float64(0)
    for at in range(offsets[t], offsets[t + 1]):
        value = distances[i, members[at]]
        if value < INFINITE:
            count += 1
            total += np.float64(value)
            if value < least:
                least = value
            if value > greatest:
                greatest = value
    if count == 0 or how == LEAST:
        out[i, t] = least
        return
    if 0 < k < count:  # the smallest k: those of one value at a time, because there is no room to sort
        greatest = least
        total = np.float64(0)
        left = k
        while True:
            alike = 0
            following = INFINITE
            for at in range(offsets[t], offsets[t + 1]):
                value = distances[i, members[at]]
                if value == greatest:
                    alike += 1
                elif value > greatest and value < following:
                    following = value
            if alike > left:
                alike = left
            for _ in range(alike):
                total += np.float64(greatest)
            left -= alike
            if left == 0:
                break
            greatest = following
        count = k
    out[i, t] = greatest if how == GREATEST else np.float32(total / count)


def give_nearest_first(strip, queries, by_track, offsets, members, later, start, stop):
    """A thread for every row and track."""
    launch.entries(
        _give_nearest_first,
        (stop - start, len(offsets) - 1),
        strip, queries, by_track, offsets, members, later, start,
    )  # fmt: skip


@cuda.jit(cache=True)
def _give_nearest_first(strip, queries, by_track, offsets, members, later, start):
    i = start + cuda.blockIdx.x
    t = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if t >= offsets.size - 1:
        return
    nearest = INFINITE
    for at in range(offsets[t], offsets[t + 1]):
        value = strip[i, members[at]]
        if value < nearest:
            nearest = value
    value = by_track[queries[i], t]
    for at in range(offsets[t], offsets[t + 1]):
        j = members[at]
        strip[i, j] = value if strip[i, j] == nearest else np.float32(value + later)


def spread_tracks(by_track, queries, of, strip, start, stop):
    """A thread an entry."""
    launch.entries(_spread_tracks, (stop - start, strip.shape[1]), by_track, queries, of, strip, start)


@cuda.jit(cache=True)
def _spread_tracks(by_track, queries, of, strip, start):
    i = start + cuda.blockIdx.x
    j = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < strip.shape[1]:
        strip[i, j] = by_track[queries[i], of[j]]
