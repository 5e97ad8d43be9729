"""Expanded reciprocal sets of single images, and the lists and sets of a gallery that images join and leave.

Lists are rows (n, w) int32 and values (n, w) float32, nearest first, -1 and +inf where there are fewer. One
query may stand in them without being written there: it is image number ``n``, ``place[i]`` is where it is in the
list of i (:data:`NOWHERE` if it is not), ``own`` is its list and ``own_place`` the way back.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.exactly import INFINITE, LANES, distance
from postproc.kernels.cpu.nearest import NOBODY, offer_one, sort_heaps

NOWHERE = np.int32(2**30)
ROUNDING = np.float32(1e-5)  # of both squared lengths: more than a matrix product can be off


@compiled
def mutual(rows, place, own, own_place, i, length, out):
    """The images in the first ``length`` of the list of i that have i in theirs; how many there are."""
    query = rows.shape[0]
    mine = place[i]
    end = 0
    for s in range(length):
        if i == query:
            j = own[s]
        elif s < mine:
            j = rows[i, s]
        elif s == mine:
            j = np.int32(query)
        else:
            j = rows[i, s - 1]
        if j < 0:
            break
        if j == query:
            found = own_place[i] < length
        elif i == query:
            found = place[j] < length
        else:
            found = False
            for t in range(length - 1 if place[j] < length else length):
                if rows[j, t] == i:
                    found = True
                    break
        if found:
            out[end] = j
            end += 1
    return end


@compiled
def expanded(rows, place, own, own_place, i, whole, half, taken, stamp, theirs, out):
    """The expanded reciprocal set of i (Zhong et al., equation 5) in ``out``; its size.

    ``taken`` (n + 1,) is marked with ``stamp`` (the set itself) and ``stamp + 1`` (what was added).
    """
    core = mutual(rows, place, own, own_place, i, whole, out)
    for at in range(core):
        taken[out[at]] = stamp
    end = core
    for at in range(core):
        count = mutual(rows, place, own, own_place, out[at], half, theirs)
        shared = 0
        for s in range(count):
            shared += taken[theirs[s]] == stamp
        if 3 * shared > 2 * count:
            for s in range(count):
                if taken[theirs[s]] < stamp:
                    taken[theirs[s]] = stamp + 1
                    out[end] = theirs[s]
                    end += 1
    return end


@compiled
def sets_of_rows(
    features, norms, near, rows, values, whole, half, stale, offsets, members, distances, start, stop
):
    """The expanded reciprocal sets of gallery rows ``start:stop`` as (sizes, members, distances).

    Rows that are not ``stale`` are taken over from the sets given, which may be of fewer rows.
    """
    images = rows.shape[0]
    nobody = np.empty(0, np.int32)
    place = np.full(images + 1, NOWHERE, np.int32)
    taken = np.zeros(images + 1, np.int32)
    known = np.zeros(images + 1, np.int32)
    value_of = np.empty(images + 1, np.float32)
    theirs = np.empty(half, np.int32)
    ones = np.ones(features.shape[1], np.float32)
    lanes = np.empty(LANES, np.float32)
    most = min(whole + whole * half, images)
    sizes = np.zeros(stop - start, np.int64)
    out = np.empty(64 * (stop - start) + most, np.int32)
    out_distances = np.empty(out.size, np.float32)
    end = 0
    for i in range(start, stop):
        old = offsets[i + 1] - offsets[i] if i + 1 < offsets.size else 0
        if end + max(most, old) > out.size:
            more = np.empty(2 * out.size + max(most, old), np.int32)
            more[:end] = out[:end]
            out = more
            further = np.empty(out.size, np.float32)
            further[:end] = out_distances[:end]
            out_distances = further
        if not stale[i]:
            out[end : end + old] = members[offsets[i] : offsets[i + 1]]
            out_distances[end : end + old] = distances[offsets[i] : offsets[i + 1]]
            sizes[i - start] = old
            end += old
            continue
        count = expanded(rows, place, nobody, place, i, whole, half, taken, 2 * (i - start) + 1, theirs, out[end:])
        for s in range(rows.shape[1]):
            j = rows[i, s]
            if j < 0:
                break
            known[j] = i + 1
            value_of[j] = values[i, s]
        for at in range(end, end + count):
            j = out[at]
            if known[j] != i + 1:
                known[j] = i + 1
                value_of[j] = distance(features[i], features[j], norms[i], norms[j], near, ones, lanes)
            out_distances[at] = value_of[j]
        sizes[i - start] = count
        end += count
    return sizes, out[:end].copy(), out_distances[:end].copy()


@compiled
def to_heaps(rows, values, sizes, start, stop):
    """Lists -> heaps, the worst of the first ``sizes[i]`` entries foremost: a falling list is one."""
    for i in range(start, stop):
        for s in range(sizes[i]):
            if rows[i, s] < 0:
                rows[i, s] = NOBODY
        _turn(rows[i, : sizes[i]], values[i, : sizes[i]])


@compiled
def from_heaps(rows, values, sizes, touched, start, stop):
    """Heaps -> lists again; those that nobody ``touched`` still fall."""
    for i in range(start, stop):
        size = sizes[i]
        if touched[i]:
            sort_heaps(values[i : i + 1, :size], rows[i : i + 1, :size], 0, 1)
        else:
            _turn(rows[i, :size], values[i, :size])
        for s in range(rows.shape[1]):
            if values[i, s] == INFINITE:
                rows[i, s] = -1


@compiled
def _turn(rows, values):
    for s in range(rows.size // 2):
        t = rows.size - 1 - s
        rows[s], rows[t] = rows[t], rows[s]
        values[s], values[t] = values[t], values[s]


@compiled
def admit(products, features, norms, near, images, first, both, rows, values, sizes, largest, touched):
    """Offer the pairs of a tile of inner products to the heaps of its rows and, for ``both``, of its columns.

    Row r is the image ``images[r]``, column c the image ``first + c``. A product only says who may be near enough;
    the distance that enters a heap is :func:`exactly.distance`. ``largest`` is raised to what products say.
    """
    lanes = np.empty(LANES, np.float32)
    ones = np.ones(features.shape[1], np.float32)
    height, width = products.shape
    lengths = norms[first : first + width]
    tops = largest[first : first + width]
    limits = np.full(width, -INFINITE, np.float32)
    if both:
        for c in range(width):
            limits[c] = values[first + c, 0]
    else:
        tops = np.full(width, INFINITE, np.float32)
    for r in range(height):
        i = images[r]
        part = products[r]
        length = norms[i]
        limit = values[i, 0]
        top = largest[i]
        for start in range(0, width, 64):
            stop = min(start + 64, width)
            hit = 0
            for c in range(start, stop):
                sizes_of_both = length + lengths[c]
                value = sizes_of_both - (part[c] + part[c])
                least = value - ROUNDING * sizes_of_both
                hit |= int(least <= limit) | int(least <= limits[c]) | int(value > top) | int(value > tops[c])
            if not hit:
                continue
            for c in range(start, stop):
                sizes_of_both = length + lengths[c]
                value = sizes_of_both - (part[c] + part[c])
                least = value - ROUNDING * sizes_of_both
                if value > top:
                    top = value
                if value > tops[c]:
                    tops[c] = value
                if least <= limit or least <= limits[c]:
                    j = first + c
                    exact = distance(features[i], features[j], length, norms[j], near, ones, lanes)
                    if exact < limit or (exact == limit and j < rows[i, 0]):
                        limit = offer_one(values[i, : sizes[i]], rows[i, : sizes[i]], exact, j)
                        touched[i] = True
                    if both and (exact < limits[c] or (exact == limits[c] and i < rows[j, 0])):
                        limits[c] = offer_one(values[j, : sizes[j]], rows[j, : sizes[j]], exact, i)
                        touched[j] = True
        largest[i] = top


@compiled
def as_far(products, norms, others, first, largest, lost):
    """Mark the images ``first + c`` to which one of the ``others``, the tile's rows, is as far as the farthest."""
    for r in range(products.shape[0]):
        length = norms[others[r]]
        for c in range(products.shape[1]):
            sizes_of_both = length + norms[first + c]
            if sizes_of_both - 2 * products[r, c] + ROUNDING * sizes_of_both >= largest[first + c]:
                lost[first + c] = True


