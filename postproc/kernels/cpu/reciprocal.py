"""k-reciprocal encoding, a range of rows at a time (Zhong et al. 2017, equations 3 to 11).

Sets and weight rows are sparse: offsets (n + 1,) int64, members int32, weights float32.
"""

import numpy as np
from numpy.typing import NDArray

from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.compiled import compiled, inner, lean

ZERO, ONE, TWO, NOTHING = np.float32(0), np.float32(1), np.float32(2), np.float32(np.nan)
JUST_ONE = np.float32(1 + 2.0**-18)  # a distance over the largest of its row, which was found another way
NEARLY_ONE = np.float32(1 - 1e-4)  # a row's sum, whatever rounding did to it


@lean
def mutual(lists, length, start, stop, out):
    """``out[i, s] = i in lists[lists[i, s], :length]`` for ``s < length``: is the neighbour's neighbour me?"""
    for i in range(start, stop):
        for s in range(length):
            other = lists[lists[i, s]]
            found = False
            for t in range(length):
                if other[t] == i:
                    found = True
                    break
            out[i, s] = found


def reciprocal_sets(
    lists: Ints, mutual_whole: NDArray[np.bool_], mutual_half: NDArray[np.bool_], start: int, stop: int
) -> tuple[np.ndarray, np.ndarray]:
    """The expanded reciprocal sets of rows ``start:stop`` as (sizes, members).

    The set of i is S = {j in its list, i in j's}; every candidate c of S whose own half-length set shares more
    than two thirds with S adds that set. Membership is always tested against S, never the growing union.
    """
    images, length, half = len(lists), mutual_whole.shape[1], mutual_half.shape[1]
    sizes = np.empty(stop - start, np.int64)
    members = np.empty((stop - start) * min(length + length * half, images), np.int32)
    in_set, taken = (np.full(images, -1, np.int32) for _ in range(2))
    end = _reciprocal_sets(lists, mutual_whole, mutual_half, start, sizes, members, in_set, taken)
    return sizes, members[:end].copy()


@lean
def _reciprocal_sets(lists, mutual_whole, mutual_half, start, sizes, members, in_set, taken):
    length, half = mutual_whole.shape[1], mutual_half.shape[1]
    end = 0
    for i in range(start, start + sizes.size):
        begin = end
        for s in range(length):
            if mutual_whole[i, s]:
                member = lists[i, s]
                members[end] = member
                in_set[member] = i
                taken[member] = i
                end += 1
        core = end
        for at in range(begin, core):
            candidate = members[at]
            count = 0
            shared = 0
            for s in range(half):
                if mutual_half[candidate, s]:
                    count += 1
                    shared += in_set[lists[candidate, s]] == i
            if 3 * shared > 2 * count:
                for s in range(half):
                    member = lists[candidate, s]
                    if mutual_half[candidate, s] and taken[member] != i:
                        taken[member] = i
                        members[end] = member
                        end += 1
        sizes[i - start] = end - begin
    return end


@compiled
def shared_neighbours(lists, start, stop, out):
    """``out[i]``: how many names in the lists of those whom list i names list i has too, rows ``start:stop``.

    Lists (n, k) name others only; ``out`` is k * k at most.
    """
    images, length = lists.shape
    in_list = np.full(images, -1, np.int32)
    for i in range(start, stop):
        for s in range(length):
            in_list[lists[i, s]] = i
        count = 0
        for s in range(length):
            for t in range(length):
                count += in_list[lists[lists[i, s], t]] == i
        out[i] = count


def fill_known(
    offsets: Ints, members: Ints, lists: Ints, values: Floats, symmetric: bool, start: int, stop: int, out: Floats
) -> None:
    """Distances of set members that stand in the list of i or, if distances are ``symmetric``, have i in theirs;
    NaN for the others."""
    place, owner = np.empty(len(lists), np.int32), np.full(len(lists), -1, np.int32)
    _fill_known(offsets, members, lists, values, symmetric, start, stop, out, place, owner)


@lean
def _fill_known(offsets, members, lists, values, symmetric, start, stop, out, place, owner):
    length = lists.shape[1]
    for i in range(start, stop):
        for s in range(length):
            j = lists[i, s]
            owner[j] = i
            place[j] = s
        for at in range(offsets[i], offsets[i + 1]):
            j = members[at]
            value = NOTHING
            if owner[j] == i:
                value = values[i, place[j]]
            elif symmetric:
                for s in range(length):
                    if lists[j, s] == i:
                        value = values[j, s]
                        break
            out[at] = value


