"""Weights that every query finds by itself: a model whose scores fall steeply is sure of this query.

Source: Zheng et al., "Query-Adaptive Late Fusion for Image Search and Person Re-identification", CVPR 2015: the
sorted scores of a query, less a reference curve of queries that match nothing, min-max normalised; weights from
one over the area below; the product of scores to the power of the weights.
Differs: curves are normalised before the reference is subtracted, so that models of any unit can be compared with
references of any length; the area counts the first entry, and no query has a weight without bound.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.scaling import scaled, scaler
from postproc import distances as measure
from postproc.base import checks, runtime
from postproc.pairs.distances import METRICS

RULES = ("product", "sum")
QUERIES = 71  # that give reference curves where a setting asks the test queries themselves
Areas = Callable[[np.ndarray], np.ndarray]


def query_adaptive(
    distances: Sequence[np.ndarray],
    *,
    reference: str | Sequence[np.ndarray] = "none",
    neighbours: int = 10,
    tail: float = 0.5,
    top: int | None = None,
    rule: str = "product",
    weights: Sequence[float] | None = None,
    missing: str = "refuse",
) -> np.ndarray:
    """Join with weights of the query's own, from the shape of every part's sorted scores.

    ``s_m = 1 - (d - min) / (max - min)`` by query; ``A_m`` is the mean of the first ``top`` sorted scores, less
    the reference curve and min-max normalised; ``v_m = (w_m / A_m) / sum(w / A)``; the answer is ``-prod_m
    s_m^v_m`` or ``sum_m v_m (1 - s_m)``.

    Takes:   distances, one (nq, n) float32 a part, any units.
    Returns: (nq, n) float32: -1 to 0 for the product, 0 to 1 for the sum.
    reference: what a query without a match looks like. "none" nothing is subtracted; "queries" the curves of the
             first 71 test queries, though most of them have matches (then a query's answer depends on those, and
             not on its row alone); or one array a part, (points,) or (curves, points), as
             :func:`reference_curves` makes them from images known to have no match.
             :func:`trained_query_adaptive` takes them from a training set.
    neighbours: 1 or more of a part's reference curves are averaged, those nearest to the query's in the tail.
    tail:    0 to 1: where the tail begins; 0 compares whole curves.
    top:     2 or more entries make the area; None: all.
    rule:    "product" (Zheng) or "sum".
    weights: of the parts beside, one number of 0 or more each, 0 leaves it out; not all 0. None: 1 each.
    missing: "refuse", or "worst" as far as the farthest of that query which the part knows.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf.
    Cost:    a sort of every row of every part; the result and some blocks of rows.
    """
    used = parts.used(distances, weights, missing, ("refuse", "worst"))
    _check(neighbours, tail, top, rule)
    found = [part for _, part in used]
    n = found[0].shape[1]
    if isinstance(reference, str):
        checks.one_of("reference", reference, ("none", "queries"))
        asked = reference == "queries"
        curves = [reference_curves(part[:QUERIES]) if asked else None for part in found]
    else:
        kept = parts.weights(weights, len(distances), 0) != 0
        if len(reference) != len(distances):
            raise ValueError(f"reference: wanted curves for {len(distances)} parts, got {len(reference)}")
        curves = [_curves(item, n) for item, keep in zip(reference, kept, strict=True) if keep]
    changes = [scaler(part, "min-max") for part in found]
    shape: dict[str, Any] = {"neighbours": neighbours, "tail": tail, "top": top}

    def join(rows: slice) -> np.ndarray:
        pile = _Pile(found[0][rows].shape, rule)
        for (weight, part), change, curve in zip(used, changes, curves, strict=True):
            pile.add(change(part[rows]), weight, partial(_areas, curves=curve, **shape))
        return pile.answer()

    return parts.by_rows(found, join, what="query-adaptive fusion")


def trained_query_adaptive(
    query: Sequence[np.ndarray],
    gallery: Sequence[np.ndarray],
    train: Sequence[np.ndarray],
    train_pid: np.ndarray | None = None,
    *,
    references: int = 100,
    neighbours: int = 10,
    tail: float = 0.5,
    top: int | None = None,
    rule: str = "product",
    weights: Sequence[float] | None = None,
    metric: str = "cosine",
) -> np.ndarray:
    """:func:`query_adaptive` of all models' distances, its reference curves from a training set.

    A reference curve is one training image against all of other identities: a query that matches nothing.

    Takes:   query (nq, d_m), gallery (ng, d_m), train (n, d_m) float32, one of each a model; train_pid (n,)
             int, -1 unknown. Without train_pid an image is only kept from itself, and curves hold its matches.
    Returns: (nq, ng) float32.
    references: 1 or more training images, evenly spaced, give curves.
    metric:  of :func:`postproc.distances`. Others: see :func:`query_adaptive`.
    Raises:  ValueError for a wrong setting.
    Cost:    one model's distances at a time, a sort of every row; three matrices of the answer's size beside it.
    """
    parts.on_host(query=query, gallery=gallery, train=train)
    count = len(query)
    checks.whole("references", references, 1)
    checks.one_of("metric", metric, METRICS)
    _check(neighbours, tail, top, rule)
    numbers = parts.weights(weights, count, 0)
    if not numbers.any():
        raise ValueError(f"weights: wanted one other than 0, got {weights!r}")
    shape: dict[str, Any] = {"neighbours": neighbours, "tail": tail, "top": top}
    pile = _Pile((len(query[0]), len(gallery[0])), rule)
    for weight, q, g, t in zip(numbers, query, gallery, train, strict=True):
        if not weight:
            continue
        pid = None if train_pid is None else checks.labels("train_pid", train_pid, len(t))
        picked = np.unique(np.linspace(0, len(t) - 1, min(references, len(t))).astype(np.int64))
        among = measure(t[picked], t, metric=metric)
        among[np.arange(len(picked)), picked] = np.nan
        if pid is not None:
            among[(pid[picked][:, None] == pid) & (pid >= 0)] = np.nan
        matrix = measure(q, g, metric=metric)
        change, of = (
            scaler(matrix, "min-max"),
            partial(_areas, curves=reference_curves(among, matrix.shape[1]), **shape),
        )

        add = partial(_add_rows, pile, matrix, change, float(weight), of)
        runtime.over_rows(add, len(matrix), what="query-adaptive fusion", block=parts.rows_at_a_time([matrix]))
    return parts.by_rows([pile.never], lambda rows: pile.rows(rows).answer(), what="query-adaptive fusion")


def query_adaptive_weights(
    distances: np.ndarray,
    *,
    reference: np.ndarray | None = None,
    neighbours: int = 10,
    tail: float = 0.5,
    top: int | None = None,
) -> np.ndarray:
    """One part's weight for every query before parts are compared: ``1 / A`` of :func:`query_adaptive`.

    Takes:   distances (nq, n) float32; +inf and NaN count as the farthest.
    Returns: (nq,) float64, 1 to ``top``: 1 where the scores tell nothing apart.

    >>> query_adaptive_weights(np.array([[0, 4, 4, 4], [0, 1, 2, 3]], np.float32)).round(2)
    array([4., 2.])
    """
    parts.on_host(distances=distances)
    _check(neighbours, tail, top, "product")
    block = scaled(distances, "min-max")
    known = np.where(np.isfinite(block), block, 1)
    return 1 / _areas(
        1 - known.astype(np.float64),
        None if reference is None else _curves(reference, known.shape[1]),
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
    parts.on_host(distances=distances)
    block = scaled(distances, "min-max")
    points = max(block.shape[1] if points is None else points, 1)
    rows = [np.sort(1 - row[np.isfinite(row)].astype(np.float64))[::-1] for row in block]
    kept = [_resampled(row, points) for row in rows if row.size]
    return np.array(kept).reshape(len(kept), points)


class _Pile:
    """Adds up models whose weights are only known relative to each other until the last has come."""

    def __init__(self, shape: tuple[int, ...], rule: str) -> None:
        self.rule = rule
        self.total, self.whole = np.zeros(shape), np.zeros((shape[0], 1))
        self.never, self.nobody = np.zeros(shape, bool), np.ones(shape, bool)

    def rows(self, rows: slice) -> "_Pile":
        """A pile that writes to some rows of this one."""
        part = _Pile((0, 0), self.rule)
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
        mean = self.total / self.whole
        joined = -np.exp(mean) if self.rule == "product" else mean
        return parts.settled(joined, self.never, self.nobody & ~self.never)


def _add_rows(
    pile: _Pile, matrix: np.ndarray, change: Areas, weight: float, areas: Areas, start: int, stop: int
) -> None:
    pile.rows(slice(start, stop)).add(change(matrix[start:stop]), weight, areas)


def _areas(
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


def _curves(value: np.ndarray, points: int) -> np.ndarray:
    array = np.atleast_2d(np.asarray(value, np.float64))
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(f"reference: wanted (curves, points) finite numbers, got shape {np.shape(value)}")
    return np.stack([_resampled(curve, points) for curve in array])


def _check(neighbours: int, tail: float, top: int | None, rule: str) -> None:
    checks.whole("neighbours", neighbours, 1)
    checks.between("tail", tail, 0, 1)
    if top is not None:
        checks.whole("top", top, 2)
    checks.one_of("rule", rule, RULES)
