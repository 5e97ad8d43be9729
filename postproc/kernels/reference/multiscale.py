"""k-reciprocal re-ranking at several scales on the matrix of all by all, without hubs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean
from postproc.kernels.reference.reciprocal import jaccard, weights


def rerank_multiscale(
    query: Array, gallery: Array | None, k: int, scales: Sequence[tuple[int, int]], lambda_value: float
) -> Array:
    """Of features of unit length; without a gallery of one set, whose diagonal then means nothing."""
    images = np.asarray(query if gallery is None else np.concatenate([query, gallery]), np.float64)
    nq = None if gallery is None else len(query)
    far = np.maximum(sqeuclidean(images, images), 0)
    side: NDArray[np.bool_] = np.arange(len(images)) < (nq or 0)
    corrected = far.copy()
    for first in (False, True):
        for second in (False, True):
            block = np.ix_(side == first, side == second)
            corrected[block] -= (
                usual(far, side, first, second, k)[:, None] + usual(far, side, second, first, k)
            ) / 2
    apart = ~np.eye(len(images), dtype=bool)
    above = corrected - corrected[apart].min()
    np.fill_diagonal(above, 0)
    p = above / np.where(above.max(axis=1) > 0, above.max(axis=1), 1)[:, None]
    v = np.mean([weights(p, k1, k2) for k1, k2 in scales], axis=0)
    share = corrected / np.where(far.max(axis=1) > 0, far.max(axis=1), 1)[:, None]
    border, queries = (0, len(images)) if nq is None else (nq, nq)
    return (1 - lambda_value) * jaccard(v, nq) + lambda_value * share[:queries, border:]


def usual(far: Array, side: NDArray[np.bool_], of: bool, among: bool, k: int) -> Array:
    """The mean distance of the images ``of`` one side to their k nearest others ``among`` a side."""
    rows, columns = np.flatnonzero(side == of), np.flatnonzero(side == among)
    nearest = [np.sort(far[i, columns[columns != i]])[:k] for i in rows]
    return np.array([part.mean() if len(part) else 0.0 for part in nearest])
