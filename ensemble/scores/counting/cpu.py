"""Where the good images stand in a ranking, found by counting instead of sorting.

The place of a good image is the number of images that precede it: one vectorised comparison with the row.
Only the good images themselves, a few in thousands, are put in order. Images that a protocol removes are set
to +inf in a copy of the one row at work, so that they precede nobody.
"""

from typing import NamedTuple

import numpy as np

from postproc.kernels.compiled import compiled, inner, part
from postproc.kernels.cpu.sorting import order

RECTANGLE, TRAPEZOID, SKLEARN = 0, 1, 2  # rules of the average precision
BY_ALL, BY_FOUND, BY_CUT = 0, 1, 2  # what it is divided by
SOUND, TWICE, GAP, SHORT = 0, 1, 2, 3  # what can be wrong with a list of rows
OTHER, GOOD, REMOVED = 0, 1, 2  # what a gallery image is to a query
SAME, OTHER_VALUE, WITHIN = 0, 1, 2  # how a number of the query and one of an image have to compare


class Matches(NamedTuple):
    """Who is whose match.

    ``members[starts[i] : stops[i]]`` are the gallery rows of query ``i``'s identity, ascending. What any rule
    holds for is removed for this query, and its ``own`` row; the rows in ``removed``, which are in no ``members``,
    for all. Rule ``c`` holds where its relations do: those before ``ends[c]`` that are not of the rule before it.
    The first ``narrow`` rules are about images of the query's identity alone. Arrays int64.
    """

    starts: np.ndarray  # (nq,)
    stops: np.ndarray  # (nq,)
    members: np.ndarray  # (ng - removed,)
    kinds: np.ndarray  # (relations,)
    most: np.ndarray  # (relations,) the largest difference of one of WITHIN
    query: np.ndarray  # (relations, nq)
    gallery: np.ndarray  # (relations, ng)
    ends: np.ndarray  # (rules,)
    narrow: int
    own: np.ndarray  # (nq,) -1: the query is not in the gallery
    removed: np.ndarray
    identity: np.ndarray  # (ng,) from 0; every image of unknown identity is somebody of its own


class Rules(NamedTuple):
    """A protocol in numbers: places that count, rule and divisor of the average precision, kind of CMC."""

    cut: int
    before: bool  # places are counted before removal
    ap: int
    divide: int
    identities: bool  # first_hit counts wrong identities, not images


class Answer(NamedTuple):
    """What is found, (nq,) each: ``ap`` and ``inp`` float64, NaN where ``ap`` has no divisor; the others int64."""

    positives: np.ndarray  # number of good images
    found: np.ndarray  # of these, before the cut
    ap: np.ndarray
    inp: np.ndarray
    first_hit: np.ndarray  # place of the first good image, -1 for none
    fault: np.ndarray


@inner
def _compares(kind, asked, given, most):
    if kind == SAME:
        return asked == given
    if kind == OTHER_VALUE:
        return asked != given
    return abs(asked - given) <= most


@inner
def _hides(i, j, matches):
    """Whether one of the rules holds for query ``i`` and image ``j`` of its identity."""
    r = 0
    for end in matches.ends:
        holds = True
        while r < end:
            asked, given = matches.query[r, i], matches.gallery[r, j]
            holds &= _compares(matches.kinds[r], asked, given, matches.most[r])
            r += 1
        if holds:
            return True
    return False


@inner
def _is_removed(i, j, matches):
    """Whether image ``j`` of query ``i``'s identity is removed."""
    return j == matches.own[i] or _hides(i, j, matches)


@inner
def _count_up_to(values, limit):
    count = np.int32(0)  # as wide as the values: whole vectors a step
    for j in range(values.size):
        count += np.int32(values[j] <= limit)
    return count


@inner
def _count_below(values, limit):
    count = np.int32(0)
    for j in range(values.size):
        count += np.int32(values[j] < limit)
    return count


@inner
def _place(row, r, distance):
    return _count_up_to(row[:r], distance) + _count_below(row[r:], distance)


@part
def _places(row, whole, good, rules):
    """Places, ascending, of the ``good`` rows that stand before the cut, and the place after the tie of each.

    ``row`` has removed images at +inf, ``whole`` has not. Without ties the place after is the next place. What is
    at +inf stands nowhere.
    """
    places = np.empty(good.size, np.int64)
    ends = np.empty(good.size, np.int64)
    values = np.empty(good.size, np.float64)
    for n in range(good.size):
        values[n] = row[good[n]]
    found = 0
    for n in order(values):  # stable: equal ones stay in the order of rows
        r = good[n]
        distance = row[r]
        if distance == np.inf:
            break
        place = _place(row, r, distance)
        counted = _place(whole, r, distance) if rules.before else place
        if counted >= rules.cut:
            break
        places[found] = place
        ends[found] = min(_count_up_to(row, distance), rules.cut) if rules.ap == SKLEARN else place + 1
        found += 1
    return places[:found], ends[:found]


