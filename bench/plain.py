"""Steps as they are usually written: NumPy, dense matrices, loops where the released code has them.

Each takes features of unit length and gives what the step of that name gives at its defaults: the published steps
in the published order, float32, products by BLAS. Not tuned, not crippled. ``rerank``, the yardstick of
``bench/rerank.py``, is as it is copied from project to project: three distance matrices, a full argsort, V as a
dense matrix, an inverted index.
"""

import numpy as np


def squared(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, m) squared Euclidean distances."""
    return (x * x).sum(axis=1)[:, None] + (y * y).sum(axis=1) - 2 * x @ y.T


def rerank(
    query: np.ndarray, gallery: np.ndarray, k1: int = 20, k2: int = 6, lambda_value: float = 0.3
) -> np.ndarray:
    """(nq, d), (ng, d) -> (nq, ng) float32."""
    across, within, rest = squared(query, gallery), squared(query, query), squared(gallery, gallery)
    nq, images = across.shape[0], sum(across.shape)
    distance = np.concatenate(
        [np.concatenate([within, across], axis=1), np.concatenate([across.T, rest], axis=1)], axis=0
    )
    distance = np.ascontiguousarray((distance / distance.max(axis=0)).T)
    order = np.argsort(distance, axis=1).astype(np.int32)
    half = int(np.around(k1 / 2))

    def reciprocal(i: int, k: int) -> np.ndarray:
        forward = order[i, : k + 1]
        return forward[(order[forward, : k + 1] == i).any(axis=1)]

    v = np.zeros_like(distance)
    for i in range(images):
        core = reciprocal(i, k1)
        expanded = core
        for candidate in core:
            theirs = reciprocal(candidate, half)
            if len(np.intersect1d(theirs, core)) > 2 / 3 * len(theirs):
                expanded = np.append(expanded, theirs)
        expanded = np.unique(expanded)
        weight = np.exp(-distance[i, expanded])
        v[i, expanded] = weight / weight.sum()
    if k2 > 1:
        mean = np.zeros_like(v)
        for i in range(images):
            mean[i] = v[order[i, :k2]].mean(axis=0)
        v = mean
    distance = distance[:nq, nq:].copy()
    columns = [np.flatnonzero(v[:, i]) for i in range(images)]
    jaccard = np.zeros((nq, images), np.float32)
    for i in range(nq):
        shared = np.zeros(images, np.float32)
        for t in np.flatnonzero(v[i]):
            shared[columns[t]] += np.minimum(v[i, t], v[columns[t], t])
        jaccard[i] = 1 - shared / (2 - shared)
    return (1 - lambda_value) * jaccard[:, nq:] + lambda_value * distance


def gnn_rerank(
    query: np.ndarray, gallery: np.ndarray, k1: int = 26, k2: int = 7, lambda_value: float = 0.3
) -> np.ndarray:
    """The graph as a dense matrix, as in the released code."""
    images, nq = np.concatenate([query, gallery]), len(query)
    similar = images @ images.T
    near = nearest(-similar, k1)
    weights = np.take_along_axis(similar, near[:, :k2], axis=1) ** 2
    graph = np.zeros_like(similar)
    np.put_along_axis(graph, near, 1, axis=1)
    for _ in range(2):
        both = graph + graph.T
        graph = weights[:, :1] * both
        for rows, weight in zip(near[:, 1:k2].T, weights[:, 1:].T, strict=True):
            graph += weight[:, None] * both[rows]
        graph /= np.linalg.norm(graph, axis=1, keepdims=True)
    return 1 - ((1 - lambda_value) * graph[:nq] @ graph[nq:].T + lambda_value * similar[:nq, nq:])


def ecn(query: np.ndarray, gallery: np.ndarray, k: int = 25, t: int = 3, q: int = 8) -> np.ndarray:
    """Rank lists as a dense matrix; sums over the expanded neighbours first, then two products."""
    images, nq = np.concatenate([query, gallery]), len(query)
    similar = images @ images.T
    near = nearest(-similar, k)
    places = np.zeros_like(similar)
    np.put_along_axis(places, near, np.arange(k, 0, -1, dtype=np.float32)[None], axis=1)
    first = near[:, 1 : t + 1]
    expanded = np.concatenate([first, near[first][:, :, 1 : q + 1].reshape(len(near), -1)], axis=1)
    sums = np.zeros_like(places)
    for rows in expanded.T:
        sums += places[rows]
    shared = sums[:nq] @ places[nq:].T + places[:nq] @ sums[nq:].T
    return np.where(shared > 0, shared / (-2 * expanded.shape[1]), 1 - similar[:nq, nq:])


def lbr(query: np.ndarray, gallery: np.ndarray, k: int = 50, temperature: float = 0.1) -> np.ndarray:
    """Query by query on its shortlist."""
    far = 2 - 2 * query @ gallery.T
    for row, near in zip(far, np.argpartition(far, k - 1, axis=1)[:, :k], strict=True):
        images = gallery[near]
        weights = np.exp(images @ images.T / temperature)
        row[near] = weights @ row[near] / weights.sum(axis=1)
    return far


def superglobal(
    query: np.ndarray, gallery: np.ndarray, shortlist: int = 400, k: int = 9, beta: float = 0.15
) -> np.ndarray:
    """Query by query on its shortlist; the others behind it."""
    far = 2 - 2 * query @ gallery.T
    shortlists = np.argpartition(far, shortlist - 1, axis=1)[:, :shortlist]
    far += 3 + np.sqrt(k + 1, dtype=np.float32)
    for image, row, near in zip(query, far, shortlists, strict=True):
        images = gallery[near]
        similar = images @ images.T
        best = np.argpartition(-similar, k, axis=1)[:, : k + 1]
        weights = beta * np.maximum(np.take_along_axis(similar, best, axis=1), 0)
        weights[best == np.arange(shortlist)[:, None]] = 1
        refined = np.einsum("ij,ijd->id", weights / weights.sum(axis=1, keepdims=True), images[best])
        first = refined @ image
        expanded = refined[np.argpartition(-first, k)[: k + 1]].max(axis=0)
        row[near] = 2 - first - refined @ expanded
    return far


def qb_norm(query: np.ndarray, gallery: np.ndarray, train: np.ndarray, beta: float = 20) -> np.ndarray:
    """The dynamic inverted softmax, as distances."""
    to_bank = train @ gallery.T
    hubs = np.unique(to_bank.argmax(axis=1))
    bias = np.log(np.exp(beta * to_bank).mean(axis=0)) / beta
    far = 1 - query @ gallery.T
    far[np.isin(far.argmin(axis=1), hubs)] += bias
    return far


def hamming(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """By the product of signs."""
    signs = [np.where(side > 0, np.float32(1), np.float32(-1)) for side in (query, gallery)]
    return (query.shape[1] - signs[0] @ signs[1].T) / 2


def nearest(far: np.ndarray, k: int) -> np.ndarray:
    """(n, k) columns of the smallest of every row, in order."""
    near = np.argpartition(far, k - 1, axis=1)[:, :k]
    order = np.argsort(np.take_along_axis(far, near, axis=1), axis=1)
    return np.take_along_axis(near, order, axis=1)
