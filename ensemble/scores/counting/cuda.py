"""Where the good images stand in a ranking, found by counting as in :mod:`ensemble.scores.counting.cpu`.

The images of a query's identity are put in the order of its ranking. One pass over the query's row then tells of
every image before which of them it comes, and sums of these counts are their places. Matches and answers are NumPy
arrays, a few numbers a query; distances stay on the device.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import cuda

from ensemble.base.kinds import Array
from ensemble.scores.counting.cpu import (
    BY_CUT,
    BY_FOUND,
    OTHER_VALUE,
    SAME,
    SKLEARN,
    TRAPEZOID,
    Answer,
    Matches,
    Rules,
)
from postproc.base import arrays
from postproc.kernels.cuda import launch

PAIRS = 1 << 24  # of a query and an image of its identity, that are looked at together
MARKS = 1 << 28  # of a query and an identity, likewise
INFINITE = np.float32(np.inf)


class _OnDevice(NamedTuple):
    """Matches on the device: of the gallery, and of the queries at work."""

    narrow: int
    removed: Array  # (ng,) bool
    identity: Array  # (ng,) int64
    who: Array  # (n,) int64: the identity, -1 for one that the gallery lacks
    own: Array  # (n,) int64
    kinds: Array  # the rules, as Matches has them: int64
    most: Array
    query: Array  # (relations, n)
    gallery: Array  # (relations, ng)
    ends: Array


class _Ranked(NamedTuple):
    """The images of the queries' identities: those of query q are ``offsets[q] : offsets[q + 1]``, nearest first.

    Removed ones are at +inf: they stand at the end, with those that are never returned. Of each query the first
    ``found`` have ``places`` before the cut, and ``ends``, the places after their ties.
    """

    offsets: Array  # (n + 1,) int64
    values: Array  # float32
    rows: Array  # int32
    positives: Array  # (n,) int64: how many are not removed
    places: Array  # int32
    ends: Array  # int32
    found: Array  # (n,) int64


def score_rows(start: int, stop: int, distances: Array, matches: Matches, rules: Rules, answer: Answer) -> None:
    """Fill ``answer`` for the queries ``start:stop`` from ``distances`` (nq, ng) float32 on the device."""
    for first, last in _pieces(start, stop, matches, rules):
        there, ranked = _ranked(first, last, distances, matches, rules)
        count = last - first
        positives, first_hit = (arrays.empty(count, np.int64, distances) for _ in range(2))
        ap, inp = (arrays.empty(count, np.float64, distances) for _ in range(2))
        launch.rows(
            _score_places, count, ranked.offsets, ranked.places, ranked.ends, ranked.positives, ranked.found,
            rules.cut, rules.ap, rules.divide, positives, ap, inp, first_hit,
        )  # fmt: skip
        if rules.identities:
            marks = arrays.full((count, int(matches.identity.max()) + 1), 0, np.uint8, distances)
            launch.blocks(
                _mark_identities, count, distances, first, *there,
                ranked.offsets, ranked.values, ranked.rows, ranked.found, marks,
            )  # fmt: skip
            first_hit = first_hit.where(ranked.found == 0, marks.sum(1))
        found = {"positives": positives, "found": ranked.found, "ap": ap, "inp": inp, "first_hit": first_hit}
        for name, value in found.items():
            getattr(answer, name)[first:last] = arrays.host(value)


def all_shots_rows(
    start: int,
    stop: int,
    distances: Array,
    matches: Matches,
    rules: Rules,
    positives: np.ndarray,
    shares: np.ndarray,
) -> None:
    """``shares[i, w]``: the share of query ``i``'s good images with exactly ``w`` wrong ones before them."""
    for first, last in _pieces(start, stop, matches, rules):
        _, ranked = _ranked(first, last, distances, matches, rules)
        found = arrays.full((last - first, shares.shape[1]), 0, np.float64, distances)
        launch.rows(
            _share_shots, last - first, ranked.offsets, ranked.places, ranked.positives, ranked.found, found
        )
        positives[first:last] = arrays.host(ranked.positives)
        shares[first:last] = arrays.host(found)


