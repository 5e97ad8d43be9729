"""Reciprocal kNN graph: lists whose first images rank one another high say more.

Source: Pedronette, Penatti and Torres, "Unsupervised Manifold Learning Using Reciprocal kNN Graphs in Image
Re-Ranking and Rank Aggregation Tasks", Image and Vision Computing 32(2), 2014, as released in UDLF.
"""

from functools import partial
from typing import Annotated

import numpy as np

from postproc.base.settings import Count, Neighbours, Neutral, TopK, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Floats, Gallery, Ints, Nearest, Query
from postproc.context import ranked
from postproc.context.sparse import Sparse
from postproc.pairs import held, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise


@step(
    host_only=True,
    memory=held.compared(ranked.memory(21, 24)),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2),
        spent.for_setting("rounds", spent.lists(2, "k", "k", "k")),
        spent.for_setting("rounds", spent.lists(8, "depth")),
    ),
)
def recknn(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 15,
    depth: Annotated[Count, Within(1)] = 200,
    rounds: Annotated[Count, Neutral(0)] = 1,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by the worse of two images' places in each other's list, less where sure lists name both.

    A list holds the ``depth`` nearest of an image, itself at place 1. ``e_m(q)``, for m = 2 .. k, is the share of
    the pairs (i, j) of the first m images of q's list in which j is among the first m of i's. ``S_ij`` is the sum
    of ``e_m(q)^2`` over all q and m for which i and j are among the first m of q's list. Where it is above 0 the
    new distance is ``max(r(i, j), r(j, i)) / (depth (1 + S_ij))``, r a place, ``depth`` where there is none; else
    it is ``r(i, j)``. Lists are sorted by it, k grows by one, and so on, ``rounds`` times. At last
    ``out = -1 / distance`` where S is above 0.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each has one
             list.
    Returns: (nq, ng) float32, no unit, smaller is nearer: below 0 for what the query's list names and another list
             names with it. Other images come behind, at their distance. With ``top_k`` the :class:`Nearest` of
             every query. Of one set (n, n), +inf on the diagonal, not symmetric.
    neighbours: lists of as many others as the larger of ``depth`` and k + rounds - 1, less one, copies of an image
             counted once; or those alone, as in :func:`rerank`.
    k:       1 or more places of a list, the image itself counted. About as many as an identity has images.
    depth:   1 or more places of a list that are sorted, cut to what there is. k at least.
    rounds:  0 (the distance itself) or more.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted. CPU only.
    Cost:    half a product of all by all; some N k^3 looks a round. Memory beside the answer: 21 bytes
             * N * depth.
    Differs: the released code goes on until the mean of e grows by less than .0125 in a round; here the number of
             rounds is said. There, images that a list does not name may come into it.

    >>> x = np.array([[0.0], [1.0], [3.0], [3.5]], np.float32)
    >>> recknn(x[:1], x[1:], k=2, depth=3).round(3)
    array([[-4.5 ,  9.  , 12.25]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery), neighbours)
    rows = ranked.lists_of(tiles, max(depth, k + rounds - 1))
    return ranked.reranked(tiles, rows, partial(_nearness, k), rounds, top_k=top_k)


def _nearness(k: int, rows: Ints, count: int, done: int) -> Floats:
    """One over the new distance of what ``count`` lists name; below 0, by place, where no list names both."""
    places = np.arange(1, rows.shape[1] + 1, dtype=np.float32)
    sure = _sureness(rows, k + done)
    together = ranked.on_lists(rows[:count], ranked.transposed(sure), sure, least=True)
    there = ranked.back(rows, places)[:count]
    worse = np.maximum(places, np.where(there > 0, there, places[-1]))
    return np.where(together > 0, places[-1] * (1 + together) / worse, -places)


def _sureness(rows: Ints, k: int) -> Sparse:
    """At place r of every list the sum of e_m^2 over m = max(r, 2) .. k: two places share the sum of the later."""
    sums = np.zeros((len(rows), min(k, rows.shape[1])), np.float32)
    for m in range(2, sums.shape[1] + 1):
        first = ranked.weighed(rows, np.ones(m))
        shared = ranked.on_lists(np.ascontiguousarray(rows[:, :m]), first, ranked.transposed(first))
        sums[:, :m] += ((shared.sum(axis=1) / m**2) ** 2)[:, None]
    return Sparse.of_lists(rows[:, : sums.shape[1]], sums)
