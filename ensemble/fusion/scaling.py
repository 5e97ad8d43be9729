"""Bringing distances of several models to one unit.

Sources: ranx ``ranx/normalization`` (min-max, sum, z-score, rank, for scores; here the same on distances);
IvyYZ/multi-model-fusion (min-max and division by the largest of a query); DMT and Baidu (AI City 2021) for whole
matrices; normal deviates of ranks: van der Waerden's scores, with Hazen's (r + 1/2) / n.
Differs: ranx divides scores by their largest, which is meaningless where they are below 0; here ``row-max``
divides distances by the farthest, and refuses distances below 0.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal, get_args

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.ranks import places
from postproc.base import arrays, checks

Scaling = Literal[
    "none", "min-max", "min-max-whole", "z-score", "z-score-whole", "row-max", "sum", "rank", "rank-normal"
]
SCALINGS: tuple[str, ...] = get_args(Scaling)
FARTHEST = {"min-max": 1.0, "min-max-whole": 1.0, "row-max": 1.0, "rank": 1.0, "sum": 0.0}  # of what is scaled


def scaled(distances: np.ndarray, scaling: str = "min-max") -> np.ndarray:
    """Bring one matrix of distances to a unit that other matrices share.

    none           as they are (the same array, not a copy)
    min-max        (d - min) / (max - min) of the query's row: 0 nearest, 1 farthest
    min-max-whole  the same with the extremes of the whole matrix, so that queries stay comparable
    z-score        (d - mean) / standard deviation of the row (of all its values, not of a sample)
    z-score-whole  of the whole matrix
    row-max        d / max of the row
    sum            -(max - d) / sum(max - d) of the row: 0 farthest, all together -1
    rank           place / number of images in the row, place 0 the nearest, ties by column
    rank-normal    the normal deviate of (place + 1/2) / number of images

    A row (or matrix) without differences becomes 0.

    Takes:   distances (nq, n) float32; NaN (unknown) and +inf (never) stay, and count in no minimum, mean or rank.
             A CUDA tensor is scaled on its device.
    Returns: (nq, n) float32. :func:`~ensemble.fusion.weighted_sum` of scaled matrices has the same bits as with
             its own setting, so whoever tries many weights scales once (but for ranks with missing = "worst", the
             place behind the last, which only unscaled distances tell).
    scaling: one of the above.
    Raises:  ValueError for another word, -inf, and for row-max where a distance is below 0.
    Cost:    O(nq n); for ranks a sort of every row. One matrix.

    >>> scaled(np.array([[2.0, 3.0, np.nan, 6.0]], np.float32), "min-max")
    array([[0.  , 0.25,  nan, 1.  ]], dtype=float32)
    """
    (matrix,) = parts.checked([distances])
    change = scaler(matrix, scaling)
    return (
        matrix if scaling == "none" else parts.by_rows([matrix], lambda rows: change(matrix[rows]), what="scaling")
    )


def scaler(matrix: np.ndarray, scaling: str) -> Callable[[np.ndarray], np.ndarray]:
    """What scales blocks of rows of this matrix; statistics of the whole are taken here."""
    checks.one_of("scaling", scaling, SCALINGS)
    if scaling == "none":
        return lambda block: block
    if scaling == "min-max-whole":
        low, high = _extremes(matrix)
        return lambda block: _divided(block - low, high - low)
    if scaling == "z-score-whole":
        mean, deviation = _moments(matrix)
        return lambda block: _divided(arrays.as_type(block, np.float64) - mean, deviation)
    return _BY_ROW[scaling]


def worst(block: np.ndarray, scaling: str, sign: float = 1.0) -> np.ndarray:
    """(rows, 1): where scaled unknown pairs go, as far as the farthest known one; 0 in rows that know nothing.

    In "rank" that is the place behind the last. ``sign`` below 0: of a model that is subtracted, the nearest.
    """
    xp = arrays.namespace(block)
    known = xp.isfinite(block)
    if sign < 0:
        found = parts.least(xp.where(known, block, np.inf))
    elif scaling == "rank":
        found = arrays.full((len(block), 1), 1, np.float64, block)
    else:
        found = parts.greatest(xp.where(known, block, -np.inf))
    return xp.where(xp.any(known, axis=1, keepdims=True), found, 0)


def _min_max(block: np.ndarray) -> np.ndarray:
    low, high = _ends(block)
    return _divided(block - low, high - low)


def _z_score(block: np.ndarray) -> np.ndarray:
    xp = arrays.namespace(block)
    known = xp.isfinite(block)
    count = xp.maximum(known.sum(axis=1, keepdims=True), 1)
    values = arrays.as_type(xp.where(known, block, 0), np.float64)
    mean = values.sum(axis=1, keepdims=True) / count
    away = xp.where(known, values - mean, 0)
    return _divided(block - mean, xp.sqrt((away * away).sum(axis=1, keepdims=True) / count))


def _row_max(block: np.ndarray) -> np.ndarray:
    low, high = _ends(block)
    if (low < 0).any():
        raise ValueError(
            f'scaling: wanted distances of 0 or more for "row-max", found {low.min():g}; choose "min-max"'
        )
    return _divided(arrays.as_type(block, np.float64), high)


def _sum(block: np.ndarray) -> np.ndarray:
    _, high = _ends(block)
    xp = arrays.namespace(block)
    total = xp.where(xp.isfinite(block), high - block, 0).sum(axis=1, keepdims=True)
    return _divided(block - high, total)


def _rank(block: np.ndarray) -> np.ndarray:
    return _divided(places(block), arrays.namespace(block).isfinite(block).sum(axis=1, keepdims=True))


def _rank_normal(block: np.ndarray) -> np.ndarray:
    special: Any = import_module("torch.special" if arrays.on_cuda(block) else "scipy.special")
    xp = arrays.namespace(block)
    known = xp.isfinite(block)
    count = xp.maximum(known.sum(axis=1, keepdims=True), 1)
    deviates = special.ndtri(xp.where(known, (places(block) + 0.5) / count, 0.5))
    return arrays.as_type(xp.where(known, deviates, block), np.float32)


_BY_ROW = {
    "min-max": _min_max,
    "z-score": _z_score,
    "row-max": _row_max,
    "sum": _sum,
    "rank": _rank,
    "rank-normal": _rank_normal,
}


def _ends(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, 1) float64 each: the smallest and largest finite value of every row; 0 where there is none."""
    xp = arrays.namespace(block)
    known = xp.isfinite(block)
    some = xp.any(known, axis=1, keepdims=True)
    low, high = parts.least(xp.where(known, block, np.inf)), parts.greatest(xp.where(known, block, -np.inf))
    return tuple(arrays.as_type(xp.where(some, end, 0), np.float64) for end in (low, high))