@lean
def to_weights(offsets, distances, largest, half_power, start, stop):
    """In place, rows ``start:stop``: distances -> ``exp(-p)`` over their sum, p as in :func:`normalised`."""
    for i in range(start, stop):
        scale = normalised(largest[i], ONE, half_power)
        total = 0.0
        for at in range(offsets[i], offsets[i + 1]):
            weight = np.exp(-np.float64(normalised(distances[at], scale, half_power)))
            distances[at] = weight
            total += weight
        for at in range(offsets[i], offsets[i + 1]):
            distances[at] = distances[at] / total


@inner
def normalised(distance, scale, half_power):
    """``sign(d) |d|^half_power / scale``: the published distance, divided by the row's largest (1 for 0)."""
    value = abs(distance)
    if half_power == 2.0:
        value = value * value
    elif half_power == 0.5:
        value = np.float32(np.sqrt(value))
    elif half_power != 1.0:
        value = np.float32(value**half_power)
    if distance < 0:
        value = -value
    return np.float32(value / scale) if scale > 0 else value


@lean
def row_sums(offsets, weights, start, stop, out):
    """``out[i]``: the sum of the weights of row i, in their order, for the rows ``start:stop``."""
    for i in range(start, stop):
        total = ZERO
        for at in range(offsets[i], offsets[i + 1]):
            total += weights[at]
        out[i] = total


def finish_strip(
    strip: Floats, queries: Ints, offsets: Ints, members: Ints, weights: Floats, inverted_offsets: Ints,
    inverted_rows: Ints, inverted_weights: Floats, least: Floats, largest: Floats, half_power: float,
    lambda_value: np.float32, start: int, stop: int,
) -> None:  # fmt: skip
    """Rows ``start:stop`` of a strip, in place: distances -> ``(1 - lambda) jaccard + lambda normalised``.

    The strip's row r belongs to query ``queries[r]``. The Jaccard distance is ``1 - m / (2 - m)`` with
    ``m = sum_t min(V[q, t], V[g, t])``, because every row of V sums to one; 0 where m is all of V[q], and no less
    than ``least[g]``.
    """
    shared, met = np.zeros(strip.shape[1], np.float32), np.empty(strip.shape[1], np.int32)
    _finish_strip(
        strip, queries, offsets, members, weights, inverted_offsets, inverted_rows, inverted_weights, least,
        largest, half_power, lambda_value, start, stop, shared, met,
    )  # fmt: skip


@lean
def _finish_strip(
    strip, queries, offsets, members, weights, inverted_offsets, inverted_rows, inverted_weights, least,
    largest, half_power, lambda_value, start, stop, shared, met,
):  # fmt: skip
    for r in range(start, stop):
        query, count = queries[r], 0
        whole = ZERO  # what the query shares with a copy of itself, added up in the same order
        for at in range(offsets[query], offsets[query + 1]):
            t, weight = members[at], weights[at]
            whole += weight
            for column in range(inverted_offsets[t], inverted_offsets[t + 1]):
                j, other = inverted_rows[column], inverted_weights[column]
                less = other if other < weight else weight
                if less > ZERO and shared[j] == ZERO:
                    met[count] = j
                    count += 1
                shared[j] += less
        scale = normalised(largest[query], ONE, half_power)
        scale = scale if scale > ZERO else ONE
        if half_power != 1.0:
            for j in range(shared.size):
                strip[r, j] = normalised(strip[r, j], ONE, half_power)
        for a in range(count):
            j = met[a]
            both = shared[j]
            jaccard = ONE - both / (TWO - both)
            if not jaccard > ZERO or (whole > NEARLY_ONE and both >= whole and both >= least[j]):
                jaccard = ZERO
            shared[j] = _mixed(jaccard, strip[r, j] / scale, lambda_value)
        for j in range(shared.size):  # of most, who share nothing, a loop without a branch
            strip[r, j] = _mixed(ONE, strip[r, j] / scale, lambda_value)
        for a in range(count):
            strip[r, met[a]] = shared[met[a]]
            shared[met[a]] = ZERO


@inner
def _mixed(jaccard, share, lambda_value):
    """``(1 - lambda) jaccard + lambda share``; a mean of two is no larger than both."""
    value = (ONE - lambda_value) * jaccard + lambda_value * share
    return ONE if value > ONE and share <= JUST_ONE else value
