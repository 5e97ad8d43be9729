"""Shortest paths over neighbours whose edges are divergences of their sparse rows.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32. No edge is longer than 1.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.sorting import at_place

FINE = 256
LOOKS = 8
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
    after its turn gets another one, so that the end is exact. Nobody of interest is farther than ``bound``, which
    is looked at ``LOOKS`` times to the unit: longer edges are not followed, later nodes not asked.
    """
    nodes = offsets.size - 1
    away = np.empty(nodes)
    heads = np.full(farthest * FINE + 1, NOBODY)
    after = np.empty(nodes, np.int32)  # the next in the same bucket
    before = np.empty(nodes, np.int32)
    waiting = np.zeros(nodes, np.bool_)
    few = wanted < columns.size and lambda_value < 1
    reached_columns = np.empty(columns.size if few else 0)
    for r in range(start, stop):
        scale = largest[sources[r]] if largest[sources[r]] > 0 else np.float32(1)
        least = lambda_value * np.float64(strip[r].min() / scale) if few else 0.0
        away[:] = farthest
        away[sources[r]] = 0
        _enter(heads, after, before, sources[r], 0)
        waiting[sources[r]] = True
        count = 1
        bucket = 0
        bound = np.float64(farthest)
        while count > 0:
            if bucket % (FINE // LOOKS) == 0:
                if few:
                    size = 0
                    for j in range(columns.size):
                        if away[columns[j]] < farthest:
                            blend = (1 - lambda_value) * away[columns[j]] + lambda_value * (strip[r, j] / scale)
                            reached_columns[size] = np.float32(blend)
                            size += 1
                    if size >= wanted:
                        last = at_place(reached_columns[:size], wanted - 1)
                        bound = min(bound, (last + 1e-6 * abs(last) + 1e-30 - least) / (1 - lambda_value))
                else:
                    bound = away.max()
            while heads[bucket] != NOBODY:
                u = heads[bucket]
                _leave(heads, after, before, u, bucket)
                waiting[u] = False
                count -= 1
                for edge in range(offsets[u], offsets[u + 1]):
                    reached = away[u] + weights[edge]
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
