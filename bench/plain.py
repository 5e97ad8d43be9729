"""k-reciprocal re-ranking as it is usually written: NumPy, dense matrices, a loop over images.

The yardstick of ``bench/rerank.py``: the published steps in the published order, from three distance matrices on,
float32, products by BLAS, a full argsort, V as a dense matrix, an inverted index. Not tuned, not crippled.
"""

import numpy as np


def squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, m) squared Euclidean distances."""
    return (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2 * x @ y.T


def rerank(
    query: np.ndarray, gallery: np.ndarray, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> np.ndarray:
    """(nq, d), (ng, d) -> (nq, ng) float32."""
    across, within, rest = squared(query, gallery), squared(query, query), squared(gallery, gallery)
    nq, images = across.shape[0], sum(across.shape)
    distance = np.concatenate(
        [np.concatenate([within, across], axis=1), np.concatenate([across.T, rest], axis=1)], axis=0
    )
    distance = np.ascontiguousarray((distance / distance.max(axis=0)).T)
    order = np.argsort(distance, axis=1).astype(np.int32)
    half = int(np.around(k1 / 2))

    def reciprocal(i: int, k: int) -> np.ndarray:
        forward = order[i, : k + 1]
        return forward[(order[forward, : k + 1] == i).any(axis=1)]

    v = np.zeros_like(distance)
    for i in range(images):
        core = reciprocal(i, k1)
        expanded = core
        for candidate in core:
            theirs = reciprocal(candidate, half)
            if len(np.intersect1d(theirs, core)) > 2 / 3 * len(theirs):
                expanded = np.append(expanded, theirs)
        expanded = np.unique(expanded)
        weight = np.exp(-distance[i, expanded])
        v[i, expanded] = weight / weight.sum()
    if k2 > 1:
        mean = np.zeros_like(v)
        for i in range(images):
            mean[i] = v[order[i, :k2]].mean(axis=0)
        v = mean
    distance = distance[:nq, nq:].copy()
    columns = [np.flatnonzero(v[:, i]) for i in range(images)]
    jaccard = np.zeros((nq, images), np.float32)
    for i in range(nq):
        shared = np.zeros(images, np.float32)
        for t in np.flatnonzero(v[i]):
            shared[columns[t]] += np.minimum(v[i, t], v[columns[t], t])
        jaccard[i] = 1 - shared / (2 - shared)
    return (1 - lambda_value) * jaccard[:, nq:] + lambda_value * distance
