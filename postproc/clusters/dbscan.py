"""Clusters where images lie close together (DBSCAN), on distances; :func:`postproc.cluster_queries` on features.

Source: Ester et al., "A density-based algorithm for discovering clusters", KDD 1996; eps .5 to .6 and 4 images on
the Jaccard distance of one set: SpCL, Cluster-Contrast and others that label a training set by itself.
"""

from typing import Annotated

import numpy as np

from postproc.base.settings import Count, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Clusters, Floats, Nearest
from postproc.clusters.components import components
from postproc.clusters.held import of_pairs
from postproc.clusters.known_pairs import Pairs, Symmetric, given
from postproc.clusters.numbering import by_appearance
from postproc.pairs.listed import NeighbourLists


@step(host_only=True, memory=of_pairs, loads=("scipy",))
def dbscan(
    query_distances: Floats | Nearest | NeighbourLists,
    *,
    eps: Weight = 0.5,
    min_samples: Annotated[Count, Within(1)] = 4,
    symmetric: Symmetric = "checked",
) -> Clusters:
    """Cores within ``eps`` of each other are of one cluster, and what is no core joins the nearest core within.

    A core has ``min_samples`` images within ``eps``, itself counted.

    Takes:   query_distances (n, n) float32, one set against itself, any unit, the diagonal means nothing, +inf is
             no pair; or :class:`postproc.Nearest` or NeighbourLists of it, in which a missing pair is far: they
             should be as long as ``min_samples`` at least.
    Returns: (n,) int64 clusters, numbered by their first image; -1 is alone (noise).
    eps:     any number, in the unit of the distances. Small: all alone; large: one cluster.
    min_samples: 1 or more. 2: what pairs within ``eps`` connect. More: a chain of single images holds no longer.
    symmetric: "checked": two numbers for one pair are refused, but for rounding; else their "mean", "min", "max".
    Raises:  ValueError for NaN, -inf, no image, a matrix that is not square or, "checked", not symmetric.
    Cost:    O(n²) for a matrix, O(n k log(n k)) for lists; memory: the pairs within ``eps``.
    Differs: of several clusters within reach, an image that is no core joins the nearest, ties by row, so that the
             order of the images changes nothing; scikit-learn takes the one with the first core.

    >>> far = np.abs(np.array([0, .1, .2, .6, 5])[:, None] - [0, .1, .2, .6, 5])
    >>> dbscan(far, eps=0.45, min_samples=3)                     # 0.2 and 0.6 are 0.4 apart, and 0.2 is a core
    array([ 0,  0,  0,  0, -1])
    """
    return dense(given("query_distances", query_distances, symmetric).pairs(eps), min_samples)


def dense(pairs: Pairs, min_samples: int) -> Clusters:
    """The clusters of pairs that are all within reach."""
    ends = np.concatenate([pairs.left, pairs.right]), np.concatenate([pairs.right, pairs.left])
    core = 1 + np.bincount(ends[0], minlength=pairs.images) >= min_samples
    cores = core[pairs.left] & core[pairs.right]
    group = np.where(core, components(pairs.images, pairs.left[cores], pairs.right[cores]), -1)
    reached = np.flatnonzero(~core[ends[0]] & core[ends[1]])
    order = np.lexsort((ends[1][reached], np.tile(pairs.distances, 2)[reached], ends[0][reached]))
    owner, nearest = ends[0][reached][order], ends[1][reached][order]
    outside, first = np.unique(owner, return_index=True)
    group[outside] = group[nearest[first]]
    return by_appearance(group)
