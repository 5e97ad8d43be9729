"""k-reciprocal re-ranking in which contradicting attributes keep images apart.

Source: ipl-uw/2019-CVPR-AIC-Track-2-UWIPL, ``Video-Person-ReID/re_ranking_metadata.py`` (AI City 2019, second), on
one feature a track: there k1 = k2 = 4, lambda 0.5, 0.2 of the attributes' distances.
"""

from collections.abc import Sequence

import numpy as np

from postproc import checks, nearest, pairwise
from postproc.attributes import attribute_pairs
from postproc.kreciprocal import rerank_tiles
from postproc.pairwise import Pairwise
from postproc.tiles import PairwiseTiles
from postproc.types import Distances, Floats, Gallery, Nearest, Query


def rerank_attributes(
    query: Query | Pairwise,
    gallery: Gallery | None,
    query_aux: Floats,
    gallery_aux: Floats,
    confusions: Sequence[Floats],
    *,
    weight: float = 0.2,
    expected: bool = False,
    k1: int = 4,
    k2: int = 4,
    lambda_value: float = 0.5,
    top_k: int | None = None,
) -> Distances | Nearest:
    """:func:`postproc.rerank` of squared distances plus distances of attributes, in the choice of neighbours too.

    Neighbours and weights are by ``p = |x_i - x_j|^2 / (the largest of image i) + weight * attributes(i, j)``,
    with nothing divided after that: where :func:`postproc.rerank` of a sum divides by the largest sum, here one
    weight means the same for every image.

    Takes:   query (nq, d), gallery (ng, d) float32, or a :class:`Pairwise` and None; query_aux, gallery_aux,
             confusions and ``expected`` as in :func:`postproc.attribute_distances`.
    Returns: (nq, ng) float32, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query.
    weight:  0 or more. 0: attributes do not matter. A pair of classes that are never mixed up costs about 3.
    k1, k2, lambda_value, top_k: as in :func:`postproc.rerank`, lambda_value times p, attributes and all.
    Raises:  ValueError for a setting out of range, sizes that do not fit, NaN or infinity.
    Cost:    two products of all by all and more; memory: the answer, the sparse V, three 16 MB tiles a thread.

    >>> x, car, van = np.float32([[0], [1], [1.5], [4]]), [1.0, 0.0], [0.0, 1.0]
    >>> rerank_attributes(x[:1], x[1:], [car], [van, car, car], [np.eye(2)], k1=1, k2=1, lambda_value=0.0).round(2)
    array([[1.  , 0.22, 1.  ]], dtype=float32)
    """
    checks.between("weight", weight, 0, 1e6)
    checks.whole("k1", k1, 1)
    checks.whole("k2", k2, 1)
    checks.between("lambda_value", lambda_value, 0, 1)
    checks.top_k(top_k)
    pairs = pairwise.of(query, gallery)
    attributes = attribute_pairs(query_aux, gallery_aux, confusions, expected=expected)
    return rerank_tiles(
        ShareTiles(pairs, weight * attributes), k1=k1, k2=k2, lambda_value=lambda_value, power=2,
        normalize=False, unit=1.0, top_k=top_k,
    )  # fmt: skip


class ShareTiles:
    """Tiles of distances as shares of the largest distance of the row's image, plus a penalty."""

    symmetric = False

    def __init__(self, pairs: Pairwise, penalty: Pairwise) -> None:
        self.layout = PairwiseTiles(pairs + penalty).layout
        self.distances = PairwiseTiles(pairs, layout=self.layout)
        self.penalty = PairwiseTiles(penalty, layout=self.layout)
        largest = nearest.of_classes(self.distances, 1).largest
        self.largest = np.where(largest > 0, largest, 1).astype(np.float32)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.distances.tile(rows, columns, out)
        tile /= self.largest[rows, None]
        tile += self.penalty.tile(rows, columns, np.empty(tile.size, np.float32))
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        shares = self.distances.between(left, right) / self.largest[self.layout.inverse[left]]
        return shares + self.penalty.between(left, right)
