"""Breadth-first trees of ranking references: images that stand in the first two levels of one tree are alike.

Source: Pedronette, Valem and Torres, "A BFS-Tree of Ranking References for Unsupervised Manifold Learning",
Pattern Recognition 111, 2021, as released in UDLF.
"""

from typing import Annotated

import numpy as np

from postproc.base.settings import Count, Neighbours, Number, TopK, Within
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
    memory=held.compared(ranked.memory(35, pairs=10)),
    loads=("scipy",),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2),
        spent.lists(0.5, "k", "k", "k", "k"),
        spent.lists(0.5, "depth", "depth"),
    ),
)
def bfs_tree(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 20,
    depth: Annotated[Count, Within(1)] = 400,
    p: Annotated[Number, Within(0.01, 0.99)] = 0.7,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by how often two images stand in one tree, and how sure the branches are that lead to them.

    A list holds the ``depth`` nearest of an image, itself at place 1, sorted by the places of two images in each
    other's list together, then by the worse of the two. C(i, j), j at the places 2 .. k of i's list, is how alike
    their lists are: ``(1 - p) sum_{d=1..k} p^(d-1) |first d of i and of j| / d`` (rank-biased overlap).
    A tree has an image and the images of C at its first level, those of ``C C`` at its second: ``U = I + C``,
    ``V = C C``, and ``S = U' U + V' V + U' V``, its columns divided by 1 and their sums, is kept where lists are.
    ``out = -(S S')_qg / (1 + the sum of the column)``.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each has one
             list.
    Returns: (nq, ng) float32, no unit, smaller is nearer: -1 to 0 for what the query's list names and a tree
             holds. Other images come behind, at their distance. With ``top_k`` the :class:`Nearest` of every
             query. Of one set (n, n), +inf on the diagonal, not symmetric.
    neighbours: lists of as many others as the larger of ``depth`` and k, less one, copies of an image counted
             once; or those alone, as in :func:`rerank`.
    k:       1 (trees of one image) or more places of a list, the image itself counted. About as many as an
             identity has images.
    depth:   1 or more places of a list that are sorted, cut to what there is. k at least.
    p:       0.01 (the first places decide) to 0.99 (all ``k`` alike).
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted. CPU only.
    Cost:    half a product of all by all; up to 2 N k^4 and N depth^2 multiply-adds. Memory beside the answer:
             35 bytes * N * depth, and some 10 * N * k^2 for trees.
    Differs: images that are in one tree and in neither's list have no S, but count in the sums of the columns. The
             released code divides the overlap of whole lists by k too, and so do we; other measures of it are left
             out.

    >>> x = np.array([[0.0], [1.0], [3.0], [3.5]], np.float32)
    >>> bfs_tree(x[:1], x[1:], k=2, depth=3).round(3)
    array([[-0.108,  9.   , 12.25 ]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery), neighbours)
    rows = ranked.lists_of(tiles, max(depth, k))
    rows = _by_worse_place(rows)
    first, second = _levels(rows, k, p)
    sums = 1 + _sum_of_columns(first, second)
    trees = ranked.transposed(first), ranked.transposed(second)
    scores = ranked.on_lists(rows, trees[0], first)
    scores += ranked.on_lists(rows, trees[1], second)
    scores += ranked.on_lists(rows, trees[0], second)
    scores /= sums.astype(np.float32)[rows]
    alike = Sparse.of_lists(rows, scores)
    scores = ranked.on_lists(rows, alike, ranked.transposed(alike))
    totals = 1 + np.bincount(rows.ravel(), scores.ravel(), len(rows))
    asked = ranked.queries(tiles, rows)
    found = scores[: len(asked)] / totals.astype(np.float32)[asked]
    return ranked.answer(tiles, asked, found, top_k=top_k)


def _by_worse_place(rows: Ints) -> Ints:
    """Lists sorted by both places together, then by the worse of the two, or by the one that there is."""
    weights = np.arange(rows.shape[1], 0, -1)
    rows = ranked.mutual(rows, weights)
    here, there = ranked.by_place(rows, weights), ranked.back(rows, weights)
    return ranked.resorted(rows, np.where(there > 0, np.minimum(here, there), here))


def _levels(rows: Ints, k: int, p: float) -> tuple[Sparse, Sparse]:
    """U and V."""
    from scipy.sparse import identity

    links = ranked.matrix_of(_branches(rows, min(k, rows.shape[1]), p))
    return ranked.sparse_of(links + identity(len(rows), format="csr")), ranked.sparse_of(links @ links)


def _branches(rows: Ints, k: int, p: float) -> Sparse:
    """C: two images at places r and s count in the first d of both from the larger of r and s on."""
    depths = np.arange(1, k + 1)
    shares = (1 - p) * p ** (depths - 1) / depths
    first = ranked.weighed(rows, np.cumsum(shares[::-1])[::-1])
    near = np.ascontiguousarray(rows[:, :k])
    overlaps: Floats = ranked.on_lists(near, first, ranked.transposed(first), least=True)
    return Sparse.of_lists(near[:, 1:], overlaps[:, 1:])


def _sum_of_columns(first: Sparse, second: Sparse) -> np.ndarray:
    """(n,) float64: of all of S, which is never there: ``U' (U 1) + V' (V 1 + U 1)``."""
    u, v = (ranked.matrix_of(level) for level in (first, second))
    ones = np.ones(first.rows)
    total: np.ndarray = u.T @ (u @ ones) + v.T @ (v @ ones + u @ ones)
    return total
