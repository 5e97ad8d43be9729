"""How many true neighbours lists hold: an exact search for a sample of images."""

from dataclasses import replace

import numpy as np

from postproc.base import arrays
from postproc.base.settings import Count
from postproc.base.step import checked
from postproc.base.vocabulary import Array, Gallery, Query
from postproc.pairs import answering, known, pairwise
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.meant import refuse_other_numbers
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles


@checked
def with_recall(
    lists: NeighbourLists,
    query: Query | Pairwise,
    gallery: Gallery | None = None,
    *,
    sample: Count = 1000,
    seed: Count = 0,
) -> NeighbourLists:
    """Measure which share of the true neighbours is in lists, and keep it in their ``recall``.

    Takes:   the lists, and the features that they are of: query (nq, d), gallery (ng, d) float32; or one set
             (n, d); or one :class:`Pairwise`.
    Returns: the same lists with ``recall``: of the k nearest others of each image of the sample, by an exact
             search, the share that its list holds. An image as far as the last of them counts as one of them.
    sample:  1 or more images, cut to what there is. seed: 0 or more, which ones.
    Raises:  ValueError for lists of other images, and where their numbers are not squared distances but Euclidean
             or cosine distances, or similarities.
    Cost:    sample * n * d multiply-adds; memory: a strip of 128 MiB, and of two sides the features once more.

    >>> x = np.array([[0.0], [1.0], [3.0], [7.0]], np.float32)
    >>> found = NeighbourLists.given([[1], [2], [1], [0]], [[1], [4], [4], [49]], count_self=False, largest=49.0)
    >>> with_recall(found, x).recall                                 # of 1 and of 7 the nearest is missing
    0.5
    """
    pairs = pairwise.of(query, gallery, cuda=True)
    known.check(pairs, lists)
    k = min(lists.k, lists.count - 1)
    if k < 1:
        return replace(lists, recall=1.0)
    asked = np.sort(np.random.default_rng(seed).permutation(lists.count)[:sample])
    found, given, exact = np.zeros(len(asked)), [np.empty(0)], [np.empty(0)]

    def count(strip: Array, queries: np.ndarray) -> None:
        images = asked[queries]
        answering.set_own(strip, images)
        reach = arrays.host(answering.smallest(strip, k).distances[:, -1:])
        rows = np.asarray(lists.rows[images])
        numbers = arrays.beside(np.maximum(rows, 0), strip)
        far = arrays.host(strip[arrays.beside(np.arange(len(images)), strip)[:, None], numbers])
        right = (rows >= 0) & (rows != images[:, None]) & (far <= reach)
        found[queries] = np.minimum(right.sum(axis=1), k) / k
        given.append(np.asarray(lists.distances[images])[right])
        exact.append(far[right])

    tiles = PairwiseTiles(pairs.as_one_set().of_gallery(asked))
    answering.strips(tiles, count, what="recall")
    refuse_other_numbers(np.concatenate(given), np.concatenate(exact), tiles.mean_square)
    return replace(lists, recall=float(found.mean()))
