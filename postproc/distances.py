"""Distances between queries and gallery."""

import numpy as np

from postproc import checks, nearest
from postproc.l2_normalize import l2_normalize
from postproc.pairwise import Pairwise, sqeuclidean
from postproc.tiles import PairwiseTiles
from postproc.types import Distances, Gallery, Query

METRICS = ("sqeuclidean", "euclidean", "cosine")


def distances(
    query: Query | Pairwise, gallery: Gallery | None = None, *, metric: str = "sqeuclidean"
) -> Distances:
    """Measure every query against every gallery image.

    ``sqeuclidean`` |q - g|^2, ``euclidean`` |q - g|, ``cosine`` 1 - q.g / (|q| |g|), which is 1 where one is zero.

    Takes:   query (nq, d), gallery (ng, d) float32; or one :class:`Pairwise` alone, which is its own metric.
    Returns: (nq, ng) float32. Copies of an image are exactly equally far from everybody, and at exactly 0 from
             each other; without a Pairwise nothing is below 0.
    metric:  one of the three.
    Raises:  ValueError for a wrong metric, different widths, NaN or infinity.
    Cost:    one product, nq ng d multiply-adds; the answer and one 16 MB tile a thread.

    >>> distances(np.array([[0.0, 0.0]], np.float32), np.array([[3.0, 4.0]], np.float32), metric="euclidean")
    array([[5.]], dtype=float32)
    """
    checks.one_of("metric", metric, METRICS)
    if isinstance(query, Pairwise):
        if gallery is not None or metric != "sqeuclidean":
            raise ValueError("metric: a Pairwise is its own metric and holds the gallery, give nothing else")
        return nearest.everything(PairwiseTiles(query))
    if metric != "cosine":
        answer = nearest.everything(PairwiseTiles(sqeuclidean(query, gallery)))
        return np.sqrt(answer, out=answer) if metric == "euclidean" else answer
    query = l2_normalize(checks.features("query", query))
    gallery = l2_normalize(checks.features("gallery", gallery))
    answer = nearest.everything(PairwiseTiles(sqeuclidean(query, gallery)))
    answer *= np.float32(0.5)
    answer[~query.any(axis=1)] = 1
    answer[:, ~gallery.any(axis=1)] = 1
    return answer
