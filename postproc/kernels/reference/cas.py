"""Cluster-aware similarity diffusion on matrices of all by all."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean

Flags = NDArray[np.bool_]


def cas(
    query: Array,
    gallery: Array,
    k1: int = 5,
    k2: int = 20,
    k3: int = 25,
    k4: int = 6,
    k5: int = 25,
    level: float = 2,
    sigma: float = 0.3,
    mu: float = 0.23,
    beta: float = 0,
    lambda_value: float = 0.3,
) -> Array:
    """Luo et al. 2024; images with the same features are one image."""
    every = np.concatenate([query, gallery])
    _, first, copy_of = np.unique(every, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)  # images in the order in which they first appear
    image = np.argsort(order)[copy_of.ravel()]
    d = sqeuclidean(every[first[order]], every[first[order]])
    count = len(d)
    largest = d.max(axis=1, keepdims=True)
    p = d / np.where(largest > 0, largest, 1)
    ranks = np.argsort(d, axis=1, kind="stable")
    s = np.exp(-p / sigma**2)

    def among(k: int, others: bool = False) -> Flags:
        """Who is among the first k of each row; not itself, if only others are wanted."""
        found = np.zeros((count, count), bool)
        for i in range(count):
            found[i, ranks[i, :k]] = True
        if others:
            np.fill_diagonal(found, False)
        return found

    confident = among(k1) & among(k1).T
    f = _smoothed(
        _diffused(np.where(among(k1, True), s, 0) * (1 + confident), 1 / (1 + mu)),
        confident,
        _candidates(among(k2 + 1), among(k2 // 2 + 1)),
        _over_sums(np.where(among(k3, True), s, 0)),
        beta,
    )
    means = np.stack([f[ranks[i, :k4]].mean(axis=0) for i in range(count)])
    mixed = _over_sums(means + level * _over_sums(confident.astype(np.float64)) @ f)
    markov = mixed @ mixed
    for row in markov:
        row[np.argsort(-row, kind="stable")[k5:]] = 0
    rows = _over_sums(markov)
    rows = _over_sums(rows @ rows)
    paths = np.where(among(100), _divergences(rows), 50)
    np.fill_diagonal(paths, 0)
    paths = np.minimum(paths, paths.T)
    for middle in range(count):
        paths = np.minimum(paths, paths[:, [middle]] + paths[[middle]])
    out = (1 - lambda_value) * paths + lambda_value * p
    return out[np.ix_(image[: len(query)], image[len(query) :])]


def _over_sums(x: Array) -> Array:
    total = x.sum(axis=1, keepdims=True)
    return x / np.where(total > 0, total, 1)


def _diffused(weights: Array, alpha: float) -> Array:
    weights = (weights + weights.T) / 2
    roots = np.sqrt(weights.sum(axis=1))
    roots[roots == 0] = 1
    step = weights / roots / roots[:, None]
    f = weights
    for _ in range(10):
        f = alpha * (f @ step + step @ f) / 2 + (1 - alpha) * np.eye(len(f))
    return f


def _candidates(whole: Flags, half: Flags) -> Flags:
    whole, half = whole & whole.T, half & half.T
    grown = whole.copy()
    for i, core in enumerate(whole):
        for j in np.flatnonzero(core):
            if 3 * (half[j] & core).sum() > 2 * half[j].sum():
                grown[i] |= half[j]
    return grown


def _smoothed(f: Array, confident: Flags, candidates: Flags, step: Array, beta: float) -> Array:
    two = step @ step
    out = np.where(candidates, f, 0)
    for i in range(len(f)):
        sure, others = np.flatnonzero(confident[i]), np.flatnonzero(candidates[i] & ~confident[i])
        anchor = two[sure, sure].mean() if len(sure) else 0
        divisor = anchor**2 + 2 * beta
        if len(sure) < 2 or len(others) < 2 or divisor == 0:
            continue
        w = np.full(len(f), anchor)
        w[others] = np.minimum(two[np.ix_(others, sure)].mean(axis=1), anchor)
        own, w = f[i, candidates[i]], w[candidates[i]]
        level = anchor**2 * own.mean() - anchor * (own * w).mean()
        out[i, candidates[i]] = (own * (anchor * w + 2 * beta) + level) / divisor
    return _over_sums(out)


def _divergences(rows: Array) -> Array:
    def information(x: Array) -> Array:
        return x * np.log2(np.where(x > 0, x, 1))

    both = np.stack([(information(rows) + information(row) - information(rows + row)).sum(axis=1) for row in rows])
    return np.maximum(1 + both / 2, 0)
