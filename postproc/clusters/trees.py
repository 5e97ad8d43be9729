"""What joins clusters, as pairs of images: every merge of a tree by the lowest rows of the two that it joins.

A tree of n images is so at most n - 1 pairs, nearest first. The clusters at a threshold are what the pairs up to
it connect, and those of a number of clusters what so many pairs less than images connect.
"""

from typing import Literal

import numpy as np

from postproc.base.vocabulary import Clusters, Floats, Ints
from postproc.clusters.components import components
from postproc.clusters.known_pairs import Given, Pairs
from postproc.clusters.numbering import by_appearance
from postproc.clusters.united import unite

Method = Literal["average", "complete", "single"]
NEVER = 1e9  # times the largest distance: a mean with it is beyond all others


def tree(known: Given, method: Method, at_most: float = np.inf, far: float | None = None) -> Pairs:
    """The merges up to ``at_most``; ``distances`` are the heights, float32.

    Of "single" they are the minimum spanning tree (a forest where pairs connect not all). A cluster within
    ``at_most`` by the others lies within what single pairs of that length connect, so only these go together into
    a matrix.
    """
    if method == "single":
        return spanning(known.pairs(at_most))
    beyond = _beyond(known, at_most, far)
    near = known.blocks(_near(known, at_most), beyond)
    found = [_merges(rows, block, method) for rows, block in near]
    left, right, high = (np.concatenate([np.empty(0), *(part[at] for part in found)]) for at in range(3))
    order = np.argsort(high, kind="stable")  # of merges as high the one below comes first
    one, other = np.minimum(left, right).astype(np.int32), np.maximum(left, right).astype(np.int32)
    heights: Floats = np.minimum(high, np.finfo(np.float32).max).astype(np.float32)
    limit = np.float32(at_most)
    if known.matrix is not None:  # beyond the largest distance is what +inf keeps apart
        limit = min(limit, np.max(known.matrix, where=np.isfinite(known.matrix), initial=-np.inf))
    order = order[heights[order] <= limit]
    return Pairs(known.images, one[order], other[order], heights[order])


def spanning(pairs: Pairs) -> Pairs:
    """The pairs of the minimum spanning tree, or of one for each part that pairs connect."""
    _, kept = unite(pairs)
    return pairs.only(kept)


def at_distance(merges: Pairs, threshold: float) -> Clusters:
    """The clusters of a tree at a threshold."""
    count = int(np.searchsorted(merges.distances, np.float32(threshold), side="right"))
    return _first(merges, count)


def in_number(merges: Pairs, clusters: int) -> Clusters:
    """So many clusters of a tree, or as few as it has."""
    return _first(merges, max(0, merges.images - clusters))


def _first(merges: Pairs, count: int) -> Clusters:
    return by_appearance(components(merges.images, merges.left[:count], merges.right[:count]))


def _near(known: Given, at_most: float) -> Ints:
    """What single pairs connect."""
    if known.matrix is not None and at_most == np.inf and np.isfinite(known.matrix).all():
        return np.zeros(known.images, np.int64)
    pairs = known.pairs(at_most)
    return components(known.images, pairs.left, pairs.right)


def _beyond(known: Given, at_most: float, far: float | None) -> float:
    """What stands for a pair that is not known."""
    if known.matrix is not None:
        return NEVER * (1 + float(np.max(np.abs(known.matrix), where=np.isfinite(known.matrix), initial=0)))
    if far is not None:
        return far
    assert known.listed is not None
    largest = float(known.listed.distances.max(initial=-np.inf))
    if at_most == np.inf:
        return largest
    return max(largest, float(np.nextafter(np.float32(at_most), np.float32(np.inf))))


def _merges(rows: Ints, block: Floats, method: Method) -> tuple[Ints, Ints, Floats]:
    """The merges of some images: lowest rows of the two that are joined, and their heights."""
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    merges = hierarchy.linkage(squareform(block.astype(np.float64), checks=False), method)
    lowest = np.concatenate([rows, np.empty(len(merges), rows.dtype)])
    ends = merges[:, :2].astype(np.int64)
    for at, (one, other) in enumerate(ends.tolist()):
        lowest[len(rows) + at] = min(lowest[one], lowest[other])
    return lowest[ends[:, 0]], lowest[ends[:, 1]], merges[:, 2]
