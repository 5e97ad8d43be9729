"""k-reciprocal encoding, a range of rows at a time (Zhong et al. 2017, equations 3 to 11).

Sets and weight rows are sparse: offsets (n + 1,) int64, members int32, weights float32.
"""

import math

import torch
from numba import cuda, float32

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch

NEARLY_ONE = 1 - 1e-4
SHARED = 1 << 29  # what queries and gallery images share is summed for so many pairs at a time, of 4 bytes


@cuda.jit(cache=True)
def _mutual(count, lists, length, start, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    i, s = start + thread // length, thread % length
    other = lists[i, s]
    found = False
    for t in range(length):
        if other >= 0 and lists[other, t] == i:
            found = True
    out[i, s] = found


def mutual(lists: Array, length: int, start: int, stop: int, out: Array) -> None:
    """``out[i, s] = i in lists[lists[i, s], :length]`` for ``s < length``: is the neighbour's neighbour me?"""
    launch.rows(_mutual, (stop - start) * length, lists, length, start, out)


@cuda.jit(cache=True)
def _accept(count, lists, mutual_whole, mutual_half, start, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    length, half = mutual_whole.shape[1], mutual_half.shape[1]
    i, s = start + thread // length, thread % length
    known = 0
    shared = 0
    if mutual_whole[i, s]:
        candidate = lists[i, s]
        for t in range(half):
            if mutual_half[candidate, t]:
                known += 1
                member = lists[candidate, t]
                for u in range(length):
                    if lists[i, u] == member and mutual_whole[i, u]:
                        shared += 1
    out[thread // length, s] = mutual_whole[i, s] and 3 * shared > 2 * known


def reciprocal_sets(
    lists: Array, mutual_whole: Array, mutual_half: Array, start: int, stop: int
) -> tuple[Array, Array]:
    """The expanded reciprocal sets of rows ``start:stop`` as (sizes, members), members ascending.

    The set of i is S = {j in its list, i in j's}; every candidate c of S whose own half-length set shares more
    than two thirds with S adds that set. Membership is always tested against S, never the growing union.
    """
    images, length, half = len(lists), mutual_whole.shape[1], mutual_half.shape[1]
    accepted = torch.empty((stop - start, length), dtype=torch.bool, device=lists.device)
    launch.rows(_accept, (stop - start) * length, lists, mutual_whole, mutual_half, start, accepted)
    row, place = mutual_whole[start:stop].nonzero(as_tuple=True)
    core = row * images + lists[row + start, place]
    row, place = accepted.nonzero(as_tuple=True)
    candidate = lists[row + start, place].long()
    added = (row[:, None] * images + lists[candidate, :half])[mutual_half[candidate]]
    keys = torch.unique(torch.cat([core, added]))  # sorted: by row, then by member
    return torch.bincount(keys // images, minlength=stop - start), (keys % images).to(torch.int32)


@cuda.jit(cache=True)
def _shared_neighbours(count, lists, start, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    i, length = start + thread, lists.shape[1]
    found = 0
    for s in range(length):
        for t in range(length):
            for u in range(length):
                if lists[i, u] == lists[lists[i, s], t]:
                    found += 1
    out[i] = found


def shared_neighbours(lists: Array, start: int, stop: int, out: Array) -> None:
    """``out[i]``: how many names in the lists of those whom list i names list i has too, rows ``start:stop``.

    Lists (n, k) name others only; ``out`` is k * k at most.
    """
    launch.rows(_shared_neighbours, stop - start, lists, start, out)


@cuda.jit(cache=True)
def _fill_known(count, owners, first, members, lists, values, symmetric, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    at = first + thread
    i, j = owners[thread], members[at]
    found = float32(math.nan)
    for s in range(lists.shape[1]):
        if symmetric and lists[j, s] == i:
            found = values[j, s]
    for s in range(lists.shape[1]):
        if lists[i, s] == j:
            found = values[i, s]
    out[at] = found


def fill_known(
    offsets: Array, members: Array, lists: Array, values: Array, symmetric: bool, start: int, stop: int, out: Array
) -> None:
    """Distances of set members that stand in the list of i or, if distances are ``symmetric``, have i in theirs;
    NaN for the others."""
    rows = torch.arange(start, stop, dtype=torch.int32, device=members.device)
    owners = torch.repeat_interleave(rows, offsets[start + 1 : stop + 1] - offsets[start:stop])
    first = int(offsets[start])
    launch.rows(_fill_known, len(owners), owners, first, members, lists, values, symmetric, out)


@cuda.jit(device=True)
def normalised(distance, scale, half_power):
    """``sign(d) |d|^half_power / scale``: the published distance, divided by the row's largest (1 for 0)."""
    value = abs(distance)
    if half_power == 2.0:
        value = value * value
    elif half_power == 0.5:
        value = float32(math.sqrt(value))
    elif half_power != 1.0:
        value = float32(math.pow(value, half_power))
    if distance < 0:
        value = -value
    return float32(value / scale) if scale > 0 else value


@cuda.jit(cache=True)
def _to_weights(count, offsets, distances, largest, half_power, start):
    thread = cuda.grid(1)
    if thread >= count:
        return
    i = start + thread
    scale = normalised(largest[i], float32(1.0), half_power)
    total = 0.0
    for at in range(offsets[i], offsets[i + 1]):
        weight = math.exp(-float(normalised(distances[at], scale, half_power)))
        distances[at] = weight
        total += weight
    for at in range(offsets[i], offsets[i + 1]):
        distances[at] = distances[at] / total


def to_weights(offsets: Array, distances: Array, largest: Array, half_power: float, start: int, stop: int) -> None:
    """In place, rows ``start:stop``: distances -> ``exp(-p)`` over their sum, p as in :func:`normalised`."""
    launch.rows(_to_weights, stop - start, offsets, distances, largest, half_power, start)


@cuda.jit(cache=True)
def _row_sums(count, offsets, weights, start, out):
    thread = cuda.grid(1)
    if thread < count:
        total = float32(0.0)
        for at in range(offsets[start + thread], offsets[start + thread + 1]):
            total += weights[at]
        out[start + thread] = total


def row_sums(offsets: Array, weights: Array, start: int, stop: int, out: Array) -> None:
    """``out[i]``: the sum of the weights of row i, in their order, for the rows ``start:stop``."""
    launch.rows(_row_sums, stop - start, offsets, weights, start, out)


@cuda.jit(cache=True)
def _finish_strip(
    strip, shared, queries, offsets, members, weights, inverted_offsets, inverted_rows, inverted_weights, least,
    largest, half_power, lambda_value, start,
):  # fmt: skip
    i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    r = start + i
    query = queries[r]
    whole = float32(0.0)  # what the query shares with a copy of itself, added up in the same order
    for at in range(offsets[query], offsets[query + 1]):
        t, weight = members[at], weights[at]
        whole += weight
        for column in range(inverted_offsets[t] + thread, inverted_offsets[t + 1], threads):
            shared[i, inverted_rows[column]] += min(weight, inverted_weights[column])
        cuda.syncthreads()  # the next list may hold the same rows
    scale = normalised(largest[query], float32(1.0), half_power)
    rest = float32(1.0) - lambda_value
    for j in range(thread, strip.shape[1], threads):
        jaccard = max(float32(0.0), float32(1.0) - shared[i, j] / (float32(2.0) - shared[i, j]))
        if shared[i, j] >= max(whole, least[j]) and whole > NEARLY_ONE:
            jaccard = float32(0.0)
        share = normalised(strip[r, j], scale, half_power)
        value = rest * jaccard + lambda_value * share
        strip[r, j] = float32(1.0) if value > float32(1.0) and share <= float32(1.0) else value


def finish_strip(
    strip: Array, queries: Array, offsets: Array, members: Array, weights: Array,
    inverted_offsets: Array, inverted_rows: Array, inverted_weights: Array, least: Array,
    largest: Array, half_power: float, lambda_value: float, start: int, stop: int,
) -> None:  # fmt: skip
    """Rows ``start:stop`` of a strip, in place: distances -> ``(1 - lambda) jaccard + lambda normalised``.

    The strip's row r belongs to query ``queries[r]``. The Jaccard distance is ``1 - m / (2 - m)`` with
    ``m = sum_t min(V[q, t], V[g, t])``, because every row of V sums to one; 0 where m is all of V[q], and no less
    than ``least[g]``. A block adds up what a query shares.
    """
    tall = max(1, min(stop - start, SHARED // max(strip.shape[1], 1)))
    shared = strip.new_empty((tall, strip.shape[1]))
    for first in range(start, stop, tall):
        shared.zero_()
        launch.blocks(
            _finish_strip, min(tall, stop - first), strip, shared, queries, offsets, members, weights,
            inverted_offsets, inverted_rows, inverted_weights, least, largest, half_power, lambda_value, first,
        )  # fmt: skip
