"""Mutual exclusion in a ranking, one query after the other.

A group is a track as far as it is of one kind, see :mod:`postproc.tracks.grouping`. All its images are raised
alike, so a query is walked over group by group: the sorted distances of each group, and one number that it is
raised by.
"""

import numpy as np

from postproc.kernels.compiled import compiled

MARGIN = 128  # places looked ahead, so that the nearest are seldom looked for among all


@compiled
def _nearest(ordered, group, raised, count):
    """The positions of the ``count`` smallest ``ordered + raised``, and of what is tied with the last, ascending;
    and that last value."""
    values = ordered + raised[group]
    if count >= values.size:
        return np.arange(values.size), np.inf
    limit = np.partition(values, count - 1)[count - 1]
    return np.flatnonzero(values <= limit), limit


@compiled
def _at_place(place, ordered, group, raised, near, limit):
    """The position that is at ``place`` (from 0) now, of those that ``near`` are; -1 where more have to be seen.

    What is raised only goes up, so what was above ``limit`` still is. Ties go by position.
    """
    values = ordered[near] + raised[group[near]]
    walk = np.argsort(values, kind="mergesort")
    if place < walk.size and values[walk[place]] <= limit:
        return near[walk[place]]
    return -1


@compiled
def weights_by_rule(kind, places, rule, out):
    """``out[other]``: what an image of this ``kind`` weighs on one of each other kind."""
    cams, groups, orientations = places
    camera, group, direction, alike = rule
    out[:] = 0
    for other in range(cams.size):
        if cams[kind] >= 0 and cams[kind] == cams[other]:
            out[other] += camera
        if groups[kind] >= 0 and groups[kind] == groups[other]:
            out[other] += group
        if cams[kind] < 0 and direction > 0:
            product = 0.0
            for a in range(orientations.shape[1]):
                product += np.float64(orientations[kind, a]) * np.float64(orientations[other, a])
            if product >= alike:
                out[other] += direction


@compiled
def raise_excluded(
    distances, offsets, members, tracks, kinds, weights, places, rule, depth, heads, start, stop, out
):
    """For j = 0, 1, … ``depth`` - 1: the image now at place j raises other tracks by their weight / (1 + j).

    ``tracks``, ``kinds`` (groups,) int32; ``weights[kind of that image, kind of the other]``; below 0 is a kind
    that has none. Where that table is empty, the camera ``rule`` and the ``places`` of all kinds take its place,
    both as plain tuples of what :mod:`postproc.kernels.rules` says. ``heads``: only the nearest image of a group
    has a place. Two images of no track, of one kind and one value, are copies and leave each other alone.
    """
    ruled = np.empty(places[0].size if weights.size == 0 else 0)
    groups = tracks.size
    ordered, group_of = np.empty(members.size), np.empty(members.size, np.int64)
    raised = np.empty(groups)
    for i in range(start, stop):
        row = distances[i]
        count = 0
        for group in range(groups):
            a, b = offsets[group], offsets[group + 1]
            mine = row[members[a:b]] if b == a + 1 else np.sort(row[members[a:b]])
            for value in mine[: 1 if heads else depth]:
                if value < np.inf:
                    ordered[count], group_of[count] = value, group
                    count += 1
        raised[:] = 0
        near, limit = _nearest(ordered[:count], group_of[:count], raised, depth + MARGIN)
        for j in range(min(depth, count)):
            at = _at_place(j, ordered, group_of, raised, near, limit)
            if at < 0:
                near, limit = _nearest(ordered[:count], group_of[:count], raised, depth + MARGIN)
                at = _at_place(j, ordered, group_of, raised, near, limit)
            chosen = group_of[at]
            if kinds[chosen] < 0:
                continue
            value = ordered[at] + raised[chosen]
            if weights.size == 0:
                weights_by_rule(kinds[chosen], places, rule, ruled)
                own = ruled
            else:
                own = weights[kinds[chosen]]
            for group in range(groups):
                if kinds[group] < 0 or own[kinds[group]] == 0 or group == chosen:
                    continue
                if tracks[group] == tracks[chosen]:
                    if tracks[chosen] >= 0:
                        continue
                    if kinds[group] == kinds[chosen] and row[members[offsets[group]]] + raised[group] == value:
                        continue
                raised[group] += own[kinds[group]] / (1 + j)
        for group in range(groups):
            for at_member in range(offsets[group], offsets[group + 1]):
                out[i, members[at_member]] = row[members[at_member]] + raised[group]


@compiled
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
