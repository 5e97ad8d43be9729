"""Rankings rewritten by whole tracks, and with one track a camera. (Those that are lists are short: on the CPU.)

Groups are those of :mod:`postproc.tracks.grouping`: ``offsets``, ``members``, and the compact track of every
image, -1 for none. A value of +inf is no image of the ranking. torch sorts and adds up; what looks at the images
of a track or of a camera has a thread for each.
"""

import math

import numpy as np
import torch
from numba import cuda, float32, float64, int32

from postproc.base.arrays import beside
from postproc.base.vocabulary import Array
from postproc.kernels.cpu.rewriting import NO_TRACK
from postproc.kernels.cuda import launch

ROOM = 1 << 24  # entries whose order is kept at a time
INFINITY = float("inf")
LARGEST = 0x7F7FFFFF  # the largest float32, as :func:`_rank` counts


@cuda.jit(cache=True)
def _sum_up(distances, offsets, members, start, best, counts):
    i, group = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if group >= best.shape[1]:
        return
    least = float32(INFINITY)
    count = 0
    for at in range(offsets[group], offsets[group + 1]):
        value = distances[start + i, members[at]]
        if value < INFINITY:
            count += 1
            least = min(least, value)
    best[i, group] = least
    counts[i, group] = count


@cuda.jit(device=True)
def _ahead_of(value, ahead, i):
    """How many of the sorted values are smaller."""
    low, high = 0, ahead.shape[1]
    while low < high:
        middle = (low + high) // 2
        if ahead[i, middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@cuda.jit(cache=True)
def _vote(distances, offsets, members, group_of, own, ahead, offset, start, best, votes):
    i, group = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if group >= votes.shape[1]:
        return
    value = best[i, group]
    total = 0.0
    while value < INFINITY and value <= ahead[i, ahead.shape[1] - 1]:
        share = 1.0 / (offset + _ahead_of(value, ahead, i))
        following = float32(INFINITY)
        for at in range(offsets[group], offsets[group + 1]):
            other = distances[start + i, members[at]]
            if other == value:
                total += share  # one by one from the nearest on, as on the CPU
            elif other > value:
                following = min(following, other)
        value = following
    size = offsets[group + 1] - offsets[group]
    if own and group_of[start + i] == group:
        size -= 1
    votes[i, group] = total / math.sqrt(float64(max(size, 1)))


@cuda.jit(cache=True)
def _place(distances, offsets, members, groups, tracks, places, listed, bases, start, out):
    at, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= out.shape[1]:
        return
    i, group = start + at, groups[j]
    value = distances[i, j]
    by_place = listed and tracks[j] >= 0
    if value == INFINITY:
        out[i, j] = value
        return
    place = bases[at, group]
    for member in range(offsets[group], offsets[group + 1]):
        other = members[member]
        if distances[i, other] < INFINITY:
            if by_place:
                if places[other] < places[j]:
                    place += 1
            elif distances[i, other] < value:
                place += 1
    out[i, j] = float32(place)


def _first_places(best: Array, counts: Array, votes: Array, lone: Array) -> Array:
    """(rows, groups) int64: how many images come before each group; ``lone`` ones at one distance share it.

    Groups go by their smallest value, or by votes and then by it; equal ones by number.
    """
    values, order = torch.sort(best, dim=1, stable=True)
    if votes is not None:
        again = torch.sort(-votes.gather(1, order), dim=1, stable=True)[1]
        values, order = values.gather(1, again), order.gather(1, again)
    counts = counts.gather(1, order).long()
    before = counts.cumsum(dim=1) - counts
    alone = lone[order]
    shared = torch.zeros_like(alone)
    shared[:, 1:] = alone[:, 1:] & alone[:, :-1] & (values[:, 1:] == values[:, :-1])
    before = before.masked_fill(shared, 0).cummax(dim=1)[0]
    return torch.empty_like(before).scatter_(1, order, before)


def rewrite_distances(
    distances: Array, offsets: np.ndarray, members: np.ndarray, tracks: np.ndarray, places: np.ndarray, own: bool,
    vote: bool, listed: bool, depth: int, offset: float, start: int, stop: int, out: Array,
) -> None:  # fmt: skip
    """``out[i, j]``: the place of image j in the rewritten ranking of query i; +inf stays.

    Images of one track that its order does not tell apart share the first of their places, and so do images of no
    track that are as near as each other. ``own``: rows are the images too, and no image counts in its own row.
    """
    images, groups = len(members), len(offsets) - 1
    group_of = np.empty(images, np.int32)
    group_of[members] = np.repeat(np.arange(groups, dtype=np.int32), np.diff(offsets))
    lone = beside(tracks[members[offsets[:-1]]] < 0, distances)
    layout = [beside(part, distances) for part in (offsets, members)]
    labels = [beside(part, distances) for part in (group_of, tracks, places)]
    tall = max(1, ROOM // images)
    for at in range(start, stop, tall):
        rows = min(tall, stop - at)
        best = distances.new_empty((rows, groups))
        counts = torch.empty_like(best, dtype=torch.int32)
        launch.entries(_sum_up, best.shape, distances, *layout, at, best, counts)
        votes = None
        if vote:
            nearest = torch.topk(distances[at : at + rows], min(depth, images), dim=1, largest=False)[0]
            votes = torch.empty_like(best, dtype=torch.float64)
            launch.entries(_vote, best.shape, distances, *layout, labels[0], own, nearest, offset, at, best, votes)
        bases = _first_places(best, counts, votes, lone)
        launch.entries(_place, (rows, images), distances, *layout, *labels, listed, bases, at, out)


@cuda.jit(cache=True)
def _own(distances, offsets, members, tracks, start, owner, closest):
    i, camera = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if camera >= owner.shape[1]:
        return
    least, found = float32(INFINITY), int32(NO_TRACK)
    for at in range(offsets[camera], offsets[camera + 1]):
        j = members[at]
        value = distances[start + i, j]
        track = tracks[j] if tracks[j] >= 0 else int32(NO_TRACK)
        if value < least or (value == least and value < INFINITY and track < found):
            least, found = value, track
    owner[i, camera], closest[i, camera] = found, least


@cuda.jit(cache=True)
def _must_move(distances, cams, tracks, start, owner, closest, moved):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= moved.shape[1]:
        return
    value, cam, track = distances[start + i, j], cams[j], tracks[j]
    stays = cam < 0 or value == INFINITY
    if not stays:
        stays = track == owner[i, cam] or (track < 0 and owner[i, cam] == NO_TRACK and value == closest[i, cam])
    moved[i, j] = not stays


def _rank(values: Array) -> Array:
    """float32 -> int64 in the same order, neighbouring floats by neighbouring numbers, 0 and -0 by 0."""
    bits = values.view(torch.int32).long()
    return torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _unranked(numbers: Array) -> Array:
    bits = torch.where(numbers < 0, -numbers - (1 << 31), numbers)
    return bits.to(torch.int32).view(torch.float32)


def _behind(values: Array, moved: Array) -> Array:
    """What is moved, raised by the largest less the smallest of its row, but in any case above all that stay and
    above what was nearer.

    With floats as whole numbers that is ``u_t = max(a_t, u_(t-1) + 1)``: ``u_t - t`` is the largest ``a_s - s``.
    """
    finite = values < INFINITY
    largest = values.masked_fill(~finite, -INFINITY).amax(dim=1, keepdim=True).double()
    smallest = values.amin(dim=1, keepdim=True).double()
    stay = values.masked_fill(moved | ~finite, -INFINITY).amax(dim=1, keepdim=True)
    tail, order = torch.sort(values.masked_fill(~moved, INFINITY), dim=1, stable=True)
    raised = _rank((tail.double() + (largest - smallest)).float())
    step = torch.ones_like(raised)
    step[:, 1:] = tail[:, 1:] > tail[:, :-1]
    step = step.cumsum(dim=1)
    above = torch.maximum(_rank(stay), (raised - step).cummax(dim=1)[0]) + step
    above = _unranked(above.clamp(max=LARGEST))
    return torch.where(moved, torch.empty_like(values).scatter_(1, order, above), values)


def move_other_tracks(
    distances: Array, cams: np.ndarray, tracks: np.ndarray, cameras: int, own: bool,
    start: int, stop: int, out: Array,
) -> None:  # fmt: skip
    """Every camera belongs to the track of its nearest image; images of other tracks go behind all that stay.

    Of tracks as near as each other the lowest has it, then images of no track, which share it only with those at
    the same distance. What is moved keeps its order, ties included. ``own``: rows are the images too, and the
    camera of a row belongs to its track.
    """
    cameras = max(int(cameras), 1)
    offsets = np.zeros(cameras + 1, np.int64)
    np.cumsum(np.bincount(cams[cams >= 0], minlength=cameras), out=offsets[1:])
    members = np.argsort(cams, kind="stable").astype(np.int32)[np.count_nonzero(cams < 0) :]
    labels = [beside(part, distances) for part in (cams, tracks)]
    tall = max(1, ROOM // len(cams))
    for at in range(start, stop, tall):
        values = distances[at : min(at + tall, stop)]
        owner = distances.new_empty((len(values), cameras), dtype=torch.int32)
        closest = distances.new_empty(owner.shape)
        launch.entries(_own, owner.shape, distances, offsets, members, labels[1], at, owner, closest)
        if own:
            rows = np.flatnonzero(cams[at : at + len(values)] >= 0)
            first = np.where(tracks[at + rows] >= 0, tracks[at + rows], NO_TRACK).astype(np.int32)
            places = beside(rows, distances), beside(cams[at + rows].astype(np.int64), distances)
            owner[places] = beside(first, distances)
            closest[places] = -INFINITY
        moved = distances.new_empty(values.shape, dtype=torch.bool)
        launch.entries(_must_move, moved.shape, distances, *labels, at, owner, closest, moved)
        out[at : at + len(values)] = _behind(values, moved)
