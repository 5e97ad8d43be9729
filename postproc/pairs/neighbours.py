"""NeighbourLists of every image, as a value that every step takes which starts from them."""

import numpy as np

from postproc.base import arrays
from postproc.base.settings import Neighbours
from postproc.base.step import checked
from postproc.base.vocabulary import Gallery, Query
from postproc.pairs import exact, known, nearest, pairwise
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import FeatureTerm, Pairwise
from postproc.pairs.tiles import PairwiseTiles


@checked
def neighbours(query: Query | Pairwise, gallery: Gallery | None = None, *, k: Neighbours = 20) -> NeighbourLists:
    """Find the ``k`` nearest of every image among all others, and how far the farthest is.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are; of both all images are searched. Or one set
             (n, d) alone, or one :class:`Pairwise` in their place. Tensors on a CUDA device are searched there.
    Returns: :class:`NeighbourLists` by squared Euclidean distance, exact: rows (n, k + 1), the image itself among
             them, nearest first, ties by image.
    k:       1 or more, cut to what there is. ``rerank`` wants k1, and k2 - 1 if that is more.
    Raises:  ValueError for different widths, NaN or infinity.
    Cost:    half a product of all by all; memory: the lists, from k = 256 on half as much again while they are
             looked for, and one 16 MB tile a thread.

    >>> neighbours(np.array([[0.0], [1.0], [3.0]], np.float32), k=1).rows
    array([[0, 1],
           [1, 0],
           [2, 1]], dtype=int32)
    """
    pairs = pairwise.of(query, gallery, cuda=True)
    lists = nearest.of_all(PairwiseTiles(pairs), k + 1)
    return known.neighbours_of(pairs, lists, of_unit_length(pairs))


def of_unit_length(pairs: Pairwise) -> bool:
    """Whether they are plain squared distances of features of unit length."""
    if len(pairs.terms) != 1 or pairs.one_track is not None:
        return False
    (term,) = pairs.terms
    if not isinstance(term, FeatureTerm) or term.weight != 1:
        return False
    return all(
        exact.of_unit_length((block * block).sum(axis=1))
        for side in (term.query, term.gallery)
        for block in (arrays.as_type(side[part], np.float32) for part in arrays.blocks(side, exact.ROWS))
    )
