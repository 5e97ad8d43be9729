"""Places in the list of every query: 0 for the nearest image, ties by column."""

from typing import Any

import numpy as np

from postproc.base import arrays, checks


def places(distances: np.ndarray) -> np.ndarray:
    """The place of every image in its query's list, 0 the nearest; equal distances in the order of the columns.

    Takes:   distances (nq, n) float32, a CUDA tensor too.
    Returns: (nq, n) float64, whole numbers; NaN stays NaN and +inf stays +inf, and neither takes a place.
    Cost:    O(nq n log n) time, some arrays of the size of the block beside the answer.

    >>> places(np.array([[0.5, 0.1, np.nan, 0.1]], np.float32))
    array([[ 2.,  0., nan,  1.]])
    """
    xp = arrays.namespace(distances)
    found = _sorted_on_cuda(distances) if arrays.on_cuda(distances) else _sorted(distances)
    return xp.where(xp.isfinite(distances), found, distances)


def _sorted(distances: np.ndarray) -> np.ndarray:
    rows, n = distances.shape
    bits = (distances + np.float32(0)).view(np.uint32)  # + 0: there is one zero only
    ordered = np.where(bits >> 31 == 1, ~bits, bits | np.uint32(1 << 31))  # ascends with the number
    ordered[np.isnan(distances)] = np.iinfo(np.uint32).max
    keys = ordered.astype(np.uint64) << np.uint64(32) | np.arange(n, dtype=np.uint64)
    keys.sort(axis=1)  # plain numbers, all different: no stable sort needed
    found = np.empty((rows, n))
    columns = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    np.put_along_axis(found, columns, np.broadcast_to(np.arange(n, dtype=np.float64), (rows, n)), axis=1)
    return found


def _sorted_on_cuda(distances: Any) -> Any:
    order = (distances + 0).argsort(dim=1, stable=True)  # NaN last
    counted = arrays.beside(np.arange(distances.shape[1], dtype=np.float64), distances)
    found: Any = arrays.empty(tuple(distances.shape), np.float64, distances)
    return found.scatter_(1, order, counted.expand(distances.shape))


def of_ranking(ranking: np.ndarray, images: int) -> np.ndarray:
    """Lists as distances, so that lists can be joined: the place of every listed image, NaN for the others.

    Takes:   ranking (nq, k) int gallery rows, nearest first, -1 for none; ``images`` in the gallery. A row listed
             twice has its first place.
    Returns: (nq, images) float32.
    Raises:  ValueError for rows that are not in the gallery.
    Cost:    the whole matrix. :func:`~ensemble.fusion.join_lists` joins lists without it.

    >>> of_ranking(np.array([[2, 0, -1]]), 3)
    array([[ 1., nan,  0.]], dtype=float32)
    """
    rows = checks.ranking("ranking", ranking, images)
    out = np.full((len(rows), images), np.nan, np.float32)
    query, place = np.nonzero(rows >= 0)
    query, place = query[::-1], place[::-1]  # of a row that is listed twice the first place is written last
    out[query, rows[query, place]] = place
    return out
