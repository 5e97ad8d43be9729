"""k-reciprocal re-ranking as it is usually written: NumPy, dense matrices, a loop over images.

The yardstick of ``bench/rerank.py``: the published steps in the published order, float32, the product by BLAS, a
full argsort, V as a dense matrix, an inverted index over its columns. Not tuned, not crippled.
"""

import numpy as np


def rerank(
    query: np.ndarray, gallery: np.ndarray, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> np.ndarray:
    """(nq, d), (ng, d) -> (nq, ng) float32."""
    images, nq = np.concatenate([query, gallery]), len(query)
    norms = (images * images).sum(axis=1)
    distance = norms[:, None] + norms[None, :] - 2 * images @ images.T
    distance /= distance.max(axis=0)
    distance = np.ascontiguousarray(distance.T)
    order = np.argsort(distance, axis=1).astype(np.int32)
    half = int(np.around(k1 / 2))

    def reciprocal(i: int, k: int) -> np.ndarray:
        forward = order[i, : k + 1]
        return forward[(order[forward, : k + 1] == i).any(axis=1)]

    v = np.zeros_like(distance)
    for i in range(len(images)):
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
        for i in range(len(images)):
            mean[i] = v[order[i, :k2]].mean(axis=0)
        v = mean
    distance = distance[:nq, nq:].copy()
    columns = [np.flatnonzero(v[:, i]) for i in range(len(images))]
    jaccard = np.zeros((nq, len(images)), np.float32)
    for i in range(nq):
        shared = np.zeros(len(images), np.float32)
        for t in np.flatnonzero(v[i]):
            shared[columns[t]] += np.minimum(v[i, t], v[columns[t], t])
        jaccard[i] = 1 - shared / (2 - shared)
    return (1 - lambda_value) * jaccard[:, nq:] + lambda_value * distance
