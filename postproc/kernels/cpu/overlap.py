"""Overlaps of sparse rows for the few images that share something: candidates instead of a strip of everybody.

What a row of :func:`postproc.kernels.cpu.reciprocal.finish_strip` has for these images, found without the others.
Sparse rows are offsets (n + 1,) int64, members int32, weights float32.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.nearest import NOBODY, offer_one, sort_heaps
from postproc.kernels.cpu.reciprocal import NEARLY_ONE, ONE, ZERO, normalised
from postproc.kernels.cpu.sorting import order

TWO = np.float32(2)
UNKNOWN = np.float32(np.nan)


@compiled
def order_rows(offsets, members, weights):
    """In place: the members of every row ascending, with their weights."""
    for i in range(offsets.size - 1):
        start, stop = offsets[i], offsets[i + 1]
        places = order(members[start:stop].astype(np.float64))
        members[start:stop] = members[start:stop][places]
        weights[start:stop] = weights[start:stop][places]


@compiled
def count_columns(members, counts):
    """``counts[t] += `` how often t stands among ``members``."""
    for at in range(members.size):
        counts[members[at]] += 1


@compiled
def fill_columns(offsets, members, weights, first, ends, rows, column_weights):
    """Write sparse rows, of images ``first ..``, behind what their columns hold already; ``ends`` move on."""
    for i in range(offsets.size - 1):
        for at in range(offsets[i], offsets[i + 1]):
            t = members[at]
            rows[ends[t]] = first + i
            column_weights[ends[t]] = weights[at]
            ends[t] += 1


@compiled
def sums_by_row(rows, weights, out):
    """``out[rows[i]] += weights[i]`` one after the other: of columns, every row's sum in ascending order."""
    for at in range(rows.size):
        out[rows[at]] += weights[at]


@compiled
def mixed(jaccard, share, lambda_value):
    """``(1 - lambda) jaccard + lambda share``, no larger than both."""
    value = (ONE - lambda_value) * jaccard + lambda_value * share
    return ONE if value > ONE and share <= ONE else value


@compiled
def candidates(
    first, offsets, members, weights, inverted_offsets, inverted_rows, inverted_weights, least,
    lists, values, classes, border, one_set, largest, half_power, lambda_value, k,
):  # fmt: skip
    """Who may be among the ``k`` nearest of the queries ``first ..``, as (sizes, rows, jaccards, distances, ends).

    ``lists`` and ``values`` are those of these queries alone. Candidates of a query are the gallery images that
    share a member with it, by the inverted rows, and those in its list. A distance is that of the list (of a copy
    in it, ``classes`` telling copies), NaN where it is not in the list. Everybody who is not is as far as the
    list's last, whose normalised distance is the query's end: +inf where the list holds everybody, NaN where
    numbers are not finite. Left out is who cannot come before ``k`` others.
    """
    queries = offsets.size - 1
    count = least.size
    shared = np.zeros(count, np.float32)
    met = np.full(count, -1, np.int64)
    pool = np.empty(count, np.int32)
    jaccards = np.empty(count, np.float32)
    lowest = np.empty(count, np.float32)
    known = np.full(classes.size, UNKNOWN, np.float32)
    heap_values, heap_rows = np.empty(k, np.float32), np.empty(k, np.int32)
    sizes, ends = np.zeros(queries, np.int64), np.empty(queries, np.float32)
    room = 64 * queries
    found_rows = np.empty(room, np.int32)
    found_jaccards, found_distances = np.empty(room, np.float32), np.empty(room, np.float32)
    end = 0
    for r in range(queries):
        query = first + r
        size = 0
        whole = ZERO  # what the query shares with a copy of itself, added up in the same order
        for at in range(offsets[r], offsets[r + 1]):
            t, weight = members[at], weights[at]
            whole += weight
            for column in range(inverted_offsets[t], inverted_offsets[t + 1]):
                g = inverted_rows[column]
                if met[g] != query:
                    met[g] = query
                    shared[g] = 0
                    pool[size] = g
                    size += 1
                shared[g] += min(weight, inverted_weights[column])
        listed = 0
        while listed < lists.shape[1] and lists[r, listed] >= 0 and lists[r, listed] != NOBODY:
            j = lists[r, listed]
            known[classes[j]] = values[r, listed]
            g = j - border
            if g >= 0 and met[g] != query:
                met[g] = query
                shared[g] = 0
                pool[size] = g
                size += 1
            listed += 1
        scale = normalised(largest[query], ONE, half_power)
        last = normalised(values[r, listed - 1], scale, half_power)
        heap_values[:] = np.inf
        heap_rows[:] = NOBODY
        for at in range(size):
            g = pool[at]
            jaccard = max(ZERO, ONE - shared[g] / (TWO - shared[g]))
            if shared[g] >= max(whole, least[g]) and whole > NEARLY_ONE:
                jaccard = ZERO
            distance = known[classes[border + g]]
            listed_here = not np.isnan(distance)
            share = normalised(distance, scale, half_power) if listed_here else last
            jaccards[at] = jaccard
            lowest[at] = mixed(jaccard, share, lambda_value)
            own = one_set and g == query
            if own:
                lowest[at] = np.inf
            elif listed_here or lambda_value == 0:
                offer_one(heap_values, heap_rows, lowest[at], g)
        limit = heap_values[0]
        if end + size > room:
            room = max(2 * room, end + size)
            more_rows = np.empty(room, np.int32)
            more_jaccards, more_distances = np.empty(room, np.float32), np.empty(room, np.float32)
            more_rows[:end] = found_rows[:end]
            more_jaccards[:end] = found_jaccards[:end]
            more_distances[:end] = found_distances[:end]
            found_rows, found_jaccards, found_distances = more_rows, more_jaccards, more_distances
        begin = end
        for at in range(size):
            g = pool[at]
            if lowest[at] <= limit and not (one_set and g == query):
                distance = known[classes[border + g]]
                if lambda_value == 0 and np.isnan(distance):
                    distance = ZERO  # whatever it is
                found_rows[end] = g
                found_jaccards[end] = jaccards[at]
                found_distances[end] = distance
                end += 1
        sizes[r] = end - begin
        if not np.isfinite(last) or not np.isfinite(scale):
            ends[r] = UNKNOWN
        else:
            ends[r] = np.inf if listed == classes.size else last
        for s in range(listed):
            known[classes[lists[r, s]]] = UNKNOWN
    return (
        sizes, found_rows[:end].copy(), found_jaccards[:end].copy(), found_distances[:end].copy(), ends
    )  # fmt: skip


