"""What looks alike only because camera or pose is the same is less alike: a side model's distance is taken off.

Sources: Xiangyu-CAS/AICity2020-VOC-ReID (cameras and orientation, 0.1 each, before re-ranking: :func:`rerank` with
``auxiliary_weight``); vimar-gu/Bias-Eliminate-DA-ReID (0.1 of Euclidean distance, after it);
michuanhaohao/AICITY2021_Track2_DMT (0.1 camera, 0.05 view, re-ranked, after it).
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import checks, one_set
from postproc.base.settings import Neutral, Weight
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances
from postproc.constraints.penalties import change_rows
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.distances import Metric, to_metric
from postproc.pairs.tiles import PairwiseTiles


@step(
    unit=KEPT,
    memory=held.together(held.tiles, held.side_models),
    work=spent.together(spent.matrix(1.9), spent.images(85)),
)
def subtract_auxiliary(
    distances: Distances,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    *,
    weight: Annotated[Weight, Neutral(0.0)] = 0.1,
    metric: Metric = "sqeuclidean",
) -> Distances:
    """Take ``weight`` times the distances of a side model off.

    ``out = distances - weight * metric(query_aux, gallery_aux)``.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; query_aux (nq, a), gallery_aux (ng, a) float32,
             features of a model of cameras, orientations or types, used as they are: normalise before if their
             lengths should not count. Two models: call twice, or put their features side by side. Of one set
             (n, n) with +inf on the diagonal, features are given once.
    Returns: (nq, ng) float32, a new array, same unit; may be below 0. Only the order means something. Of one set
             symmetric where the distances are.
    weight:  any number, in units of the distances by units of the metric. 0: none; below 0: what the side model
             finds far is farther.
    metric:  "sqeuclidean", "euclidean" or "cosine", as in :func:`postproc.distances`.
    Raises:  ValueError for sizes that do not fit, NaN, -inf or a setting out of range.
    Cost:    one product, nq ng a multiply-adds; the answer and one 16 MB tile a thread beside the input.

    >>> far, side = np.array([[1.0, 1.0]], np.float32), np.array([[0.0], [2.0]], np.float32)
    >>> subtract_auxiliary(far, side[:1], side)
    array([[1. , 0.6]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    checks.not_empty("distances", given)
    unit = metric == "cosine"
    other = None if one_set.with_columns(given, query_aux, gallery_aux) else gallery_aux
    pairs = pairwise.of_side_model(query_aux, other, given.shape, unit=unit, like=given)
    measure = to_metric(pairs, metric)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        measure(strip, queries)
        change_rows(strip, kernels.of(strip).constraints.subtract_from, given, queries, float(weight))

    return answering.answer(PairwiseTiles(pairs), change, top_k=None)  # type: ignore[return-value]
