"""SuperGlobal: refine a shortlist by its own nearest neighbours, and the query by the best of it.

Source: Shao et al., "Global Features are All You Need for Image Retrieval and Reranking", ICCV 2023, and the
re-ranking of the code released with it.
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import checks, runtime
from postproc.base.settings import Neighbours, TopK, Weight, Within
from postproc.base.sizes import DOUBLE, Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.shortlist import rescore_nearest
from postproc.pairs import held, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.tiles import PairwiseTiles


def _products(sizes: Sizes, chosen: Chosen) -> int:
    """The products of a shortlist with itself and what orders them, a thread."""
    return 3 * DOUBLE * sizes.threads * min(chosen["shortlist"], sizes.ng) ** 2


@step(
    host_only=True,
    memory=held.compared(_products, held.images(300), held.lists("shortlist", factor=2, side="nq"), unit=True),
    work=spent.together(
        spent.across(),
        spent.nearest,
        spent.matrix(38),
        spent.shortlists(0.83, "shortlist"),
        spent.per_query(3.8, "shortlist", "shortlist"),
    ),
)
def superglobal(
    query: Query,
    gallery: Gallery | None = None,
    *,
    shortlist: Neighbours = 400,
    k: Annotated[Neighbours, Within(0)] = 9,
    beta: Annotated[Weight, Within(0, 100)] = 0.15,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Score a query's nearest gallery images anew, as refined by their neighbours among themselves.

    For i of the ``shortlist`` nearest of q: ``y_i = sum_j w_ij x_j / sum_j w_ij`` over i itself, with weight 1,
    and its ``k`` nearest others j of the shortlist, with weight ``beta * max(s_ij, 0)``, s the cosine. e is the
    entry by entry largest of the k + 1 refined y_i that are nearest to q. ``out_qi = 2 - (q . y_i + e . y_i)``.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here. One set (n, d) alone is each
             image against all others: no image is on its own shortlist.
    Returns: (nq, ng) float32, smaller is nearer, possibly below 0. On the shortlist at most 3 + sqrt(k + 1),
             because e is no longer than sqrt(k + 1); elsewhere that plus the squared Euclidean distance, so that
             all others follow in their own order. With ``top_k`` the :class:`Nearest` of every query. Of one set
             (n, n), +inf on the diagonal.
    shortlist: 1 or more, cut to the gallery. Copies of its last image follow it.
    k:       0 or more, cut to the shortlist; 0 refines nothing, and e is the nearest image.
    beta:    0 (images as they are) to 100.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    a product of queries and gallery, and nq shortlist^2 d multiply-adds in float64, because neighbours
             are often nearly tied; memory: the answer, the shortlists, some 40 shortlist^2 bytes a thread.
    Differs: the released code gives a neighbour of negative similarity a negative weight.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], np.float32)
    >>> superglobal(q, g, shortlist=2, k=1).round(2)
    array([[0.14, 0.29, 6.41]], dtype=float32)
    """
    query = l2_normalize(checks.features("query", query))
    images = query if gallery is None else l2_normalize(checks.features("gallery", gallery))
    tiles = PairwiseTiles(sqeuclidean(query) if gallery is None else sqeuclidean(query, images))
    layout = tiles.layout

    def rescore(queries: np.ndarray, found: Nearest) -> np.ndarray:
        out = np.empty_like(found.distances)

        def fill(start: int, stop: int) -> None:
            for i in range(start, stop):
                rows = found.rows[i]
                twins = None if layout.distinct else _twins(layout.inverse[layout.border + rows])
                q, x = query[queries[i]].astype(np.float64), images[rows].astype(np.float64)
                out[i] = 2 - _score(q, x, twins, k, beta)

        runtime.over_rows(fill, len(queries), what="shortlists", block=16)
        return out

    return rescore_nearest(tiles, shortlist, rescore, top_k=top_k, behind=3 + float(np.sqrt(k + 1)))


def _twins(classes: np.ndarray) -> np.ndarray:
    """The place of the first copy of every image."""
    _, first, inverse = np.unique(classes, return_index=True, return_inverse=True)
    return first[inverse]


def _score(q: np.ndarray, x: np.ndarray, twins: np.ndarray | None, k: int, beta: float) -> np.ndarray:
    """(m,) ``(q + e) . y`` for the images x (m, d), all float64; copies get the same bits.

    A product's last bit may hang on the place of a row, so copies take theirs from the first of them, which stands
    at their ``twins``.
    """
    products = x @ x.T
    with_query = x @ q
    if twins is not None:
        products, with_query = products[twins][:, twins], with_query[twins]
    near = _nearest_within(products, k + 1)
    weights = beta * np.maximum(np.take_along_axis(products, near, axis=1), 0)
    weights[:, 0] = 1
    weights /= weights.sum(axis=1, keepdims=True)
    refined = (weights * with_query[near]).sum(axis=1)
    best = np.argsort(-refined, kind="stable")[: k + 1]
    expanded = np.einsum("ij,ijd->id", weights[best], x[near[best]]).max(axis=0)
    with_expanded = x @ expanded
    if twins is not None:
        with_expanded = with_expanded[twins]
    return refined + (weights * with_expanded[near]).sum(axis=1)


def _nearest_within(products: np.ndarray, length: int) -> np.ndarray:
    """(m, length) the image itself and then the others of the largest product, ties by place."""
    far = -products
    np.fill_diagonal(far, -np.inf)
    rows = np.empty((len(products), min(length, len(products))), np.int32)
    kernels.of(products).nearest.first_of_rows(far, rows)
    return rows
