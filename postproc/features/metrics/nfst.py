"""NFST: directions in which all training images of one identity fall on one point.

Source: Zhang et al., "Learning a Discriminative Null Space for Person Re-identification", CVPR 2016, and the
authors' MATLAB code.
"""

import numpy as np

from postproc.features.metrics.covariance import class_means
from postproc.features.metrics.metric import Metric, Unfit
from postproc.features.metrics.principal import principal_directions

NULL = 1e-12  # of the largest eigenvalue: no scatter
EXACT = 1e-15  # of the largest variance of all: the same where nothing scatters


def fit(train: np.ndarray, pid: np.ndarray, *, components: int | None) -> Metric:
    """The null space of the scatter within identities, inside the span of the centred training images."""
    train = train.astype(np.float64)
    _, basis = principal_directions(train)
    return Metric.of_map(basis @ null_space(train @ basis, pid)[:, :components])


def fit_rbf(train: np.ndarray, pid: np.ndarray, *, components: int | None) -> Metric:
    """The same in the space of the radial kernel, where coordinates are those of kernel PCA."""
    radial = Radial(train.astype(np.float64))
    products = radial(radial.train)
    products -= products.mean(axis=0)
    products -= products.mean(axis=1, keepdims=True)
    values, vectors = np.linalg.eigh((products + products.T) / 2)
    inside = values > NULL * values[-1]
    roots, vectors = np.sqrt(values[inside]), vectors[:, inside]
    shares = (vectors / roots) @ null_space(vectors * roots, pid)[:, :components]
    return Metric.of_map(shares - shares.mean(axis=0), before=radial)


def null_space(rows: np.ndarray, pid: np.ndarray) -> np.ndarray:
    """(r, c) orthonormal, the direction in which identities lie farthest apart first. Where nothing is null, the
    one direction of least scatter, as in the released code.
    """
    means = class_means(rows, pid)
    left = rows - means[pid]
    means -= rows.mean(axis=0)
    scatter, vectors = np.linalg.eigh(left.T @ left)
    nothing = max(NULL * scatter[-1], EXACT * np.square(rows).sum())
    null = vectors[:, : max(1, int((scatter <= nothing).sum()))]
    _, spread, turn = np.linalg.svd(means @ null, full_matrices=False)
    if not spread[0] > 0:
        raise Unfit("no direction tells identities apart")
    return null @ turn[spread > NULL * spread[0]].T


class Radial:
    """``exp(-|x - t|² / w)`` to every training image t, w being the mean of ``|t - t'|²`` over all of them."""

    def __init__(self, train: np.ndarray) -> None:
        self.train = train
        self.norms = np.einsum("ij,ij->i", train, train)
        self.width = self._squared(train).mean()

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return np.exp(self._squared(rows) / -self.width)

    def _squared(self, rows: np.ndarray) -> np.ndarray:
        norms = np.einsum("ij,ij->i", rows, rows)
        return np.maximum(norms[:, None] + self.norms - 2 * (rows @ self.train.T), 0)
