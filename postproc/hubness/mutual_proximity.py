"""Mutual proximity: how sure it is that an image is near, seen from both ends.

Source: Schnitzer et al., "Local and Global Scaling Reduce Hubs in Space", JMLR 13, 2012, section 3.2, and
scikit-hubness, which follows it for queries and an index.
"""

from functools import partial
from typing import Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import TopK
from postproc.base.step import of_method, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.hubness import moments
from postproc.hubness.means import Metric
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles


@step(
    unit=of_method("mutual_proximity"),
    range=(0, 1),
    memory=held.either(held.before(held.gallery_strips), held.compared(held.images(8), copy=held.by_metric)),
    work=spent.only(
        "method",
        ("normal",),
        spent.together(
            spent.across(),
            spent.gallery_pairs(),
            spent.nearest,
            spent.gallery_looked(1),
            spent.matrix(8.5),
            spent.read(170),
        ),
    ),
)
def mutual_proximity(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    method: Literal["normal", "empirical"] = "normal",
    metric: Metric = "euclidean",
    top_k: TopK = None,
) -> Distances | Nearest:
    """One minus the probability that an image is farther than this one from both the query and the gallery image.

    ``normal``     ``1 - (1 - F_q(d)) (1 - F_g(d))``, F the normal distribution with the mean and the standard
                   deviation (over n) of all distances from that end to the gallery
    ``empirical``  ``1 - #{x: d(q, x) > d(q, g) and d(g, x) > d(q, g)} / ng``, x over the gallery

    Of one set F is that of the n - 1 distances to all others, and x is none of the two images: their number is
    divided by n - 2.

    Takes:   query (nq, d), gallery (ng, d) float32. Or one :class:`Pairwise` in their place, whose distance takes
             that of squared Euclidean. One set (n, d) alone is each image against all others.
    Returns: (nq, ng) float32 in 0..1, smaller is nearer; far away all are 1 to float32. With ``top_k`` the
             :class:`Nearest` of every query instead: the first ``top_k`` of the full answer, which never exists.
             Of one set (n, n), symmetric, +inf on the diagonal.
    method:  one of the two. ``empirical`` assumes nothing, has only ng + 1 values, and is for small sets.
    metric:  d is "euclidean", "sqeuclidean" or "cosine" (1 - cosine) distance. A Pairwise takes the first two;
             what is below 0 counts as 0 for "euclidean". ``empirical`` is the same for the first two.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    half a product of gallery by gallery and one of queries by gallery; memory: the answer, some numbers a
             gallery image, one tile of 16 MB a thread. ``empirical``: one strip of 128 MiB, nq ng^2 comparisons
             beside (1,000 queries and 10,000 gallery images: 10^11, some ten seconds), twice the answer, and the
             whole product of gallery by gallery for every strip of the answer.
    Differs: where all distances of an image are the same, F is one half.

    >>> q, g = np.zeros((1, 1), np.float32), np.array([[1.0], [2.0], [4.0]], np.float32)
    >>> mutual_proximity(q, g, method="empirical").round(3)
    array([[0.667, 1.   , 1.   ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=metric == "cosine", cuda=True)
    tiles = PairwiseTiles(pairs)
    among = tiles if pairs.one_set else PairwiseTiles(pairs.gallery_on_both_sides())
    change = _normal(among, metric == "euclidean") if method == "normal" else _empirical(among)
    return answering.answer(tiles, change, top_k=top_k)


def _normal(among: PairwiseTiles, root: bool) -> answering.Change:
    """What turns distances into mutual proximity, by the moments of the gallery images' distances."""
    means, deviations = moments.of_gallery(among, root)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if among.layout.one_set:
            answering.set_own(strip, queries)
        kernel = kernels.of(strip)
        mutual = partial(kernel.hubness.mutual_normal, strip, root, means, deviations)
        kernel.walk.over_rows(mutual, len(strip), what="mutual proximity")

    return change


def _empirical(among: PairwiseTiles) -> answering.Change:
    """The same by counting, gallery image after gallery image."""

    one_set = among.layout.one_set
    images_beside = max(1, among.layout.ng - 2 * one_set)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        kernel = kernels.of(strip)
        counts = arrays.empty(strip.shape, np.int32, strip)
        if one_set:  # nobody is beyond any distance of its own
            answering.set_own(strip, queries, -np.inf)

        def count(others: np.ndarray, images: np.ndarray) -> None:
            if one_set:
                answering.set_own(others, images, -np.inf)

            def fill(start: int, stop: int) -> None:
                kernel.hubness.count_beyond(strip, others, images, start, stop, counts)

            kernel.walk.over_rows(fill, len(strip), what="mutual proximity", block=16)

        answering.strips(among, count, what="distances")

        def finish(start: int, stop: int) -> None:
            share = arrays.as_type(counts[start:stop], np.float64) / images_beside
            strip[start:stop] = 1 - arrays.as_type(share, np.float32)

        kernel.walk.over_rows(finish, len(strip), what="mutual proximity", block=16)

    return change
