"""Mutual exclusion in a ranking: a block of threads goes down the ranking of one query.

What may come to the next places is a short list of candidates, those below a cut. What is raised only goes up, so
what was above the cut stays there, and the candidate at a place is the one with as many before it, while that is
below the cut; otherwise candidates are chosen anew. Values are float64 as on the CPU: the same images are raised.
"""

import numpy as np
import torch
from numba import cuda, float32, float64, int32, int64

from postproc.base.arrays import beside
from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch

MARGIN = launch.THREADS  # places looked ahead, so that candidates are seldom chosen anew
ROOM = 1 << 30  # bytes of what is kept of the rankings that are walked at a time
DIGITS = 256  # of a key; a value has eight of them, a position four
INFINITY = float("inf")
REST = 0x7FFFFFFFFFFFFFFF


@cuda.jit(device=True)
def _key(value):
    """A whole number of 64 bits in the order of float64."""
    bits = value.view(np.int64)
    return bits ^ ((bits >> 63) & REST)


@cuda.jit(device=True)
def _value(ordered, group_of, raised, i, x):
    return float64(ordered[i, x]) + raised[i, group_of[x]]


@cuda.jit(device=True)
def _below(key, x, level, cut, last):
    """Whether (key, position) is below the cut: its first ``level`` digits are no more than those of the cut."""
    if level <= 8:
        return (key >> (64 - 8 * level)) <= cut
    return key < cut or (key == cut and (x >> (96 - 8 * level)) <= last)


@cuda.jit(device=True)
def _choose(ordered, group_of, raised, i, length, near, found):
    """Write the ``length`` smallest (value, position) of row i, or all, to ``near``, in no order.

    ``found`` (int64, shared) becomes: level, cut and last of :func:`_below`, how many, how many are finite.
    """
    tally = cuda.shared.array(DIGITS, int32)
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    if thread == 0:
        found[0], found[1], found[2], found[3], found[4] = 0, 0, 0, 0, 0
    left = int64(length)
    going = True
    while going:
        for digit in range(thread, DIGITS, threads):
            tally[digit] = 0
        cuda.syncthreads()
        level, cut, last = found[0], found[1], found[2]
        for x in range(thread, ordered.shape[1], threads):
            if ordered[i, x] < INFINITY:
                key = _key(_value(ordered, group_of, raised, i, x))
                if level == 0:
                    cuda.atomic.add(tally, (key >> 56) + 128, 1)
                elif level < 8:
                    if (key >> (64 - 8 * level)) == cut:
                        cuda.atomic.add(tally, (key >> (56 - 8 * level)) & 255, 1)
                elif key == cut and (level == 8 or (x >> (96 - 8 * level)) == last):
                    cuda.atomic.add(tally, (x >> (88 - 8 * level)) & 255, 1)
        cuda.syncthreads()
        if level == 0:  # all threads count, so that all know
            finite = int64(0)
            for digit in range(DIGITS):
                finite += tally[digit]
            left = min(left, finite)
        before = int64(0)
        chosen = 0
        while chosen < DIGITS - 1 and before + tally[chosen] < left:
            before += tally[chosen]
            chosen += 1
        left -= before
        going = left > 0 and tally[chosen] > left
        cuda.syncthreads()
        if thread == 0:
            found[0] = level + 1
            if level == 0:
                found[1] = chosen - 128
                found[4] = finite
            elif level < 8:
                found[1] = cut * DIGITS + chosen
            else:
                found[2] = last * DIGITS + chosen
        cuda.syncthreads()
    level, cut, last = found[0], found[1], found[2]
    for x in range(thread, ordered.shape[1], threads):
        if ordered[i, x] < INFINITY and _below(_key(_value(ordered, group_of, raised, i, x)), x, level, cut, last):
            near[i, cuda.atomic.add(found, 3, 1)] = x
    cuda.syncthreads()


@cuda.jit(device=True)
def _at_place(place, ordered, group_of, raised, i, near, values, count, position):
    """The position in the row that has ``place`` candidates before it."""
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    for at in range(thread, count, threads):
        values[i, at] = _value(ordered, group_of, raised, i, near[i, at])
    cuda.syncthreads()
    for at in range(thread, count, threads):
        value, x = values[i, at], near[i, at]
        ahead = 0
        for other in range(count):
            if values[i, other] < value or (values[i, other] == value and near[i, other] < x):
                ahead += 1
        if ahead == place:
            position[0] = x
    cuda.syncthreads()
    found = position[0]
    cuda.syncthreads()
    return found


