"""Expanded cross neighbours, on matrices of all by all."""

import numpy as np

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


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
