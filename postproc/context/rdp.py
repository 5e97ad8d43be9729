"""Regularised diffusion process: similarity spreads along both sides of a pair at once.

Source: Bai et al., "Regularized Diffusion Process on Bidirectional Context for Object Retrieval", TPAMI 2019, as
released in jifeiluo/reranking (``rdp_reranking``); no code by the authors of the paper is known.
"""

import threading
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Count, Neighbours, Neutral, TopK, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.graph import class_lists, rearranged, union_graph
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise


@step(
    memory=held.compared(held.lists("k", factor=14), held.scratch(400)),
    loads=("scipy",),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(1.5),
        spent.for_setting("iterations", spent.matrix(7.6)),
        spent.lists(87, "k"),
    ),
)
def rdp(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 30,
    sigma: Annotated[Weight, Within(0.01, 100)] = 0.5,
    mu: Annotated[Weight, Within(0, 100)] = 0.3,
    iterations: Annotated[Count, Neutral(0)] = 20,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by the similarity that is left after spreading along the neighbours of both images, again and again.

    ``A <- alpha S A S' + (1 - alpha) I`` from ``A = I``, ``alpha = 1 / (1 + mu)``, and ``out = -A_qg``.
    ``S = D^(-1/2) W D^(-1/2)`` with ``W = (V + V') / 2``, D the sums of its rows, and
    ``V_ij = exp(-(d_ij / m)^2 / sigma^2)`` on the ``k`` nearest of i, itself included; d is the squared
    Euclidean distance, m the largest of all.

    S is symmetric and A a polynomial in it, so the row of a query is ``v <- alpha S S v + (1 - alpha) e_q``: no
    matrix of all images by all images, and nothing is approximated.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine. Or one
             :class:`Pairwise` in their place. One set (n, d) alone is each image against all others: each is in
             the graph once.
    Returns: (nq, ng) float32, smaller is nearer, no unit: -1 to 0 where something arrives. Images that nothing
             reaches come behind, at their d. With ``top_k`` the :class:`Nearest` of every query instead. Of one
             set (n, n), symmetric but for rounding, +inf on the diagonal.
    neighbours: lists of k - 1 others; or those alone, as in :func:`rerank`.
    k:       1 (nothing spreads) or more images, the image itself counted, cut to what there is.
    sigma:   0.01 to 100. Small: only the nearest neighbours pass anything on; large: all alike.
    mu:      0 (nothing holds similarity back at its image) to 100 (hardly anything spreads).
    iterations: 0 (``A = I``) or more; each reaches two steps further.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all; then nq * (nq + ng) * (1 to 2 k links) * 2 iterations multiply-adds,
             the larger part by far: 0.02 to 0.04 s a query and core among 80,000 images at the defaults, which
             12,000 queries turn into 2 to 4 minutes on two cores. Memory beside the answer: the graph, and 256
             bytes an image and thread.
    Differs: copies of an image are in or out of a list together, and one image to I: the released code sets a
             query's own copy back by (1 - alpha) / copies.

    >>> x = np.array([[0.0], [1.0], [3.0]], np.float32)
    >>> rdp(x[:1], x[1:], k=2, sigma=1, iterations=1).round(3)
    array([[-0.32 , -0.078]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery, cuda=True), neighbours)
    lists = nearest.of_all(tiles, k)
    largest = float(lists.largest.max()) or 1.0
    rows, values = class_lists(tiles.layout, lists)
    joined = union_graph(tiles.layout, rows, values, lambda d: np.exp(-((d / largest / sigma) ** 2)))
    graph, places = rearranged(joined)
    classes, border = places[tiles.layout.inverse_there], tiles.layout.border
    alpha = np.float32(1 / (1 + mu))
    kernel, s, scales = kernels.of(rows), graph.links, 1 / graph.roots
    columns = kernel.diffusion.POWERS
    kept = threading.local()  # a thread's room; an answer in it is read before the thread goes on

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        own = classes[queries]

        def diffuse(start: int) -> None:
            nodes = own[start : start + columns]
            starts = arrays.as_type(scales[nodes], np.float32)
            if not hasattr(kept, "room"):
                kept.room = kernel.diffusion.room_of(len(scales), starts, 2)
            found = kernel.diffusion.regularized_powers(
                s.offsets, s.members, s.weights, alpha, nodes, starts, iterations, kept.room
            )
            kernel.diffusion.reached_first(found, classes[border:], scales, start, strip)

        kernel.walk.run(diffuse, range(0, len(strip), columns), what="diffusion")

    return answering.answer(tiles, change, top_k=top_k)
