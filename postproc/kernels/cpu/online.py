"""One query against a gallery whose neighbour lists are known: what it changes in them, and nothing else.

The query is image number ``n``, behind the gallery images ``0 .. n - 1``, but wins every tie, as image 0 of a set
with queries first does. Lists, and how it stands in them: :mod:`postproc.kernels.cpu.upkeep`.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.exactly import INFINITE, LANES, distance
from postproc.kernels.cpu.nearest import NOBODY, STRETCH, offer_one, sort_heaps
from postproc.kernels.cpu.reciprocal import NEARLY_ONE, ONE, ZERO, normalised
from postproc.kernels.cpu.upkeep import NOWHERE, expanded, mutual

CHANGED, HALF, TARGET, TARGET_PLACE, SLOT, SLOT_PLACE, ANSWER, VALUE, TAKEN = range(9)  # rows of ``marks``
MARKS = 9
FRESH = 2**30  # a stamp that is larger begins anew


@compiled
def to_weights(distances, count, largest, half_power, out):
    """``exp(-p)`` over their sum, p the normalised distance: as :func:`reciprocal.to_weights` has it."""
    scale = normalised(largest, ONE, half_power)
    total = 0.0
    for at in range(count):
        weight = np.exp(-np.float64(normalised(distances[at], scale, half_power)))
        out[at] = weight
        total += weight
    for at in range(count):
        out[at] = out[at] / total


@compiled
def weights_of_rows(offsets, distances, largest, normalize, half_power, start, stop, out):
    """The weights of the sets of rows ``start:stop``."""
    for i in range(start, stop):
        some = slice(offsets[i], offsets[i + 1])
        to_weights(distances[some], distances[some].size, largest[i] if normalize else ONE, half_power, out[some])


@compiled
def look(distances, border, values, rows, entering):
    """One look at all distances of a query: (how many lists it enters, the largest distance).

    Fills the heap (values, rows) with the nearest, and ``entering`` with the images whose list it enters: those no
    nearer to the last of it (``border``) than to the query. At +inf are images that nobody looks at.
    """
    count = 0
    top = ZERO
    limit = INFINITE if values.size else -INFINITE
    for start in range(0, distances.size, STRETCH):
        stop = min(start + STRETCH, distances.size)
        part = distances[start:stop]
        ends = border[start:stop]
        hit = 0
        for j in range(part.size):
            value = part[j]
            hit |= int(value < INFINITE) & (int(value <= limit) | int(value > top) | int(value <= ends[j]))
        if hit:
            for j in range(part.size):
                value = part[j]
                if value == INFINITE:
                    continue
                if value > top:
                    top = value
                if value <= limit:
                    limit = offer_one(values, rows, value, start + j)
                if value <= ends[j]:
                    entering[count] = start + j
                    count += 1
    return count, top


@compiled
def jaccard_of_one(
    features, norms, near, rows, values, border, largest, offsets, members, set_distances, set_weights,
    inverted_offsets, inverted, holders_offsets, holders, distances, whole, half, mean_of, half_power, normalize,
    bound, place, own_place, marks, value_of, entering, asked, answers, jaccard, stamps,
):  # fmt: skip
    """The Jaccard distances of one query to the gallery images that share a member with it; all others have 1.

    Returns how many there are, in ``answers`` and ``jaccard``, the query's largest distance, and the stamp that
    ``marks[ANSWER]`` has there. ``whole``, ``half`` and ``mean_of`` are lengths of lists, the query among them.
    ``inverted``: whose set has a member; ``holders``: who averages an image. ``place`` and ``own_place`` hold
    :data:`NOWHERE` before and after. ``bound``: the query's largest distance is this or more.
    """
    images = rows.shape[0]
    me = np.int32(images)
    if stamps[0] > FRESH:
        marks[:] = 0
        stamps[0] = 0
    now = stamps[0] + 1
    stamp = now + 1
    lanes = np.empty(LANES, np.float32)
    ones = np.ones(features.shape[1], np.float32)
    most = min(whole + whole * half, images + 1)
    theirs = np.empty(half, np.int32)
    mine = np.empty(whole, np.int32)
    row = np.empty(most, np.int32)
    row_distances = np.empty(most, np.float32)
    weights = np.empty(most, np.float32)

    # the lists with the query in them
    length = max(whole, mean_of)
    own = np.full(length, -1, np.int32)
    own_values = np.full(length - 1, INFINITE, np.float32)
    own[1:] = NOBODY
    entered, top = look(distances, border, own_values, own[1:], entering)
    sort_heaps(own_values.reshape(1, length - 1), own[1:].reshape(1, length - 1), 0, 1)
    top = max(top, bound)
    own[0] = me
    for s in range(length):
        if own[s] == NOBODY:  # fewer are looked at
            own[s] = -1
        else:
            own_place[own[s]] = s

    # whose set may be another now: who has another list, and who is mutual with another half-length list
    found = _slot(marks, asked, 0, me, now)
    halves = 0
    for at in range(entered):
        i = entering[at]
        s = 0
        while s < length and values[i, s] < distances[i]:
            s += 1
        place[i] = s
        if s < whole:
            found = _slot(marks, asked, found, i, now)
            found = _slot(marks, asked, found, rows[i, whole - 1], now)
        if s < half:
            for j in (i, rows[i, half - 1]):
                if j >= 0 and marks[HALF, j] != now:
                    marks[HALF, j] = now
                    answers[halves] = j
                    halves += 1
    for at in range(halves):
        size = mutual(rows, place, own, own_place, answers[at], whole, mine)
        for m in range(size):
            found = _slot(marks, asked, found, mine[m], now)
    for at in range(found):
        marks[CHANGED, asked[at]] = now

    # V of the query, over the members ``targets``
    averaged = mean_of if mean_of > 1 else 1
    targets = np.empty(averaged * most, np.int32)
    vector = np.zeros(averaged * most, np.float32)
    count = 0
    for s in range(averaged):
        if own[s] < 0:
            break
        size = row_of(
            features, norms, near, rows, values, largest, offsets, members, set_distances, set_weights, distances,
            top, whole, half, half_power, normalize, place, own, own_place, marks, value_of, own[s], now, stamp,
            ones, lanes, theirs, row, row_distances, weights,
        )  # fmt: skip
        stamp += 2
        for at in range(size):
            t = row[at]
            if marks[TARGET, t] != now:
                marks[TARGET, t] = now
                marks[TARGET_PLACE, t] = count
                targets[count] = t
                count += 1
            vector[marks[TARGET_PLACE, t]] += weights[at]
    for t in range(count):
        if averaged > 1:
            vector[t] = vector[t] / np.float32(averaged)
    everything = shared_sum(vector, vector, np.float32(1), count)  # what it shares with a copy of itself

    # the rows, before the mean, that hold a target, and of them what is a target
    for at in range(count):
        if targets[at] != me:
            for m in range(inverted_offsets[targets[at]], inverted_offsets[targets[at] + 1]):
                found = _slot(marks, asked, found, inverted[m], now)
    begins = np.zeros(found + 1, np.int64)
    kept = np.empty(4096 + 32 * found, np.int32)
    kept_weights = np.empty(kept.size, np.float32)
    end = 0
    for at in range(found):
        size = row_of(
            features, norms, near, rows, values, largest, offsets, members, set_distances, set_weights, distances,
            top, whole, half, half_power, normalize, place, own, own_place, marks, value_of, asked[at], now, stamp,
            ones, lanes, theirs, row, row_distances, weights,
        )  # fmt: skip
        stamp += 2
        if end + size > kept.size:
            more = np.empty(2 * kept.size + size, np.int32)
            more[:end] = kept[:end]
            kept = more
            further = np.empty(kept.size, np.float32)
            further[:end] = kept_weights[:end]
            kept_weights = further
        for m in range(size):
            if marks[TARGET, row[m]] == now:
                kept[end] = marks[TARGET_PLACE, row[m]]
                kept_weights[end] = weights[m]
                end += 1
        begins[at + 1] = end

    # the images that average one of these rows
    answered = 0
    for at in range(found):
        i = asked[at]
        if begins[at] == begins[at + 1]:
            continue
        if averaged == 1:
            if i != me:
                marks[ANSWER, i] = now
                answers[answered] = i
                answered += 1
        elif i != me:
            for s in range(holders_offsets[i], holders_offsets[i + 1]):
                if marks[ANSWER, holders[s]] != now:
                    marks[ANSWER, holders[s]] = now
                    answers[answered] = holders[s]
                    answered += 1
    if averaged > 1:
        for at in range(entered):
            i = entering[at]
            if place[i] < averaged and marks[ANSWER, i] != now:
                marks[ANSWER, i] = now
                answers[answered] = i
                answered += 1

    total = np.zeros(count, np.float32)
    for at in range(answered):
        g = answers[at]
        total[:] = 0
        for s in range(averaged):
            i = g
            if averaged > 1:
                if s < place[g]:
                    i = rows[g, s]
                elif s == place[g]:
                    i = me
                else:
                    i = rows[g, s - 1]
            if i >= 0 and marks[SLOT, i] == now:
                slot = marks[SLOT_PLACE, i]
                for m in range(begins[slot], begins[slot + 1]):
                    total[kept[m]] += kept_weights[m]
        shared = shared_sum(vector, total, np.float32(averaged), count)
        value = max(ZERO, ONE - shared / (np.float32(2) - shared))
        if shared >= everything and everything > NEARLY_ONE:
            value = ZERO
        jaccard[at] = value

    for at in range(entered):
        place[entering[at]] = NOWHERE
    for s in range(length):
        if own[s] >= 0:
            own_place[own[s]] = NOWHERE
    stamps[0] = stamp + 2
    return answered, top, now


@compiled
def _slot(marks, asked, found, i, now):
    """Ask for the row of i, once; how many are asked for."""
    if i >= 0 and marks[SLOT, i] != now:
        marks[SLOT, i] = now
        marks[SLOT_PLACE, i] = found
        asked[found] = i
        return found + 1
    return found


@compiled
def shared_sum(vector, total, averaged, terms):
    """``sum_t min(vector[t], total[t] / averaged)``, in the order in which ``finish_strip`` adds."""
    shared = ZERO
    for t in range(terms):
        shared += min(vector[t], total[t] / averaged)
    return shared


@compiled
def row_of(
    features, norms, near, rows, values, largest, offsets, members, set_distances, set_weights, distances, top,
    whole, half, half_power, normalize, place, own, own_place, marks, value_of, i, now, stamp, ones, lanes,
    theirs, row, row_distances, weights,
):  # fmt: skip
    """The members and weights of one image before the mean, with the query in the lists; how many there are.

    What is known of it is taken as it is, where neither its set nor what its distances are divided by has changed.
    """
    me = rows.shape[0]
    first = offsets[i] if i != me else 0
    if marks[CHANGED, i] != now:
        size = offsets[i + 1] - first
        farther = normalize and distances[i] > largest[i] and distances[i] < INFINITE
        for at in range(size):
            row[at] = members[first + at]
            weights[at] = set_weights[first + at]
        if farther:
            to_weights(set_distances[first : first + size], size, distances[i], half_power, weights)
        return size
    size = expanded(rows, place, own, own_place, i, whole, half, marks[TAKEN], stamp, theirs, row)
    if i != me:
        for at in range(first, offsets[i + 1]):
            marks[VALUE, members[at]] = stamp
            value_of[members[at]] = set_distances[at]
    for at in range(size):
        j = row[at]
        if i == me:
            row_distances[at] = ZERO if j == me else distances[j]
        elif j == me:
            row_distances[at] = distances[i]
        elif marks[VALUE, j] == stamp:
            row_distances[at] = value_of[j]
        else:
            row_distances[at] = distance(features[i], features[j], norms[i], norms[j], near, ones, lanes)
    scale = ONE
    if normalize:
        scale = top if i == me else largest[i]
        if i != me and distances[i] > scale and distances[i] < INFINITE:
            scale = distances[i]
    to_weights(row_distances, size, scale, half_power, weights)
    return size


@compiled
def first_of_all(
    distances, answers, jaccard, count, answered, now, scale, half_power, lambda_value, values, rows
):  # fmt: skip
    """The smallest ``(1 - lambda) jaccard + lambda p`` over the gallery in the heap (values, rows), sorted.

    ``answered[i] == now`` where ``answers`` has i, whose Jaccard distance is known; those of all others are 1.
    """
    rest = ONE - lambda_value
    scale = normalised(scale, ONE, half_power)
    for at in range(count):
        i = answers[at]
        if distances[i] == INFINITE:
            continue
        offer_one(values, rows, mixed(distances[i], jaccard[at], rest, lambda_value, scale, half_power), i)
    limit = INFINITE  # a distance that no other image may have that still comes in
    for start in range(0, distances.size, STRETCH):
        part = distances[start : start + STRETCH]
        hit = 0
        for j in range(part.size):
            hit |= int(part[j] <= limit)
        if not hit:
            continue
        for j in range(part.size):
            i = start + j
            if part[j] > limit or answered[i] == now or part[j] == INFINITE:
                continue
            before = values[0]
            worst = offer_one(values, rows, mixed(part[j], ONE, rest, lambda_value, scale, half_power), i)
            if worst != before or limit == INFINITE:
                limit = farthest(worst, rest, lambda_value, scale, half_power)
    sort_heaps(values.reshape(1, values.size), rows.reshape(1, rows.size), 0, 1)
    for s in range(rows.size):
        if values[s] == INFINITE:
            rows[s] = -1


@compiled
def mixed(distance, jaccard, rest, lambda_value, scale, half_power):
    """As :func:`reciprocal.finish_strip` has it."""
    share = normalised(distance, scale, half_power)
    value = rest * jaccard + lambda_value * share
    return ONE if value > ONE and share <= ONE else value


@compiled
def farthest(worst, rest, lambda_value, scale, half_power):
    """A distance beyond which an image with Jaccard distance 1 is surely mixed to more than ``worst``."""
    if worst == INFINITE:
        return INFINITE
    if lambda_value == 0:
        return INFINITE if worst >= rest else np.float32(-1)
    room = (np.float64(worst) - np.float64(rest)) / np.float64(lambda_value)
    room += 1e-5 / np.float64(lambda_value) + 1e-5 * abs(room)
    if room < 0:
        return np.float32(-1)
    if scale > 0:
        room *= np.float64(scale)
    return np.float32(room ** (1.0 / half_power) * (1 + 1e-5))
