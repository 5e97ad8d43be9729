"""Mean distances of an image to its nearest, and strips of distances corrected by one number a row and a column.

An image that is near everybody is a hub. Each of the methods against hubs measures a distance against what is
usual for its two ends. What is usual for a query is read off its own strip of distances; what is usual for a
gallery image comes from a walk of its own, in which the gallery stands in the place of the queries.
"""

from functools import partial
from typing import Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.pairs import answering

Metric = Literal["euclidean", "sqeuclidean", "cosine"]  # Euclidean first: it is the default here


def mean_of_nearest(strip: np.ndarray, k: int) -> np.ndarray:
    """(n,) float64: the mean of the ``k`` smallest finite entries of every row; 0 where there is none."""
    values = answering.smallest(strip, min(k, strip.shape[1])).distances
    return mean_of_finite(values)


def mean_of_finite(values: np.ndarray) -> np.ndarray:
    """(n,) float64: the mean of the finite entries of every row; 0 where there is none."""
    xp = arrays.namespace(values)
    known = xp.isfinite(values)
    total = xp.sum(xp.where(known, values, 0), axis=1, dtype=xp.float64)
    count = known.sum(axis=1)
    return total / (count + (count == 0))


def scale_and_add(strip: np.ndarray, scale: float, rows: np.ndarray | float, columns: np.ndarray | float) -> None:
    """``strip <- scale strip + rows[:, None] + columns``, in place."""
    rows, columns = (
        vector if arrays.on_cuda(vector) else np.ascontiguousarray(np.broadcast_to(np.float64(vector), count))
        for vector, count in zip((rows, columns), strip.shape, strict=True)
    )
    rows, columns = (arrays.like(vector, strip) for vector in (rows, columns))
    kernel = kernels.of(strip)
    kernel.walk.over_rows(
        partial(kernel.hubness.scale_and_add, strip, scale, rows, columns), len(strip), what="distances"
    )
