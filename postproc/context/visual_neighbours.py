"""Queries of another kind: a gallery image is nearer if its neighbours are those that the query found.

Source: Gao et al., "Contextual Non-Local Alignment over Full-Scale Representation for Text-Based Person Search",
2021 (arXiv 2101.03036), re-ranking by visual neighbours (NAFS).
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base.settings import Neighbours, Neutral, TopK, Weight, Within
from postproc.base.sizes import SINGLE, Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of_gallery
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles

BLOCK = 16  # queries whose shares are there at a time


def _shares(sizes: Sizes, chosen: Chosen) -> int:
    """What some queries share with everybody, in every thread."""
    return 4 * SINGLE * BLOCK * sizes.ng * sizes.threads


@step(
    host_only=True,
    memory=held.compared(
        held.lists("k", factor=6, side="ng"),
        held.lists("k", factor=4, side="nq"),
        _shares,
        held.gallery,
        unit=True,
    ),
    work=spent.together(
        spent.across(),
        spent.gallery_pairs(),
        spent.gallery_looked(0.5),
        spent.matrix(8),
        spent.nearest,
        spent.read(300),
    ),
)
def visual_neighbours(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    k: Neighbours = 5,
    weight: Annotated[Weight, Within(0, 1e6), Neutral(0.0)] = 1.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Add to the cosine which share of the query's nearest images are neighbours of the gallery image too.

    ``out = 1 - s - weight n / (2 k - n)``, s the cosine, n how many images are among the ``k`` nearest gallery
    images of both; a gallery image is the first of its own. Meant for texts or sketches that look for
    photographs, whose photographs know each other better than the queries know them.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise`, whose
             distance D then stands for 2 - 2 s. One set (n, d) alone is each image against all others.
    Returns: (nq, ng) float32, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query. Of one set
             (n, n), symmetric, +inf on the diagonal.
    k:       1 or more, cut to the gallery. Large lists of few images of an identity are mostly of others.
    weight:  0 to 1,000,000. 0: cosine distance. 1: the source; large: the shared ones first.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery and half of one of gallery by gallery; memory: the answer, k
             neighbours an image, one strip of 128 MiB. A query's answer does not depend on the other queries.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.6, 0.8], [0.0, -1.0]], np.float32)
    >>> visual_neighbours(q, g, k=2).round(3)  # the first two have each other, the third has itself and the second
    array([[-0.8  , -0.6  ,  0.667]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True)
    tiles, one_set = PairwiseTiles(pairs), pairs.one_set
    lists = nearest.of_all(tiles if one_set else tiles_of_gallery(pairs), k)
    count = lists.rows.shape[1]
    inverted = Sparse.of_lists(lists.rows, np.ones_like(lists.values)).inverted(0)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        rows = lists.rows[queries] if one_set else answering.smallest(strip, count).rows
        add = Sparse.of_lists(rows, np.ones(rows.shape, np.float32)).products(inverted)

        def fill(start: int, stop: int) -> None:
            shared = np.zeros((stop - start, strip.shape[1]), np.float32)
            add(shared, np.arange(start, stop), 0, stop - start)
            part = strip[start:stop]
            part *= np.float32(0.5)
            part -= np.float32(weight) * (shared / (2 * count - shared))

        kernels.of(strip).walk.over_rows(fill, len(strip), what="neighbours", block=BLOCK)

    return answering.answer(tiles, change, top_k=top_k)
