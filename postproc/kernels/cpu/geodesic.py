"""Shortest paths over neighbours whose edges are divergences of their sparse rows.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32. No edge is longer than 1.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.sorting import at_place

FINE = 4096  # buckets to the unit
CHEAP = 16  # columns are looked at in the time in which an edge is followed
NOBODY = np.int32(-1)


@compiled
def divergences(offsets, members, weights, lists, start, stop, out):
    """Jensen-Shannon divergence in bits, 0..1, of the rows ``start:stop`` and those in their lists.

    Rows sum to one, so only common members count: ``1 + (sum p log2(p / (p + q)) + q log2(q / (p + q))) / 2``.
    With members ascending, two rows give the same bits either way.
    """
    own = np.zeros(offsets.size - 1, np.float32)
    for i in range(start, stop):
        for at in range(offsets[i], offsets[i + 1]):
            own[members[at]] = weights[at]
        for s in range(lists.shape[1]):
            j = lists[i, s]
            total = 0.0
            for at in range(offsets[j], offsets[j + 1]):
                p, q = np.float64(own[members[at]]), np.float64(weights[at])
                if p > 0 and q > 0:
                    total += p * np.log2(p / (p + q)) + q * np.log2(q / (p + q))
            out[i, s] = max(1 + total / 2, 0.0) if i != j else 0.0
        for at in range(offsets[i], offsets[i + 1]):
            own[members[at]] = 0


@compiled
def needed_edges(offsets, members, weights, start, stop, out):
    """Of the edges of nodes ``start:stop``: is there no way over two shorter ones that is as short?"""
    near = np.full(offsets.size - 1, np.inf)
    for u in range(start, stop):
        for edge in range(offsets[u], offsets[u + 1]):
            near[members[edge]] = weights[edge]
        for edge in range(offsets[u], offsets[u + 1]):
            v, weight = members[edge], np.float64(weights[edge])
            out[edge] = True
            for other in range(offsets[v], offsets[v + 1]):
                first, second = near[members[other]], np.float64(weights[other])
                if first < weight and second < weight and first + second <= weight:
                    out[edge] = False
                    break
        for edge in range(offsets[u], offsets[u + 1]):
            near[members[edge]] = np.inf


@compiled
def blend_geodesics(
    strip, sources, columns, offsets, members, weights, farthest, largest, lambda_value, wanted, start, stop
):  # fmt: skip
    """Rows ``start:stop`` of a strip, in place: ``(1 - lambda) * path + lambda * distance / largest``.

    The row r is of node ``sources[r]``, its columns are the nodes ``columns``; a path is the shortest there is, at
    most ``farthest``. A node's edges come shortest first. Only the ``wanted`` smallest of a row, and what is equal
    to the last of them, need to be right: others are larger than these, and may be too large.

    Nodes wait in buckets by their distance, ``FINE`` to the unit, in no order inside: a node that becomes nearer
    after its turn gets another one, so that the end is exact. Nobody of interest is farther than ``bound``: longer
    edges are not followed. It is looked for where that takes no longer than the edges followed since, and twice as
    many each time where no bucket is done meanwhile.
    """
    nodes = offsets.size - 1
    away = np.empty(nodes)
    heads = np.full(farthest * FINE + 1, NOBODY)
    after = np.empty(nodes, np.int32)  # the next in the same bucket
    before = np.empty(nodes, np.int32)
    waiting = np.zeros(nodes, np.bool_)
    few = wanted < columns.size and lambda_value < 1
    open_ = np.empty(columns.size if few else 0, np.int32)
    blends = np.empty(open_.size)
    for r in range(start, stop):
        scale = largest[sources[r]] if largest[sources[r]] > 0 else np.float32(1)
        away[:] = farthest
        away[sources[r]] = 0
        _enter(heads, after, before, sources[r], 0)
        waiting[sources[r]] = True
        count = 1
        bucket = 0
        bound = np.float64(farthest)
        for j in range(open_.size):
            open_[j] = j
        left = patience = open_.size if few else nodes
        followed, looked = 0, -1
        while count > 0:
            while heads[bucket] != NOBODY:
                if followed * CHEAP > patience:
                    if few:
                        left, bound = _look(
                            strip[r], scale, columns, away, bucket, farthest, lambda_value, wanted,
                            open_, left, blends, bound,
                        )  # fmt: skip
                    else:
                        bound = away.max()
                    patience = 2 * patience if looked == bucket else left
                    followed, looked = 0, bucket
                u = heads[bucket]
                _leave(heads, after, before, u, bucket)
                waiting[u] = False
                count -= 1
                for edge in range(offsets[u], offsets[u + 1]):
                    reached = away[u] + weights[edge]
                    followed += 1
                    if reached >= bound:
                        break
                    v = members[edge]
                    if reached < away[v]:
                        if waiting[v]:
                            _leave(heads, after, before, v, int(away[v] * FINE))
                            count -= 1
                        away[v] = reached
                        _enter(heads, after, before, v, int(reached * FINE))
                        waiting[v] = True
                        count += 1
            bucket += 1
        for j in range(columns.size):
            strip[r, j] = (1 - lambda_value) * away[columns[j]] + lambda_value * (strip[r, j] / scale)


@compiled
def _look(row, scale, columns, away, bucket, farthest, lambda_value, wanted, open_, left, blends, bound):
    """Of the ``left`` columns that are ``open_`` keep those that may be among the ``wanted``: (how many, bound).

    Nodes of earlier buckets are as near as they will be, others no nearer than this bucket. So a column that is
    worse than the last of the wanted ones, even with the distance that it may still get, is done; and who could
    only get there on a path beyond ``bound`` is too.
    """
    size = 0
    for at in range(left):
        j = open_[at]
        path = away[columns[j]]
        if path < farthest:
            blends[size] = np.float32((1 - lambda_value) * path + lambda_value * (row[j] / scale))
            size += 1
    last = at_place(blends[:size], wanted - 1) if size >= wanted else np.inf
    if last == np.inf:
        return left, bound
    last += 1e-6 * abs(last) + 1e-30
    kept, least = 0, np.inf
    for at in range(left):
        j = open_[at]
        path, distance = away[columns[j]], lambda_value * (row[j] / scale)
        still = int(path * FINE) >= bucket
        if (1 - lambda_value) * (bucket / FINE if still else path) + distance <= last:
            open_[kept] = j
            kept += 1
            if still:
                least = min(least, distance)
    return kept, min(bound, (last - least) / (1 - lambda_value))


@compiled
def _enter(heads, after, before, node, bucket):
    """Put a node at the head of a bucket."""
    other = heads[bucket]
    after[node], before[node] = other, NOBODY
    if other != NOBODY:
        before[other] = node
    heads[bucket] = node


@compiled
def _leave(heads, after, before, node, bucket):
    """Take a node out of its bucket."""
    if before[node] == NOBODY:
        heads[bucket] = after[node]
    else:
        after[before[node]] = after[node]
    if after[node] != NOBODY:
        before[after[node]] = before[node]
