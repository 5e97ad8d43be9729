"""Rank-based diffusion with assured convergence: similarity spreads along the first places of ranked lists.

Source: Pedronette, Valem and Latecki, "Efficient Rank-based Diffusion Process with Assured Convergence", Journal
of Imaging 7(3), 2021, as released in UDLF.
"""

from typing import Annotated

import numpy as np

from postproc.base.settings import Count, Neighbours, Neutral, Number, Share, TopK, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Floats, Gallery, Ints, Nearest, Query
from postproc.context import ranked
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise


@step(
    host_only=True,
    memory=held.compared(ranked.memory(34, 24, longer=2)),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2),
        spent.for_setting("rounds", spent.lists(0.13, "depth", "k")),
        spent.lists(0.18, "depth", "depth"),
        spent.per_query(0.27, "depth", "depth"),
    ),
)
def rdpac(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 15,
    depth: Annotated[Count, Within(1)] = 400,
    p: Annotated[Number, Within(0.01, 1)] = 0.6,
    p_list: Annotated[Number, Within(0.01, 1)] = 0.99,
    alpha: Share = 0.95,
    rounds: Annotated[Count, Neutral(0)] = 15,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by the similarity that has spread along the lists of the images, from place to place.

    A list holds the ``2 depth`` nearest of an image, itself at place 1, sorted by ``p_list^r(i, j) +
    p_list^r(j, i)``, r the place of one image in the first ``depth`` of the other's list, 0 where there is none.
    W is ``p^r`` at the first ``k`` places, divided by the sums of its columns. From ``P = W``, ``rounds`` times:
    divide P by the sums of its columns, then ``P <- alpha P W' + (1 - alpha) I`` where the first ``depth`` places
    of a list are. At last, P divided once more, ``out = -(P P P)``, kept where lists are at both steps.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each has one
             list.
    Returns: (nq, ng) float32, no unit, smaller is nearer: below 0 for what the query's list names and something
             reaches. Other images come behind, at their distance. With ``top_k`` the :class:`Nearest` of every
             query. Of one set (n, n), +inf on the diagonal, not symmetric.
    neighbours: lists of as many others as twice ``depth``, less one, and k - 1, copies of an image counted once;
             or those alone, as in :func:`rerank`.
    k:       1 or more places along which it spreads, the image itself counted. About as many as an identity has
             images.
    depth:   1 or more places of a list that can be reached, cut to half of what there is. k at least.
    p:       0.01 (the first place alone) to 1 (all ``k`` alike).
    p_list:  0.01 to 1 (all places alike, lists by who is in both).
    alpha:   0 (nothing spreads) to 1 (nothing starts again).
    rounds:  0 (the distance itself) or more.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted. CPU only.
    Cost:    half a product of all by all; N depth k multiply-adds a round, N depth^2 and 2 nq depth^2 at the end.
             Memory beside the answer: some 68 bytes * N * depth, 2.6 GB for 93,820 images at the defaults.
    Differs: the released code writes ``P P P`` into ``P P`` column by column while it reads it, so that it depends
             on the order of images; here ``P P`` is whole before it is used. As there, all rounds use the same
             ``k``, and the ends of lists stay where they were.

    >>> x = np.array([[0.0], [1.0], [3.0], [3.5]], np.float32)
    >>> rdpac(x[:1], x[1:], k=2, depth=2, rounds=1).round(3)
    array([[-0.499,  9.   , 12.25 ]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery), neighbours)
    if not rounds:
        return answering.answer(tiles, lambda strip, queries: None, top_k=top_k)
    rows = ranked.lists_of(tiles, max(2 * depth, k))
    half = max(min(k, rows.shape[1]), -(-rows.shape[1] // 2))
    rows = ranked.mutual(rows, p_list ** np.arange(1, half + 1))
    first = np.ascontiguousarray(rows[:, :half])
    links = ranked.weighed(rows, p ** np.arange(1, k + 1))
    steps = ranked.transposed(_by_column(links))
    spread = links
    for _ in range(rounds):
        scores = ranked.on_lists(first, _by_column(spread), steps)
        scores *= np.float32(alpha)
        scores[:, 0] += np.float32(1 - alpha)
        spread = _kept(first, scores)
    spread = _by_column(spread)
    twice = _kept(rows, ranked.on_lists(rows, spread, spread))
    asked = ranked.queries(tiles, rows)
    return ranked.answer(tiles, asked, ranked.on_lists(asked, spread, twice), top_k=top_k)


def _kept(rows: Ints, scores: Floats) -> Sparse:
    """What lists name with a score above 0."""
    return Sparse.of_lists(np.where(scores > 0, rows, -1), scores)


def _by_column(matrix: Sparse) -> Sparse:
    """Columns divided by their sums."""
    sums = np.bincount(matrix.members, matrix.weights, matrix.rows)
    shares = np.divide(1, sums, out=np.zeros_like(sums), where=sums > 0)
    return Sparse(matrix.offsets, matrix.members, matrix.weights * shares.astype(np.float32)[matrix.members])
