"""Diffusion on a sparse graph: solutions for a block of columns at a time, and truncated ones for single images.

A graph is a symmetric matrix S as offsets (n + 1,) int64, members int32, weights float32. Columns stand side by
side, (n, columns), so that one pass over the graph serves all of them; no column sees another.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.ahead import LINE, ask_for
from postproc.kernels.cpu.links import DOUBLES, LANES, NODE, product, spread

TOGETHER = 64  # images whose scores are turned from columns to rows together
ABREAST = 4  # links of a node that are followed together in small graphs
SOON = 4  # nodes between asking for the links of a node and its turn
LINK = 4  # bytes of a member
SUMS = 64  # side by side, so that they run in vector registers
BITS, ONE = np.uint32(32), np.uint32(1)
COLUMNS = {np.float32: LANES, np.float64: DOUBLES}  # that are solved side by side, by their kind
POWERS = LANES  # that are raised to powers side by side, in float32


@compiled
def sums_of_rows(offsets, values, start, stop, out):
    """``out[i]``, float64, becomes the sum of the values of row i, for ``start <= i < stop``."""
    for i in range(start, stop):
        total = 0.0
        for at in range(offsets[i], offsets[i + 1]):
            total += values[at]
        out[i] = total


@compiled
def order_of_nodes(offsets, members, weights):
    """(n,) int32: all nodes, each with those near it to which it holds most: then a product with S finds what it
    needs in the cache.

    From a node on to the strongest link that leads to somebody new; where there is none, a step back.
    """
    n = offsets.size - 1
    order, path = np.empty(n, np.int32), np.empty(n, np.int32)
    new = np.ones(n, np.bool_)
    end = 0
    for root in range(n):
        if not new[root]:
            continue
        depth, best = 0, root
        while depth > 0 or best >= 0:
            if best >= 0:
                new[best] = False
                order[end] = path[depth] = best
                end += 1
                depth += 1
            best, most = -1, np.float32(0)
            for at in range(offsets[path[depth - 1]], offsets[path[depth - 1] + 1]):
                if new[members[at]] and weights[at] > most:
                    best, most = members[at], weights[at]
            if best < 0:
                depth -= 1
    return order


@compiled
def _reach(offsets, members, reached, rows):
    """All nodes a link away from ``rows`` beside these, ascending; ``reached`` says the same of every node."""
    for i in rows:
        for at in range(offsets[i], offsets[i + 1]):
            reached[members[at]] = True
    return np.nonzero(reached)[0]


def room_of(n, like, parts=5):
    """For :func:`conjugate_gradients` on a graph of n nodes, of the kind of ``like``, every node in lines of
    its own, unset; 2 parts of it for :func:`regularized_powers`. To be used again, because fresh memory takes its
    time."""
    columns = NODE // like.itemsize
    room = np.empty((parts * n + 1) * columns, like.dtype)
    first = -room.ctypes.data % NODE // like.itemsize
    return room[first : first + parts * n * columns].reshape(parts, n, columns)


@compiled
def conjugate_gradients(
    offsets, members, weights, masses, alpha, nodes, values, iterations, tolerance, smooth, room
):  # fmt: skip
    """(n, columns or more) of the kind of ``values``: ``(I - alpha P) f = y`` for every column, as far as
    ``iterations`` come. y is ``values[b]`` at ``nodes[b]`` in column b, and 0 elsewhere.

    ``weights`` are P: the links of a node have a sum of 1, or it has none; ``masses[i] P_ij`` is symmetric, and
    lengths are those of the inner product with masses.

    A column is done when its residual is no longer than ``tolerance`` times y. What is returned is the iterate
    of the smallest residual; or, if ``smooth``, the combination of all iterates whose residual is smallest,
    which is the minimal residual solution. Products of whole columns are float64. What no path has reached yet is
    0 and is not looked at. The answer lies in the ``room`` (:func:`room_of`).
    """
    n = offsets.size - 1
    x, best, image, residual, direction = room[0], room[1], room[2], room[3], room[4]
    reached = np.zeros(n, np.bool_)
    for part in (x, best, residual, direction):
        part[:] = 0
    for b in range(nodes.shape[0]):
        for at in range(nodes.shape[1]):
            residual[nodes[b, at], b] = direction[nodes[b, at], b] = values[b, at]
            reached[nodes[b, at]] = True
    rows, growing = np.nonzero(reached)[0], True
    width = x.shape[1]
    square, across, after = np.zeros(width), np.empty(width), np.empty(width)
    _add_squares(rows, masses, residual, square)
    limit, smallest = tolerance * tolerance * square, square.copy()
    step, share, turn = np.zeros_like(x[0]), np.zeros_like(x[0]), np.zeros_like(x[0])
    ahead = np.zeros_like(x[0])  # 1 where the best iterate is the last one, and not yet in ``best``
    for _ in range(iterations):
        if not (smallest > limit).any():
            break
        if growing:
            before = rows.size
            rows = _reach(offsets, members, reached, rows)
            growing = before < rows.size < n
        across[:] = 0
        _apply(offsets, members, weights, masses, alpha, rows, direction, image, across)
        for b in range(width):
            going = smallest[b] > limit[b] and across[b] > 0
            step[b] = square[b] / across[b] if going else 0.0
        after[:] = 0
        _approach(rows, masses, step, image, residual, after)
        _choose(step, after, smooth, square, smallest, ahead, share, turn)
        keep = share.any()
        if keep and not smooth:
            _keep(rows, share, x, best)
        _advance(rows, step, turn, residual, x, direction)
        if keep and smooth:
            _keep(rows, share, x, best)
    if (ahead == 1).all():
        return x
    _keep(rows, ahead, x, best)
    return best


@compiled
def _add_squares(rows, masses, residual, square):
    for at in range(rows.size):
        i = np.uint32(rows[at])
        for b in range(residual.shape[1]):
            square[b] += masses[i] * (np.float64(residual[i, b]) * residual[i, b])


@compiled
def _apply(offsets, members, weights, masses, alpha, rows, direction, image, across):
    """The matrix times the directions, and the products of both."""
    for at in range(rows.size):
        i = np.uint32(rows[at])
        spread(offsets, members, weights, alpha, masses[i], direction, i, image[i], across)


@compiled
def _approach(rows, masses, step, image, residual, after):
    """What remains after a step, and its squares."""
    for at in range(rows.size):
        i = np.uint32(rows[at])
        mass = masses[i]
        for b in range(NODE // image.itemsize):
            residual[i, b] -= step[b] * image[i, b]
        for b in range(NODE // image.itemsize):
            after[b] += mass * (np.float64(residual[i, b]) * np.float64(residual[i, b]))


@compiled
def _advance(rows, step, turn, residual, x, direction):
    """Take the step, and turn to where the next one goes."""
    for at in range(rows.size):
        i = np.uint32(rows[at])
        for b in range(NODE // x.itemsize):
            x[i, b] += step[b] * direction[i, b]
            direction[i, b] = residual[i, b] + turn[b] * direction[i, b]


@compiled
def _keep(rows, share, x, best):
    """Move ``best`` by a share of the way to x, a share a column."""
    for at in range(rows.size):
        i = np.uint32(rows[at])
        for b in range(NODE // x.itemsize):
            best[i, b] += share[b] * (x[i, b] - best[i, b])


@compiled
def _choose(step, after, smooth, square, smallest, ahead, share, turn):
    """By the squares ``after`` a step: which share of the way to x ``best`` goes, and how directions turn."""
    for b in range(step.size):
        share[b] = 0.0
        turn[b] = after[b] / square[b] if square[b] > 0 else 0.0
        if step[b] > 0 and smooth:
            share[b] = smallest[b] / (smallest[b] + after[b])
            smallest[b] *= after[b] / (smallest[b] + after[b])
        elif step[b] > 0 and after[b] <= smallest[b]:
            ahead[b] = 1.0
            smallest[b] = after[b]
        elif step[b] > 0:  # the last one was the best
            share[b], ahead[b] = ahead[b], 0.0
        square[b] = after[b]


@compiled
def regularized_powers(offsets, members, weights, alpha, nodes, scales, iterations, room):
    """(n, columns or more) float32: ``v <- alpha S S v + (1 - alpha) start``, ``iterations`` times from v = start.

    ``start`` is ``scales[b]`` at ``nodes[b]`` in column b, and 0 elsewhere. What no path has reached yet is not
    looked at. The answer lies in the ``room`` (:func:`room_of`).
    """
    n = offsets.size - 1
    v, once = room[0], room[1]
    v[:] = 0
    once[:] = 0
    reached = np.zeros(n, np.bool_)
    for b in range(nodes.size):
        v[nodes[b], b] = scales[b]
        reached[nodes[b]] = True
    rows = np.nonzero(reached)[0]
    rest = np.float32(1) - alpha
    for _ in range(iterations):
        rows = rows if rows.size == n else _reach(offsets, members, reached, rows)
        for at in range(rows.size):
            i = np.uint32(rows[at])
            product(offsets, members, weights, v, i, once[i])
        rows = rows if rows.size == n else _reach(offsets, members, reached, rows)
        for at in range(rows.size):
            i = np.uint32(rows[at])
            product(offsets, members, weights, once, i, v[i])
            for b in range(LANES):
                v[i, b] *= alpha
        for b in range(nodes.size):
            v[nodes[b], b] += rest * scales[b]
    return v


@compiled
def _solve(shells, borders, ends, links, alpha, iterations, tolerance, x, residual, direction, image, lanes):
    """Conjugate gradients for ``(I - alpha S) x = e_0``, in the four arrays behind ``tolerance``, as long as a
    multiple of SUMS.

    Nodes are in the order in which they are reached: the first ``shells[t]`` are no more than t links away from
    the first, and after t steps all others are 0. A node's links are a multiple of ABREAST; they are added up one
    after the other.
    """
    x[:] = 0
    residual[:] = 0
    direction[:] = 0
    image[:] = 0
    residual[0] = direction[0] = square = 1.0
    for t in range(iterations):
        if square <= tolerance * tolerance:
            break
        count = shells[min(t + 1, shells.size - 1)]
        across = 0.0
        for a in range(count):
            total = 0.0
            for at in range(borders[a], borders[a + 1], ABREAST):
                first = links[at] * direction[np.uint32(ends[at])]
                second = links[at + 1] * direction[np.uint32(ends[at + 1])]
                third = links[at + 2] * direction[np.uint32(ends[at + 2])]
                fourth = links[at + 3] * direction[np.uint32(ends[at + 3])]
                total = (((total + first) + second) + third) + fourth
            image[a] = direction[a] - alpha * total
            across += direction[a] * image[a]
        if not across > 0:
            break
        step = square / across
        for lane in range(SUMS):
            lanes[lane] = 0.0
        for a in range(0, count, SUMS):
            for lane in range(SUMS):
                x[a + lane] += step * direction[a + lane]
                residual[a + lane] -= step * image[a + lane]
                lanes[lane] += residual[a + lane] * residual[a + lane]
        after = 0.0
        for lane in range(SUMS):
            after += lanes[lane]
        turn = after / square
        for a in range(count):
            direction[a] = residual[a] + turn * direction[a]
        square = after


@compiled
def truncated_solutions(lists, offsets, members, weights, alpha, iterations, tolerance, unit, start, stop):
    """``(I - alpha S) f = e_i`` on i and its list, no more nodes than a list is long, for ``start <= i < stop``.

    Conjugate gradients in float64; the last iterate, its zeros left out, brought to length 1 if ``unit``, as
    (sizes, members, weights). Entries of a list below 0 are nobody. What no path inside a list reaches is not
    looked at.
    """
    n = lists.shape[0]
    length = min(n, lists.shape[1])
    place = np.empty(n, np.int32)
    inside = np.zeros(n // BITS + 1, np.uint32)  # a bit a node, because they stay in the nearest cache
    there = np.empty(np.diff(offsets).max() if n else 0, np.int64)
    nodes, reached = np.empty(length, np.int32), np.empty(length + 1, np.int32)
    borders, shells = np.empty(length + 1, np.int64), np.empty(length + 1, np.int64)
    ends, links, taken = np.empty(0, np.int32), np.empty(0), np.empty(0, np.int64)
    whole = (length + SUMS - 1) // SUMS * SUMS
    x, residual, direction, image = np.empty(whole), np.empty(whole), np.empty(whole), np.empty(whole)
    lanes = np.empty(SUMS)
    sizes = np.zeros(stop - start, np.int64)
    new_members = np.empty((stop - start) * length, np.int32)
    new_weights = np.empty((stop - start) * length, np.float32)
    end = 0
    for i in range(start, stop):
        nodes[0] = i
        listed = 1
        for s in range(lists.shape[1]):
            if listed == length:
                break
            if lists[i, s] >= 0 and lists[i, s] != i:
                nodes[listed] = lists[i, s]
                listed += 1
        room = 0
        for a in range(listed):
            place[nodes[a]] = -1
            inside[np.uint32(nodes[a]) // BITS] |= ONE << (np.uint32(nodes[a]) % BITS)
            room += offsets[nodes[a] + 1] - offsets[nodes[a]] + ABREAST
        if room > ends.size:
            ends, links, taken = np.empty(room, np.int32), np.empty(room), np.empty(room, np.int64)
        reached[0], place[i] = i, 0
        count, around = 1, 0  # nodes that are reached, and in how many links
        borders[0], shells[0] = 0, 1
        a = 0
        while a < count:
            if a == shells[around]:  # all that is reached in fewer links has been looked at
                around += 1
                shells[around] = count
            if a + SOON < count:
                soon = reached[a + SOON]
                for line in range(offsets[soon] * LINK, offsets[soon + 1] * LINK, LINE):
                    ask_for(members.ctypes.data + line)  # type: ignore[call-arg]
            found = np.uint64(0)
            for at in range(offsets[reached[a]], offsets[reached[a] + 1]):  # no branch: nobody could foretell it
                member = np.uint32(members[at])
                there[found] = at
                found += np.uint64((inside[member // BITS] >> (member % BITS)) & ONE)
            end_of_node = borders[a]
            for at in there[: np.int64(found)]:
                member = np.uint32(members[at])
                new = place[member] < 0
                reached[count] = member
                place[member] = count if new else place[member]
                count += new
                ends[end_of_node] = place[member]
                taken[end_of_node] = at
                end_of_node += 1
            while (end_of_node - borders[a]) % ABREAST:  # links of no weight
                ends[end_of_node] = 0
                taken[end_of_node] = -1
                end_of_node += 1
            a += 1
            borders[a] = end_of_node
        for at in range(borders[count]):
            links[at] = weights[taken[at]] if taken[at] >= 0 else 0.0
        around += 1
        shells[around] = count
        _solve(
            shells[: around + 1], borders, ends, links, alpha, iterations, tolerance, x, residual, direction,
            image, lanes,
        )  # fmt: skip
        scale = 0.0
        for a in range(count):
            scale += x[a] * x[a]
        scale = np.sqrt(scale) if unit and scale > 0 else 1.0
        begin = end
        for a in range(listed):
            inside[np.uint32(nodes[a]) // BITS] = 0
            at = place[nodes[a]]
            if at >= 0 and x[at] != 0:
                new_members[end] = nodes[a]
                new_weights[end] = x[at] / scale
                end += 1
        sizes[i - start] = end - begin
    return sizes, new_members[:end].copy(), new_weights[:end].copy()


@compiled
def reached_first(scores, classes, scales, start, strip):
    """``strip[start + b, j] <- -scores[c, b] * scales[c]``, c = classes[j], where that score is above 0, for every
    column b of scores; elsewhere the distance that stands there stays, or becomes 0 if it is below."""
    columns = min(scores.shape[1], strip.shape[0] - start)
    scaled = np.empty((TOGETHER, columns), np.float32)
    for first in range(0, classes.size, TOGETHER):
        count = min(TOGETHER, classes.size - first)
        for j in range(count):
            c = np.uint32(classes[first + j])
            for b in range(columns):
                scaled[j, b] = scores[c, b] * scales[c]
        for b in range(columns):
            row = strip[start + b, first : first + count]
            for j in range(count):
                score = scaled[j, b]
                row[j] = -score if score > 0 else max(row[j], np.float32(0))


@compiled
def drop_repeats(rows, classes, start, stop):
    """In place, rows ``start:stop`` of (n, k) lists of classes: all entries of a class but the first become -1."""
    seen = np.full(classes, -1, np.int32)
    for i in range(start, stop):
        for s in range(rows.shape[1]):
            name = rows[i, s]
            if seen[name] == i:
                rows[i, s] = -1
            else:
                seen[name] = i
