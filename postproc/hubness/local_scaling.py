"""Local scaling: a distance counted in units of the neighbourhoods at both its ends.

Sources: Zelnik-Manor and Perona, "Self-Tuning Spectral Clustering", NIPS 2004 (ls); Jegou et al., "A Contextual
Dissimilarity Measure for Accurate and Efficient Image Search", CVPR 2007 (nicdm); Guo et al., "Density-Adaptive
Kernel based Re-Ranking for Person Re-Identification", ICPR 2018, and its code (inv_dakr, bi_dakr). The first two
are compared with scikit-hubness.
"""

from functools import partial
from typing import Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Neighbours, TopK
from postproc.base.step import of_method, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.hubness.means import Metric
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of, tiles_of_gallery
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise


@step(
    unit=of_method("local_scaling"),
    memory=held.compared(held.lists("k"), copy=held.by_metric),
    work=spent.together(
        spent.across(),
        spent.gallery_pairs(),
        spent.nearest,
        spent.gallery_looked(0.36),
        spent.matrix(5.1),
        spent.read(84),
        spent.images(1800),
    ),
)
def local_scaling(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 5,
    query_k: Neighbours | None = None,
    method: Literal["ls", "nicdm", "bi_dakr", "inv_dakr"] = "ls",
    metric: Metric = "euclidean",
    top_k: TopK = None,
) -> Distances | Nearest:
    """Divide each distance by how far the neighbours of its two ends are.

    With d the distance, r the distance to the k-th and m the mean distance to the 1st to k-th nearest gallery
    image, a gallery image not being its own neighbour:

    ``ls``        ``1 - exp(-d^2 / (r_q r_g))``
    ``nicdm``     ``d / sqrt(m_q m_g)``
    ``bi_dakr``   ``d^2 / (r_q r_g)``: the order of ``ls``, in numbers that do not all become 1 far away
    ``inv_dakr``  ``d^2 / r_g^2``: the neighbourhood of the gallery image alone

    Takes:   query (nq, d), gallery (ng, d) float32. Or one :class:`Pairwise` in their place, whose distance takes
             that of squared Euclidean; where it is below 0 it counts as 0. One set (n, d) alone is each image
             against all others, and no image is a neighbour of its own.
    Returns: (nq, ng) float32, no unit, 0 or more, ``ls`` at most 1, smaller is nearer; with ``top_k`` the
             :class:`Nearest` of every query instead: the first ``top_k`` of the full answer, which never exists.
             Of one set (n, n), +inf on the diagonal, symmetric but for "inv_dakr" and another ``query_k``.
    neighbours: lists of the gallery as one set, of k others, or query_k; or of queries and gallery, as long as
             each holds so many gallery images; features of unit length for "cosine". Of both sides, or of one
             set, also those alone, as in :func:`rerank`.
    k:       1 or more, cut to what there is. About as many as an identity has images.
    query_k: 1 or more neighbours of a query; None: as many as ``k``. A query is no gallery image, so
             scikit-hubness, which drops the nearest of everybody, has ``query_k = k + 1``.
    method:  one of the four.
    metric:  d is "euclidean", "sqeuclidean" or "cosine" (1 - cosine) distance. A Pairwise takes the first two.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery, half of one of gallery by gallery; memory: the answer, k neighbours
             an image, one strip of 128 MiB. Copies of an image are its neighbours: after a mean over tracks
             take ``k`` longer than a track.
    Differs: scikit-hubness returns ``1 + d^2 / (r_q r_g)`` for ls, without the exponential; the order is the same.
             An image with k copies has r = m = 0: it gets the smallest other of the gallery, or 1.

    >>> q, g = np.zeros((1, 1), np.float32), np.array([[1.0], [2.0], [4.0]], np.float32)
    >>> local_scaling(q, g, k=1, method="bi_dakr")
    array([[1., 4., 8.]], dtype=float32)
    """
    unit = metric == "cosine"
    pairs = pairwise.of(query, gallery, unit=unit, cuda=True)
    tiles = tiles_of(pairs, neighbours if pairs.one_set else None, unit=unit)
    kernel = kernels.of(pairs.like)
    form = {"ls": kernel.hubness.KERNEL, "nicdm": kernel.hubness.ROOT}.get(method, kernel.hubness.RATIO)

    if pairs.one_set:
        near = nearest.of_others(tiles, max(k, query_k or k)).values
        near = near if near.shape[1] else arrays.full((len(near), 1), 0, np.float32, near)
        columns, own = (_radii(near[:, :count], method, metric) for count in (k, query_k or k))
    else:
        near = nearest.of_all(tiles_of_gallery(pairs, neighbours, unit=unit), k + 1).values
        columns = _radii(near[:, 1:] if near.shape[1] > 1 else near, method, metric)
    one = 2.0 if metric == "cosine" else 1.0  # in units of what the tiles hold, twice the cosine distance
    smallest = float(columns[columns > 0].min()) if columns.any() else one
    columns[columns < smallest] = smallest
    if method == "inv_dakr":
        columns *= columns

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        rows = arrays.full(len(strip), 1, np.float64, strip)
        if method != "inv_dakr":
            if pairs.one_set:
                rows = own[queries]
            else:
                near = answering.smallest(strip, min(query_k or k, strip.shape[1])).distances
                rows = _radii(near, method, metric)
            rows[rows == 0] = smallest
        rescale = partial(kernel.hubness.rescale, strip, rows, columns, metric != "euclidean", form)
        kernel.walk.over_rows(rescale, len(strip), what="distances")

    return answering.answer(tiles, change, top_k=top_k)


def _radii(near: np.ndarray, method: str, metric: str) -> np.ndarray:
    """(n,) float64: of every row the last distance, or their mean for "nicdm"; the halves of cosine cancel."""
    xp = arrays.namespace(near)
    values = arrays.as_type(xp.where(near > 0, near, 0), np.float64)
    if metric == "euclidean":
        values = xp.sqrt(values)
    return xp.mean(values, axis=1) if method == "nicdm" else arrays.copied(values[:, -1])
