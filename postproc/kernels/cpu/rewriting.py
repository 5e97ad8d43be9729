"""Rankings rewritten by whole tracks, and with one track a camera: one query after the other.

Groups are those of :mod:`postproc.tracks.grouping`: ``offsets``, ``members``, and the compact track of every
image, -1 for none. A value of +inf is no image of the ranking.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.marks import STRETCH, lowest, marks
from postproc.kernels.cpu.sorting import ascending, at_place, key_of, order, value_of

LARGEST = np.float32(np.finfo(np.float32).max)
NO_TRACK = np.int32(2**31 - 1)  # behind every track where two are as near


@compiled
def _votes(values, offsets, members, own, depth, offset):
    """(groups,) what the first ``depth`` images give to their groups: ``sum 1 / (offset + place) / sqrt(size)``.

    The place of an image is how many are nearer, so images as near as each other vote alike. The image ``own``,
    -1 none, is in no group.
    """
    ahead = values.astype(np.float64)
    if depth < ahead.size:
        ahead = ahead[ahead <= at_place(ahead, depth - 1)]
    ahead = ahead[order(ahead)][:depth]
    votes = np.zeros(offsets.size - 1)
    for group in range(votes.size):
        found = values[members[offsets[group] : offsets[group + 1]]].astype(np.float64)
        found = found[order(found)]  # a sum in an order of its own
        size = found.size
        for at in range(offsets[group], offsets[group + 1]):
            size -= members[at] == own
        for value in found:
            if value > ahead[-1] or value == np.inf:
                break
            votes[group] += 1 / (offset + np.searchsorted(ahead, value))
        votes[group] /= np.sqrt(max(size, 1))
    return votes


@compiled
def _walk(values, offsets, members, own, vote, listed, depth, offset, found):
    """Write the images of all groups with a finite value to ``found``, group after group; return how many.

    Groups go by their smallest value, or by votes and then by it. Inside a group: as in ``members`` if ``listed``,
    otherwise by value.
    """
    best = np.full(offsets.size - 1, np.inf)
    for group in range(best.size):
        for at in range(offsets[group], offsets[group + 1]):
            best[group] = min(best[group], values[members[at]])
    groups = np.flatnonzero(best < np.inf)
    groups = groups[order(best[groups])]
    if vote:
        votes = _votes(values, offsets, members, own, depth, offset)
        groups = groups[order(-votes[groups])]
    count = 0
    for chosen in groups:
        images = members[offsets[chosen] : offsets[chosen + 1]]
        if not listed and images.size > 1:
            images = images[order(values[images].astype(np.float64))]
        found[count : count + images.size] = images
        count += images.size
    return count


@compiled
def rewrite_distances(
    distances, offsets, members, tracks, places, own, vote, listed, depth, offset, start, stop, out
):
    """``out[i, j]``: the place of image j in the rewritten ranking of query i; +inf stays.

    Images of one track that its order does not tell apart share the first of their places, and so do images of no
    track that are as near as each other. ``own``: rows are the images too, and no image counts in its own row.
    """
    images = np.empty(distances.shape[1], np.int32)
    for i in range(start, stop):
        row = distances[i]
        out[i] = np.inf
        place, last = 0, -1
        alone = i if own else -1
        for at in range(_walk(row, offsets, members, alone, vote, listed, depth, offset, images)):
            image = images[at]
            if row[image] == np.inf:
                continue
            shared = False
            if last >= 0 and tracks[image] == tracks[last]:
                by_place = listed and tracks[image] >= 0
                shared = places[image] == places[last] if by_place else row[image] == row[last]
            out[i, image] = out[i, last] if shared else np.float32(place)
            place += 1
            last = image


@compiled
def rewrite_lists(ranking, offsets, members, vote, listed, depth, offset, start, stop, out):
    """``out[i]``: the ranking of query i by whole tracks, -1 where all tracks are used up.

    An image that is not in the ranking comes after those of its track that are.
    """
    values = np.empty(members.size, np.float32)
    images = np.empty(members.size, np.int32)
    for i in range(start, stop):
        values[:] = np.inf
        for place in range(ranking.shape[1] - 1, -1, -1):
            if ranking[i, place] >= 0:
                values[ranking[i, place]] = place
        count = min(_walk(values, offsets, members, -1, vote, listed, depth, offset, images), out.shape[1])
        out[i, :count] = images[:count]
        out[i, count:] = -1


@compiled
def _by_track(tracks):
    """The images of every track, and behind them those of none: offsets (tracks + 2,), members."""
    count = 0
    for track in tracks:
        count = max(count, track + 1)
    offsets = np.zeros(count + 2, np.int64)
    for track in tracks:
        offsets[1 + (track if track >= 0 else count)] += 1
    for at in range(1, offsets.size):
        offsets[at] += offsets[at - 1]
    members, place = np.empty(tracks.size, np.int32), offsets[:-1].copy()
    for j in range(tracks.size):
        track = tracks[j] if tracks[j] >= 0 else count
        members[place[track]] = j
        place[track] += 1
    return offsets, members


@compiled
def _find_owners(distances, i, cams, tracks, owner, closest):
    """The track of the nearest image of every camera in a row, and how near that is; the smallest and the largest
    of the row. Stretches in which nobody is as near as some camera's nearest are passed over."""
    row, count = distances[i], cams.size
    smallest, largest = np.float32(np.inf), np.float32(-np.inf)
    limit, looked = np.float32(np.inf), 0
    for start in range(0, count, STRETCH):
        begin = min(start, max(count - STRETCH, 0))  # the last stretch looks at some once more, which is no matter
        left = np.int64(-1)
        if count >= STRETCH:
            left = marks(distances, i * count + begin, limit, largest)  # type: ignore[call-arg]
        while left != 0:
            j = begin + lowest(left)  # type: ignore[call-arg]
            left &= left - 1
            if j >= count:
                break
            value, cam = row[j], cams[j]
            looked += 1
            if value == np.inf:
                continue
            smallest, largest = min(smallest, value), max(largest, value)
            if cam >= 0:
                track = tracks[j] if tracks[j] >= 0 else NO_TRACK
                if value < closest[cam] or (value == closest[cam] and track < owner[cam]):
                    closest[cam], owner[cam] = value, track
        if looked > closest.size:
            limit, looked = smallest, 0
            for value in closest:
                limit = max(limit, value)
    return smallest, largest


