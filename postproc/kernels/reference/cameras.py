"""Neighbourhoods that look at cameras, on matrices of all by all."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


def ca_jaccard(
    query: Array, gallery: Array, cam: NDArray, k1: tuple[int, int], k2: tuple[int, int], lambda_value: float = 0
) -> Array:
    """Reciprocal sets and means within the camera (first number) and across (second), unnormalised weights."""
    images = unit(np.concatenate([query, gallery]))
    matrix = sqeuclidean(images, images)
    everybody = range(len(images))

    def near(i: int, within: bool) -> list[int]:
        wanted = [j for j in everybody if j == i or (cam[i] == cam[j] and cam[i] >= 0)]
        pool = wanted if within else [j for j in everybody if j not in wanted]
        return sorted(pool, key=lambda j: (matrix[i, j], j))

    lists = [[near(i, True) for i in everybody], [near(i, False) for i in everybody]]
    v = np.zeros_like(matrix)
    for i in everybody:
        members = [j for of, k in zip(lists, k1, strict=True) for j in of[i][: k + 1] if i in of[j][: k + 1]]
        v[i, members] = np.exp(-matrix[i, members]) / np.exp(-matrix[i, members]).sum()
    if sum(k2) > 1:
        v = np.stack([v[lists[0][i][: k2[0]] + lists[1][i][: k2[1]]].mean(axis=0) for i in everybody])
    return _jaccard(v, len(query)) * (1 - lambda_value) + lambda_value * matrix[: len(query), len(query) :] / 2


def _jaccard(v: Array, nq: int) -> Array:
    shared = np.array([[np.minimum(a, b).sum() for b in v[nq:]] for a in v[:nq]])
    return 1 - shared / (2 - shared)
