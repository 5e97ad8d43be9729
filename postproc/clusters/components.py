"""Images that pairs connect, directly or through others."""

import numpy as np

from postproc.base.settings import Neighbours, Weight
from postproc.base.step import step
from postproc.base.vocabulary import Clusters, Floats, Ints, Nearest
from postproc.clusters.held import of_pairs
from postproc.clusters.known_pairs import Pairs, Symmetric, given
from postproc.clusters.numbering import by_appearance
from postproc.pairs.listed import NeighbourLists


@step(host_only=True, memory=of_pairs, loads=("scipy",))
def connected_components(
    query_distances: Floats | Nearest | NeighbourLists,
    *,
    threshold: Weight = 0.5,
    k: Neighbours | None = None,
    mutual: bool = True,
    symmetric: Symmetric = "checked",
) -> Clusters:
    """Images that a chain of near pairs connects are one cluster.

    The clusters are the connected components of the graph with an edge (i, j) where ``d(i, j) <= threshold`` and,
    with ``k``, j is among the k nearest of i and i among those of j. Without ``k`` this is single linkage.

    Takes:   query_distances (n, n) float32, one set against itself, any unit, the diagonal means nothing, +inf is
             no pair; or :class:`postproc.Nearest` or NeighbourLists of it, in which a missing pair is no pair.
    Returns: (n,) int64 clusters, numbered by their first image; -1 is alone.
    threshold: any number, in the unit of the distances. Small: many images alone; large: one chain of all.
    k:       1 or more, or None for all.
    mutual:  false: it is enough that one of the two is among the k nearest of the other. Only with ``k``.
    symmetric: "checked": two numbers for one pair are refused, but for rounding; else their "mean", "min", "max".
    Raises:  ValueError for NaN, -inf, no image, a matrix that is not square or, "checked", not symmetric.
    Cost:    O(n²) for a matrix, O(n k log(n k)) for lists; memory: the pairs within the threshold.

    >>> far = np.array([[0, .2, .9], [.2, 0, .4], [.9, .4, 0]])
    >>> connected_components(far, threshold=0.4), connected_components(far, threshold=0.3)
    (array([0, 0, 0]), array([ 0,  0, -1]))
    """
    pairs = given("query_distances", query_distances, symmetric).pairs(threshold)
    if k is not None:
        pairs = among_nearest(pairs, k, mutual)
    return by_appearance(components(pairs.images, pairs.left, pairs.right))


def components(images: int, left: Ints, right: Ints) -> Ints:
    """(images,) numbers, equal for images that pairs connect."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components as connected

    edges = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(images, images))
    found: Ints = connected(edges, directed=False)[1].astype(np.int64)
    return found


def among_nearest(pairs: Pairs, k: int, mutual: bool) -> Pairs:
    """Those pairs of which each (or one) is among the k nearest of the other, ties by row."""
    both = np.concatenate([pairs.left, pairs.right]), np.concatenate([pairs.right, pairs.left])
    order = np.lexsort((both[1], np.tile(pairs.distances, 2), both[0]))
    owner = both[0][order]
    starts = np.searchsorted(owner, np.arange(pairs.images))
    near = np.zeros(len(owner), bool)
    near[order] = np.arange(len(owner)) - starts[owner] < k
    one, other = near[: len(pairs.left)], near[len(pairs.left) :]
    kept = one & other if mutual else one | other
    return pairs.only(kept)
