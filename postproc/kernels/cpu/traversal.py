"""A graph of neighbours walked from every query, the nearest known node first."""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.sorting import at_place

NOWHERE = np.int32(-1)
NEVER = np.float32(-np.inf)  # of a node that is visited, or is not to be: nothing is nearer


@compiled
def _before(a, b, best):
    return best[a] < best[b] or (best[a] == best[b] and a < b)


@compiled
def _rise(heap, at, where, best):
    """Move the node at place ``at`` of the heap up to where it belongs."""
    node = heap[at]
    while at > 0:
        parent = (at - 1) // 2
        if not _before(node, heap[parent], best):
            break
        heap[at] = heap[parent]
        where[heap[at]] = at
        at = parent
    heap[at] = node
    where[node] = at


@compiled
def _take_first(heap, size, where, best):
    """Take the first node out of a heap of this size, and keep the others in order."""
    taken, node = heap[0], heap[size - 1]
    where[taken] = NOWHERE
    size -= 1
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _before(heap[child + 1], heap[child], best):
            child += 1
        if not _before(heap[child], node, best):
            break
        heap[at] = heap[child]
        where[heap[at]] = at
        at = child
    if size:
        heap[at] = node
        where[node] = at
    return taken


@compiled
def _offer(node, value, heap, size, where, best):
    """Let a node be known at this distance, if that is nearer than before; returns the size of the heap."""
    if value < best[node]:
        best[node] = value
        if where[node] == NOWHERE:
            heap[size] = node
            where[node] = size
            size += 1
        _rise(heap, where[node], where, best)
    return size


@compiled
def explore(strip, offsets, members, near, far, k, limit, depth, behind, start, stop):
    """``strip[r, g] <- place`` of the class of image g on the walk of query r, ``behind + strip[r, g]`` off it.

    Classes are images that nothing tells apart (``offsets``, ``members``); ``near``, ``far`` (classes, k) int32
    and float32 are the nearest others of each class and how far they are.

    A walk knows the ``k`` nearest classes of the query. It visits the nearest class that it knows, and all that it
    knows within ``limit``; then it comes to know the neighbours of those, each at the least distance from any
    class visited; and again, until ``depth`` classes have places or nothing more is known. Ties go by class. A
    class of which no image may be returned (+inf) is not visited.
    """
    classes = near.shape[0]
    values, best = np.empty(classes, np.float32), np.empty(classes, np.float32)
    heap, where = np.empty(classes, np.int32), np.empty(classes, np.int32)
    visited, place = np.empty(depth, np.int32), np.empty(classes, np.int32)
    for r in range(start, stop):
        for c in range(classes):
            values[c] = np.inf
            for at in range(offsets[c], offsets[c + 1]):
                values[c] = min(values[c], strip[r, members[at]])
            best[c] = np.inf if values[c] < np.inf else NEVER
        where[:] = NOWHERE
        place[:] = NOWHERE
        size = count = 0
        last = at_place(values, min(k, classes) - 1)
        taken = np.sum(values < last)
        for c in range(classes):
            if values[c] < last or (values[c] == last and taken < k):
                taken += values[c] == last
                if values[c] < np.inf:
                    size = _offer(c, values[c], heap, size, where, best)
        while size and count < depth:
            first = count
            while size and count < depth and (count == first or best[heap[0]] < limit):
                visited[count] = _take_first(heap, size, where, best)
                size -= 1
                place[visited[count]] = count
                best[visited[count]] = NEVER
                count += 1
            for v in visited[first:count]:
                for at in range(near.shape[1]):
                    c = near[v, at]
                    if c >= 0 and far[v, at] < best[c]:  # seldom
                        size = _offer(c, far[v, at], heap, size, where, best)
        for c in range(classes):
            for at in range(offsets[c], offsets[c + 1]):
                g = members[at]
                if strip[r, g] < np.inf:
                    strip[r, g] = np.float32(place[c]) if place[c] != NOWHERE else behind + strip[r, g]