@compiled
def without(rows, values, kept, number, start, stop, new_rows, new_values, old_rows):
    """Lists of the ``kept`` images ``start:stop`` without those whose new ``number`` is -1.

    ``old_rows`` are the lists before, with the new numbers and -2 for who is gone.
    """
    for at in range(start, stop):
        i = kept[at]
        end = 0
        for s in range(rows.shape[1]):
            j = rows[i, s]
            if j < 0:
                old_rows[at, s] = -1
                continue
            if number[j] < 0:
                old_rows[at, s] = -2
                continue
            old_rows[at, s] = number[j]
            new_rows[at, end] = number[j]
            new_values[at, end] = values[i, s]
            end += 1
        for s in range(end, rows.shape[1]):
            new_rows[at, s] = -1
            new_values[at, s] = INFINITE


@compiled
def changed_lists(before, after, length, marked):
    """Mark images whose list of ``length`` is another than before, and those that joined or left such a list.

    Rows of ``after`` beyond ``before`` are new.
    """
    for i in range(after.shape[0]):
        if i >= before.shape[0]:
            marked[i] = True
            for s in range(length):
                if after[i, s] >= 0:
                    marked[after[i, s]] = True
            continue
        same = True
        for s in range(length):
            if before[i, s] != after[i, s]:
                same = False
                break
        if same:
            continue
        for s in range(length):
            left, joined = before[i, s] >= 0, after[i, s] >= 0
            for t in range(length):
                if after[i, t] == before[i, s]:
                    left = False
                if before[i, t] == after[i, s]:
                    joined = False
            if before[i, s] == -2:
                marked[i] = True
            if left:
                marked[before[i, s]] = True
                marked[i] = True
            if joined:
                marked[after[i, s]] = True
                marked[i] = True


@compiled
def stale_sets(rows, whole, sets, halves, start, stop, stale):
    """Mark the rows ``start:stop`` whose expanded set may have changed: by its own list, or a half-length one."""
    for i in range(start, stop):
        changed = sets[i]
        for s in range(whole):
            if rows[i, s] < 0:
                break
            if halves[rows[i, s]]:
                changed = True
        stale[i] = changed


@compiled
def turn(offsets, members, ends, out):
    """Write every row behind the others that have the same member; ``ends`` is where each member's begin."""
    for i in range(offsets.size - 1):
        for at in range(offsets[i], offsets[i + 1]):
            out[ends[members[at]]] = i
            ends[members[at]] += 1
