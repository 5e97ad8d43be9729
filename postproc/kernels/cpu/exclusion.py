"""Mutual exclusion in a ranking, one query after the other.

A group is a track as far as it is of one kind, see :mod:`postproc.tracks.grouping`. All its images are raised
alike, and all groups of a kind but those of tracks that were found, so few have to be looked at one by one.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.nearest import NOBODY, offer_one
from postproc.kernels.cpu.sorting import at_place, order

MARGIN = 128  # places looked ahead, so that the nearest are seldom looked for among all


@compiled
def _nearest(ordered, group, raised, count):
    """The positions of the ``count`` smallest ``ordered + raised``, and of what is tied with the last, ascending;
    and that last value."""
    values = ordered + raised[group]
    if count >= values.size:
        return np.arange(values.size), np.inf
    limit = at_place(values, count - 1)
    return np.flatnonzero(values <= limit), limit


@compiled
def _at_place(place, ordered, group, names, raised, near, limit):
    """The position that is at ``place`` (from 0) now, of those that ``near`` are; -1 where more have to be seen.

    What is raised only goes up, so what was above ``limit`` still is. Ties go by ``names``.
    """
    values = ordered[near] + raised[group[near]]
    if place >= values.size:
        return -1
    value = at_place(values, place)
    if value > limit:
        return -1
    tied = near[values == value]
    if tied.size == 1:
        return tied[0]
    return tied[order(names[tied].astype(np.float64))[place - np.sum(values < value)]]


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
def _room_of_kinds(sizes, kinds, depth, heads):
    """Where the nearest of every kind stand, (kinds + 1,) borders: all that can have a place, or ``depth``."""
    borders = np.zeros(kinds.max() + 3, np.int64)  # the last kind is of those that have none
    for group in range(kinds.size):
        borders[kinds[group] + 1 if kinds[group] >= 0 else borders.size - 1] += 1 if heads else sizes[group]
    for kind in range(1, borders.size):
        borders[kind] = borders[kind - 1] + min(borders[kind], depth)
    return borders


@compiled
def _candidates(row, offsets, members, group_of, kinds, heads, borders, near, owner):
    """The nearest of every kind, as heaps in ``near`` and ``owner`` (their groups); returns each kind's farthest.

    Groups of a kind are raised alike as long as nothing of their track is chosen. So who has ``depth`` of the same
    kind ahead at the start comes to no place that is looked at before its track does.
    """
    near[:] = np.inf
    owner[:] = NOBODY
    farthest = np.full(borders.size - 1, -np.inf, np.float32)
    for kind in range(farthest.size):
        if borders[kind] < borders[kind + 1]:
            farthest[kind] = np.inf
    if not heads:  # image after image, as they lie in memory
        for image in range(row.size):
            kind = kinds[group_of[image]] if kinds[group_of[image]] >= 0 else farthest.size - 1
            if row[image] <= farthest[kind] and row[image] < np.inf:
                a, b = borders[kind], borders[kind + 1]
                farthest[kind] = offer_one(near[a:b], owner[a:b], row[image], group_of[image])
        return farthest
    for group in range(kinds.size):
        kind = kinds[group] if kinds[group] >= 0 else farthest.size - 1
        best = np.float32(np.inf)
        for at in range(offsets[group], offsets[group + 1]):
            best = min(best, row[members[at]])
        if best < farthest[kind]:
            a, b = borders[kind], borders[kind + 1]
            farthest[kind] = offer_one(near[a:b], owner[a:b], best, group)
    return farthest


@compiled
def raise_excluded(
    distances, offsets, members, tracks, kinds, weights, places, rule, depth, heads, start, stop, out
):
    """For j = 0, 1, … ``depth`` - 1: the image now at place j raises other tracks by their weight / (1 + j).

    ``tracks``, ``kinds`` (groups,) int32; ``weights[kind of that image, kind of the other]``; below 0 is a kind
    that has none. Where that table is empty, the camera ``rule`` and the ``places`` of all kinds take its place,
    both as plain tuples of what :mod:`postproc.kernels.rules` says. ``heads``: only the nearest image of a group
    has a place. Two images of no track, of one kind and one value, are copies and leave each other alone.

    Only groups that can come to a place, and those of tracks that did, are ``followed``: they have a sum of their
    own. All others are raised by that of their kind, ``base``: the same numbers in the same order.
    """
    ruled = np.empty(places[0].size if weights.size == 0 else 0)
    groups = tracks.size
    borders = _room_of_kinds(np.diff(offsets), kinds, depth, heads)
    near, owner = np.empty(borders[-1], np.float32), np.empty(borders[-1], np.int32)
    base = np.empty(borders.size - 1)
    slot, followed, raised = np.full(groups, -1, np.int32), np.empty(groups, np.int32), np.empty(groups)
    held = np.empty(groups, np.int32)  # images of a followed group that are candidates, its nearest
    kind_of = np.empty(groups, kinds.dtype)  # of a followed group
    ordered, place, names = (
        np.empty(members.size),
        np.empty(members.size, np.int32),
        np.empty(members.size, np.int32),
    )
    joining, group_of = np.empty(groups, np.int32), np.empty(members.size, np.int32)
    for group in range(groups):
        for at in range(offsets[group], offsets[group + 1]):
            group_of[members[at]] = group
    for i in range(start, stop):
        row = distances[i]
        farthest = _candidates(row, offsets, members, group_of, kinds, heads, borders, near, owner)
        base[:] = 0
        count = images = 0
        for at in range(near.size):
            group = owner[at]
            if group == NOBODY:
                continue
            if slot[group] < 0:
                slot[group], followed[count], raised[count], held[count] = count, group, 0.0, 0
                kind_of[count] = kinds[group]
                count += 1
            held[slot[group]] += 1
            ordered[images], place[images], names[images] = near[at], slot[group], group
            images += 1
        seen, limit = _nearest(ordered[:images], place[:images], raised, depth + MARGIN)
        for j in range(depth):
            if j >= images:
                break
            at = _at_place(j, ordered, place, names, raised, seen, limit)
            if at < 0:
                seen, limit = _nearest(ordered[:images], place[:images], raised, depth + MARGIN)
                at = _at_place(j, ordered, place, names, raised, seen, limit)
            chosen = names[at]
            kind = kinds[chosen]
            if kind < 0:
                continue
            value = ordered[at] + raised[place[at]]
            if weights.size == 0:
                weights_by_rule(kind, places, rule, ruled)
                own = ruled
            else:
                own = weights[kind]
            found = 0
            if tracks[chosen] >= 0:
                group = chosen
                while group > 0 and tracks[group - 1] == tracks[chosen]:
                    group -= 1
                while group < groups and tracks[group] == tracks[chosen]:
                    joining[found] = group
                    found += 1
                    group += 1
            elif ordered[at] >= farthest[kind]:  # copies of it may have found no room
                for group in range(groups - 1, -1, -1):
                    if tracks[group] >= 0:
                        break
                    if kinds[group] == kind and row[members[offsets[group]]] == ordered[at]:
                        joining[found] = group
                        found += 1
            for group in joining[:found]:
                if slot[group] < 0:
                    slot[group], followed[count], held[count] = count, group, 0
                    raised[count] = base[kinds[group]] if kinds[group] >= 0 else 0.0
                    kind_of[count] = kinds[group]
                    count += 1
                mine, most = slot[group], 1 if heads else depth
                if held[mine] >= min(most, offsets[group + 1] - offsets[group]):
                    continue
                values = row[members[offsets[group] : offsets[group + 1]]].astype(np.float64)
                values = values[order(values)][:most]
                for value_of in values[held[mine] :]:
                    if value_of < np.inf:
                        ordered[images], place[images], names[images] = value_of, mine, group
                        if value_of + raised[mine] <= limit:
                            seen = np.append(seen, images)
                        images += 1
                held[mine] = most
            for other in range(count):
                if kind_of[other] < 0 or own[kind_of[other]] == 0 or followed[other] == chosen:
                    continue
                group = followed[other]
                if tracks[group] == tracks[chosen]:
                    if tracks[chosen] >= 0:
                        continue
                    if kinds[group] == kind and row[members[offsets[group]]] + raised[other] == value:
                        continue
                raised[other] += own[kinds[group]] / (1 + j)
            for other in range(base.size - 1):
                if own[other] != 0:
                    base[other] += own[other] / (1 + j)
        for group in range(groups):
            more = base[kinds[group]] if kinds[group] >= 0 else 0.0
            if slot[group] >= 0:
                more = raised[slot[group]]
            for at in range(offsets[group], offsets[group + 1]):
                out[i, members[at]] = row[members[at]] + more
        slot[followed[:count]] = -1


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
