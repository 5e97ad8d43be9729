"""Away from what is known to be somebody else: subtract the mean of the nearest images of a bank of negatives.

Source: Yokoo, "Contrastive Learning with Large Memory Bank and Negative Embedding Subtraction for Accurate Copy
Detection" (arXiv 2112.04323), first place of the descriptor track of ISC21, and the code released with it.
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Neighbours, Neutral, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Floats, Gallery, Query, Sides
from postproc.features.expansion import add_neighbours
from postproc.pairs import held, nearest, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.tiles import PairwiseTiles


@step(
    memory=held.together(held.features, held.train, held.walk, held.strips),
    work=spent.together(spent.read(180), spent.images(2500)),
)
def subtract_negatives(
    query: Query,
    gallery: Gallery | None,
    train: Floats,
    *,
    k: Annotated[Neighbours, Within(0), Neutral(0)] = 10,
    beta: Annotated[Weight, Within(0, 10), Neutral(0.0)] = 0.35,
    rounds: Annotated[Count, Neutral(0)] = 1,
) -> Sides:
    """Move every image away from the images of other identities that it is most like.

    ``x <- x - beta * mean of the k rows of train most similar to x``, then ``x / |x|``.

    Takes:   query (nq, d), gallery (ng, d) float32; train (n, d) float32, images of identities that are neither
             among queries nor in the gallery. All are brought to unit length first. Without a gallery one set.
    Returns: query and gallery, float32 of unit length; of one set (n, d).
    k:       0 or more, cut to what there is; 0 changes nothing.
    beta:    0 to 10; 0 changes nothing, 1 subtracts the whole mean.
    rounds:  0 or more; 0 changes nothing. Every round looks for the most similar again.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product of all images by the bank a round; memory: lists of k.

    >>> q, g = np.array([[0.6, 0.8]], np.float32), np.array([[1.0, 0.0]], np.float32)
    >>> subtract_negatives(q, g, np.array([[0.0, 1.0]], np.float32), beta=0.8)[0]
    array([[1., 0.]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = checks.sides_or_one(query, gallery, cuda=True)
    train = checks.of_same_width("train", train, "query", query, cuda=True)
    query, gallery, train = arrays.together(query, gallery, train)
    if k == 0 or beta == 0 or rounds == 0:
        return query if one_set else (query, gallery)
    bank = l2_normalize(train)
    moved = _subtracted(query, bank, k, beta, rounds)
    return moved if one_set else (moved, _subtracted(gallery, bank, k, beta, rounds))


def _subtracted(images: np.ndarray, bank: np.ndarray, k: int, beta: float, rounds: int) -> np.ndarray:
    images = l2_normalize(images)
    for _ in range(rounds):
        rows = nearest.of_queries(PairwiseTiles(sqeuclidean(images, bank)), k).rows
        weights = arrays.full(rows.shape, -beta / rows.shape[1], np.float32, images)
        images = l2_normalize(add_neighbours(images, bank, rows, weights))
    return images
