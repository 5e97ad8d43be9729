"""Query expansion and what else moves features towards neighbours or away from them."""

import numpy as np

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


def query_expansion(query: Array, gallery: Array, k: int, alpha: float) -> Array:
    """One round from the gallery by cosine, brought to unit length."""

    query, gallery = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    cosine = unit(query) @ unit(gallery).T
    order = np.argsort(sqeuclidean(unit(query), unit(gallery)), axis=1, kind="stable")[:, :k]
    out = [
        x + sum(max(s[j], 0) ** alpha * gallery[j] for j in near)
        for x, s, near in zip(query, cosine, order, strict=True)
    ]
    return unit(np.stack(out))


def nfc(features: Array, k1: int, k2: int) -> Array:
    """Sums over neighbours that have each other among their k1 and k2 nearest."""
    x = unit(features)
    d = sqeuclidean(x, x)
    np.fill_diagonal(d, np.inf)
    near = np.argsort(d, axis=1, kind="stable")[:, : min(k1, len(x) - 1)]
    reach = np.sort(d, axis=1)[:, min(k1, k2, len(x)) - 1]
    return unit(np.stack([x[i] + sum(x[j] for j in near[i] if d[i, j] <= reach[j]) for i in range(len(x))]))


def subtract_negatives(images: Array, train: Array, k: int, beta: float, rounds: int) -> Array:
    """Minus beta times the mean of the k most similar of the bank."""
    x, bank = unit(images), unit(train)
    for _ in range(rounds):
        near = np.argsort(sqeuclidean(x, bank), axis=1, kind="stable")[:, :k]
        x = unit(np.stack([row - beta * bank[rows].mean(axis=0) for row, rows in zip(x, near, strict=True)]))
    return x


def merge_set_features(
    query: Array, gallery: Array, k: int, beta: float, step: float, rounds: int, repel: bool = True
) -> tuple[Array, Array]:
    """mergesetfeat, every row with its own number of similar images."""

    def merge(images: Array, bank: Array) -> Array:
        out = images.copy()
        for i, x in enumerate(images):
            s = bank @ x
            order = [j for j in np.argsort(-s, kind="stable") if s[j] > 0]
            near, far = order[:k], order[k : 2 * k]
            if near:
                weights = np.exp((s[near] - s[near[0]]) / beta)
                out[i] += step * (weights / weights.sum()) @ bank[near]
            if far and repel:
                out[i] -= step * bank[far].mean(axis=0)
        return unit(out)

    query, bank = unit(query), unit(gallery)
    gallery = bank
    for _ in range(rounds):
        gallery = merge(gallery, bank)
    for _ in range(rounds):
        query = merge(query, gallery)
    return query, gallery
