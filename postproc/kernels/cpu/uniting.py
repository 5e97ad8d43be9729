"""Disjoint sets that grow along a list of pairs, and pairs across which they may not."""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def _root(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled
def unite(left, right, first, offsets, partners, sets):
    """Unite the sets of ``left[m]`` and ``right[m]``, in order, down to ``sets`` sets; the first always.

    ``partners[offsets[i] : offsets[i + 1]]`` are forbidden beside i. Gives every image's set, by its lowest row,
    and which pairs united two. Of two sets the one with fewer forbidden partners is looked through.
    """
    images = len(offsets) - 1
    parent = np.arange(images)
    last = np.arange(images)  # of the chain of a set's images, which begins at its root
    following = np.full(images, -1)
    forbidden = offsets[1:] - offsets[:-1]
    kept = np.zeros(len(left), np.bool_)
    there = images
    for m in range(len(left)):
        if m >= first and there <= sets:
            break
        a, b = _root(parent, left[m]), _root(parent, right[m])
        if a == b:
            continue
        if m >= first:
            few, other = (a, b) if forbidden[a] <= forbidden[b] else (b, a)
            allowed = True
            i = few if forbidden[few] > 0 else -1
            while i >= 0 and allowed:
                for at in range(offsets[i], offsets[i + 1]):
                    if _root(parent, partners[at]) == other:
                        allowed = False
                        break
                i = following[i]
            if not allowed:
                continue
        low, high = min(a, b), max(a, b)
        parent[high] = low
        following[last[low]] = high
        last[low] = last[high]
        forbidden[low] += forbidden[high]
        kept[m] = True
        there -= 1
    for i in range(images):
        parent[i] = _root(parent, i)
    return parent, kept
