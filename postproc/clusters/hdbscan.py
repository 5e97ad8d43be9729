"""Clusters of any density (HDBSCAN), through scikit-learn.

Source: Campello, Moulavi and Sander, "Density-based clustering based on hierarchical density estimates", PAKDD
2013.
"""

from typing import Annotated, Literal

import numpy as np

from postproc.base.settings import Count, Within
from postproc.base.step import step
from postproc.base.vocabulary import Clusters, Floats, Nearest
from postproc.clusters.components import components
from postproc.clusters.held import of_tree
from postproc.clusters.known_pairs import Symmetric, given
from postproc.clusters.numbering import by_appearance
from postproc.pairs.listed import NeighbourLists


@step(host_only=True, memory=of_tree, loads=("sklearn",))
def hdbscan(
    query_distances: Floats | Nearest | NeighbourLists,
    *,
    min_cluster_size: Annotated[Count, Within(2)] = 3,
    min_samples: Annotated[Count, Within(1)] | None = None,
    select: Literal["eom", "leaf"] = "eom",
    symmetric: Symmetric = "checked",
) -> Clusters:
    """Clusters that last longest while the threshold of a tree falls: of any density, no threshold to set.

    The tree is that of mutual reachability, ``reach(i, j) = max(core_i, core_j, d(i, j))``, ``core_i`` the
    distance to the ``min_samples``-th image, i itself counted.

    Takes:   query_distances (n, n) float32, one set against itself, 0 or more, the diagonal means nothing; or
             :class:`postproc.Nearest` or NeighbourLists of it. What pairs connect is looked at by itself, and a
             pair in it that is missing or +inf counts as the largest distance there is.
    Returns: (n,) int64 clusters, numbered by their first image; -1 is alone (noise).
    min_cluster_size: 2 or more images of a cluster.
    min_samples: 1 or more; None: as ``min_cluster_size``. More: more images are alone.
    select:  "leaf": the smallest clusters of the tree in the place of those that last longest ("eom").
    symmetric: "checked": two numbers for one pair are refused, but for rounding; else their "mean", "min", "max".
    Raises:  ValueError for NaN, a distance below 0, no image, a matrix that is not square or, "checked", not
             symmetric.
    Cost:    O(m²) for each m images that pairs connect, time and memory (20 m² bytes).

    >>> far = np.abs(np.array([0, .1, .2, 5, 5.1, 5.2])[:, None] - [0, .1, .2, 5, 5.1, 5.2])
    >>> hdbscan(far, min_samples=2)
    array([0, 0, 0, 1, 1, 1])
    """
    from sklearn.cluster import HDBSCAN

    known = given("query_distances", query_distances, symmetric)
    pairs = known.pairs()
    if pairs.distances.min(initial=0) < 0:
        raise ValueError(f"query_distances: wanted distances of 0 or more, found {pairs.distances.min():g}")
    largest = float(pairs.distances.max(initial=0))
    group = np.full(known.images, -1)
    smallest = max(min_cluster_size, min_samples or 0)
    for rows, block in known.blocks(components(known.images, pairs.left, pairs.right), largest):
        if len(rows) < smallest:
            continue
        found = HDBSCAN(
            min_cluster_size=min_cluster_size,
            min_samples=min_samples,
            cluster_selection_method=select,
            metric="precomputed",
            copy=True,
        ).fit(block.astype(np.float64))
        inside = found.labels_ >= 0
        group[rows[inside]] = int(group.max()) + 1 + found.labels_[inside]
    return by_appearance(group)
