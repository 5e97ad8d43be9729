"""The only sort in the project."""

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import TopK
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Ranking
from postproc.pairs import answering, held, spent


@step(
    memory=held.together(held.images(64), held.lists("top_k", side="nq")),
    work=spent.together(spent.nearest, spent.whole_sorted(3.8)),
)
def rank(distances: Distances, *, top_k: TopK = None) -> Ranking:
    """Order the gallery for every query, nearest first, ties by gallery row.

    Takes:   distances (nq, ng) float32, any unit; +inf is never returned.
    Returns: (nq, k) int32 gallery rows, -1 where no image is left to return.
    top_k:   1 or more, cut to the gallery; None orders all of it.
    Raises:  ValueError for NaN or a wrong ``top_k``.
    Cost:    O(nq ng) for a short list, O(nq ng log ng) for all; memory: the result.

    >>> rank(np.array([[0.5, 0.1, np.inf, 0.1]], np.float32))
    array([[ 1,  3,  0, -1]], dtype=int32)
    """
    values = checks.distances("distances", distances, cuda=True)
    k = values.shape[1] if top_k is None else min(top_k, values.shape[1])
    if k <= values.shape[1] // 8:
        return answering.smallest(values, k).rows
    order = arrays.empty((len(values), k), np.int32, values)
    kernel = kernels.of(values)
    kernel.walk.over_rows(
        lambda start, stop: kernel.ranking.order_rows(values, start, stop, order), len(values), what="ranking"
    )
    return order
