"""Context re-ranking on matrices of all by all: camera-aware Jaccard, message passing, cross neighbourhoods."""

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


def gnn_rerank(query: Array, gallery: Array, k1: int, k2: int, lambda_value: float) -> Array:
    """Two rounds of messages along the first k2 neighbours, then 1 - inner products, mixed with 1 - cosine."""
    images = unit(np.concatenate([query, gallery]))
    matrix = sqeuclidean(images, images)
    cosine, order = 1 - matrix / 2, np.argsort(matrix, axis=1, kind="stable")
    graph = np.zeros_like(matrix)
    np.put_along_axis(graph, order[:, :k1], 1, axis=1)
    if k2 > 1:
        messages = np.zeros_like(matrix)
        for i, near in enumerate(order[:, :k2]):
            messages[i, near] = cosine[i, near] ** 2
        for _ in range(2):
            graph = unit(messages @ (graph + graph.T))
    nq = len(query)
    return 1 - (1 - lambda_value) * graph[:nq] @ graph[nq:].T - lambda_value * cosine[:nq, nq:]


def ecn(query: Array, gallery: Array, k: int, t: int, q: int, measure: str) -> Array:
    """Mean of rank-list products, or of cosine distances, over the expanded neighbours of both ends."""
    images = unit(np.concatenate([query, gallery]))
    matrix = sqeuclidean(images, images) / 2
    order = np.argsort(matrix, axis=1, kind="stable")
    places = np.zeros_like(matrix)
    np.put_along_axis(places, order, np.arange(len(images), dtype=float)[None], axis=1)
    weights = np.maximum(k - places, 0)
    far = -weights @ weights.T if measure == "rank_lists" else matrix
    expanded = []
    for i in range(len(images)):
        near = list(order[i, 1 : t + 1])
        expanded.append(near + [other for j in near for other in order[j, 1 : q + 1]])
    nq = len(query)
    out = np.empty((nq, len(gallery)))
    for a in range(nq):
        for b in range(len(gallery)):
            found = np.mean([*far[expanded[a], nq + b], *far[expanded[nq + b], a]])
            out[a, b] = found if found or measure != "rank_lists" else matrix[a, nq + b]
    return out


def _jaccard(v: Array, nq: int) -> Array:
    shared = np.array([[np.minimum(a, b).sum() for b in v[nq:]] for a in v[:nq]])
    return 1 - shared / (2 - shared)