def _pieces(start: int, stop: int, matches: Matches, rules: Rules) -> Iterator[tuple[int, int]]:
    """Ranges of queries with a bounded number of images of their identities, or one query."""
    ends = np.cumsum(matches.stops[start:stop] - matches.starts[start:stop])
    most = max(1, MARKS // max(1, matches.identity.size)) if rules.identities else len(ends)
    first = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = int(np.searchsorted(ends, before + PAIRS, "right"))
        last = min(max(last, first + 1), first + most)
        yield start + first, start + last
        first = last


def _ranked(first: int, last: int, distances: Array, matches: Matches, rules: Rules) -> tuple[_OnDevice, _Ranked]:
    """The good images of the queries ``first:last``, in order, and their places."""
    count = last - first
    there = _on_device(first, last, distances, matches)
    starts, sizes = matches.starts[first:last], matches.stops[first:last] - matches.starts[first:last]
    offsets = arrays.beside(np.concatenate([[0], np.cumsum(sizes)]), distances)
    pairs = int(sizes.sum())
    values, rows, query = (arrays.empty(pairs, dtype, distances) for dtype in (np.float32, np.int32, np.int32))
    positives, found = (arrays.empty(count, np.int64, distances) for _ in range(2))
    launch.rows(
        _look_up_good, count, distances, first, starts, matches.members, *there,
        offsets, values, rows, query, positives,
    )  # fmt: skip
    order = values.argsort(stable=True)  # rows ascend, so ties stay in their order
    order = order[query[order].argsort(stable=True)]
    values, rows = values[order], rows[order]

    def counted(ties: bool, everybody: bool) -> Array:
        out = arrays.full(pairs, 0, np.int32, distances)
        launch.blocks(
            _count_before, count, distances, first, *there, offsets, values, rows, ties, everybody, out,
        )  # fmt: skip
        return out

    places, ties = counted(False, False), rules.ap == SKLEARN
    ends = counted(ties, rules.before) if ties or rules.before else arrays.copied(places)
    launch.rows(_place_good, count, offsets, values, rules.cut, rules.before, ties, places, ends, found)
    return there, _Ranked(offsets, values, rows, positives, places, ends, found)


def _on_device(first: int, last: int, distances: Array, matches: Matches) -> _OnDevice:
    removed = np.zeros(matches.identity.size, np.bool_)
    removed[matches.removed] = True
    starts, stops = matches.starts[first:last], matches.stops[first:last]
    known = stops > starts
    who = np.full(last - first, -1)
    who[known] = matches.identity[matches.members[starts[known]]]
    query = np.ascontiguousarray(matches.query[:, first:last])
    own = matches.own[first:last]
    parts = (
        removed,
        matches.identity,
        who,
        own,
        matches.kinds,
        matches.most,
        query,
        matches.gallery,
        matches.ends,
    )
    return _OnDevice(matches.narrow, *(arrays.beside(part, distances) for part in parts))


@cuda.jit(device=True)
def _hides(j, q, kinds, most, query, gallery, ends, first):
    """Whether one of the rules from ``first`` on holds for query ``q`` of those at work and image ``j``."""
    r = ends[first - 1] if first > 0 else 0
    for c in range(first, ends.size):
        holds = True
        while r < ends[c]:
            asked = query[r, q]
            given = gallery[r, j]
            if kinds[r] == SAME:
                holds = holds and asked == given
            elif kinds[r] == OTHER_VALUE:
                holds = holds and asked != given
            else:
                holds = holds and abs(asked - given) <= most[r]
            r += 1
        if holds:
            return True
    return False


@cuda.jit(device=True)
def _is_removed(j, q, narrow, removed, identity, who, own, kinds, most, query, gallery, ends):
    """Whether image ``j`` is removed for query ``q`` of those at work."""
    if removed[j] or j == own[q]:
        return True
    first = 0 if identity[j] == who[q] else narrow
    return _hides(j, q, kinds, most, query, gallery, ends, first)


@cuda.jit(device=True)
def _behind(values, rows, begin, end, value, j):
    """The first of ``begin:end`` before which image ``j`` stands at ``value``; -1 stands before its ties."""
    while begin < end:
        middle = (begin + end) >> 1
        if value < values[middle] or (value == values[middle] and j < rows[middle]):
            end = middle
        else:
            begin = middle + 1
    return begin


@cuda.jit(cache=True)
def _look_up_good(
    count, distances, first, starts, members,
    narrow, removed, identity, who, own, kinds, most, query, gallery, ends,
    offsets, values, rows, queries, positives,
):  # fmt: skip
    q = cuda.grid(1)
    if q >= count:
        return
    kept = 0
    for n in range(offsets[q + 1] - offsets[q]):
        row = members[starts[q] + n]
        at = offsets[q] + n
        rows[at] = row
        queries[at] = q
        if row == own[q] or _hides(row, q, kinds, most, query, gallery, ends, 0):
            values[at] = INFINITE
        else:
            values[at] = distances[first + q, row] + np.float32(0)  # there is one zero only
            kept += 1
    positives[q] = kept


@cuda.jit(cache=True)
def _count_before(
    distances, first, narrow, removed, identity, who, own, kinds, most, query, gallery, ends,
    offsets, values, rows, ties, everyone, out,
):  # fmt: skip
    """``out[t]``: how many images stand before t and not before the one before it.

    ``ties``: they stand before all that are as near. ``everyone``: removed images count too.
    """
    q = cuda.blockIdx.x
    begin = offsets[q]
    end = _behind(values, rows, begin, offsets[q + 1], INFINITE, -1)
    if begin == end:
        return
    farthest = values[end - 1]
    at = begin  # where the last images of this thread stand, and how many
    run = 0
    for j in range(cuda.threadIdx.x, distances.shape[1], cuda.blockDim.x):
        value = distances[first + q, j]
        if value > farthest:
            continue
        if not everyone and _is_removed(
            j, q, narrow, removed, identity, who, own, kinds, most, query, gallery, ends
        ):
            continue
        place = _behind(values, rows, begin, end, value, -1 if ties else j)
        if place != at:
            if run > 0 and at < end:
                cuda.atomic.add(out, at, run)
            at = place
            run = 0
        run += 1
    if run > 0 and at < end:
        cuda.atomic.add(out, at, run)


@cuda.jit(cache=True)
def _place_good(count, offsets, values, cut, before, ties, places, ends, found):
    """Counts become places; ``ends``, if they are counts, of removed images too or of ties."""
    q = cuda.grid(1)
    if q >= count:
        return
    place = 0
    other = 0
    hits = 0
    for t in range(offsets[q], offsets[q + 1]):
        if values[t] == INFINITE:
            break
        place += places[t]
        other += ends[t]
        if (other if before else place) >= cut:
            break
        places[t] = place
        ends[t] = min(other, cut) if ties else place + 1
        hits += 1
    found[q] = hits


@cuda.jit(cache=True)
def _score_places(count, offsets, places, ends, kept, found, cut, rule, divide, positives, ap, inp, first_hit):
    q = cuda.grid(1)
    if q >= count:
        return
    begin = offsets[q]
    good = kept[q]
    positives[q] = good
    first_hit[q] = places[begin] if found[q] > 0 else -1
    divisor = good
    if divide == BY_FOUND:
        divisor = found[q]
    elif divide == BY_CUT:
        divisor = min(good, cut)
    if divisor == 0:
        ap[q] = np.nan
        inp[q] = np.nan
        return
    total = np.float64(0)
    hits = 0
    for i in range(found[q]):
        place = places[begin + i]
        end = ends[begin + i]
        while hits < found[q] and places[begin + hits] < end:
            hits += 1
        precision = np.float64(hits) / np.float64(end)
        if rule == TRAPEZOID:
            before = np.float64(i) / np.float64(place) if place > 0 else np.float64(1)
            precision = (before + precision) / 2
        total += precision
    ap[q] = total / np.float64(divisor)
    inp[q] = np.float64(good) / np.float64(places[begin + found[q] - 1] + 1) if found[q] == good else np.float64(0)


@cuda.jit(cache=True)
def _share_shots(count, offsets, places, positives, found, shares):
    q = cuda.grid(1)
    if q >= count:
        return
    for hits in range(found[q]):
        wrong = places[offsets[q] + hits] - hits
        if wrong < shares.shape[1]:
            shares[q, wrong] += 1 / np.float64(positives[q])


@cuda.jit(cache=True)
def _mark_identities(
    distances, first, narrow, removed, identity, who, own, kinds, most, query, gallery, ends,
    offsets, values, rows, found, marks,
):  # fmt: skip
    """``marks[q, who]``: that somebody has an image before the first good one."""
    q = cuda.blockIdx.x
    if found[q] == 0:
        return
    nearest = values[offsets[q]]
    row = rows[offsets[q]]
    for j in range(cuda.threadIdx.x, distances.shape[1], cuda.blockDim.x):
        value = distances[first + q, j]
        precedes = value < nearest or (value == nearest and j < row)
        if precedes and not _is_removed(
            j, q, narrow, removed, identity, who, own, kinds, most, query, gallery, ends
        ):
            marks[q, identity[j]] = 1
