"""Log-based hypergraph of ranking references: who stands in whose neighbourhoods, and how far up.

Source: Pedronette, Valem, Almeida and Torres, "Multimedia Retrieval Through Unsupervised Hypergraph-Based Manifold
Ranking", IEEE Transactions on Image Processing 28, 2019, as released in UDLF.
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
    memory=held.compared(ranked.memory(20, pairs=10)),
    loads=("scipy",),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2),
        spent.for_setting("rounds", spent.lists(0.1, "k", "k", "k", "k")),
        spent.for_setting("rounds", spent.lists(12, "depth")),
    ),
)
def lhrr(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Annotated[Neighbours, Within(2)] = 18,
    depth: Annotated[Count, Within(1)] = 400,
    rounds: Annotated[Count, Neutral(0)] = 2,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by how alike the neighbourhoods of two images are, and in how many neighbourhoods they stand together.

    A list holds the ``depth`` nearest of an image, itself at place 1, sorted by the places of two images in each
    other's list together. Then, ``rounds`` times: W is ``1 - log_k(r)`` at the places r = 1 .. k, ``H = I + W W``,
    c the sum of the ``k`` largest of each row of H; lists are sorted by
    ``s = (1 + H' diag(c) H) * (H H') * (H H)'``, entry by entry. ``out = -s``.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each has one
             list.
    Returns: (nq, ng) float32, no unit, smaller is nearer: below 0 for what the query's list names and anything
             speaks for. Other images come behind, at their distance. With ``top_k`` the :class:`Nearest` of every
             query. Of one set (n, n), +inf on the diagonal, not symmetric.
    neighbours: lists of as many others as the larger of ``depth`` and k, less one, copies of an image counted
             once; or those alone, as in :func:`rerank`.
    k:       2 or more places of a list that count, the image itself one of them; the last counts nothing. About as
             many as an identity has images.
    depth:   1 or more places of a list that are sorted, cut to what there is. k at least.
    rounds:  0 (the distance itself) or more.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted. CPU only.
    Cost:    half a product of all by all; up to 3 N k^4 multiply-adds a round, some tenth of that where identities
             lie in groups. Memory beside the answer: 20 bytes * N * depth, and some 10 * N * k^2 for H.
    Differs: the paper's second factor between images is ``H' H``; here it is that of the released code, which was
             the better on all sets that were tried. There, images that a list does not name may come into it, some
             of them twice; here a list keeps those that it has.

    >>> x = np.array([[0.0], [1.0], [3.0], [3.5]], np.float32)
    >>> lhrr(x[:1], x[1:], k=3, depth=3, rounds=1).round(3)
    array([[-100.099,    9.   ,   12.25 ]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery), neighbours)
    rows = ranked.lists_of(tiles, max(depth, k))
    rows = ranked.mutual(rows, np.arange(rows.shape[1], 0, -1))
    return ranked.reranked(tiles, rows, partial(_scores, k), rounds, top_k=top_k)


def _scores(k: int, rows: Ints, count: int, done: int) -> Floats:
    """s for what the first ``count`` lists name."""
    edges = ranked.expanded(rows, ranked.logarithmic(k), own=1)
    among = ranked.transposed(edges)
    sure = ranked.scaled(edges, ranked.largest_sums(edges, k))
    some = rows[:count]
    together = 1 + ranked.on_lists(some, among, sure)
    together *= ranked.on_lists(some, edges, among)
    together *= ranked.on_lists(some, among, among)
    return together
