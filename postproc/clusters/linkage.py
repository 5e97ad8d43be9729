"""Clusters that are joined two at a time, the nearest first (agglomerative clustering).

Source: the average linkage of Sokal and Michener 1958 (UPGMA), complete and single linkage, through
``scipy.cluster.hierarchy``. AnimalCLEF 2026's third took average linkage, AI City 2021's first complete linkage.
"""

from typing import Annotated, Literal

from postproc.base.settings import Count, Number, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Clusters, Floats, Nearest
from postproc.clusters.held import of_tree
from postproc.clusters.known_pairs import Symmetric, given
from postproc.clusters.trees import at_distance, in_number, tree
from postproc.pairs.listed import NeighbourLists


@step(host_only=True, memory=of_tree, loads=("scipy",))
def linkage(
    query_distances: Floats | Nearest | NeighbourLists,
    *,
    method: Literal["average", "complete", "single"] = "average",
    threshold: Weight = 0.5,
    count: Annotated[Count, Within(1)] | None = None,
    far: Number | None = None,
    symmetric: Symmetric = "checked",
) -> Clusters:
    """Join the two nearest clusters, again and again, until none are within ``threshold``.

    How far clusters A and B are: the mean of ``d(a, b)`` over all pairs ("average"), the largest ("complete"), the
    smallest ("single").

    Takes:   query_distances (n, n) float32, one set against itself, any unit, the diagonal means nothing, +inf
             keeps two images apart; or :class:`postproc.Nearest` or NeighbourLists of it.
    Returns: (n,) int64 clusters, numbered by their first image; -1 is alone.
    method:  "complete": no pair in a cluster is beyond the threshold. "single": chains.
    threshold: any number, in the unit of the distances. Small: all alone; large: one cluster.
    count:   1 or more: so many clusters, those that are alone counted, in the place of a threshold; None: the
             threshold. There are more where no pair connects them.
    far:     what a pair counts that no list names, any number in the unit of the distances; None: the largest
             distance of all lists, and beyond the threshold. Only for lists.
    symmetric: "checked": two numbers for one pair are refused, but for rounding; else their "mean", "min", "max".
    Raises:  ValueError for NaN, -inf, no image, a matrix that is not square or,
             "checked", not symmetric.
    Cost:    O(m²) for each m images that near pairs connect, time and memory (20 m² bytes); "single" only pairs.
             ``count`` takes everything that any pairs connect.

    >>> far = [[0, .2, .5, .9], [.2, 0, .4, .9], [.5, .4, 0, .9], [.9, .9, .9, 0]]
    >>> linkage(far, threshold=0.46)                              # (0.5 + 0.4) / 2
    array([ 0,  0,  0, -1])
    >>> linkage(far, threshold=0.46, method="complete")           # 0.5
    array([ 0,  0, -1, -1])
    """
    known = given("query_distances", query_distances, symmetric)
    if count is None:
        return at_distance(tree(known, method, threshold, far), threshold)
    return in_number(tree(known, method, far=far), count)
