"""NFST: directions in which all training images of one identity fall on one point.

Source: Zhang et al., "Learning a Discriminative Null Space for Person Re-identification", CVPR 2016, and the
authors' MATLAB code.
"""

from __future__ import annotations

import numpy as np

from postproc import linear
from postproc.metrics.metric import Metric, Unfit
from postproc.metrics.pairs import class_means

SPAN = 1e-12  # of the largest eigenvalue: outside the span of the training images
NULL = 1e-12  # of the largest eigenvalue: no scatter within identities


def fit(train: np.ndarray, pid: np.ndarray, *, kernel: str, components: int | None) -> Metric:
    """The null space of the scatter within identities inside the span of the centred training images."""
    train = train.astype(np.float64)
    if kernel == "rbf":
        radial = Radial(train)
        products, before = radial(train), radial
    else:
        products, before = train @ train.T, None
    products = products - products.mean(axis=0)
    products -= products.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh((products + products.T) / 2)
    inside = values > SPAN * values[-1]
    values, vectors = values[inside], vectors[:, inside]
    null = null_space(vectors * np.sqrt(values), pid)[:, :components]
    combined = (vectors / np.sqrt(values)) @ null  # of centred images
    combined -= combined.mean(axis=0)
    if before is None:
        return Metric.of_map(train.T @ combined)
    found = Metric.of_map(combined)
    return Metric(found.directions, found.weights, before)


def null_space(rows: np.ndarray, pid: np.ndarray) -> np.ndarray:
    """(r, c) orthonormal, in which means of identities vary most first. Where nothing is null, the one direction
    of least scatter, as in the released code.
    """
    means = class_means(rows, pid)
    left = rows - means[pid]
    scatter, vectors = np.linalg.eigh(left.T @ left)
    null = vectors[:, : max(1, int((scatter <= NULL * max(scatter[-1], 0.0)).sum()))]
    _, spread, turn = np.linalg.svd(means @ null - (means @ null).mean(axis=0), full_matrices=False)
    if not spread[0] > 0:
        raise Unfit("no direction tells identities apart")
    return null @ turn[spread > NULL * spread[0]].T


class Radial:
    """``exp(-|x - t|² / (2 mu²))`` to every training image t; 2 mu² is their mean squared distance."""

    def __init__(self, train: np.ndarray) -> None:
        self.train = train
        self.norms = np.einsum("ij,ij->i", train, train)
        self.width = self._squared(train).mean()

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return np.exp(-self._squared(rows) / self.width)

    def _squared(self, rows: np.ndarray) -> np.ndarray:
        norms = np.einsum("ij,ij->i", rows, rows)
        return np.maximum(norms[:, None] + self.norms - 2 * (rows @ self.train.T), 0)