def _divided(values: np.ndarray, by: np.ndarray | float) -> np.ndarray:
    """float32 quotient; 0 where there is nothing to divide by. NaN and +inf stay."""
    xp = arrays.namespace(values)
    if isinstance(by, float):
        by = arrays.full((len(values), 1), by, np.float64, values)
    by = arrays.as_type(by, np.float64)
    out = values / xp.where(by > 0, by, 1)
    return arrays.as_type(xp.where((by > 0) | ~xp.isfinite(values), out, 0), np.float32)


def _extremes(matrix: np.ndarray) -> tuple[float, float]:
    low, high = np.full(len(matrix), np.inf), np.full(len(matrix), -np.inf)
    xp = arrays.namespace(matrix)

    def look(start: int, stop: int) -> None:
        block = matrix[start:stop]
        known = xp.isfinite(block)
        low[start:stop] = arrays.host(parts.least(xp.where(known, block, np.inf)))[:, 0]
        high[start:stop] = arrays.host(parts.greatest(xp.where(known, block, -np.inf)))[:, 0]

    if matrix.shape[1]:
        parts.over_rows(look, matrix, what="scaling")
    lowest, highest = low.min(initial=np.inf), high.max(initial=-np.inf)
    return (float(lowest), float(highest)) if lowest <= highest else (0.0, 0.0)


def _moments(matrix: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation, from sums of whole rows so that no block size shows."""
    xp = arrays.namespace(matrix)
    counts, sums = np.zeros(len(matrix)), np.zeros(len(matrix))

    def add(start: int, stop: int) -> None:
        block = matrix[start:stop]
        known = xp.isfinite(block)
        counts[start:stop] = arrays.host(known.sum(axis=1))
        sums[start:stop] = arrays.host(arrays.as_type(xp.where(known, block, 0), np.float64).sum(axis=1))

    parts.over_rows(add, matrix, what="scaling")
    count = max(counts.sum(), 1)
    mean = float(sums.sum() / count)

    def square(start: int, stop: int) -> None:
        block = arrays.as_type(matrix[start:stop], np.float64)
        away = xp.where(xp.isfinite(block), block - mean, 0)
        sums[start:stop] = arrays.host((away * away).sum(axis=1))

    parts.over_rows(square, matrix, what="scaling")
    return float(mean), float(np.sqrt(sums.sum() / count))