@inner
def _sum_of_precisions(places, ends, rule):
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
    return total


@inner
def _write(answer, i, places, ends, positives, rules):
    found = places.size
    answer.positives[i] = positives
    answer.found[i] = found
    answer.first_hit[i] = places[0] if found > 0 else -1
    divisor = positives
    if rules.divide == BY_FOUND:
        divisor = found
    elif rules.divide == BY_CUT:
        divisor = min(positives, rules.cut)
    if divisor == 0:
        answer.ap[i] = np.nan
        answer.inp[i] = np.nan
    else:
        answer.ap[i] = _sum_of_precisions(places, ends, rules.ap) / divisor
        answer.inp[i] = positives / (places[-1] + 1) if found == positives else 0.0


@part
def _strike(row, i, c, matches):
    """Set the images for which rule ``c`` holds to +inf: :func:`_hides` for all of them, in whole vectors."""
    first, end = matches.ends[c - 1] if c > 0 else 0, matches.ends[c]
    holds = np.empty(row.size if end - first > 1 else 0, np.bool_)
    for j in range(holds.size):
        holds[j] = True
    for r in range(first, end):
        asked, given, kind, most = matches.query[r, i], matches.gallery[r], matches.kinds[r], matches.most[r]
        if kind == SAME and asked < 0:  # equal to none
            return
        if r + 1 == end and r == first:
            for j in range(row.size):
                row[j] = np.float32(np.inf) if _compares(kind, asked, given[j], most) else row[j]
            return
        for j in range(row.size):
            holds[j] &= _compares(kind, asked, given[j], most)
    for j in range(row.size):
        row[j] = np.float32(np.inf) if holds[j] else row[j]


@part
def _remove(row, i, matches):
    """Set what is removed for query ``i`` to +inf in ``row``; return the good rows."""
    for j in matches.removed:
        row[j] = np.inf
    if matches.own[i] >= 0:
        row[matches.own[i]] = np.inf
    rows = matches.members[matches.starts[i] : matches.stops[i]]
    good, count = np.empty(rows.size, np.int64), 0
    for j in rows:
        if _is_removed(i, j, matches):
            row[j] = np.inf
        else:
            good[count] = j
            count += 1
    for c in range(matches.narrow, matches.ends.size):
        _strike(row, i, c, matches)
    return good[:count]


@part
def _load(row, distances, i, matches):
    """Copy the distances of query ``i`` into ``row``, removed images at +inf; return the good rows."""
    for j in range(row.size):
        row[j] = distances[i, j]
    return _remove(row, i, matches)


@inner
def _identities_before(row, good, identity, seen, query):
    """How many identities have an image before the first good one; ``seen`` holds who counted an identity last."""
    first = good[0]
    for j in good:
        if row[j] < row[first]:  # of equal ones the first: rows ascend
            first = j
    count = 0
    for j in range(row.size):
        if (row[j] < row[first] or (row[j] == row[first] and j < first)) and seen[identity[j]] != query:
            seen[identity[j]] = query
            count += 1
    return count


@compiled
def score_rows(start, stop, distances, matches, rules, answer):
    """Fill ``answer`` for the queries ``start:stop`` from ``distances`` (nq, ng) float32."""
    row = np.empty(distances.shape[1], distances.dtype)
    seen = np.empty(row.size if rules.identities else 0, np.int64)
    for j in range(seen.size):
        seen[j] = -1
    for i in range(start, stop):
        good = _load(row, distances, i, matches)
        places, ends = _places(row, distances[i], good, rules)
        _write(answer, i, places, ends, good.size, rules)
        if rules.identities and places.size:
            answer.first_hit[i] = _identities_before(row, good, matches.identity, seen, i)


@compiled
def all_shots_rows(start, stop, distances, matches, rules, positives, shares):
    """``shares[i, w]``: the share of query ``i``'s good images with exactly ``w`` wrong ones before them."""
    row = np.empty(distances.shape[1], distances.dtype)
    for i in range(start, stop):
        good = _load(row, distances, i, matches)
        positives[i] = good.size
        places, _ = _places(row, distances[i], good, rules)
        for hits in range(places.size):
            wrong = places[hits] - hits
            if wrong < shares.shape[1]:
                shares[i, wrong] += 1 / good.size


