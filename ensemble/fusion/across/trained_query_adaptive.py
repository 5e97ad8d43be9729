"""Query-adaptive fusion whose reference curves come from a training set.

Source: Zheng et al., "Query-Adaptive Late Fusion for Image Search and Person Re-identification", CVPR 2015; see
:mod:`ensemble.fusion.after.query_adaptive`.
"""

from functools import partial
from typing import Annotated, Any

import numpy as np

from ensemble.fusion import curves, parts
from ensemble.fusion.curves import Areas, Pile, References, Rule, Tail, Top, reference_curves
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import Weights
from ensemble.fusion.scaling import scaler
from postproc import distances as measure
from postproc.base import checks, runtime
from postproc.base.settings import Count, Within
from postproc.base.vocabulary import Floats
from postproc.pairs import held
from postproc.pairs.distances import Metric


@join(host_only=True, memory=held.together(held.features, held.walk, held.matrix, parts.blocks(6)))
def trained_query_adaptive(
    query: Parts,
    gallery: Parts | None,
    train: Parts,
    train_pid: np.ndarray | None = None,
    *,
    references: Annotated[Count, Within(1)] = 100,
    neighbours: References = 10,
    tail: Tail = 0.5,
    top: Top = None,
    rule: Rule = "product",
    weights: Weights = None,
    metric: Metric = "cosine",
) -> Floats:
    """:func:`~ensemble.fusion.query_adaptive` of all models' distances, its reference curves from a training set.

    A reference curve is one training image against all of other identities: a query that matches nothing.

    Takes:   query (nq, d_m), gallery (ng, d_m) or None for one set, train (n, d_m) float32, one of each a model;
             train_pid (n,) int, -1 unknown. Without train_pid an image is only kept from itself, and curves hold
             its matches.
    Returns: (nq, ng) float32.
    references: 1 or more training images, evenly spaced, give curves.
    metric:  of :func:`postproc.distances`. Others: see :func:`~ensemble.fusion.query_adaptive`.
    Raises:  ValueError for a wrong setting.
    Cost:    one model's distances at a time, a sort of every row; three matrices of the answer's size beside it.
    """
    parts.one_each("train", train, query)
    shape: dict[str, Any] = {"neighbours": neighbours, "tail": tail, "top": top}
    pile = Pile(parts.shape(query, gallery), rule)
    sides = parts.galleries(query, gallery)
    for weight, q, g, t in zip(parts.weights(weights, len(query)), query, sides, train, strict=True):
        if not weight:
            continue
        matrix = measure(q, g, metric=metric)
        among = _between_identities(t, train_pid, references, metric)
        of = partial(curves.areas, curves=reference_curves(among, matrix.shape[1]), **shape)
        add = partial(_add_rows, pile, matrix, scaler(matrix, "min-max"), float(weight), of)
        runtime.over_rows(add, len(matrix), what="query-adaptive fusion", block=parts.rows_at_a_time([matrix]))
    return parts.by_rows([pile.never], lambda rows: pile.rows(rows).answer(), what="query-adaptive fusion")


def _between_identities(
    train: np.ndarray, train_pid: np.ndarray | None, references: int, metric: Metric
) -> np.ndarray:
    """Distances of evenly spaced training images to all, NaN to themselves and to images of their identity."""
    pid = None if train_pid is None else checks.labels("train_pid", train_pid, len(train))
    picked = np.unique(np.linspace(0, len(train) - 1, min(references, len(train))).astype(np.int64))
    among: np.ndarray = measure(train[picked], train, metric=metric)
    among[np.arange(len(picked)), picked] = np.nan
    if pid is not None:
        among[(pid[picked][:, None] == pid) & (pid >= 0)] = np.nan
    return among


def _add_rows(
    pile: Pile, matrix: np.ndarray, change: Areas, weight: float, areas: Areas, start: int, stop: int
) -> None:
    pile.rows(slice(start, stop)).add(change(matrix[start:stop]), weight, areas)
