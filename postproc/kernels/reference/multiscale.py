"""k-reciprocal re-ranking at several scales on the matrix of all by all, without hubs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean
from postproc.kernels.reference.reciprocal import jaccard, weights


def rerank_multiscale(
    query: Array,
    gallery: Array | None,
    k: int,
    scales: Sequence[tuple[int, int]],
    lambda_value: float,
    adapt: float,
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
    x = closeness(above) / 0.15
    counts = [k1 ** (adapt / 2 * np.clip(np.log(x) if x else -1, -1, 1)) for k1, _ in scales]
    v = np.average([weights(p, k1, k2) for k1, k2 in scales], axis=0, weights=counts)
    groups = (1 - lambda_value) * x ** (2 * adapt)
    lambda_value = lambda_value / (lambda_value + groups) if lambda_value else 0.0
    share = corrected / np.where(far.max(axis=1) > 0, far.max(axis=1), 1)[:, None]
    border, queries = (0, len(images)) if nq is None else (nq, nq)
    return (1 - lambda_value) * jaccard(v, nq) + lambda_value * share[:queries, border:]


def usual(far: Array, side: NDArray[np.bool_], of: bool, among: bool, k: int) -> Array:
    """The mean distance of the images ``of`` one side to their k nearest others ``among`` a side."""
    rows, columns = np.flatnonzero(side == of), np.flatnonzero(side == among)
    nearest = [np.sort(far[i, columns[columns != i]])[:k] for i in rows]
    return np.array([part.mean() if len(part) else 0.0 for part in nearest])


def closeness(above: Array, k: int = 10) -> float:
    """Which share of the k nearest others of an image is among the k nearest of each of those, over chance."""
    images = len(above)
    k = min(k, images - 1)
    if k < 1:
        return 0.0
    order = [[j for j in np.argsort(row, kind="stable") if j != i][:k] for i, row in enumerate(above)]
    share = np.mean([len(set(order[i]) & set(order[j])) / k for i in range(images) for j in order[i]])
    chance = (k - 1) / (images - 1)
    return max(0.0, float((share - chance) / (1 - chance))) if chance < 1 else 0.0