@compiled
def single_shot(i, row, matches, keys):
    """The place of query ``i``'s good image when one image of each identity is left, -1 if it is not found.

    ``row`` (ng,) are its distances. Of the images that are not removed for the query, each identity keeps the one
    with the least of ``keys`` (ng,).
    """
    hidden = np.zeros(row.size, np.float32)
    good = _remove(hidden, i, matches)
    if good.size == 0:
        return -1
    drawn = np.full(row.size, -1)
    for j in range(row.size):
        kept = drawn[matches.identity[j]]
        if hidden[j] == 0 and (kept < 0 or keys[j] < keys[kept]):
            drawn[matches.identity[j]] = j
    target = drawn[matches.identity[good[0]]]
    if row[target] == np.inf:
        return -1
    place = 0
    for j in drawn:
        if j >= 0 and (row[j] < row[target] or (row[j] == row[target] and j < target)):
            place += 1
    return place


@inner
def _places_listed(rows, role, struck, seen, i, matches, rules, ends, places):
    """Fill ``places`` of the good images of one list; return how many there are, and the list's fault."""
    found, place, ended = 0, 0, False
    for at in range(rows.size):
        r = rows[at]
        if r < 0:
            ended = True
            continue
        if ended:
            return found, GAP
        if seen[r] == i:
            return found, TWICE
        seen[r] = i
        if role[r] == REMOVED or r == matches.own[i] or (struck.size and struck[r] != 0):
            continue
        if role[r] == GOOD and (at if rules.before else place) < rules.cut:
            places[found] = place
            found += 1
        place += 1
    counted = rows.size if rules.before else place
    own = matches.own[i]
    whole = rows.size == role.size or (rows.size == role.size - 1 and own >= 0 and seen[own] != i)
    if ends or ended or counted >= rules.cut or whole:
        return found, SOUND
    return found, SHORT


@compiled
def score_listed_rows(start, stop, starts, listed, ends, matches, rules, answer):
    """Fill ``answer`` for the queries ``start:stop`` from ``listed`` (n,) int32, gallery rows or -1, list after
    list, query ``i``'s from ``starts[i]`` on. ``ends``: what a list does not hold is not returned.
    """
    role = np.full(matches.identity.size, OTHER, np.int8)
    for j in matches.removed:
        role[j] = REMOVED
    seen = np.full(role.size, -1)  # the query that listed the row last
    wide = range(matches.narrow, matches.ends.size)
    struck = np.zeros(role.size if len(wide) else 0, np.float32)
    for i in range(start, stop):
        struck[:] = 0
        for c in wide:
            _strike(struck, i, c, matches)
        rows, good = matches.members[matches.starts[i] : matches.stops[i]], 0
        for j in rows:
            is_removed = _is_removed(i, j, matches)
            role[j] = REMOVED if is_removed else GOOD
            good += not is_removed
        places = np.empty(rows.size, np.int64)
        found, answer.fault[i] = _places_listed(
            listed[starts[i] : starts[i + 1]], role, struck, seen, i, matches, rules, ends, places
        )
        _write(answer, i, places[:found], places[:found] + 1, good, rules)
        for j in rows:
            role[j] = OTHER


@compiled
def count_pairs(start, stop, distances, matches, thresholds, same, different, nearest, right):
    """For the queries ``start:stop`` how many pairs lie between each two of the ascending ``thresholds``.

    ``same``, ``different`` (nq, thresholds + 1): pairs of one and of two identities whose distance is at most the
    threshold and above the one before. ``nearest`` (nq,): the distance of the nearest image, ``right``: whether it
    is of the query's identity. Removed images make no pair.
    """
    ng = distances.shape[1]
    good = np.zeros(ng, np.bool_)
    for i in range(start, stop):
        hidden = np.zeros(ng, np.float32)
        rows = _remove(hidden, i, matches)
        for j in rows:
            good[j] = True
        nearest[i] = np.inf
        for j in range(ng):
            if hidden[j] != 0:
                continue
            at = np.searchsorted(thresholds, np.float64(distances[i, j]))
            if good[j]:
                same[i, at] += 1
            else:
                different[i, at] += 1
            if distances[i, j] < nearest[i]:
                nearest[i] = distances[i, j]
                right[i] = good[j]
        for j in rows:
            good[j] = False


@compiled
def hidden_rows(i, matches, good, hidden):
    """Fill ``hidden`` (ng,) bool with what is removed for query ``i``, and ``good`` with its good images."""
    row = np.empty(hidden.size, np.float32)
    for j in range(row.size):
        row[j] = 0
    rows = _remove(row, i, matches)
    for j in range(row.size):
        hidden[j] = row[j] != 0
        good[j] = False
    for j in rows:
        good[j] = True
