"""Diffusion solved beforehand for every image on its own neighbourhood, so that a query is a sparse product.

Source: Yang et al., "Efficient Image Retrieval via Decoupling Diffusion into Online and Offline Processing", AAAI
2019, and the code released with it (fyang93/diffusion), whose two ways to search are the two values of ``graph``.
"""

from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Count, Neighbours, Neutral, Number, TopK, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.graph import class_lists, mutual_graph, similarity
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of, tiles_of_gallery
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import Tiles

BLOCK = 16  # queries at a time


@step(
    memory=held.together(
        held.features, held.tiles, held.times(2.5, held.lists("truncate", "k")), held.lists("k", factor=6)
    ),
    work=spent.only(
        "graph",
        ("all",),
        spent.together(spent.pairs(), spent.nearest, spent.matrix(160), spent.lists(150, "truncate")),
    ),
)
def offline_diffusion(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    truncate: Annotated[Count, Within(1)] = 1000,
    k: Neighbours = 50,
    alpha: Annotated[Weight, Within(0, 0.9999)] = 0.99,
    gamma: Annotated[Weight, Within(0, 64)] = 3.0,
    graph: Literal["all", "gallery"] = "all",
    k_query: Neighbours = 10,
    query_gamma: Annotated[Number, Within(0, 64)] | None = None,
    iterations: Annotated[Count, Neutral(0)] = 20,
    tolerance: Annotated[Number, Within(0, 1)] = 1e-6,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Compare what would spread from the query with what would spread from the gallery image.

    Row i of R is ``(I - alpha S_i)^-1 e_i``, S_i the graph of :func:`diffusion` between the ``truncate`` images
    nearest to i. ``graph="all"``: queries and gallery are in one graph and ``out = -R_q . R_g / (|R_q| |R_g|)``.
    ``graph="gallery"``: ``out = -sum_j max(s_qj, 0)^query_gamma R_jg`` over the ``k_query`` gallery images most
    similar to q, s the cosine.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise` in their
             place, whose distance then stands for 2 - 2 s. One set (n, d) alone is each image against all others:
             each is in the graph once.
    Returns: (nq, ng) float32, smaller is nearer: below 0 where anything is shared, from -1 for "all". Other images
             come behind, at their squared distance 2 - 2 s. With ``top_k`` the :class:`Nearest` of every query.
             Of one set (n, n), +inf on the diagonal, symmetric for "all".
    neighbours: lists of features of unit length, of as many others as the larger of k and truncate, less one;
             for graph="gallery" those of the gallery, as in :func:`diffusion`. Or those alone, as in
             :func:`rerank`.
    truncate: 1 (nothing spreads) or more images, the image itself counted, cut to what there is.
    k:       1 or more images in a list of the graph, the image itself counted (1: no graph).
    alpha:   0 (nothing spreads) to 0.9999.
    gamma:   0 (all neighbours count alike) to 64.
    graph:   "all", or "gallery", where no query sees another.
    k_query, query_gamma: for "gallery": 1 or more images at which a query enters, of one set itself counted; 0 to
             64, None: as ``gamma``.
    iterations: 0 (R = 0) or more steps of conjugate gradients an image; the last iterate counts, so that few keep
             R near the image, and odd and even numbers may differ.
    tolerance: 0 to 1: the residual at which an image is done.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all; N * truncate * (the links inside) * iterations multiply-adds; nq *
             truncate^2 for the products. Memory beside the answer: 8 bytes * N * truncate for the lists, again
             for R, and twice more while R is put together. Copies cost nothing.
    Differs: copies of an image are in or out of a list together, and stand for one another: a query and its copy
             in the gallery are at -1. Negative s counts as 0 in "gallery".

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]], np.float32)
    >>> offline_diffusion(q, g, k=2, alpha=0.5).round(3)
    array([[-0.8,  2. ,  4. ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    among_all = graph == "all"
    tiles = (tiles_of if among_all else tiles_of_gallery)(pairs, neighbours, unit=True)
    classes = tiles.layout.inverse_there
    solved, roots = _rows(tiles, truncate, k, gamma, float(alpha), iterations, float(tolerance), among_all)
    if pairs.one_set:
        solved = solved.in_order()  # i and j share what j and i share, to the last bit
    own = classes[-pairs.sizes[1] :]  # the gallery's
    if among_all:
        first = int(own.min())  # queries alone are before it
        own, inverted = own - first, solved.inverted(first)
        scales = arrays.full(len(roots) - first, 1, np.float64, roots)
    else:
        inverted, scales = (solved.offsets, solved.members, solved.weights), 1 / roots
    kernel = kernels.of(scales)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if among_all:
            rows, add = classes[queries], solved.products(inverted)
        else:
            near = answering.smallest(strip, min(k_query, strip.shape[1]))
            entry = classes[near.rows]
            weights = similarity(near.distances, gamma if query_gamma is None else query_gamma)
            weights *= roots[entry]
            kernel.diffusion.drop_repeats(entry, len(scales), 0, len(entry))
            rows, add = np.arange(len(strip), dtype=np.int32), Sparse.of_lists(entry, weights).products(inverted)

        def multiply(start: int, stop: int) -> None:
            scores = arrays.full((stop - start, len(scales)), 0, np.float32, scales)
            add(scores, rows[start:stop], 0, stop - start)
            kernel.diffusion.reached_first(scores.T, own, scales, start, strip)

        kernel.walk.over_rows(multiply, len(strip), what="diffusion", block=BLOCK)

    if among_all:
        return answering.answer_of_reached(tiles, change, top_k=top_k)
    return answering.answer(tiles_of(pairs), change, top_k=top_k)


def _rows(
    tiles: Tiles,
    truncate: int,
    k: int,
    gamma: float,
    alpha: float,
    iterations: int,
    tolerance: float,
    unit: bool,
) -> tuple[Sparse, np.ndarray]:
    """R between classes, rows to length 1 if ``unit``, and the roots of how many images they hold."""
    lists, values = class_lists(tiles.layout, nearest.of_all(tiles, max(k, truncate)))
    nodes = mutual_graph(tiles.layout, lists[:, :k], values[:, :k], gamma)
    near, s = arrays.contiguous(lists[:, :truncate]), nodes.links
    del lists, values  # large
    solve = kernels.of(near).diffusion.truncated_solutions
    rows = Sparse.in_pieces(
        lambda start, stop: solve(
            near, s.offsets, s.members, s.weights, alpha, iterations, tolerance, unit, start, stop
        ),
        len(near),
        near,
    )
    return Sparse(*rows), nodes.roots
