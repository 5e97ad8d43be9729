"""The curve of a query: its scores against all images, sorted. A model that is sure of a query has a steep one.

Source: Zheng et al., "Query-Adaptive Late Fusion for Image Search and Person Re-identification", CVPR 2015; see
:mod:`ensemble.fusion.after.query_adaptive`.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.join import checked, on_host
from ensemble.fusion.scaling import scaled
from postproc.base.settings import Count, Number, Within

Rule = Literal["product", "sum"]
References = Annotated[Count, Within(1)]  # curves that are averaged
Tail = Annotated[Number, Within(0, 1)]
Top = Annotated[Count | None, Within(2)]
Areas = Callable[[np.ndarray], np.ndarray]


@checked(host_only=True)
def query_adaptive_weights(
    distances: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    neighbours: References = 10,
    tail: Tail = 0.5,
    top: Top = None,
) -> np.ndarray:
    """One part's weight for every query before parts are compared: one over the area of :func:`query_adaptive`.

    Takes:   distances (nq, n) float32; +inf and NaN count as the farthest.
    Returns: (nq,) float64, 1 to ``top``: 1 where the scores tell nothing apart.

    >>> query_adaptive_weights(np.array([[0, 4, 4, 4], [0, 1, 2, 3]], np.float32)).round(2)
    array([4., 2.])
    """
    block = scaled(distances, "min-max")
    known = np.where(np.isfinite(block), block, 1)
    return 1 / areas(
        1 - known.astype(np.float64),
        None if reference is None else resampled(reference, known.shape[1]),
        neighbours,
        tail,
        top,
    )


def reference_curves(distances: np.ndarray, points: int | None = None) -> np.ndarray:
    """Sorted scores of queries that match nothing: min-max similarities, largest first, on ``points`` points.

    Takes:   distances (r, n) float32; NaN for what should not count, as true matches.
    Returns: (r', points) float64, without rows in which nothing is left; ``points`` None: n.

    >>> reference_curves(np.array([[3.0, np.nan, 1.0, 5.0]], np.float32), 3)
    array([[1. , 0.5, 0. ]])
    """
    on_host(distances=distances)
    block = scaled(distances, "min-max")
    points = max(block.shape[1] if points is None else points, 1)
    rows = [np.sort(1 - row[np.isfinite(row)].astype(np.float64))[::-1] for row in block]
    kept = [_resampled(row, points) for row in rows if row.size]
    return np.array(kept).reshape(len(kept), points)


class Pile:
    """Adds up models whose weights are only known relative to each other until the last has come."""

    def __init__(self, shape: tuple[int, ...], rule: Rule) -> None:
        self.rule = rule
        self.total, self.whole = np.zeros(shape), np.zeros((shape[0], 1))
        self.never, self.nobody = np.zeros(shape, bool), np.ones(shape, bool)

    def rows(self, rows: slice) -> "Pile":
        """A pile that writes to some rows of this one."""
        part = Pile((0, 0), self.rule)
        part.total, part.whole = self.total[rows], self.whole[rows]
        part.never, part.nobody = self.never[rows], self.nobody[rows]
        return part

    def add(self, block: np.ndarray, weight: float, areas: Areas) -> None:
        """Min-max distances of one model; unknown ones count as 1."""
        known = np.isfinite(block)
        self.never |= np.isinf(block)
        self.nobody &= ~known
        similar = 1 - np.where(known, block, 1).astype(np.float64)
        own = weight / areas(similar)[:, None]
        self.whole += own
        if self.rule == "product":
            with np.errstate(divide="ignore"):  # a score of 0 makes the product 0
                self.total += own * np.log(similar)
        else:
            self.total += own * (1 - similar)

    def answer(self) -> np.ndarray:
        """The joined distances, when the last model has been added."""
        mean = self.total / self.whole
        joined = -np.exp(mean) if self.rule == "product" else mean
        return parts.answer(joined, self.never, self.nobody & ~self.never)


def areas(
    similar: np.ndarray, curves: np.ndarray | None, neighbours: int, tail: float, top: int | None
) -> np.ndarray:
    """(rows,) mean height of every row's sorted, referenced, normalised curve."""
    falling = np.sort(similar, axis=1)[:, ::-1]
    n = falling.shape[1]
    if curves is not None and len(curves) and n:
        start = min(int(tail * n), n - 1)
        for row in falling:
            away = np.square(curves[:, start:] - row[start:]).sum(axis=1)
            row -= curves[np.argsort(away, kind="stable")[:neighbours]].mean(axis=0)
    head = falling[:, :top]
    low, high = head.min(axis=1, initial=np.inf, keepdims=True), head.max(axis=1, initial=-np.inf, keepdims=True)
    flat = ~(high > low)
    height = np.where(flat, 1, (head - np.where(flat, 0, low)) / np.where(flat, 1, high - low))
    return height.mean(axis=1) if n else np.ones(len(similar))


def _resampled(curve: np.ndarray, points: int) -> np.ndarray:
    if len(curve) == points:
        return curve
    return np.interp(np.linspace(0, 1, points), np.linspace(0, 1, len(curve)), curve)


def resampled(value: Any, points: int) -> np.ndarray:
    """(curves, points) float64 of one curve or several of any length."""
    array = _numbers(value)
    if array is None:
        raise ValueError(f"reference: {not_curves(value)}")
    return np.stack([_resampled(curve, points) for curve in array])


def not_curves(value: Any) -> str | None:
    """What was wanted in the place of this, as in "wanted …, got …"; None where it is one curve or several."""
    if _numbers(value) is not None:
        return None
    try:
        found = f"shape {np.shape(value)}"
    except ValueError:  # rows of different length
        found = "rows of different length"
    return f"wanted (curves, points) finite numbers, got {found}"


def _numbers(value: Any) -> np.ndarray | None:
    try:
        array = np.atleast_2d(np.asarray(value, np.float64))
    except (TypeError, ValueError):
        return None
    return array if array.ndim == 2 and array.size and np.isfinite(array).all() else None
