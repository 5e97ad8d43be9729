"""Rank flow embedding: an image is described by who stands in its lists of lists, and has it in theirs.

Source: Valem, Pedronette and Latecki, "Rank Flow Embedding: A Unsupervised and Semi-Supervised Manifold Learning
Method", IEEE Transactions on Image Processing 32, 2023, as released in UDLF.
"""

from typing import Annotated

import numpy as np

from postproc.base.settings import Count, Neighbours, Number, TopK, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Gallery, Ints, Nearest, Query
from postproc.context import ranked
from postproc.context.sparse import Sparse
from postproc.pairs import held, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise


@step(
    host_only=True,
    memory=held.compared(ranked.memory(20, pairs=20)),
    loads=("scipy",),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2),
        spent.lists(0.5, "k", "k", "k"),
        spent.for_setting("rounds", spent.lists(0.5, "k", "k", "k")),
        spent.for_setting("rounds", spent.lists(8, "depth")),
    ),
)
def rfe(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Annotated[Neighbours, Within(2)] = 20,
    depth: Annotated[Count, Within(1)] = 400,
    slope: Annotated[Number, Within(0, 100)] = 0.1,
    rounds: Annotated[Count, Within(0)] = 2,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by how many embeddings two images stand in together, and how high.

    A list holds the ``depth`` nearest of an image, itself at place 1, sorted by ``g(r(i, j))^2 g(r(j, i))``, r the
    place of one in the list of the other, ``g(r) = 1 / (1 + exp(slope (r - floor(k / 2))))`` and 1 at place 1. W
    is ``1 - log_k(r)`` at the places 1 .. k, ``B = W + W W``, and the embeddings are the rows of ``E = B * B'``,
    entry by entry. ``rounds`` times lists are sorted by ``(E E')_ij / r``, r the place of j in i's list so far,
    and E made anew. At last ``out = -E' diag(c) E``, c the sum of the ``k`` largest of each row over the
    largest of these.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each has one
             list.
    Returns: (nq, ng) float32, no unit, smaller is nearer: below 0 for what the query's list names and an embedding
             holds. Other images come behind, at their distance. With ``top_k`` the :class:`Nearest` of every
             query. Of one set (n, n), +inf on the diagonal, not symmetric.
    neighbours: lists of as many others as the larger of ``depth`` and k, less one, copies of an image counted
             once; or those alone, as in :func:`rerank`.
    k:       2 or more places of a list that count, the image itself one of them; the last counts nothing. About as
             many as an identity has images.
    depth:   1 or more places of a list that are sorted, cut to what there is. k at least.
    slope:   0 (lists stay as they are, but for who is in both) to 100 (who is among the first k / 2 of both is
             before all others).
    rounds:  0 or more.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted. CPU only.
    Cost:    half a product of all by all; far less than N k^4 multiply-adds a round, since E holds who is in both.
             Memory beside the answer: 20 bytes * N * depth, and some 20 * N * k^2 for W W.
    Differs: the last stage of the released code, which joins images to components by the surest links and sorts
             once more by these, is left out: it holds a number for every image and component. There, images that a
             list does not name may come into it at the end; here a list keeps those that it has.

    >>> x = np.array([[0.0], [1.0], [3.0], [3.5]], np.float32)
    >>> rfe(x[:1], x[1:], k=3, depth=3).round(3)
    array([[-11.189,   9.   ,  12.25 ]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery), neighbours)
    rows = ranked.lists_of(tiles, max(depth, k))
    places = np.arange(1, rows.shape[1] + 1)
    high: np.ndarray = 1 / (1 + np.exp(np.minimum(slope * (places - k // 2), 80)))
    high[0] = 1
    rows = ranked.resorted(rows, ranked.by_place(rows, high * high) * ranked.back(rows, high))
    for _ in range(rounds):
        found = _embeddings(rows, k)
        scores = ranked.on_lists(rows, found, ranked.transposed(found))
        rows = ranked.resorted(rows, scores * ranked.by_place(rows, 1 / places))
    found = _embeddings(rows, k)
    sure = ranked.largest_sums(found, k)
    asked = ranked.queries(tiles, rows)
    weighed = ranked.scaled(found, sure / max(sure.max(), 1e-30))
    return ranked.answer(tiles, asked, ranked.on_lists(asked, ranked.transposed(found), weighed), top_k=top_k)


def _embeddings(rows: Ints, k: int) -> Sparse:
    """E."""
    both = ranked.matrix_of(ranked.expanded(rows, ranked.logarithmic(k), one_step=1))
    return ranked.sparse_of(both.multiply(both.T))
