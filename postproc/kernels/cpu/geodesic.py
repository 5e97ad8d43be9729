"""Shortest paths over neighbours whose edges are divergences of their sparse rows.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32. No edge is longer than 1; those of exactly 1
join rows that share nothing. There are many of these and they need no heap: a node at distance d is the first to
offer d + 1, so the first offer is the best one.
"""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def blend_geodesics(
    strip, sources, columns, near_offsets, near_members, near_weights, far_offsets, far_members,
    farthest, largest, lambda_value, start, stop,
):  # fmt: skip
    """Rows ``start:stop`` of a strip, in place: ``(1 - lambda) * path + lambda * distance / largest``.

    The row r is of node ``sources[r]``, its columns are the nodes ``columns``; a path is the shortest there is, at
    most ``farthest``. ``near`` edges have their weights, ``far`` ones are 1 long.
    """
    nodes = near_offsets.size - 1
    away = np.empty(nodes)
    offered = np.full(nodes, -1, np.int32)
    queue = np.empty(nodes, np.int32)
    queue_keys = np.empty(nodes)
    heap = np.empty(near_members.size + 1, np.int32)
    keys = np.empty(near_members.size + 1)
    for r in range(start, stop):
        away[:] = farthest
        away[sources[r]] = 0
        queue[0], queue_keys[0] = sources[r], 0
        head, tail, size = 0, 1, 0
        offers = 0
        while size > 0 or head < tail:
            if size > 0 and (head == tail or keys[0] <= queue_keys[head]):
                key, u = keys[0], heap[0]
                size -= 1
                _sink(keys, heap, size)
            else:
                key, u = queue_keys[head], queue[head]
                head += 1
            if key > away[u]:
                continue
            for edge in range(near_offsets[u], near_offsets[u + 1]):
                v = near_members[edge]
                reached = key + near_weights[edge]
                if reached < away[v]:
                    away[v] = reached
                    _rise(keys, heap, size, reached, v)
                    size += 1
            if offers == nodes:
                continue
            for edge in range(far_offsets[u], far_offsets[u + 1]):
                v = far_members[edge]
                if offered[v] != r:
                    offered[v] = r
                    offers += 1
                    if key + 1 < away[v]:
                        away[v] = key + 1
                        queue[tail], queue_keys[tail] = v, key + 1
                        tail += 1
        scale = largest[sources[r]] if largest[sources[r]] > 0 else np.float32(1)
        for j in range(columns.size):
            strip[r, j] = (1 - lambda_value) * away[columns[j]] + lambda_value * (strip[r, j] / scale)


@njit(nogil=True, cache=True)
def _rise(keys, heap, at, key, node):
    """Put a node into the heap at its end and let it rise."""
    while at > 0:
        parent = (at - 1) // 2
        if keys[parent] <= key:
            break
        keys[at], heap[at] = keys[parent], heap[parent]
        at = parent
    keys[at], heap[at] = key, node


@njit(nogil=True, cache=True)
def _sink(keys, heap, size):
    """Fill the root with the entry at ``size``, the last one, which then is no more."""
    key, node = keys[size], heap[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and keys[child + 1] < keys[child]:
            child += 1
        if keys[child] >= key:
            break
        keys[at], heap[at] = keys[child], heap[child]
        at = child
    keys[at], heap[at] = key, node
