"""DisSimLocal: distances without what an image's place near a local centre takes off them.

Source: Hara et al., "Flattening the Density Gradient for Eliminating Spatial Centrality to Reduce Hubness",
AAAI 2016, and scikit-hubness for queries and an index.
"""

from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Neighbours, TopK
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query
from postproc.hubness.means import scale_and_add
from postproc.pairs import answering, held, nearest, spent
from postproc.pairs.known import tiles_of, tiles_of_gallery
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import sqeuclidean


@step(
    memory=held.compared(held.images(8), unit=True),
    work=spent.together(
        spent.across(),
        spent.gallery_pairs(),
        spent.nearest,
        spent.gallery_looked(0.46),
        spent.matrix(0.2),
        spent.read(140),
        spent.images(1800),
    ),
)
def dis_sim(
    query: Query,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 5,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Squared Euclidean distance, less those of both its ends to the centres of their neighbourhoods.

    ``out = |q - g|^2 - |q - c_q|^2 - |g - c_g|^2``. The centre c_g is the mean of the k gallery images nearest to
    g, itself among them; c_q is the mean of the *centres* of the k gallery images nearest to q. Of one set all
    images are those of a gallery: both centres are means of images.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are. One set (n, d) alone is each image against
             all others.
    Returns: (nq, ng) float32, squared units of the features, may be negative, smaller is nearer; with ``top_k``
             the :class:`Nearest` of every query instead: the first ``top_k`` of the full answer, which never
             exists. Of one set (n, n), symmetric, +inf on the diagonal.
    neighbours: lists of the gallery as one set, of k - 1 others; or of queries and gallery, as long as each
             holds so many gallery images.
    k:       1 or more, cut to the gallery. 1 leaves the order of every query as it was; about as many as an
             identity has images; the whole gallery measures everything from one centre.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery, half of one of gallery by gallery, k rows an image; memory: the
             answer, the centres, k neighbours an image, one strip of 128 MiB.
    Differs: scikit-hubness shifts a batch of queries so that its smallest value is 0, if that is negative; here
             what a query gets does not depend on the other queries.

    >>> q, g = np.zeros((1, 1), np.float32), np.array([[1.0], [3.0], [4.0]], np.float32)
    >>> dis_sim(q, g, k=2)  # centres of the gallery: 2, 3.5, 3.5; of the query: 2.75
    array([[-7.5625,  1.1875,  8.1875]], dtype=float32)
    """
    one_set = gallery is None
    if gallery is None:
        query = gallery = checks.images("query", query, cuda=True)
        pairs = sqeuclidean(query)
    else:
        query, gallery = arrays.together(*checks.sides(query, gallery, cuda=True))
        pairs = sqeuclidean(query, gallery)
    tiles = tiles_of(pairs, neighbours if one_set else None)
    near = nearest.of_all(tiles if one_set else tiles_of_gallery(pairs, neighbours), k).rows
    centres = arrays.empty(gallery.shape, np.float32, gallery)
    columns = arrays.empty(len(gallery), np.float64, gallery)
    kernel = kernels.of(gallery)
    kernel.walk.over_rows(partial(_centre, gallery, gallery, near, columns, centres), len(gallery), what="centres")

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if one_set:
            scale_and_add(strip, 1.0, -columns[queries], -columns)
            return
        near = answering.smallest(strip, min(k, strip.shape[1])).rows
        rows = arrays.empty(len(strip), np.float64, strip)
        kernel.walk.over_rows(
            partial(_centre, query[queries], centres, near, rows, None), len(strip), what="centres"
        )
        scale_and_add(strip, 1.0, -rows, -columns)

    return answering.answer(tiles, change, top_k=top_k)


def _centre(
    images: Floats,
    bank: Floats,
    near: np.ndarray,
    away: np.ndarray,
    centres: Floats | None,
    start: int,
    stop: int,
) -> None:
    """``centres``: the mean of the ``near`` rows of the bank; ``away``: the squared distance from it."""
    mean = arrays.full((stop - start, images.shape[1]), 0, np.float64, images)
    for rows in near[start:stop].T:
        mean += bank[rows]
    mean /= near.shape[1]
    away[start:stop] = ((images[start:stop] - mean) ** 2).sum(axis=1)
    if centres is not None:
        centres[start:stop] = mean
