"""Nearest-neighbour normalisation: a gallery image loses what a bank of references finds in it anyway.

Source: Chowdhury et al., "Nearest Neighbor Normalization Improves Multimodal Retrieval", EMNLP 2024, and the
code released with it.
"""

from typing import Annotated

from postproc.base import checks
from postproc.base.settings import Neighbours, Neutral, TopK, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Features, Gallery, Nearest, Query
from postproc.hubness.means import mean_of_finite, scale_and_add
from postproc.pairs import answering, held, nearest, spent
from postproc.pairs.l2_normalize import unit_rows
from postproc.pairs.pairwise import of_checked
from postproc.pairs.tiles import PairwiseTiles


@step(
    memory=held.compared(held.train, unit=True),
    work=spent.together(spent.across(), spent.nearest, spent.read(190), spent.images(2900)),
)
def nnn(
    query: Query,
    gallery: Gallery | None,
    train: Features,
    *,
    k: Neighbours = 16,
    alpha: Annotated[Weight, Within(0, 64), Neutral(0.0)] = 0.75,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Subtract from each similarity the gallery image's usual similarity to a bank of reference images.

    ``out = 1 - (s - alpha b_g)``, s the cosine and b_g the mean of the k largest cosines of g to the bank.

    Takes:   query (nq, d), gallery (ng, d) and the bank train (n, d) float32, of any length. The bank stands for
             the queries to come: training images, or older queries; labels are not needed. One set (n, d) and
             None is each image against all others; the bank is then of other images.
    Returns: (nq, ng) float32, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query instead: the
             first ``top_k`` of the full answer, which never exists. Of one set (n, n), +inf on the diagonal.
    k:       1 or more, cut to the bank. 128 is usual with a bank of many thousands.
    alpha:   0 to 64. 0: cosine distance as it is; 1 subtracts the whole bias. 0.25 to 1 is usual.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery and one of gallery by bank; memory: the answer, k numbers a gallery
             image, one strip of 128 MiB. A query's answer does not depend on the other queries.

    >>> import numpy as np
    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[1.0, 0.0], [0.6, 0.8]], np.float32)
    >>> nnn(q, g, q, k=1, alpha=0.5).round(3)  # 1 - (1 - 0.5 * 1), 1 - (0.6 - 0.5 * 0.6)
    array([[0.5, 0.7]], dtype=float32)
    """
    if gallery is None:
        side, images = "query", checks.images("query", query, cuda=True)
    else:
        query, images = checks.sides(query, gallery, cuda=True)
        side = "gallery"
    bank = checks.of_same_width("train", train, side, images, cuda=True)
    images = unit_rows(images)  # once for both
    tiles = PairwiseTiles(of_checked(images) if gallery is None else of_checked(unit_rows(query), images))
    found = nearest.of_queries(PairwiseTiles(of_checked(images, unit_rows(bank))), k)
    bias = 1 - 0.5 * mean_of_finite(found.distances)
    return answering.answer(
        tiles, lambda strip, queries: scale_and_add(strip, 0.5, 0.0, float(alpha) * bias), top_k=top_k
    )
