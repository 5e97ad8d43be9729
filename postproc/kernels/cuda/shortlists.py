"""What changes the nearest gallery images of a query and leaves the others: a range of queries at a time."""

import math

from numba import cuda, float32, float64

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch


@cuda.jit(cache=True)
def _write_to_copies(values, classes, offsets, members, out, start):
    r, s = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if s >= classes.shape[1]:
        return
    name = classes[r, s]
    if s > 0 and name == classes[r, s - 1]:
        return  # another copy, of the same value
    for at in range(offsets[name], offsets[name + 1]):
        out[r, members[at]] = values[r, s]


def write_to_copies(
    values: Array, classes: Array, offsets: Array, members: Array, out: Array, start: int, stop: int
) -> None:
    """``out[r, g] = values[r, s]`` for all images g of class ``classes[r, s]``; rows ``start:stop``."""
    shape = stop - start, classes.shape[1]
    launch.entries(_write_to_copies, shape, values, classes, offsets, members, out, start)


@cuda.jit(device=True)
def _between(within, r, m, i, j):
    """The distance of i and j, which stands once, pairs i < j in order; 0 to itself."""
    if i == j:
        return float32(0.0)
    low, high = min(i, j), max(i, j)
    return within[r, low * (2 * m - low - 1) // 2 + high - low - 1]


@cuda.jit(cache=True)
def _average_by_nearness(values, within, sharpness, out, start):
    r, i = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    m = values.shape[1]
    if i >= m:
        return
    least = float32(0.0)
    for j in range(m):
        least = min(least, _between(within, r, m, i, j))
    total = 0.0
    weights = 0.0
    for j in range(m):
        weight = math.exp(-sharpness * (float64(_between(within, r, m, i, j)) - float64(least)))
        total += weight * float64(values[r, j])
        weights += weight
    out[r, i] = float32(total / weights)


def average_by_nearness(values: Array, within: Array, sharpness: float, out: Array, start: int, stop: int) -> None:
    """``out[r, i] = sum_j w_ij values[r, j] / sum_j w_ij``, ``w_ij = exp(-sharpness * distance of i and j)``.

    ``within`` (rows, m (m - 1) / 2) holds the distances of the pairs i < j, pair by pair; ``values`` (rows, m).
    Every sum runs over j in order, so that copies, which see the same numbers, get the same.
    """
    launch.entries(_average_by_nearness, (stop - start, values.shape[1]), values, within, sharpness, out, start)


@cuda.jit(cache=True)
def _mix_with_means(
    strip, before, limits, query_cams, gallery_cams, near, near_weights, crowd, beyond, beyond_weights,
    k, own, mean, penalty, start,
):  # fmt: skip
    at, g = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if g >= strip.shape[1] or before[at, g] == math.inf:
        return
    r = start + at
    camera = query_cams[r]
    given = float64(before[at, g])
    total = 0.0
    share = 0.0
    if before[at, g] <= limits[r]:
        crowded = camera >= 0 and camera == crowd[g]
        taken = 0
        for s in range(beyond.shape[1] if crowded else near.shape[1]):
            j = beyond[g, s] if crowded else near[g, s]
            if j < 0 or taken == k:
                break
            if (camera < 0 or gallery_cams[j] != camera) and before[at, j] < math.inf:
                weight = float64(beyond_weights[g, s]) if crowded else float64(near_weights[g, s])
                total += weight * float64(before[at, j])
                share += weight
                taken += 1
    centre = total / share if share > 0 else given
    value = own * given + mean * centre
    if camera >= 0 and gallery_cams[g] == camera:
        value += penalty
    strip[r, g] = float32(value)


def mix_with_means(
    strip: Array, limits: Array, query_cams: Array, gallery_cams: Array,
    near: Array, near_weights: Array, crowd: Array,
    beyond: Array, beyond_weights: Array, k: int, own: float, mean: float, penalty: float, start: int, stop: int,
) -> None:  # fmt: skip
    """``strip[r, g] <- own * strip[r, g] + mean * M + penalty * (one camera)`` for the rows ``start:stop``.

    M is the weighted mean of ``strip[r, j]`` over the first ``k`` images j of ``near[g]`` that are not of the
    query's camera; where that camera is ``crowd[g]``, over ``beyond[g]``. It is ``strip[r, g]`` itself where
    that exceeds ``limits[r]`` or there is no such j. Cameras below 0 are unknown and equal to none. What is
    at distance +inf stays there, and is no j.
    """
    launch.entries(
        _mix_with_means, (stop - start, strip.shape[1]), strip, strip[start:stop].clone(),
        limits, query_cams, gallery_cams, near, near_weights, crowd, beyond, beyond_weights,
        k, own, mean, penalty, start,
    )  # fmt: skip
