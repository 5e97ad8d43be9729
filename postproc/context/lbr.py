"""Local blurring: on a shortlist, what is similar to each other becomes as near as each other.

Source: Luo et al., "Spectral Feature Transformation for Person Re-identification", ICCV 2019, and the code
released with it.
"""

from functools import partial
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Neighbours, Neutral, TopK, Weight, Within
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.shortlist import rescore_nearest
from postproc.pairs import held, pairwise, spent
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles

QUERIES = 64  # whose shortlists are compared within themselves at a time
PAIRS_ON_CUDA = 1 << 23  # that are compared at a time on a device


def _within(sizes: Sizes, chosen: Chosen) -> int:
    """Pairs inside the shortlists that are compared at a time: their numbers, distances and lengths."""
    k = min(int(chosen["k"]), sizes.ng)
    return 20 * min(QUERIES, sizes.nq) * k * k


@step(
    memory=held.compared(held.lists("k", factor=4, side="nq"), held.images(200), _within, unit=True),
    work=spent.together(
        spent.across(),
        spent.nearest,
        spent.matrix(2.9),
        spent.shortlists(9.2, "k"),
        spent.per_query(10, "k", "k"),
        spent.read(79),
    ),
)
def lbr(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    k: Annotated[Neighbours, Neutral(1)] = 50,
    temperature: Annotated[Weight, Within(0.001, 1000)] = 0.1,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Replace each of a query's nearest gallery images by a weighted mean of these images.

    ``out_qi = sum_j W_ij D_qj / sum_j W_ij``, ``W_ij = exp(s_ij / temperature)``, over the ``k`` nearest i, j of
    q; s is the cosine and ``D = 2 - 2 s``. That is 2 - 2 q . (W G)_i: the mean of features, seen from the query.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise` in
             their place, whose distance D then stands for 2 - 2 s. One set (n, d) alone is each image against all
             others: no image is among its own nearest.
    Returns: (nq, ng) float32, smaller is nearer, D outside the shortlist. A mean is no larger than the largest of
             what it is taken over, so nothing inside comes behind anything outside. With ``top_k`` the
             :class:`Nearest` of every query. Of one set (n, n), +inf on the diagonal.
    k:       1 or more, cut to the gallery; 1 changes nothing. Copies of the last image follow it.
    temperature: 0.001 to 1000. Small: hardly a change. Large: all k as near as each other.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    a product of queries and gallery and nq k^2 d / 2 multiply-adds; memory: the answer, the shortlists,
             some 100 k^2 numbers and one 16 MB tile a thread.
    Differs: the released code gives ranks only; those of this distance are the same.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8], [0.0, 1.0]], np.float32)
    >>> lbr(q, g, k=2).round(3)
    array([[0.561, 0.639, 2.   ]], dtype=float32)
    """
    tiles = PairwiseTiles(pairwise.of(query, gallery, unit=True, cuda=True))
    kernel, xp = kernels.of(tiles.like), arrays.namespace(tiles.like)
    border = tiles.layout.border
    first, second = np.triu_indices(min(k, tiles.layout.others), 1)
    together = max(1, PAIRS_ON_CUDA // max(1, len(first))) if arrays.on_cuda(tiles.like) else QUERIES

    def rescore(queries: np.ndarray, found: Nearest) -> np.ndarray:
        out = xp.empty_like(found.distances)
        for start in range(0, len(queries), together):
            part = slice(start, start + together)
            values, images, blurred = found.distances[part], border + found.rows[part], out[part]
            within = tiles.between(images[:, first].ravel(), images[:, second].ravel())
            within = within.reshape(len(values), -1)
            average = partial(
                kernel.shortlists.average_by_nearness, values, within, 1 / (2 * temperature), blurred
            )
            kernel.walk.over_rows(average, len(values), what="blurring")
        return xp.minimum(out, found.distances[:, -1:])

    return rescore_nearest(tiles, k, rescore, top_k=top_k)
