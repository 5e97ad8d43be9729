"""Cartesian products of ranking references: two images that one image ranks high are alike, and so are two that
rank one image high.

Source: Valem and Pedronette, "Unsupervised Similarity Learning through Cartesian Product of Ranking References for
Image Retrieval Tasks", SIBGRAPI 2016, as released in UDLF.
"""

from functools import partial
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
    memory=held.compared(ranked.memory(20, 16)),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2),
        spent.for_setting("rounds", spent.lists(4, "k", "k")),
        spent.for_setting("rounds", spent.lists(8, "depth")),
    ),
)
def cprr(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 20,
    depth: Annotated[Count, Within(1)] = 400,
    rounds: Annotated[Count, Neutral(0)] = 2,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by how high two images stand in the same lists, and how high the same images in theirs.

    A list holds the ``depth`` nearest of an image, itself at place 1, sorted by the places of two images in each
    other's list together. Then, ``rounds`` times: F is ``k + 1 - r`` at the places r = 1 .. k of every list, G the
    same without the image itself, and lists are sorted by ``s = F' F + G G'``. ``out = -s``.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each has one
             list.
    Returns: (nq, ng) float32, whole numbers, smaller is nearer: below 0 for what the query's list names and a list
             speaks for. Other images come behind, at their distance. With ``top_k`` the :class:`Nearest` of every
             query. Of one set (n, n), +inf on the diagonal, not symmetric.
    neighbours: lists of as many others as the larger of ``depth`` and k, less one, copies of an image counted
             once; or those alone, as in :func:`rerank`.
    k:       1 or more places of a list that count, the image itself one of them. About as many as an identity has
             images.
    depth:   1 or more places of a list that are sorted, cut to what there is. k at least.
    rounds:  0 (the distance itself) or more.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted. CPU only.
    Cost:    half a product of all by all; some 2 N (k^2 + depth) looks a round: the cheapest of its kind. Memory
             beside the answer: 20 bytes * N * depth.
    Differs: the released code has room for ``depth`` lists that name an image, and writes beyond it where more do.

    >>> x = np.array([[0.0], [1.0], [3.0], [3.5]], np.float32)
    >>> cprr(x[:1], x[1:], k=2, depth=3, rounds=1)
    array([[-4.  ,  9.  , 12.25]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery), neighbours)
    rows = ranked.lists_of(tiles, max(depth, k))
    rows = ranked.mutual(rows, np.arange(rows.shape[1], 0, -1))
    return ranked.reranked(tiles, rows, partial(_scores, k), rounds, top_k=top_k)


def _scores(k: int, rows: Ints, count: int, done: int) -> Floats:
    """s for what the first ``count`` lists name."""
    weights = np.arange(min(k, rows.shape[1]), 0, -1)
    named, others = ranked.weighed(rows, weights), ranked.weighed(rows, weights, 1)
    found = ranked.on_lists(rows[:count], ranked.transposed(named), named)
    found += ranked.on_lists(rows[:count], others, ranked.transposed(others))
    return found