@cuda.jit(device=True)
def _by_rule(kind, other, cams, groups, orientations, camera, group, direction, alike):
    """What an image of one kind weighs on one of another; ``orientations`` (a, kinds)."""
    weight = 0.0
    if cams[kind] >= 0 and cams[kind] == cams[other]:
        weight += camera
    if groups[kind] >= 0 and groups[kind] == groups[other]:
        weight += group
    if cams[kind] < 0 and direction > 0:
        product = 0.0
        for a in range(orientations.shape[0]):
            product += float64(orientations[a, kind]) * float64(orientations[a, other])
        if product >= alike:
            weight += direction
    return weight


@cuda.jit(cache=True)
def _raise(
    ordered, group_of, first, tracks, kinds, ruled, weights, cams, groups, orientations,
    camera, group_weight, direction, alike, depth, raised, near, values,
):  # fmt: skip
    found = cuda.shared.array(5, int64)  # one a line: the simulator tells them apart by that
    position = cuda.shared.array(1, int32)
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    _choose(ordered, group_of, raised, i, near.shape[1], near, found)
    for place in range(min(int64(depth), found[4])):
        x = _at_place(place, ordered, group_of, raised, i, near, values, found[3], position)
        key = _key(_value(ordered, group_of, raised, i, x))
        if found[3] < found[4] and not _below(key, x, found[0], found[1], found[2]):
            cuda.syncthreads()  # nobody chooses anew before everybody has seen that
            _choose(ordered, group_of, raised, i, near.shape[1], near, found)
            x = _at_place(place, ordered, group_of, raised, i, near, values, found[3], position)
        chosen = group_of[x]
        kind = kinds[chosen]
        if kind >= 0:
            value = _value(ordered, group_of, raised, i, x)
            for group in range(thread, kinds.size, threads):
                other = kinds[group]
                if other < 0 or group == chosen:
                    continue
                if tracks[group] == tracks[chosen]:
                    if tracks[chosen] >= 0:
                        continue
                    if other == kind and float64(ordered[i, first[group]]) + raised[i, group] == value:
                        continue
                if ruled:
                    weight = _by_rule(
                        kind, other, cams, groups, orientations, camera, group_weight, direction, alike
                    )
                else:
                    weight = weights[kind, other]
                raised[i, group] += weight / (1 + place)
        cuda.syncthreads()


@cuda.jit(cache=True)
def _heads(distances, offsets, members, start, out):
    i, group = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if group < out.shape[1]:
        least = float32(INFINITY)
        for at in range(offsets[group], offsets[group + 1]):
            least = min(least, distances[start + i, members[at]])
        out[i, group] = least


@cuda.jit(cache=True)
def _add_raised(distances, raised, groups, start, out):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < out.shape[1]:
        out[start + i, j] = float32(float64(distances[start + i, j]) + raised[i, groups[j]])


def raise_excluded(
    distances: Array, offsets: np.ndarray, members: np.ndarray, tracks: np.ndarray, kinds: np.ndarray,
    weights: np.ndarray, places: tuple[np.ndarray, ...], rule: tuple[float, ...], depth: int, heads: bool,
    start: int, stop: int, out: Array,
) -> None:  # fmt: skip
    """For j = 0, 1, … ``depth`` - 1: the image now at place j raises other tracks by their weight / (1 + j).

    Arguments as in :mod:`postproc.kernels.cpu.exclusion`. A place costs the square of ``depth`` plus MARGIN.
    """
    images, groups = len(members), len(tracks)
    group_of = np.repeat(np.arange(groups, dtype=np.int32), np.diff(offsets))
    of_image = np.empty(images, np.int32)
    of_image[members] = group_of
    first = offsets[:-1]
    if heads:
        group_of, first = np.arange(groups, dtype=np.int32), np.arange(groups)
    ruled = 0 in weights.shape
    cams, cam_groups, orientations = places if ruled else (kinds, kinds, np.zeros((1, 1), np.float32))
    table = np.zeros((1, 1)) if ruled else weights
    layout = [beside(part, distances) for part in (group_of, first, tracks, kinds)]
    scale = [beside(part, distances) for part in (table, cams, cam_groups, np.ascontiguousarray(orientations.T))]
    length = min(depth + MARGIN, len(group_of))
    tall = max(1, ROOM // (4 * len(group_of) + 8 * groups + 12 * length))
    for at in range(start, stop, tall):
        rows = min(tall, stop - at)
        if heads:
            ordered = distances.new_empty((rows, groups))
            launch.entries(_heads, ordered.shape, distances, offsets, members, at, ordered)
        else:
            ordered = distances[at : at + rows].index_select(1, beside(members, distances))
        raised = distances.new_zeros((rows, groups), dtype=torch.float64)
        near = distances.new_empty((rows, length), dtype=torch.int32)
        values = distances.new_empty((rows, length), dtype=torch.float64)
        launch.blocks(_raise, rows, ordered, *layout, ruled, *scale, *rule, depth, raised, near, values)
        launch.entries(_add_raised, (rows, images), distances, raised, of_image, at, out)
