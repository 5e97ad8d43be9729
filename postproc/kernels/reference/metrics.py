"""Metric learning: sums over pairs as they are written, matrices as they are published."""

from typing import Any

import numpy as np


def pair_covariances(train: np.ndarray, pid: np.ndarray, cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of (a - b)(a - b)ᵀ over pairs of one identity, and of two; of two cameras, -1 being nobody else's."""
    sums: list[Any] = [0, 0]
    counts = [0, 0]
    for i in range(len(train)):
        for j in range(i):
            if cam[i] != cam[j] or cam[i] < 0:
                kind = int(pid[i] != pid[j])
                sums[kind] = sums[kind] + np.outer(train[i] - train[j], train[i] - train[j])
                counts[kind] += 1
    return np.asarray(sums[0]) / counts[0], np.asarray(sums[1]) / counts[1]


def kissme(same: np.ndarray, different: np.ndarray, different_weight: float = 1.0) -> np.ndarray:
    """(d, d) M."""
    return np.linalg.inv(same) - different_weight * np.linalg.inv(different)


def xqda(
    same: np.ndarray, different: np.ndarray, ridge: float, components: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(d, d) W M Wᵀ, and all singular values; those above 1 count, at least one."""
    same = same + ridge * np.eye(len(same))
    left, values, _ = np.linalg.svd(np.linalg.solve(same, different))
    w = left[:, : max(1, int((values > 1).sum()))][:, :components]
    return w @ kissme(w.T @ same @ w, w.T @ different @ w) @ w.T, values


def nfst(train: np.ndarray, pid: np.ndarray) -> np.ndarray:
    """(d, d) the projection on what the training images span, but no difference within an identity does."""
    centred = train - train.mean(axis=0)
    within = train - np.array([train[pid == person].mean(axis=0) for person in pid])
    return _projection(centred) - _projection(within)


def lfda(train: np.ndarray, pid: np.ndarray) -> np.ndarray:
    """(d, d) M: generalised eigenvectors of the local scatters between and within, each times its eigenvalue."""
    n, d = train.shape
    within, between = np.zeros((d, d)), np.zeros((d, d))
    lengths = np.sqrt(((train[:, None] - train) ** 2).sum(axis=-1))
    for i in range(n):
        for j in range(i):
            outer = np.outer(train[i] - train[j], train[i] - train[j])
            if pid[i] != pid[j]:
                between += outer / n
                continue
            mine = pid == pid[i]
            scales = [np.sort(lengths[k, mine])[min(7, mine.sum() - 1)] for k in (i, j)]
            affinity = np.exp(-(lengths[i, j] ** 2) / (scales[0] * scales[1]))
            within += affinity * outer / mine.sum()
            between += affinity * outer * (1 / n - 1 / mine.sum())
    root = np.linalg.inv(np.linalg.cholesky(within)).T
    values, vectors = np.linalg.eigh(root.T @ between @ root)
    mapped = root @ vectors[:, values > 0] * np.sqrt(values[values > 0])
    return np.asarray(mapped @ mapped.T)


def _projection(rows: np.ndarray) -> np.ndarray:
    _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
    directions = directions[sizes > 1e-9 * sizes[0]]
    return directions.T @ directions
