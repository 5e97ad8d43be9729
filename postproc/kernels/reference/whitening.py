"""Whitening and other maps of single features that are fitted on a set of images."""

from itertools import permutations
from statistics import NormalDist

import numpy as np

from postproc.kernels.reference.basic import Array, unit


def camera_whitening(
    query: Array,
    gallery: Array,
    query_cam: Array,
    gallery_cam: Array,
    ridge: float,
    center: bool = True,
    whiten: bool = True,
    min_images: int = 8,
) -> list[Array]:
    """Per camera ``(Xᵀ X + n ridge I)^-1 (x - m)``, the whole gallery where a camera has too few images."""
    query, gallery = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    sides = []
    for side, cams in ((query, query_cam), (gallery, gallery_cam)):
        out = []
        for x, cam in zip(side, cams, strict=True):
            own = gallery[np.asarray(gallery_cam) == cam]
            rows = own if cam >= 0 and len(own) >= min_images else gallery
            mean = rows.mean(axis=0) * center
            moved = x - mean
            if np.linalg.norm(moved) <= 1e-12 * np.linalg.norm(mean):
                moved = 0 * moved
            if whiten:
                moved = np.linalg.solve(rows.T @ rows + len(rows) * ridge * np.eye(len(x)), moved)
            out.append(moved)
        sides.append(unit(np.stack(out)))
    return sides


def principal_components(fitted: Array, power: float) -> tuple[Array, Array]:
    """The mean, and as rows the components divided by their standard deviation to the ``power``."""
    fitted = np.asarray(fitted, np.float64)
    mean = fitted.mean(axis=0)
    _, singular, rows = np.linalg.svd(fitted - mean, full_matrices=False)
    deviation = singular / np.sqrt(len(fitted))
    kept = deviation > 1e-6 * max(deviation[0], 1e-18)
    out = np.zeros((fitted.shape[1], fitted.shape[1]))
    out[: kept.sum()] = positive(rows[kept]) / deviation[kept, None] ** power
    return mean, out


def learned_whitening(train: Array, train_pid: Array) -> tuple[Array, Array]:
    """The mean, and as rows the projection, from all ordered pairs of one identity."""
    train, pid = np.asarray(train, np.float64), np.asarray(train_pid)
    pairs = [(i, j) for i, j in permutations(range(len(pid)), 2) if pid[i] == pid[j] >= 0]
    mean = np.mean([train[i] for i, _ in pairs], axis=0)
    within = np.mean([np.outer(train[i] - train[j], train[i] - train[j]) for i, j in pairs], axis=0)
    inverse = np.linalg.inv(np.linalg.cholesky(within))
    between = sum(np.outer(z, z) for z in (train - mean) @ inverse.T)
    values, vectors = np.linalg.eigh(between)
    return mean, positive(vectors[:, np.argsort(-values)].T @ inverse)


def positive(rows: Array) -> Array:
    """Rows with the sign that makes the largest entry of each positive."""
    return np.array([row if row[np.argmax(abs(row))] >= 0 else -row for row in rows]).reshape(rows.shape)


def quantile_transform(values: Array, fitted: Array) -> Array:
    """(n,) of one dimension: the normal deviate of the rank, straight lines between the fitted values."""
    ordered = np.sort(np.asarray(fitted, np.float64))
    ranks = np.linspace(0, 1, len(ordered))
    rank = np.interp(np.asarray(values, np.float64), ordered, ranks)
    return np.array([NormalDist().inv_cdf(min(max(r, 1e-7), 1 - 1e-7)) for r in rank])
