"""What the methods against hubs share: usual distances of an image, and the step from them to an answer.

An image that is near everybody is a hub. Each of these methods measures a distance against what is usual for
its two ends. The usual of a query is read off its own strip of distances; the usual of a gallery image comes
from a walk of its own, in which the gallery stands in the place of the queries.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.step import Chosen
from postproc.pairs import nearest, pairwise
from postproc.pairs.pairwise import Pairwise, Term

Metric = Literal["euclidean", "sqeuclidean", "cosine"]


def measured(query: Any, gallery: Any, metric: Metric) -> Pairwise:
    """Squared Euclidean distances of the features, of unit length for "cosine"."""
    return pairwise.of(query, gallery, unit=metric == "cosine", cuda=True)


def arranged(pairs: Pairwise, first: str, second: str) -> Pairwise:
    """The same distances with the images of side ``first`` as queries and of ``second`` as gallery."""

    sides = (("query", first), ("gallery", second))

    def moved(term: Term) -> Term:
        found = {
            place + part: getattr(term, side + part) for part in pairwise.parts(term) for place, side in sides
        }
        return replace(term, **found)

    a, b = (int(side == "gallery") for _, side in sides)
    one_track = None if pairs.one_track is None else (pairs.one_track[a], pairs.one_track[b])
    return Pairwise(tuple(moved(term) for term in pairs.terms), (pairs.sizes[a], pairs.sizes[b]), one_track)


def mean_of_nearest(strip: np.ndarray, k: int) -> np.ndarray:
    """(n,) float64: the mean of the ``k`` smallest finite entries of every row; 0 where there is none."""
    values = nearest.smallest(strip, min(k, strip.shape[1])).distances
    return mean_of_finite(values)


def mean_of_finite(values: np.ndarray) -> np.ndarray:
    """(n,) float64: the mean of the finite entries of every row; 0 where there is none."""
    xp = arrays.namespace(values)
    known = xp.isfinite(values)
    total = xp.sum(xp.where(known, values, 0), axis=1, dtype=xp.float64)
    count = known.sum(axis=1)
    return total / (count + (count == 0))


def shift(strip: np.ndarray, scale: float, rows: np.ndarray | float, columns: np.ndarray | float) -> None:
    """``strip <- scale strip + rows[:, None] + columns``, in place."""
    rows, columns = (
        vector if arrays.on_cuda(vector) else np.ascontiguousarray(np.broadcast_to(np.float64(vector), count))
        for vector, count in zip((rows, columns), strip.shape, strict=True)
    )
    rows, columns = (arrays.like(vector, strip) for vector in (rows, columns))
    kernel = kernels.of(strip)
    kernel.walk.over_rows(
        partial(kernel.normalise.shift, strip, scale, rows, columns), len(strip), what="distances"
    )


def method_unit(name: str) -> Callable[[Chosen], str]:
    """The unit of a step whose ``method`` decides what its values are."""
    return lambda chosen: f"values of {name!r} ({chosen['method']})"
