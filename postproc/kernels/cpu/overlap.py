"""Overlaps of sparse rows for the few images that share something: candidates instead of a strip of everybody.

What a row of :func:`postproc.kernels.cpu.reciprocal.finish_strip` has for these images, found without the others.
Sparse rows are offsets (n + 1,) int64, members int32, weights float32.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.nearest import LAST, NOBODY, make_heap, offer_one, select, sort_heap, write
from postproc.kernels.cpu.reciprocal import NEARLY_ONE, ONE, ZERO, normalised
from postproc.kernels.cpu.sorting import key_of, order

TWO = np.float32(2)
UNKNOWN = np.float32(np.nan)
APART = np.float32(-1)  # of an image that has not been met yet; what two share is 0 or more


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
    lists, values, classes, copied, border, one_set, largest, half_power, lambda_value, k,
):  # fmt: skip
    """Who may be among the ``k`` nearest of the queries ``first ..``, as (sizes, rows, jaccards, distances, ends).

    ``lists`` and ``values`` are those of these queries alone. Candidates of a query are the gallery images in its
    list, and those that share a member with it, by the inverted rows. A distance is that of the list (of a copy
    in it where there are copies, ``copied``, which ``classes`` tell), NaN where it is not in the list. Everybody
    who is not is as far as the list's last, whose normalised distance is the query's end: +inf where the list
    holds everybody, NaN where numbers are not finite. Left out is who cannot come before ``k`` others.
    """
    queries = offsets.size - 1
    count = least.size
    shared = np.full(count, APART, np.float32)
    pool = np.empty(count, np.int32)
    jaccards, distances = np.empty(count, np.float32), np.empty(count, np.float32)
    lowest = np.empty(count, np.float32)
    known = np.full(classes.size if copied else 0, UNKNOWN, np.float32)
    heap_values, heap_rows = np.empty(k, np.float32), np.empty(k, np.int32)
    sizes, ends = np.zeros(queries, np.int64), np.empty(queries, np.float32)
    room = 64 * queries
    found_rows = np.empty(room, np.int32)
    found_jaccards, found_distances = np.empty(room, np.float32), np.empty(room, np.float32)
    end = 0
    for r in range(queries):
        query = first + r
        size, listed = 0, 0
        while listed < lists.shape[1] and lists[r, listed] >= 0 and lists[r, listed] != NOBODY:
            j = lists[r, listed]
            if copied:
                known[classes[j]] = values[r, listed]
            g = j - border
            if g >= 0:
                shared[g] = 0
                pool[size] = g
                distances[size] = values[r, listed]
                size += 1
            listed += 1
        inside = size
        whole = ZERO  # what the query shares with a copy of itself, added up in the same order
        for at in range(offsets[r], offsets[r + 1]):
            t, weight = members[at], weights[at]
            whole += weight
            for column in range(inverted_offsets[t], inverted_offsets[t + 1]):
                g = inverted_rows[column]
                if shared[g] == APART:
                    shared[g] = 0
                    pool[size] = g
                    size += 1
                shared[g] += min(weight, inverted_weights[column])
        scale = normalised(largest[query], ONE, half_power)
        last = normalised(values[r, listed - 1], scale, half_power)
        heap_values[:] = np.inf
        heap_rows[:] = NOBODY
        for at in range(size):
            g = pool[at]
            both = shared[g]
            shared[g] = APART
            jaccard = max(ZERO, ONE - both / (TWO - both))
            if both >= whole and both >= least[g] and whole > NEARLY_ONE:
                jaccard = ZERO
            if copied:
                distances[at] = known[classes[border + g]]
            elif at >= inside:
                distances[at] = UNKNOWN
            listed_here = not np.isnan(distances[at])
            share = normalised(distances[at], scale, half_power) if listed_here else last
            jaccards[at] = jaccard
            lowest[at] = mixed(jaccard, share, lambda_value)
            if one_set and g == query:
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
                distance = distances[at]
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
        if copied:
            for s in range(listed):
                known[classes[lists[r, s]]] = UNKNOWN
    return (
        sizes, found_rows[:end].copy(), found_jaccards[:end].copy(), found_distances[:end].copy(), ends
    )  # fmt: skip


@compiled
def choose(
    first, offsets, sizes, pool, jaccards, distances, ends, largest, half_power, lambda_value,
    start, stop, values, rows, asked, counts,
):  # fmt: skip
    """The nearest of the queries ``first + start .. first + stop`` among their candidates; ties by row.

    Candidates of query r are the ``sizes[r]`` from ``offsets[r]`` on. Those whose distance is unknown stand where
    the end of the list would: nearer they cannot be. Where none of them is among the k nearest so, these are
    right. If not, ``asked[r]`` (k or more,) are the places of the unknown ones among so many nearest,
    ``counts[r]`` of them: their distances have to be found. Who comes behind k known ones is left out from then
    on: the others move to the front. ``sizes[r]`` is how many they are; none of a query whose nearest are right
    or whose end is NaN.
    """
    k = values.shape[1]
    longest = 0
    for r in range(start, stop):
        longest = max(longest, sizes[r])
    keys, apart = np.empty(longest, np.int64), np.empty(longest, np.int64)
    for r in range(start, stop):
        counts[r] = 0
        if sizes[r] == 0:
            continue
        here, size = offsets[r], sizes[r]
        scale = normalised(largest[first + r], ONE, half_power)
        values[r, :] = np.inf
        rows[r, :] = NOBODY
        sizes[r] = 0
        if np.isnan(ends[r]):
            continue
        known = 0
        for at in range(size):
            place = here + at
            unknown = np.isnan(distances[place])
            share = ends[r] if unknown else normalised(distances[place], scale, half_power)
            keys[at] = key_of(mixed(jaccards[place], share, lambda_value), np.int64(pool[place]))
            if not unknown:
                apart[known] = keys[at]
                known += 1
        limit = LAST
        if known >= k:
            select(apart[:known], k)
            limit = apart[:k].max()
        left = 0
        for at in range(size):
            if keys[at] <= limit:
                apart[left] = keys[at]
                keys[left] = keys[at]
                pool[here + left] = pool[here + at]
                jaccards[here + left] = jaccards[here + at]
                distances[here + left] = distances[here + at]
                left += 1
        some, near = min(asked.shape[1], left), min(k, left)
        select(apart[:left], some)
        limit = apart[:some].max()
        select(apart[:some], near)
        last = apart[:near].max()
        for at in range(left):
            if keys[at] <= limit and np.isnan(distances[here + at]):
                asked[r, counts[r]] = here + at
                counts[r] += 1
                if keys[at] <= last:
                    sizes[r] = left
        if sizes[r] == 0:
            counts[r] = 0
            nearest = apart[:near]
            make_heap(nearest)
            sort_heap(nearest)
            write(nearest, values[r], rows[r])


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
