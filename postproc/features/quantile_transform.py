"""Quantile transform: every dimension is bent until its values are normally distributed.

Source: scikit-learn's ``QuantileTransformer``, whose numbers these are; the winners of Google Landmark
Recognition 2020 (Henkel and Singer, arXiv 2010.01650) apply it to concatenated features of several models.
"""

from functools import partial
from typing import Annotated

import numpy as np

from postproc.base import checks, runtime
from postproc.base.settings import Count, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery, Query, Sides
from postproc.pairs import held, spent

COLUMNS = 16  # dimensions fitted at a time
END = 1e-7 - np.spacing(1)  # ranks nearer to 0 or 1 are cut to this


@step(
    host_only=True,
    memory=held.times(0.5, held.features),
    loads=("scipy",),
    work=spent.together(spent.read(620), spent.columns(9600)),
)
def quantile_transform(
    query: Query,
    gallery: Gallery | None = None,
    train: np.ndarray | None = None,
    *,
    quantiles: Annotated[Count, Within(1)] = 1000,
) -> Sides:
    """Replace each value by the normal deviate of its rank among the fitted values of its dimension.

    ``out = Phi^-1(F_j(x_j))``, F_j the distribution of dimension j, straight lines between its quantiles, and
    Phi that of the standard normal.

    Takes:   query (nq, d), gallery (ng, d) float32; train (n, d): what F is taken from, the gallery if not given.
             Or one set (n, d), from which F is taken then, each image once.
    Returns: both, (nq, d) and (ng, d) float32, within ±5.2, of no particular length; of one set (n, d).
    quantiles: 1 or more points of F, cut to the number of images fitted. Few: coarse. 1: the value is above the
             smallest fitted one or is not. 1000 is usual.
    Values outside what was fitted become ±5.2. A value that several fitted images share has the mean rank of the
    points of F that it meets, but the smallest of a dimension becomes -5.2 however many share it: so do the zeros
    of features that are never negative, and a whole dimension that is constant.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    O(n d log n) for the quantiles of n images, O(log quantiles) a value; some dimensions in float64
             beside the result. No random subsample is drawn.
    Differs: scikit-learn takes what is within 1e-7 of the smallest or the largest fitted value for that value,
             whatever the scale of the features; here only what equals it, so that scale changes nothing.

    >>> g = np.array([[0.0], [1.0], [2.0], [3.0], [9.0]], np.float32)
    >>> quantile_transform(np.array([[1.0], [2.0], [6.0]], np.float32), g)[0].ravel().round(2)
    array([-0.67,  0.  ,  1.15], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = checks.sides_or_one(query, gallery)
    fitted = gallery
    if train is not None:
        fitted = checks.of_same_width("train", train, "query" if one_set else "gallery", gallery)
    sides = (query,) if one_set else (query, gallery)
    out = tuple(map(np.empty_like, sides))
    points = min(int(quantiles), len(fitted))
    runtime.over_rows(
        partial(_transform, sides, fitted, points, out),
        query.shape[1],
        what="quantiles",
        block=COLUMNS,
    )
    return out[0] if one_set else (out[0], out[1])


def _transform(
    sides: tuple[np.ndarray, ...],
    fitted: np.ndarray,
    points: int,
    out: tuple[np.ndarray, ...],
    start: int,
    stop: int,
) -> None:
    """Dimensions ``start .. stop`` of all sides."""
    from scipy.special import ndtri

    ranks = np.linspace(0, 1, points)
    ordered = np.sort(fitted[:, start:stop].T, axis=1).astype(np.float64)  # sooner than to look for every point
    quantiles = np.percentile(ordered, 100 * ranks, axis=1).T
    quantiles = np.maximum.accumulate(quantiles, axis=1)  # rounding may put one before another
    for side, answer in zip(sides, out, strict=True):
        found = np.empty((stop - start, len(side)), np.float32)
        for values, known, column in zip(side[:, start:stop].T.copy(), quantiles, found, strict=True):
            order = np.argsort(values)  # the place of a value among quantiles is found sooner beside the last
            x = values[order].astype(np.float64)
            rank = (np.interp(x, known, ranks) - np.interp(-x, -known[::-1], -ranks[::-1])) / 2
            rank[x >= known[-1]] = 1
            rank[x <= known[0]] = 0
            column[order] = np.clip(ndtri(rank), ndtri(END), ndtri(1 - END))
        answer[:, start:stop] = found.T
