"""Cross-domain similarity local scaling: a gallery image that is near everybody is near nobody.

Source: Conneau et al., "Word Translation Without Parallel Data", ICLR 2018, section 2.3, and the code released
with it (MUSE), written here for distances instead of similarities.
"""

from collections.abc import Iterator

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Neighbours, TopK
from postproc.base.sizes import Sizes
from postproc.base.step import KEPT, Chosen, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query
from postproc.base.work import Work
from postproc.hubness.means import mean_of_finite, mean_of_nearest, scale_and_add
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise

COLUMNS = 1024  # columns of a given matrix that are turned into rows at a time
TWO_SIDES = (
    "neighbours: wanted lists of one set, found those of queries and a gallery, whose images are measured against "
    "the nearest of the other side, which lists of all images do not hold; give features alone"
)


def _products(sizes: Sizes, chosen: Chosen) -> Work:
    """Of queries and gallery, once more where no matrix keeps them."""
    return spent.across(1 if chosen["top_k"] is None else 2)(sizes, chosen)


@step(
    memory=held.compared(held.images(8), held.if_one_set(held.lists("k", factor=4, more=1)), unit=True),
    work=spent.together(_products, spent.nearest, spent.matrix(1.4), spent.read(78), spent.images(2200)),
)
def csls(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 10,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Measure each cosine distance against the usual distances of both its ends.

    ``out = 2 c - mean_k(c of the query) - mean_k(c of the gallery image)``, c = 1 - cosine, ``mean_k`` the mean
    over the k nearest gallery images of the query, and over the k nearest queries of the gallery image. That is
    ``-(2 s - r - r')`` of the similarities s. Of one set both are over the k nearest other images.

    Takes:   query (nq, d), gallery (ng, d) float32, of any length. Or one :class:`Pairwise` in their place, half
             of whose distance is then c: 1 - cosine for squared Euclidean distance of unit features. One set
             (n, d) alone is each image against all others.
    Returns: (nq, ng) float32, in units of c, may be negative, smaller is nearer; with ``top_k`` the
             :class:`Nearest` of every query instead: the first ``top_k`` of the full answer, which never exists.
             Of one set (n, n), symmetric, +inf on the diagonal.
    neighbours: of one set alone: lists of features of unit length, of k others; or those without the features,
             as in :func:`rerank`.
    k:       1 or more, cut to what there is. Small follows the densest neighbours, very large subtracts plain
             means.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery, nq ng d multiply-adds, with ``top_k`` two; memory: the answer,
             k numbers an image, 1024 columns, one strip of 128 MiB. The answer of a query depends on the others.

    >>> q, g = np.eye(2, dtype=np.float32), np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    >>> csls(q, g, k=1).round(3)
    array([[0. , 0.6],
           [1.8, 0. ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    if not pairs.one_set and (neighbours is not None or pairs.known is not None):
        raise ValueError(TWO_SIDES)
    tiles = tiles_of(pairs, neighbours, unit=True)
    whole = None
    if pairs.one_set:
        near = nearest.of_others(tiles, k).values
    else:
        near = arrays.full((tiles.layout.ng, min(k, tiles.layout.nq)), np.inf, np.float32, tiles.layout.like)
        if top_k is None:
            whole = answering.everything(tiles)
            _offer_columns(near, whole)
        else:
            answering.strips(tiles, lambda strip, queries: _offer_columns(near, strip), what="neighbours")
    columns = -0.5 * mean_of_finite(near)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        rows = columns[queries] if pairs.one_set else -0.5 * mean_of_nearest(strip, k)
        scale_and_add(strip, 1.0, rows, columns)

    return answering.answer(tiles, change, top_k=top_k, filled=whole)


@step(
    unit=KEPT,
    memory=held.together(held.slab, held.some_rows),
    work=spent.together(spent.nearest, spent.matrix(8.3)),
)
def csls_distances(distances: Distances, *, k: Neighbours = 10, top_k: TopK = None) -> Distances | Nearest:
    """:func:`csls` for distances that exist already, of any kind.

    ``out[i, j] = 2 distances[i, j] - mean_k(row i) - mean_k(column j)``.

    Takes:   distances (nq, ng) float32, any unit; +inf entries stay +inf and count in no mean. One set against
             itself has +inf on its diagonal.
    Returns: (nq, ng) float32, same unit, may be negative; with ``top_k`` the :class:`Nearest` of every query.
    k:       1 or more, cut to what there is. A row or column with fewer finite entries uses what it has.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for NaN, -inf, no image or a setting out of range.
    Cost:    O(nq ng) time; nq + ng numbers and 1024 columns beside the answer.

    >>> csls_distances(np.array([[0.0, 2.0], [1.0, 1.0]], np.float32), k=1)
    array([[0., 3.],
           [1., 0.]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    checks.not_empty("distances", given)
    nq, ng = given.shape
    columns = arrays.namespace(given).concat([-mean_of_nearest(rows, k) for _, rows in _columns(given)])

    def fill(strip: np.ndarray, queries: np.ndarray) -> None:
        arrays.take(given, queries, strip)
        scale_and_add(strip, 2.0, -mean_of_nearest(strip, k), columns)

    return answering.answer_without_distances(nq, ng, fill, top_k=top_k, like=given)


def _offer_columns(near: Floats, strip: Floats) -> None:
    """``near`` (m, k) <- the smallest of these and of a strip (n, m), column by column."""
    k = near.shape[1]
    for part, rows in _columns(strip):
        found = answering.smallest(rows, min(k, rows.shape[1])).distances
        near[part] = answering.smallest(arrays.namespace(near).concat([near[part], found], axis=1), k).distances


def _columns(matrix: Floats) -> Iterator[tuple[slice, Floats]]:
    """The columns of a matrix as rows, some at a time, and which these are."""
    for start in range(0, matrix.shape[1], COLUMNS):
        part = slice(start, start + COLUMNS)
        yield part, arrays.transposed(matrix[:, part])
