"""Ranks in the lists of the query and its neighbours, put together.

Source: Shen, Lin, Brandt, Avidan and Wu, "Object Retrieval and Localization with Spatially-Constrained Similarity
Measure and k-NN Re-Ranking", CVPR 2012, section 5. The paper itself was not at hand:
weights and ranks are those of a public program that follows it, ``query_rerank_score.m`` of
yinglang/ImageRetrival: 1 for the query's list and 1 / (i + 1) for that of its i-th neighbour, each over the rank.
"""

from typing import Annotated

import numpy as np

from postproc.base.settings import Count, Neighbours, Neutral, TopK, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Floats, Gallery, Ints, Nearest, Query
from postproc.context import ranked
from postproc.pairs import held, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise


@step(
    host_only=True,
    memory=held.compared(ranked.memory(15)),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2),
        spent.per_query(1.5, "k", "depth"),
        spent.for_setting("rounds", spent.lists(6, "depth")),
    ),
)
def knn_rank(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Annotated[Neighbours, Within(0)] = 20,
    depth: Annotated[Count, Within(1)] = 400,
    rounds: Annotated[Count, Neutral(0)] = 1,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by one over the place in the query's list and in those of its neighbours.

    ``out = -sum_{a=0..k} 1 / ((a + 1) r(N_a, g))``: N_0 is the query, N_1 .. N_k are its neighbours, and r is a
    place in a list, the list's own image at 1. Several ``rounds`` do so with all lists and begin anew.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each has one
             list.
    Returns: (nq, ng) float32, no unit, smaller is nearer: below 0 for what the query's list names. Other images
             come behind, at their distance. With ``top_k`` the :class:`Nearest` of every query. Of one set (n, n),
             +inf on the diagonal, not symmetric.
    neighbours: lists of as many others as the larger of ``depth`` - 1 and k, copies of an image counted once; or
             those alone, as in :func:`rerank`.
    k:       0 (the query's own list) or more neighbours.
    depth:   1 or more places of a list, cut to what there is. k + 1 at least.
    rounds:  0 (the distance itself) or more.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted. CPU only.
    Cost:    half a product of all by all; nq k depth looks, N k depth in each earlier round. Memory beside the
             answer: 15 bytes * N * depth.
    Differs: in the paper neighbours are parts of images that were found by their local features.

    >>> x = np.array([[0.0], [1.0], [3.0], [3.5]], np.float32)
    >>> knn_rank(x[:1], x[1:], k=1, depth=3).round(3)
    array([[-1.  , -0.5 , 12.25]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery), neighbours)
    rows = ranked.lists_of(tiles, max(depth, k + 1))
    inverse = 1 / np.arange(1, rows.shape[1] + 1)

    def score(rows: Ints, count: int, done: int) -> Floats:
        near, all_places = ranked.weighed(rows[:count], inverse[: k + 1]), ranked.weighed(rows, inverse)
        return ranked.on_lists(rows[:count], near, all_places)

    return ranked.reranked(tiles, rows, score, rounds, top_k=top_k)
