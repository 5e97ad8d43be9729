"""Where the good images stand in a ranking, found by counting instead of sorting.

The place of a good image is the number of images that precede it: one vectorised comparison with the row.
Only the good images themselves, a few in thousands, are put in order. Images that a protocol removes are set
to +inf in a copy of the one row at work, so that they precede nobody.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

RECTANGLE, TRAPEZOID, SKLEARN = 0, 1, 2  # rules of the average precision
SOUND, TWICE, GAP, SHORT = 0, 1, 2, 3  # what can be wrong with a list of rows
OTHER, GOOD, REMOVED = 0, 1, 2  # what a gallery image is to a query


class Labels(NamedTuple):
    """Who is whose match.

    ``members[starts[i] : stops[i]]`` are the gallery rows of query ``i``'s identity, ascending. Those under
    the query's own camera are removed for this query, the rows in ``removed`` for all. All int64.
    """

    starts: np.ndarray  # (nq,)
    stops: np.ndarray  # (nq,)
    members: np.ndarray  # (ng,)
    query_cam: np.ndarray  # (nq,)
    gallery_cam: np.ndarray  # (ng,)
    removed: np.ndarray


class Answer(NamedTuple):
    """What is found, (nq,) each: ``ap`` and ``inp`` float64, NaN without a good image; the others int64."""

    positives: np.ndarray  # number of good images
    ap: np.ndarray
    inp: np.ndarray
    first_hit: np.ndarray  # place of the first good image, -1 for none
    fault: np.ndarray


@njit(nogil=True, cache=True)
def _identity(i, labels):
    """The gallery rows of query ``i``'s identity, and which of them its own camera took."""
    rows = labels.members[labels.starts[i] : labels.stops[i]]
    return rows, labels.gallery_cam[rows] == labels.query_cam[i]


@njit(nogil=True, cache=True)
def _count_up_to(values, limit):
    count = np.int32(0)  # as wide as the values: whole vectors a step
    for j in range(values.size):
        count += np.int32(values[j] <= limit)
    return count


@njit(nogil=True, cache=True)
def _count_below(values, limit):
    count = np.int32(0)
    for j in range(values.size):
        count += np.int32(values[j] < limit)
    return count


@njit(nogil=True, cache=True)
def _places(row, good, cut, with_ties):
    """Places, ascending, of the ``good`` rows that stand before ``cut``, and the place after the tie of each.

    Without ties the latter is the next place. What is at +inf stands nowhere.
    """
    places = np.empty(good.size, np.int64)
    ends = np.empty(good.size, np.int64)
    found = 0
    for r in good[np.argsort(row[good], kind="mergesort")]:  # stable: equal ones stay in the order of rows
        distance = row[r]
        if distance == np.inf:
            break
        place = _count_up_to(row[:r], distance) + _count_below(row[r:], distance)
        if place >= cut:
            break
        places[found] = place
        ends[found] = min(_count_up_to(row, distance), cut) if with_ties else place + 1
        found += 1
    return places[:found], ends[:found]


@njit(nogil=True, cache=True)
def _average_precision(places, ends, positives, rule):
    total = 0.0
    hits = 0
    for i in range(places.size):
        while hits < places.size and places[hits] < ends[i]:
            hits += 1
        precision = hits / ends[i]
        if rule == TRAPEZOID:
            before = i / places[i] if places[i] > 0 else 1.0
            precision = (before + precision) / 2
        total += precision
    return total / positives


@njit(nogil=True, cache=True)
def _write(answer, i, places, ends, positives, rule):
    found = places.size
    answer.positives[i] = positives
    answer.first_hit[i] = places[0] if found > 0 else -1
    if positives == 0:
        answer.ap[i] = np.nan
        answer.inp[i] = np.nan
    else:
        answer.ap[i] = _average_precision(places, ends, positives, rule)
        answer.inp[i] = positives / (places[-1] + 1) if found == positives else 0.0


@njit(nogil=True, cache=True)
def _load(row, distances, i, labels):
    """Copy the distances of query ``i`` into ``row``, removed images at +inf; return the good rows."""
    rows, own = _identity(i, labels)
    row[:] = distances[i]
    row[labels.removed] = np.inf
    row[rows[own]] = np.inf
    return rows[~own]


@njit(nogil=True, cache=True)
def score_rows(start, stop, distances, labels, cut, rule, answer):
    """Fill ``answer`` for the queries ``start:stop`` from ``distances`` (nq, ng) float32."""
    row = np.empty(distances.shape[1], distances.dtype)
    for i in range(start, stop):
        good = _load(row, distances, i, labels)
        places, ends = _places(row, good, cut, rule == SKLEARN)
        _write(answer, i, places, ends, good.size, rule)


@njit(nogil=True, cache=True)
def all_shots_rows(start, stop, distances, labels, positives, shares):
    """``shares[i, w]``: the share of query ``i``'s good images with exactly ``w`` wrong ones before them."""
    row = np.empty(distances.shape[1], distances.dtype)
    for i in range(start, stop):
        good = _load(row, distances, i, labels)
        positives[i] = good.size
        places, _ = _places(row, good, row.size, False)
        for hits in range(places.size):
            wrong = places[hits] - hits
            if wrong < shares.shape[1]:
                shares[i, wrong] += 1 / good.size


@njit(nogil=True, cache=True)
def _places_listed(rows, role, seen, query, cut, places):
    """Fill ``places`` of the good images of one list; return how many there are, and the list's fault."""
    found, place, ended = 0, 0, False
    for r in rows:
        if r < 0:
            ended = True
            continue
        if ended:
            return found, GAP
        if seen[r] == query:
            return found, TWICE
        seen[r] = query
        if role[r] == REMOVED:
            continue
        if role[r] == GOOD and place < cut:
            places[found] = place
            found += 1
        place += 1
    if ended or place >= cut or rows.size == role.size:
        return found, SOUND
    return found, SHORT


@njit(nogil=True, cache=True)
def score_listed_rows(start, stop, listed, labels, cut, rule, answer):
    """Fill ``answer`` for the queries ``start:stop`` from ``listed`` (nq, k) int32, gallery rows or -1."""
    role = np.full(labels.gallery_cam.size, OTHER, np.int8)
    role[labels.removed] = REMOVED
    seen = np.full(role.size, -1)  # the query that listed the row last
    for i in range(start, stop):
        rows, own = _identity(i, labels)
        role[rows] = GOOD
        role[rows[own]] = REMOVED
        places = np.empty(rows.size, np.int64)
        found, answer.fault[i] = _places_listed(listed[i], role, seen, i, cut, places)
        _write(answer, i, places[:found], places[:found] + 1, np.count_nonzero(~own), rule)
        role[rows] = OTHER
