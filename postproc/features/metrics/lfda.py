"""LFDA: Fisher's discriminant where only near images of one identity need to come together.

Source: Sugiyama, "Dimensionality Reduction of Multimodal Labeled Data by Local Fisher Discriminant Analysis",
JMLR 2007, weighted form.
"""

import numpy as np

from postproc.features import linear
from postproc.features.metrics.covariance import class_means
from postproc.features.metrics.metric import Metric, Unfit

NEAREST = 7  # the neighbour whose distance is the local scale
SINGULAR = 1e-12


def fit(train: np.ndarray, pid: np.ndarray, *, ridge: float, components: int | None) -> Metric:
    """Directions of largest scatter between identities for a scatter of 1 within, each times its square root."""
    within, between = scatters(train.astype(np.float64), pid)
    within[np.diag_indices_from(within)] += ridge
    values, vectors = np.linalg.eigh(within)
    if not values[0] > SINGULAR * values[-1]:
        raise Unfit("the local scatter within identities has no inverse; set ridge, or a smaller pca")
    root = vectors / np.sqrt(values)
    values, vectors = np.linalg.eigh(root.T @ between @ root)
    values, vectors = values[::-1][:components], vectors[:, ::-1][:, :components]
    if not values[0] > 0:
        raise Unfit("no direction has a scatter between identities")
    return Metric.of_map(root @ vectors[:, values > 0] * np.sqrt(values[values > 0]))


def scatters(train: np.ndarray, pid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums over pairs of ``w (a - b)(a - b)ᵀ``, within and between.

    An affinity A = exp(-|a - b|² / (s_a s_b)) has a pair of one identity of n_c images, s the distance to the
    seventh nearest of these; within, w is A / n_c; between, w is A (1 / n - 1 / n_c), or 1 / n for two identities.
    """
    count, width = train.shape
    means, images = class_means(train, pid), np.bincount(pid)
    away = means - linear.mean(train)
    within, between = np.zeros((width, width)), (away.T * images) @ away
    members = np.split(np.argsort(pid, kind="stable"), np.cumsum(images)[:-1])
    for size, mean, rows in zip(images, means, members, strict=True):
        moved = train[rows] - mean
        affinity = _affinity(moved)
        near = (moved.T * affinity.sum(axis=0)) @ moved - moved.T @ affinity @ moved
        within += near / size
        between += near * (1 / count - 1 / size) + moved.T @ moved * (1 - size / count)
    return within, between


def _affinity(rows: np.ndarray) -> np.ndarray:
    """(n, n) of one identity; 0 where a scale is 0, as of copies."""
    norms = np.einsum("ij,ij->i", rows, rows)
    squared = np.maximum(norms[:, None] + norms - 2 * rows @ rows.T, 0)
    np.fill_diagonal(squared, 0)
    nearest = min(NEAREST, len(rows) - 1)
    scale = np.sqrt(np.partition(squared, nearest, axis=1)[:, nearest])
    scales = np.outer(scale, scale)
    return np.where(scales > 0, np.exp(-squared / np.where(scales > 0, scales, 1)), 0)
