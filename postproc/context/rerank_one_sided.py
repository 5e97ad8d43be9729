"""k-reciprocal re-ranking where queries are of another kind than the gallery: only the gallery has to agree.

Source: what codes for visible-infrared re-identification do in the place of Zhong et al. 2017: distances smoothed
along the gallery's own neighbours, and queries encoded without reciprocity, which two kinds of images hardly have.
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base.settings import Mutual, Neighbours, Share, TopK, Weight, Within
from postproc.base.sizes import Sizes
from postproc.base.step import JACCARD, Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.kreciprocal import encode
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of_gallery
from postproc.pairs.tiles import Lists, PairwiseTiles

FAR = 1000.0  # 2 e: float64 holds exp(-500), and not exp(-750)


def _rows(sizes: Sizes, chosen: Chosen) -> int:
    """Vectors of the gallery and their inverted index, those of some queries, and what lies between neighbours."""
    of_gallery = 4 * (int(chosen["k1"]) + 1) + 2 * int(chosen["ways"])
    return held.ENTRY * (sizes.ng * min(of_gallery, 4 * sizes.ng) + 4 * sizes.nq * int(chosen["query_k"]))


@step(
    unit=JACCARD,
    host_only=True,
    memory=held.compared(
        held.lists("k1", "ways", more=1, factor=2, side="ng"), _rows, held.scratch(12), held.gallery, unit=True
    ),
    work=spent.together(
        spent.across(),
        spent.gallery_pairs(),
        spent.gallery_looked(2.3),
        spent.matrix(60),
        spent.nearest,
        spent.lists(78, "k1"),
        spent.read(300),
    ),
)
def rerank_one_sided(
    query: Query,
    gallery: Gallery | None = None,
    *,
    k1: Annotated[Neighbours, Mutual()] = 20,
    query_k: Neighbours = 13,
    ways: Neighbours = 20,
    mean: Neighbours = 9,
    step_weight: Annotated[Weight, Within(0, 1e6)] = 0.01,
    lambda_value: Share = 0.3,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Re-rank by neighbourhoods in the gallery, in distances that go by way of the gallery image's neighbours.

    ``e(q, g)`` is the mean of the ``mean`` smallest of ``c(q, n) + step_weight c(g, n)`` over the ``ways`` gallery
    images n nearest to g, itself among them; c = 1 - cosine. V_q is exp(-e) over its sum, on the ``query_k``
    images nearest by e; V_g is that of ``rerank`` among the gallery alone, with k2 = 1.
    ``out = (1 - lambda_value) * Jaccard(V_q, V_g) + lambda_value * e / its largest of the query``.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here. One set (n, d) alone is each
             image against all others: it is then among its own neighbours.
    Returns: (nq, ng) float32 in 0..1, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query.
             Of one set (n, n), not symmetric, +inf on the diagonal.
    k1:      1 or more: reciprocal neighbours among the gallery.
    query_k: 1 or more, cut to the gallery.
    ways, mean: 1 or more, cut to the gallery, ``mean`` to ``ways``. 1 and 1: e is c.
    step_weight: 0 to 1,000,000: how far it is from an image to its neighbours.
    lambda_value: 0 (Jaccard only) to 1 (e only).
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery and half of one of gallery by gallery, ``ways`` looks a pair; memory:
             the answer, lists of the gallery, one strip of 128 MiB. A query's answer does not depend on others.
    Differs: the codes take softmax and shares of distances of unknown scale; the scales here are those of
             ``rerank``. Copies that the end of a list cuts off from each other may differ, as there.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8], [0.0, -1.0]], np.float32)
    >>> rerank_one_sided(q, g, k1=1, query_k=1, ways=2, mean=1).round(3)
    array([[0.741, 0.748, 1.   ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True)
    tiles = PairwiseTiles(pairs)
    among = tiles if pairs.one_set else tiles_of_gallery(pairs)
    lists = nearest.of_all(among, max(k1 + 1, ways))
    near = np.ascontiguousarray(lists.rows[:, :ways])
    between = lists.values[:, :ways] * np.float32(step_weight)  # of 2 c, as strips are
    count, least = min(mean, near.shape[1]), np.zeros(pairs.sizes[1], np.float32)
    inverted = encode(among, _first(lists, k1 + 1), k1=k1, length=k1 + 1, power=2).inverted(0)
    kernel = kernels.of(near)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        def smooth(start: int, stop: int) -> None:
            kernel.smoothing.by_way_of_neighbours(strip, near, between, count, start, stop)

        kernel.walk.over_rows(smooth, len(strip), what="ways", block=16)
        best = answering.smallest(strip, min(query_k, strip.shape[1]))
        own, places = _vectors(best), np.arange(len(strip))
        largest = strip.max(axis=1)

        def finish(start: int, stop: int) -> None:
            kernel.reciprocal.finish_strip(
                strip, places, own.offsets, own.members, own.weights, *inverted, least,
                largest, 1.0, np.float32(lambda_value), start, stop,
            )  # fmt: skip

        kernel.walk.over_rows(finish, len(strip), what="Jaccard distances", block=16)

    return answering.answer(tiles, change, top_k=top_k)


def _first(lists: Lists, length: int) -> Lists:
    """The lists up to a length."""
    return Lists(lists.rows[:, :length].copy(), lists.values[:, :length].copy(), lists.largest)


def _vectors(near: Nearest) -> Sparse:
    """exp(-e) over its sum, of lists of 2 e; less the first of a list where float64 would hold no exponential."""
    far = near.distances.astype(np.float64)
    first = far[:, :1]
    weights = np.exp((far - np.where(first > FAR, first, 0)) / -2)
    return Sparse.of_lists(near.rows, weights / weights.sum(axis=1, keepdims=True))