@compiled
def choose(
    first, offsets, pool, jaccards, distances, ends, largest, half_power, lambda_value,
    hopeful, start, stop, values, rows, asked,
):  # fmt: skip
    """The nearest of the queries ``first + start .. first + stop`` among their candidates; ties by row.

    ``asked``: whose distances have to be found, being unknown; where there are none, the nearest are right. If
    ``hopeful``, an unknown distance stands as that of the end of the list, and those are asked for that are among
    the nearest so. If not, known ones alone are chosen from, and all that could come before the last of them are
    asked for.
    """
    for r in range(start, stop):
        scale = normalised(largest[first + r], ONE, half_power)
        values[r, :] = np.inf
        rows[r, :] = NOBODY
        for at in range(offsets[r], offsets[r + 1]):
            g = pool[at]
            unknown = np.isnan(distances[at])
            if unknown and not hopeful:
                continue
            share = ends[r] if unknown else normalised(distances[at], scale, half_power)
            value = mixed(jaccards[at], share, lambda_value)
            offer_one(values[r], rows[r], value, g)
        for at in range(offsets[r], offsets[r + 1]):
            asked[at] = False
            if np.isnan(distances[at]):
                value = mixed(jaccards[at], ends[r], lambda_value)
                asked[at] = value < values[r, 0] or (value == values[r, 0] and pool[at] <= rows[r, 0])
        sort_heaps(values, rows, r, r + 1)


@compiled
def judge(first, ends, lambda_value, count, one_set, start, stop, values, rows, certain):
    """``certain[r]``: nobody but the candidates of a query can be among its nearest, as they were chosen.

    Where only overlaps count (``lambda_value`` 0), all who share nothing are at 1, and the first of them fill the
    list. What is left of it is -1.
    """
    taken = np.full(count, -1, np.int32)
    k = values.shape[1]
    for r in range(start, stop):
        everybody = ends[r] == np.inf
        bound = mixed(ONE, ends[r], lambda_value)
        certain[r] = everybody or values[r, k - 1] < bound
        if lambda_value == 0 and not certain[r] and bound == ONE:
            end = 0
            while end < k and values[r, end] < ONE:
                taken[rows[r, end]] = r
                end += 1
            g = 0
            while end < k and g < count:
                if taken[g] != r and not (one_set and g == first + r):
                    values[r, end] = ONE
                    rows[r, end] = g
                    end += 1
                g += 1
            certain[r] = True
        for at in range(k):
            if np.isinf(values[r, at]):
                rows[r, at] = -1
