"""Diffusion on matrices of all by all, image by image.

Copies of an image are in or out of a list together, and stand for one another: where a method starts from one
image, it starts from the mean over its copies.
"""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


def copies(images: Array) -> NDArray[np.bool_]:
    """(n, n): whether two images are the same."""
    return (images[:, None] == images).all(axis=-1)


def lists(images: Array, k: int) -> NDArray[np.bool_]:
    """(n, n): whether j, or a copy of it, is one of the k nearest of i, itself included."""
    order = np.argsort(sqeuclidean(images, images), axis=1, kind="stable")[:, :k]
    same = copies(images)
    return np.stack([same[near].any(axis=0) for near in order])


def normalized(weights: Array) -> Array:
    """``D^-1/2 W D^-1/2``; a row of zeros stays."""
    degree = weights.sum(axis=1)
    scale = 1 / np.sqrt(np.where(degree > 0, degree, 1))
    return weights * scale[:, None] * scale


def affinity(images: Array, k: int, gamma: float) -> Array:
    """``max(cosine, 0)^gamma`` between images that are in each other's lists, 0 on the diagonal."""
    images = unit(images)
    cosine = images @ images.T
    both = lists(images, k)
    both &= both.T & (cosine > 1e-12)
    np.fill_diagonal(both, False)
    return np.where(both, np.maximum(cosine, 0) ** gamma, 0)


def entry(query: Array, gallery: Array, k_query: int, gamma: float) -> Array:
    """(nq, ng) y: ``max(cosine, 0)^gamma`` on the k_query nearest and their copies."""
    query, gallery = unit(query), unit(gallery)
    cosine = query @ gallery.T
    order = np.argsort(sqeuclidean(query, gallery), axis=1, kind="stable")[:, :k_query]
    near = np.stack([copies(gallery)[row].any(axis=0) for row in order]) & (cosine > 1e-12)
    return np.where(near, np.maximum(cosine, 0) ** gamma, 0)


def krylov(matrix: Array, y: Array, iterations: int, tolerance: float, which: str) -> Array:
    """``matrix^-1 y`` in the space of y, A y, A^2 y …: "last" and "best" iterate of conjugate gradients, or the
    point of it with the smallest residual ("minres")."""
    x, residual, direction = np.zeros_like(y), y.copy(), y.copy()
    best, smallest = x, np.linalg.norm(y)
    space: list[Array] = []
    for _ in range(iterations):
        if smallest <= tolerance * np.linalg.norm(y):
            break
        space.append(direction)
        image = matrix @ direction
        square = residual @ residual
        step = square / (direction @ image)
        x, residual = x + step * direction, residual - step * image
        direction = residual + (residual @ residual) / square * direction
        found = x
        if which == "minres":
            basis = np.stack(space, axis=1)
            found = basis @ np.linalg.lstsq(matrix @ basis, y, rcond=None)[0]
        length = np.linalg.norm(y - matrix @ found)
        if length <= smallest or which == "last":
            best, smallest = found, length
    return best


def diffusion(
    query: Array,
    gallery: Array,
    k: int,
    k_query: int,
    alpha: float,
    gamma: float,
    query_gamma: float,
    iterations: int,
    tolerance: float = 1e-6,
    which: str = "best",
) -> Array:
    """(nq, ng) f, Iscen et al. 2017."""
    s = normalized(affinity(gallery, k, gamma))
    y = entry(query, gallery, k_query, query_gamma)
    return np.stack([krylov(np.eye(len(s)) - alpha * s, row, iterations, tolerance, which) for row in y])


def offline_rows(images: Array, truncate: int, k: int, alpha: float, gamma: float, iterations: int) -> Array:
    """(n, n): row i of the inverse on the truncate nearest of i, Yang et al. 2019."""
    s = normalized(affinity(images, k, gamma))
    same, near = copies(unit(images)), lists(unit(images), truncate)
    out = np.zeros_like(s)
    for i, inside in enumerate(near | same):
        matrix = np.eye(inside.sum()) - alpha * s[np.ix_(inside, inside)]
        start = same[i, inside] / same[i].sum()
        out[i, inside] = krylov(matrix, start, iterations, 1e-6, "last")
    return out


def rdp(query: Array, gallery: Array, k: int, sigma: float, mu: float, iterations: int) -> Array:
    """(nq, ng) A, Bai et al. 2019 as released."""
    images = np.concatenate([query, gallery]).astype(np.float64)
    squares = sqeuclidean(images, images)
    v = np.where(lists(images, k), np.exp(-((squares / (squares.max() or 1)) ** 2) / sigma**2), 0)
    s, alpha = normalized((v + v.T) / 2), 1 / (1 + mu)
    same = copies(images)
    identity = same / same.sum(axis=1)
    a = identity
    for _ in range(iterations):
        a = alpha * s @ a @ s.T + (1 - alpha) * identity
    return a[: len(query), len(query) :]
