"""The definitions, in plain NumPy and float64, loops and all. Tests compare with these; nothing else calls them.

Matrices of all by all are fine here. Ties are broken by row everywhere: every sort is stable.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sqeuclidean(x: Array, y: Array) -> Array:
    """(n, m) squared Euclidean distances, from differences, so that copies are at exactly 0."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return np.stack([((row - y) ** 2).sum(axis=1) for row in x])


def same_camera(cam: NDArray, track: NDArray) -> Array:
    """1 for two images of one known camera and not of one track, over all images."""
    one_camera = (cam[:, None] == cam) & (cam >= 0)[:, None]
    one_track = (track[:, None] == track) & (track >= 0)[:, None]
    return (one_camera & ~one_track).astype(np.float64)


def rerank(query: Array, gallery: Array, k1: int, k2: int, lambda_value: float, power: float = 2) -> Array:
    """Zhong et al. 2017 on features."""
    images = np.concatenate([query, gallery])
    return rerank_matrix(sqeuclidean(images, images), len(query), k1, k2, lambda_value, power / 2)


def rerank_matrix(matrix: Array, nq: int, k1: int, k2: int, lambda_value: float, exponent: float = 1) -> Array:
    """Zhong et al. 2017 on all distances (queries first) to the ``exponent``, the sign kept."""
    matrix = np.asarray(matrix, np.float64)
    matrix = np.sign(matrix) * np.abs(matrix) ** exponent
    largest = matrix.max(axis=0)
    p = (matrix / np.where(largest > 0, largest, 1)).T
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
        weights = np.exp(-p[i, members])
        v[i, members] = weights / weights.sum()
    if k2 > 1:
        v = np.stack([v[order[i, :k2]].mean(axis=0) for i in range(images)])
    out = np.zeros((nq, images - nq))
    for q in range(nq):
        for g in range(images - nq):
            shared = np.minimum(v[q], v[nq + g]).sum()
            out[q, g] = (1 - lambda_value) * (1 - shared / (2 - shared)) + lambda_value * p[q, nq + g]
    return out


def rank(distances: Array) -> NDArray[np.int64]:
    """Gallery rows nearest first; -1 for +inf."""
    order = np.argsort(distances, axis=1, kind="stable")
    return np.where(np.isinf(np.take_along_axis(distances, order, axis=1)), -1, order)


def track_mean(gallery: Array, track: NDArray, place: NDArray, chunk: int | None) -> Array:
    """Every image gets the mean over its run of ``chunk`` images of its track."""
    out = np.array(gallery, np.float64)
    for name in set(track.tolist()) - {-1}:
        members = sorted(np.flatnonzero(track == name), key=lambda row: (place[row], row))
        for start in range(0, len(members), chunk or len(members)):
            run = members[start : start + (chunk or len(members))]
            out[run] = np.mean(np.asarray(gallery, np.float64)[run], axis=0)
    return out


def query_expansion(query: Array, gallery: Array, k: int, alpha: float) -> Array:
    """One round from the gallery by cosine, brought to unit length."""

    def unit(x: Array) -> Array:
        length = np.linalg.norm(x, axis=1, keepdims=True)
        return x / np.where(length > 0, length, 1)

    query, gallery = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    cosine = unit(query) @ unit(gallery).T
    order = np.argsort(sqeuclidean(unit(query), unit(gallery)), axis=1, kind="stable")[:, :k]
    out = [
        x + sum(max(s[j], 0) ** alpha * gallery[j] for j in near)
        for x, s, near in zip(query, cosine, order, strict=True)
    ]
    return unit(np.stack(out))
