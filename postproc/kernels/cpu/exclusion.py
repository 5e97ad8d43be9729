"""Mutual exclusion in a ranking, one query after the other.

A group is a track as far as it is of one kind, see :mod:`postproc.grouping`. All its images are raised alike, so
a query is walked over group by group: the sorted distances of each group, and one number that it is raised by.
"""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def _before(values, names, a, b):
    return values[a] < values[b] or (values[a] == values[b] and names[a] < names[b])


@njit(nogil=True, cache=True)
def _sink(values, names, at, size):
    """Restore the min-heap of (value, group) below ``at``."""
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and _before(values, names, child + 1, child):
            child += 1
        if not _before(values, names, child, at):
            return
        values[at], values[child] = values[child], values[at]
        names[at], names[child] = names[child], names[at]
        at = child


@njit(nogil=True, cache=True)
def _at_place(place, ordered, first, last, raised, at, values, names):
    """The group and the value of the image at ``place`` (from 0) now; group -1 where fewer are left.

    ``ordered[first[g]:last[g]]`` are the distances of group g, ascending. Ties go by group. ``at``, ``values`` and
    ``names`` are room to work in.
    """
    size = 0
    for group in range(first.size):
        if first[group] < last[group]:
            at[group] = first[group]
            values[size], names[size] = ordered[at[group]] + raised[group], group
            size += 1
    for root in range(size // 2 - 1, -1, -1):
        _sink(values, names, root, size)
    for _ in range(place):
        if not size:
            break
        group = names[0]
        at[group] += 1
        if at[group] < last[group]:
            values[0] = ordered[at[group]] + raised[group]
        else:
            size -= 1
            values[0], names[0] = values[size], names[size]
        _sink(values, names, 0, size)
    return (names[0], values[0]) if size else (-1, np.inf)


@njit(nogil=True, cache=True)
def weights_by_rules(kind, cams, clusters, sides, camera, cluster, side, alike, out):
    """``out[other]``: what an image of this ``kind`` weighs on one of each other kind.

    ``camera`` for one known camera, or, where its own is unknown, ``side`` where the product of ``sides`` (kinds,
    a) is ``alike`` or more; ``cluster`` for one known cluster.
    """
    out[:] = 0
    for other in range(cams.size):
        if cams[kind] >= 0 and cams[kind] == cams[other]:
            out[other] += camera
        if clusters[kind] >= 0 and clusters[kind] == clusters[other]:
            out[other] += cluster
        if cams[kind] < 0 and side > 0:
            product = 0.0
            for a in range(sides.shape[1]):
                product += np.float64(sides[kind, a]) * np.float64(sides[other, a])
            if product >= alike:
                out[other] += side


@njit(nogil=True, cache=True)
def raise_excluded(
    distances, offsets, members, tracks, kinds, weights, rules, limits, depth, heads, start, stop, out
):
    """For j = 0, 1, … ``depth`` - 1: the image now at place j raises other tracks by their weight / (1 + j).

    ``tracks``, ``kinds`` (groups,) int32; ``weights[kind of that image, kind of the other]``; below 0 is a kind
    that has none. Where that table is empty, :func:`weights_by_rules` of ``rules`` (cams, clusters, sides) and
    ``limits`` (camera, cluster, side, alike) takes its place. ``heads``: only the nearest image of a group has a
    place. Two images of no track, of one kind and one value, are copies and leave each other alone.
    """
    ruled = np.empty(rules[0].size if weights.size == 0 else 0)
    groups = tracks.size
    ordered = np.empty(members.size)
    last = np.empty(groups, np.int64)
    raised = np.empty(groups)
    at, values, names = np.empty(groups, np.int64), np.empty(groups), np.empty(groups, np.int64)
    for i in range(start, stop):
        row = distances[i]
        for group in range(groups):
            a, b = offsets[group], offsets[group + 1]
            if b == a + 1:
                ordered[a] = row[members[a]]
            else:
                ordered[a:b] = np.sort(row[members[a:b]])
            last[group] = a
            while last[group] < b and last[group] - a < (1 if heads else depth) and ordered[last[group]] < np.inf:
                last[group] += 1
        raised[:] = 0
        for j in range(depth):
            chosen, value = _at_place(j, ordered, offsets[:-1], last, raised, at, values, names)
            if chosen < 0:
                break
            if kinds[chosen] < 0:
                continue
            if weights.size == 0:
                weights_by_rules(kinds[chosen], *rules, *limits, ruled)
                own = ruled
            else:
                own = weights[kinds[chosen]]
            for group in range(groups):
                if kinds[group] < 0 or own[kinds[group]] == 0 or group == chosen:
                    continue
                if tracks[group] == tracks[chosen]:
                    if tracks[chosen] >= 0:
                        continue
                    if kinds[group] == kinds[chosen] and ordered[offsets[group]] + raised[group] == value:
                        continue
                raised[group] += own[kinds[group]] / (1 + j)
        for group in range(groups):
            for at_member in range(offsets[group], offsets[group + 1]):
                out[i, members[at_member]] = row[members[at_member]] + raised[group]


@njit(nogil=True, cache=True)
def means_of_blocks(distances, query_offsets, query_members, groups, start, stop, out):
    """``out[u, g]``: the mean finite distance between the queries of u and the images j with ``groups[j] == g``.

    +inf where there is none; ``groups`` below 0 are left out.
    """
    totals = np.empty(out.shape[1])
    counts = np.empty(out.shape[1], np.int64)
    for u in range(start, stop):
        totals[:] = 0
        counts[:] = 0
        for at in range(query_offsets[u], query_offsets[u + 1]):
            row = distances[query_members[at]]
            for j in range(row.size):
                if groups[j] >= 0 and row[j] < np.inf:
                    totals[groups[j]] += row[j]
                    counts[groups[j]] += 1
        for group in range(counts.size):
            out[u, group] = totals[group] / counts[group] if counts[group] else np.inf
