"""Re-ranking by message passing on the neighbour graph.

Source: Zhang et al., "Understanding Image Retrieval Re-Ranking: A Graph Neural Network Perspective", 2020
(arXiv 2012.07620), and the CUDA program released with it, which holds two matrices of all by all; here rows are
sparse.
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Mutual, Neighbours, Neutral, Share, TopK
from postproc.base.step import Chosen, Range, reciprocal_lists, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.sparse import Sparse
from postproc.pairs import nearest, pairwise
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles


def _range(chosen: Chosen) -> Range:
    return (0, 2) if chosen["k2"] > 1 else (-chosen["k1"], 2)


@step(range=_range, memory=reciprocal_lists)
def gnn_rerank(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    k1: Annotated[Neighbours, Mutual()] = 26,
    k2: Neighbours = 7,
    lambda_value: Annotated[Share, Neutral(1.0)] = 0.3,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Compare images by whose neighbours they and their neighbours are.

    A is 1 on the ``k1`` nearest of every image (itself included), W = s^2 on the first ``k2``, s the cosine.
    Twice: ``A <- A + A'``, ``A_i <- sum_j W_ij A_j``, rows to unit length.
    ``out = 1 - ((1 - lambda_value) * A_q . A_g + lambda_value * s)``.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise` in their
             place, whose distance D then stands for 2 - 2 s.
    Returns: (nq, ng) float32, smaller is nearer, 0 to 2; with ``top_k`` the :class:`Nearest` of every query.
    k1:      1 or more, counting the image itself, cut to what there is.
    k2:      1 or more. 1 passes no message: A stays 0 and 1, and A_q . A_g counts common neighbours, so that
             distances go down to -k1.
    lambda_value: 0 (the graph only) to 1 (1 - cosine).
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all; rows of A hold up to 4 k1 k2^2 numbers and a few hundred as a rule:
             that many numbers an image, beside the answer and one 16 MB tile a thread.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.0, 1.0]], np.float32)
    >>> gnn_rerank(q, g, k1=2, k2=1, lambda_value=0.5).round(3)
    array([[-0.4,  0.5]], dtype=float32)
    """
    tiles = PairwiseTiles(pairwise.of(query, gallery, unit=True, cuda=True))
    nq = tiles.layout.nq
    lists = nearest.of_all(tiles, max(k1, k2))
    xp, kernel = arrays.namespace(lists.values), kernels.of(lists.values)
    graph = Sparse.of_lists(lists.rows[:, :k1], xp.ones_like(lists.values[:, :k1]))
    if k2 > 1:
        factors = (1 - lists.values[:, :k2] / 2) ** 2
        for _ in range(2):
            graph = graph.plus_transposed().sum(lists.rows[:, :k2], factors).unit()
    add = graph.times(lambda_value - 1).products(graph.inverted(nq))
    in_range = k2 > 1 and not isinstance(query, Pairwise)
    half, rest = float(np.float32(lambda_value / 2)), float(np.float32(1 - lambda_value))

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        def finish(start: int, stop: int) -> None:
            strip[start:stop] *= half
            strip[start:stop] += rest
            add(strip, queries, start, stop)
            if in_range:  # what rounding has put outside
                part = strip[start:stop]
                part[part < 0], part[part > 2] = 0, 2

        kernel.walk.over_rows(finish, len(strip), what="graph distances", block=16)

    return nearest.answer(tiles, change, top_k=top_k)
