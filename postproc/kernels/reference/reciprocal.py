"""k-reciprocal re-ranking on the matrix of all by all."""

import numpy as np

from postproc.kernels.reference.basic import Array, sqeuclidean


def rerank(query: Array, gallery: Array, k1: int, k2: int, lambda_value: float, power: float = 2) -> Array:
    """Zhong et al. 2017 on features."""
    images = np.concatenate([query, gallery])
    return rerank_matrix(sqeuclidean(images, images), len(query), k1, k2, lambda_value, power / 2)


def rerank_matrix(
    matrix: Array,
    nq: int | None,
    k1: int,
    k2: int,
    lambda_value: float,
    exponent: float = 1,
    normalize: bool = True,
) -> Array:
    """Zhong et al. 2017 on all distances (queries first) to the ``exponent``, the sign kept.

    One set has no ``nq``, and each image is answered with all, itself too.
    """
    matrix = np.asarray(matrix, np.float64)
    matrix = np.sign(matrix) * np.abs(matrix) ** exponent
    largest = matrix.max(axis=0)
    p = (matrix / np.where((largest > 0) & normalize, largest, 1)).T
    v = weights(p, k1, k2)
    distances = jaccard(v, nq)
    border, queries = (0, len(p)) if nq is None else (nq, nq)
    return (1 - lambda_value) * distances + lambda_value * p[:queries, border:]


def weights(p: Array, k1: int, k2: int) -> Array:
    """V of all images by their normalised distances, averaged over the k2 nearest."""
    images = len(p)
    order = np.argsort(p, axis=1, kind="stable")
    half = int(np.around(k1 / 2))

    def reciprocal(i: int, k: int) -> list[int]:
        return [j for j in order[i, : k + 1] if i in order[j, : k + 1]]

    v = np.zeros((images, images))
    for i in range(images):
        core = reciprocal(i, k1)
        expanded = set(core)
        for candidate in core:
            theirs = reciprocal(candidate, half)
            if 3 * len(set(theirs) & set(core)) > 2 * len(theirs):
                expanded |= set(theirs)
        members = sorted(expanded)
        entries = np.exp(-p[i, members])
        v[i, members] = entries / entries.sum()
    return np.stack([v[order[i, :k2]].mean(axis=0) for i in range(images)]) if k2 > 1 else v


def jaccard(v: Array, nq: int | None) -> Array:
    """Jaccard distances of queries and gallery by their rows of V; without ``nq`` of all images."""
    queries, gallery = (v, v) if nq is None else (v[:nq], v[nq:])
    shared = np.stack([np.minimum(row, gallery).sum(axis=1) for row in queries])
    return np.asarray(1 - shared / (2 - shared))
