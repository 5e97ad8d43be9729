"""Affinity inference: images compared by the gallery images that they are alike to.

Source: Fang et al., "Visible-Infrared Person Re-Identification via Semantic Alignment and Affinity Inference",
ICCV 2023, and the code released with it (SAAI), whose matrices of all by all are sparse here.
"""

import numpy as np

from postproc import kernels
from postproc.base.settings import Neighbours, TopK
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of_gallery
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles


def _rows(sizes: Sizes, chosen: Chosen) -> int:
    """Affinities of the gallery while they are averaged and turned, and those of some queries."""
    k1, k2 = int(chosen["k1"]), int(chosen["k2"])
    return 4 * held.ENTRY * sizes.ng * min(k1 * k2, sizes.ng) + 4 * held.ENTRY * sizes.nq * min(k1, sizes.ng)


@step(
    host_only=True,
    memory=held.compared(held.lists("k1", "k2", factor=2, side="ng"), _rows, held.gallery, unit=True),
    work=spent.together(
        spent.across(),
        spent.gallery_pairs(),
        spent.gallery_looked(2.3),
        spent.matrix(6),
        spent.nearest,
        spent.lists(6, "k1", "k2"),
        spent.overlaps(0.5, "k1", "k2"),
        spent.read(300),
    ),
)
def aim(
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    k1: Neighbours = 30,
    k2: Neighbours = 6,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Add to the cosine of query and gallery image how alike they are to the same gallery images.

    ``out = 2 - s - A_q . A_g``, s the cosine. A of an image has its cosines to its ``k1`` nearest gallery
    images and is 0 elsewhere; A_g is the mean of A over the ``k2`` gallery images nearest to g, itself among
    them; both are of length 1.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise`, whose
             distance D then stands for 2 - 2 s. One set (n, d) alone is each image against all others: it is then
             among its own nearest.
    Returns: (nq, ng) float32, smaller is nearer, about 0 to 4; with ``top_k`` the :class:`Nearest` of every query.
             Of one set (n, n), not symmetric, +inf on the diagonal.
    k1:      1 or more, cut to the gallery. Released: 30 for SYSU-MM01.
    k2:      1 or more, cut to the gallery. 1: no mean.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of queries by gallery and half of one of gallery by gallery; memory: the answer, k1 k2
             entries a gallery image, one strip of 128 MiB. A query's answer does not depend on the other queries.
    Differs: the released distance is ``- s - A_q . A_g``; images that tie with the last of the k1 are in there
             too.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.0, 1.0]], np.float32)
    >>> aim(q, g, k1=1, k2=1).round(3)  # 2 - 0.8 - 1, 2 - 0 - 0
    array([[0.2, 2. ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True)
    tiles = PairwiseTiles(pairs)
    one_set = pairs.one_set
    lists = nearest.of_all(tiles if one_set else tiles_of_gallery(pairs), max(k1, k2))
    single = Sparse.of_lists(lists.rows[:, :k1], 1 - lists.values[:, :k1] / 2)
    inverted = (single.mean(lists.rows[:, :k2]) if k2 > 1 else single).unit().inverted(0)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if one_set:
            values, rows = lists.values[queries], lists.rows[queries]
        else:
            values, rows = answering.smallest(strip, min(k1, strip.shape[1]))
        own = Sparse.of_lists(rows[:, :k1], 1 - values[:, :k1] / 2).unit().times(-1)
        places, add = np.arange(len(strip)), own.products(inverted)

        def fill(start: int, stop: int) -> None:
            part = strip[start:stop]
            part *= np.float32(0.5)
            part += np.float32(1)
            add(strip, places, start, stop)

        kernels.of(strip).walk.over_rows(fill, len(strip), what="affinities", block=16)

    return answering.answer(tiles, change, top_k=top_k)
