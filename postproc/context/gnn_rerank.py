"""Re-ranking by message passing on the neighbour graph.

Source: Zhang et al., "Understanding Image Retrieval Re-Ranking: A Graph Neural Network Perspective", 2020
(arXiv 2012.07620), and the CUDA program released with it, which holds two matrices of all by all; here rows are
sparse.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Mutual, Neighbours, Neutral, Share, TopK
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, Range, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import Pairwise

BLOCK = 1024  # queries, and gallery images, whose rows are there at a time on the host


def _range(chosen: Chosen) -> Range:
    return (0, 2) if chosen["k2"] > 1 else (-chosen["k1"], 2)


def _rows(sizes: Sizes, chosen: Chosen) -> int:
    """The graph after one round, while it is added to its transpose; then some rows of the last one.

    How many entries they have is as the images lie; here, few are each other's neighbours.
    """
    reached = min(1.3 * chosen["k1"] * chosen["k2"], sizes.images)
    last = min(16 * chosen["k1"] * chosen["k2"], 0.45 * sizes.images) if chosen["k2"] > 1 else chosen["k1"]
    rows = 24 * min(BLOCK, sizes.ng) * last + 12 * min(BLOCK, sizes.nq) * last
    return int(max(32 * reached * sizes.images, 16 * reached * sizes.images + rows))


@step(
    range=_range,
    memory=held.compared(held.lists("k1", factor=2), _rows, unit=True),
    loads=("scipy",),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(2.3),
        spent.matrix(300),
        spent.lists(2.6, "k1", "k2", "k2"),
        spent.overlaps(0.17, "k1", "k2", "k2"),
        spent.read(590),
    ),
)
def gnn_rerank(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: Annotated[Neighbours, Mutual()] = 26,
    k2: Neighbours = 7,
    lambda_value: Annotated[Share, Neutral(1.0)] = 0.3,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Compare images by whose neighbours they and their neighbours are.

    A is 1 on the ``k1`` nearest of every image (itself included), ``W = s^2`` on the first ``k2``, s the cosine.
    Twice: ``A <- A + A'``, ``A_i <- sum_j W_ij A_j``, rows to unit length.
    ``out = 1 - ((1 - lambda_value) * A_q . A_g + lambda_value * s)``.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise` in their
             place, whose distance D then stands for 2 - 2 s. One set (n, d) alone is each image against all
             others: each is in the graph once.
    Returns: (nq, ng) float32, smaller is nearer, 0 to 2; with ``top_k`` the :class:`Nearest` of every query. Of
             one set (n, n), symmetric, +inf on the diagonal.
    neighbours: lists of features of unit length, of k1 - 1 others, or k2 - 1; or those alone, as in
             :func:`rerank`.
    k1:      1 or more, counting the image itself, cut to what there is.
    k2:      1 or more. 1 passes no message: A stays 0 and 1, and A_q . A_g counts common neighbours, so that
             distances go down to -k1.
    lambda_value: 0 (the graph only) to 1 (1 - cosine).
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all; rows of A hold up to 4 k1 k2^2 numbers and a few hundred as a rule.
             Memory: those of 1,024 queries and gallery images at a time, up to 4 k1 k2 numbers an image beside
             that, the answer and one 16 MB tile a thread.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.0, 1.0]], np.float32)
    >>> gnn_rerank(q, g, k1=2, k2=1, lambda_value=0.5).round(3)
    array([[-0.4,  0.5]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery, unit=True, cuda=True), neighbours, unit=True)
    ng, count = tiles.layout.ng, tiles.layout.count
    lists = nearest.of_all(tiles, max(k1, k2))
    kernel, rows_of = kernels.of(lists.values), _graph(lists, k1, k2)
    in_range = k2 > 1 and not isinstance(query, Pairwise)
    on_cuda = arrays.on_cuda(lists.values)
    half, rest = float(np.float32(lambda_value / 2)), float(np.float32(1 - lambda_value))
    images = np.arange(tiles.layout.border, count)
    shares = (lambda_value - 1, 1.0)  # of the two sides
    if tiles.layout.one_set:  # i and j share what j and i share, to the last bit
        shares = (-math.sqrt(1 - lambda_value), math.sqrt(1 - lambda_value))

    def add(strip: np.ndarray, queries: np.ndarray, some: slice) -> None:
        """Add the graph's part to some rows of a strip."""
        own, places = rows_of(queries[some]).times(shares[0]), np.arange(some.stop - some.start)
        if tiles.layout.one_set:
            own = own.in_order(columns=count)
        for block in arrays.blocks(images, BLOCK) if not on_cuda else [slice(0, ng)]:
            others = rows_of(images[block])
            others = others if shares[1] == 1 else others.times(shares[1])
            offsets, rows, weights = others.inverted(0, columns=count)
            products = own.products((offsets, rows + np.int32(block.start), weights))
            kernel.walk.over_rows(
                partial(products, strip[some], places), len(places), what="graph distances", block=16
            )

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        def mix(start: int, stop: int) -> None:
            strip[start:stop] *= half
            strip[start:stop] += rest

        def clip(start: int, stop: int) -> None:  # what rounding has put outside
            part = strip[start:stop]
            part[part < 0], part[part > 2] = 0, 2

        kernel.walk.over_rows(mix, len(strip), what="distances", block=16)
        tall = len(strip) if on_cuda else BLOCK
        for start in range(0, len(strip), tall):
            add(strip, queries, slice(start, min(start + tall, len(strip))))
        if in_range:
            kernel.walk.over_rows(clip, len(strip), what="distances", block=16)

    return answering.answer(tiles, change, top_k=top_k)


def _graph(lists: Lists, k1: int, k2: int) -> Callable[[np.ndarray], Sparse]:
    """What gives the rows of A that some images have in the end: all of them at once would be the most of all."""
    xp = arrays.namespace(lists.values)
    there, ones = partial(arrays.beside, other=lists.rows), xp.ones_like(lists.values[:, :k1])
    if k2 == 1:
        return lambda images: Sparse.of_lists(*(part[there(images)] for part in (lists.rows[:, :k1], ones)))
    near, factors = lists.rows[:, :k2], (1 - lists.values[:, :k2] / 2) ** 2
    graph = Sparse.of_lists(lists.rows[:, :k1], ones).plus_transposed()
    graph = graph.sum(near, factors).unit().plus_transposed()
    return lambda images: graph.sum(near[there(images)], factors[there(images)]).unit()
