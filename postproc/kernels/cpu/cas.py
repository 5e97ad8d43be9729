"""Cluster-aware diffusion, a range of rows at a time (Luo et al. 2024): walks over the graph of nearest
neighbours, smoothing on a row's candidates, products of sparse rows.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32. Sums are taken in float64, in the order in
which the graph is stored, whatever the range.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.sorting import at_place, order

HALF = 5  # steps from either end; a walk has at most twice as many, and one over W in the middle


@compiled
def walk_halves(offsets, members, weights, roots, alpha, keep, wanted_offsets, wanted, start, stop, short):
    """The two halves of every long walk from the rows ``start:stop``, as (sizes, members, weights (m, 2)).

    S is the graph, ``W = R S R`` with the ``roots`` on R's diagonal. With ``b = (1 - alpha) sum_t (alpha S)^t e``
    for t below HALF = 5, the weights of row i are ``h = S^5 e`` and
    ``g = alpha^5 b / 2 + (alpha / 2)^10 (sum_t C(10, t) S^(5 - t) W S^t e + C(10, 5) W S^5 e / 2)``, so that ten
    rounds of diffusion from W are ``F[i, j] = b_i[j] + <h_i, g_j> + <g_i, h_j>``. Of a row's members the ``keep``
    with the largest ``h + g`` remain. ``short[at]`` becomes ``b_i[wanted[at]]``.
    """
    images = offsets.size - 1
    room = (stop - start) * min(keep, images)
    sizes = np.zeros(stop - start, np.int64)
    new_members = np.empty(room, np.int32)
    new_weights = np.empty((room, 2), np.float32)
    now = np.zeros((images, 2))  # S^t e, and Horner's scheme for the sum; zero outside the ball, as all here
    then = np.zeros((images, 2))
    total = np.zeros(images)
    key = np.empty(images)
    inside = np.zeros(images, np.bool_)
    ball = np.empty(images, np.int32)
    end = 0
    for i in range(start, stop):
        ball[0] = i
        size = 1
        inside[i] = True
        now[i, 0] = 1
        ways = 1.0
        power = 1 - alpha
        for t in range(HALF + 1):
            if t == HALF:
                ways /= 2
            for at in range(size):
                v = ball[at]
                here, sum_here = now[v, 0], now[v, 1]
                middle = ways * roots[v] * here
                if t < HALF:
                    total[v] += power * here
                for edge in range(offsets[v], offsets[v + 1]):
                    u, weight = members[edge], weights[edge]
                    if not inside[u]:
                        inside[u] = True
                        ball[size] = u
                        size += 1
                    then[u, 0] += weight * here
                    then[u, 1] += weight * (sum_here + roots[u] * middle)
            if t < HALF:
                now, then = then, now
                for at in range(size):
                    then[ball[at]] = 0
            ways *= (2 * HALF - t) / (t + 1)
            power *= alpha
        for at in range(wanted_offsets[i], wanted_offsets[i + 1]):
            short[at] = total[wanted[at]]
        for at in range(size):
            v = ball[at]
            then[v, 1] = 0.5 * alpha**HALF * total[v] + (alpha / 2) ** (2 * HALF) * then[v, 1]
            key[at] = now[v, 0] + then[v, 1]
        begin = end
        end += _largest(key[:size], keep, ball[:size], new_members[end:])
        for at in range(begin, end):
            new_weights[at, 0] = now[new_members[at], 0]
            new_weights[at, 1] = then[new_members[at], 1]
        sizes[i - start] = end - begin
        for at in range(size):
            v = ball[at]
            inside[v] = False
            total[v] = 0
            now[v] = 0
            then[v] = 0
    return sizes, new_members[:end].copy(), new_weights[:end].copy()


@compiled
def _largest(values, keep, members, out):
    """Copy the members with the ``keep`` largest values to ``out``, of equals the smallest; return how many."""
    if values.size <= keep:
        out[: values.size] = members
        return values.size
    limit = at_place(values, values.size - keep)
    count = 0
    for at in range(values.size):
        if values[at] > limit:
            out[count] = members[at]
            count += 1
    tied = members[values == limit]
    out[count:keep] = tied[order(tied.astype(np.float64))][: keep - count]
    return keep


@compiled
def meet_halves(offsets, members, weights, wanted_offsets, wanted, start, stop, out):
    """Add ``<h_i, g_j> + <g_i, h_j>`` of :func:`walk_halves` to ``out``: the wanted pairs, rows ``start:stop``."""
    own = np.zeros((offsets.size - 1, 2), np.float32)
    for i in range(start, stop):
        for at in range(offsets[i], offsets[i + 1]):
            own[members[at]] = weights[at]
        for place in range(wanted_offsets[i], wanted_offsets[i + 1]):
            j = wanted[place]
            total = np.float64(out[place])
            for at in range(offsets[j], offsets[j + 1]):
                t = members[at]
                total += weights[at, 0] * own[t, 1] + weights[at, 1] * own[t, 0]
            out[place] = total
        for at in range(offsets[i], offsets[i + 1]):
            own[members[at]] = 0


@compiled
def smooth_candidates(
    offsets, members, confident_offsets, confident, step_offsets, step_members, step_weights,
    back_offsets, back_members, back_weights, returning, beta, start, stop, values,
):  # fmt: skip
    """In place, the diffused ``values`` of the candidates of rows ``start:stop``: pulled together where two steps
    lead from a candidate to the confident ones, then divided by their sum.

    ``step`` holds P, ``back`` its transpose, ``returning`` the diagonal of P P.
    """
    images = offsets.size - 1
    sure = np.zeros(images, np.bool_)
    towards = np.zeros(images)
    for i in range(start, stop):
        begin, end = offsets[i], offsets[i + 1]
        count = confident_offsets[i + 1] - confident_offsets[i]
        anchor = 0.0
        for at in range(confident_offsets[i], confident_offsets[i + 1]):
            c = confident[at]
            sure[c] = True
            anchor += returning[c] / count
            for edge in range(back_offsets[c], back_offsets[c + 1]):
                towards[back_members[edge]] += np.float64(back_weights[edge]) / count
        others = 0
        for at in range(begin, end):
            others += not sure[members[at]]
        divisor = anchor * anchor + 2 * beta
        if count > 1 and others > 1 and divisor > 0:
            pull = np.empty(end - begin)
            mean = 0.0
            pulled = 0.0
            for at in range(begin, end):
                j = members[at]
                reach = anchor
                if not sure[j]:
                    reach = 0.0
                    for edge in range(step_offsets[j], step_offsets[j + 1]):
                        reach += step_weights[edge] * towards[step_members[edge]]
                    reach = min(reach, anchor)
                pull[at - begin] = reach
                mean += values[at] / (end - begin)
                pulled += values[at] * reach / (end - begin)
            for at in range(begin, end):
                own = values[at] * (anchor * pull[at - begin] + 2 * beta)
                values[at] = (own + anchor * (anchor * mean - pulled)) / divisor
        total = 0.0
        for at in range(begin, end):
            total += values[at]
        for at in range(begin, end):
            values[at] = values[at] / total if total > 0 else 0
        for at in range(confident_offsets[i], confident_offsets[i + 1]):
            c = confident[at]
            sure[c] = False
            for edge in range(back_offsets[c], back_offsets[c + 1]):
                towards[back_members[edge]] = 0


@compiled
def product_of_rows(
    left_offsets, left_members, left_weights, offsets, members, weights, keep, start, stop
):  # fmt: skip
    """Rows ``start:stop`` of a product of sparse matrices: the ``keep`` largest entries of each, divided by their
    sum, as (sizes, members, weights), members ascending, ties the first of them."""
    images = offsets.size - 1
    room = 0
    for i in range(start, stop):
        wanted = 0
        for left in range(left_offsets[i], left_offsets[i + 1]):
            wanted += offsets[left_members[left] + 1] - offsets[left_members[left]]
        room += min(wanted, keep, images)
    sizes = np.zeros(stop - start, np.int64)
    new_members = np.empty(room, np.int32)
    new_weights = np.empty(room, np.float32)
    total = np.zeros(images)
    inside = np.zeros(images, np.bool_)
    met = np.empty(images, np.int32)
    end = 0
    for i in range(start, stop):
        size = 0
        for left in range(left_offsets[i], left_offsets[i + 1]):
            t, factor = left_members[left], np.float64(left_weights[left])
            for at in range(offsets[t], offsets[t + 1]):
                member = members[at]
                if not inside[member]:
                    inside[member] = True
                    met[size] = member
                    size += 1
                total[member] += factor * weights[at]
        begin = end
        end += _largest(total[met[:size]], keep, met[:size], new_members[end:])
        new_members[begin:end].sort()
        scale = 0.0
        for at in range(begin, end):
            scale += total[new_members[at]]
        for at in range(begin, end):
            new_weights[at] = total[new_members[at]] / scale if scale > 0 else 0
        sizes[i - start] = end - begin
        for member in met[:size]:
            inside[member] = False
            total[member] = 0
    return sizes, new_members[:end].copy(), new_weights[:end].copy()