@compiled
def _sort_out(distances, i, largest, stays, some, out, moved):
    """The keys of those of a row that are ``moved``, and how many they are; the others are written out, and how
    far the farthest of them is. Nobody ``stays`` in a stretch that is not marked in ``some``; both are cleared."""
    row, count, farthest = distances[i], 0, np.float32(-np.inf)
    for start in range(0, row.size, STRETCH):
        stop, place = min(start + STRETCH, row.size), i * row.size + start
        plain = stop - start == STRETCH and not some[start // STRETCH]
        if plain and marks(distances, place, np.float32(-np.inf), largest) == 0:  # type: ignore[call-arg]
            for j in range(STRETCH):
                moved[count + j] = key_of(row[start + j], start + j)
            count += STRETCH
            continue
        some[start // STRETCH] = False
        for j in range(start, stop):
            if row[j] < np.inf and not stays[j]:
                moved[count] = key_of(row[j], j)
                count += 1
                continue
            out[j] = row[j]
            farthest = max(farthest, row[j]) if row[j] < np.inf else farthest
            stays[j] = False
    return count, farthest


@compiled
def move_other_tracks(distances, cams, tracks, cameras, own, start, stop, out):
    """Every camera belongs to the track of its nearest image; images of other tracks go behind all that stay.

    Of tracks as near as each other the lowest has it, then images of no track, which share it only with those at
    the same distance. What is moved keeps its order, ties included. ``own``: rows are the images too, and the
    camera of a row belongs to its track.
    """
    owner = np.empty(cameras, np.int32)
    closest = np.empty(cameras, np.float32)
    offsets, members = _by_track(tracks)
    nobody = offsets.size - 2  # where images of no track stand
    unknown = np.flatnonzero(cams < 0)
    visited = np.full(nobody + 1, -1, np.int32)  # the last row for which a track was gone through
    stays, some = np.zeros(cams.size, np.bool_), np.zeros(cams.size // STRETCH + 1, np.bool_)
    moved, other = np.empty(distances.shape[1], np.int64), np.empty(distances.shape[1], np.int64)
    last = key_of(LARGEST, 0) >> 32
    for i in range(start, stop):
        row = distances[i]
        owner[:] = NO_TRACK
        closest[:] = np.inf
        if own and cams[i] >= 0:
            closest[cams[i]], owner[cams[i]] = -np.inf, tracks[i] if tracks[i] >= 0 else NO_TRACK
        smallest, largest = _find_owners(distances, i, cams, tracks, owner, closest)
        for j in unknown:
            stays[j] = some[j // STRETCH] = True
        for track in owner:
            group = track if track < NO_TRACK else nobody
            if visited[group] == i:
                continue
            visited[group] = i
            for j in members[offsets[group] : offsets[group + 1]]:
                if cams[j] >= 0 and owner[cams[j]] == track and (group < nobody or row[j] == closest[cams[j]]):
                    stays[j] = some[j // STRETCH] = True
        count, farthest = _sort_out(distances, i, largest, stays, some, out[i], moved)
        before, place = np.int64(-(2**62)), key_of(farthest, 0) >> 32  # whole numbers in the order of float32
        shift = np.float64(largest) - np.float64(smallest)
        for key in ascending(moved[:count], other[:count]):
            if key >> 32 != before:
                before = key >> 32
                behind = np.float32(value_of(before) + shift)
                place = min(max(key_of(behind, 0) >> 32, place + 1), last)
            out[i, key & 0x7FFFFFFF] = value_of(place)


@compiled
def move_other_tracks_in_lists(ranking, cams, tracks, cameras, start, stop, out):
    """The same for rankings: what is moved goes to the tail, before the -1 of no image."""
    owner = np.empty(cameras, np.int32)
    moved = np.empty(ranking.shape[1], np.int32)
    for i in range(start, stop):
        owner[:] = -2  # nobody yet
        kept = count = 0
        for image in ranking[i]:
            if image < 0:
                continue
            cam = cams[image]
            free = cam < 0 or owner[cam] == -2
            if cam >= 0 and free:
                owner[cam] = tracks[image]
            if free or (tracks[image] >= 0 and tracks[image] == owner[cam]):
                out[i, kept] = image
                kept += 1
            else:
                moved[count] = image
                count += 1
        out[i, kept : kept + count] = moved[:count]
        out[i, kept + count :] = -1
