"""Re-ranking by places in ranked lists, on matrices of all by all: the definitions.

Copies of an image count as one. A list holds images, its own first; ``lists[i, r]`` stands at place r + 1. Scores
are (n, n), larger is nearer.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean

Lists = NDArray[np.int64]


def rdpac(
    query: Array,
    gallery: Array,
    k: int = 15,
    depth: int = 400,
    p: float = 0.6,
    p_list: float = 0.99,
    alpha: float = 0.95,
    rounds: int = 15,
) -> Array:
    """Rank-based diffusion with assured convergence."""
    far, of = _far(query, gallery)
    lists = _lists(far, max(2 * depth, k))
    width = lists.shape[1]
    half = max(min(k, width), -(-width // 2))
    weight = by_place(lists[:, :half], p_list ** np.arange(1, half + 1))
    lists = _sorted(lists, weight + weight.T)
    links = _by_column(by_place(lists, p ** np.arange(1, k + 1)))
    spread = links
    for _ in range(rounds):
        spread = alpha * _by_column(spread) @ links.T + (1 - alpha) * np.eye(len(far))
        spread *= by_place(lists, np.ones(half))
    spread = _by_column(spread)
    twice = (spread @ spread) * by_place(lists, np.ones(width))
    return _answer(far, lists, spread @ twice, of[: len(query)], of[len(query) :])


def cprr(query: Array, gallery: Array, k: int = 20, depth: int = 400, rounds: int = 2) -> Array:
    """Cartesian products of ranking references, query by query, pair by pair."""
    far, of = _far(query, gallery)
    lists = _by_both_places(_lists(far, max(depth, k)))
    for left in range(rounds, 0, -1):
        scores = np.zeros_like(far)
        naming: list[list[tuple[int, int]]] = [[] for _ in far]
        for i, row in enumerate(lists[:, :k]):
            weights = [min(k, lists.shape[1]) - place for place in range(len(row))]
            for a, x in zip(weights, row, strict=True):
                for b, y in zip(weights, row, strict=True):
                    scores[x, y] += a * b
            for a, x in list(zip(weights, row, strict=True))[1:]:
                naming[x].append((i, a))
        for several in naming:
            for x, a in several:
                for y, b in several:
                    scores[x, y] += a * b
        if left > 1:
            lists = _sorted(lists, scores)
    return _answer(far, lists, scores, of[: len(query)], of[len(query) :])


def lhrr(query: Array, gallery: Array, k: int = 18, depth: int = 400, rounds: int = 2) -> Array:
    """Log-based hypergraph of ranking references."""
    far, of = _far(query, gallery)
    lists = _by_both_places(_lists(far, max(depth, k)))
    for left in range(rounds, 0, -1):
        links = by_place(lists, _logarithmic(k))
        edges = np.eye(len(far)) + links @ links
        sure = np.sort(edges, axis=1)[:, ::-1][:, :k].sum(axis=1)
        scores = (1 + edges.T @ (sure[:, None] * edges)) * (edges @ edges.T) * (edges @ edges).T
        if left > 1:
            lists = _sorted(lists, scores)
    return _answer(far, lists, scores, of[: len(query)], of[len(query) :])


def bfs_tree(query: Array, gallery: Array, k: int = 20, depth: int = 400, p: float = 0.7) -> Array:
    """Breadth-first trees of ranking references, tree by tree."""
    far, of = _far(query, gallery)
    lists = _by_both_places(_lists(far, max(depth, k)))
    width, k = lists.shape[1], min(k, lists.shape[1])
    here = by_place(lists, np.arange(width, 0, -1))
    lists = _sorted(lists, np.where(here.T > 0, np.minimum(here, here.T), here))
    links = np.zeros_like(far)
    for i, row in enumerate(lists[:, 1:k], start=0):
        for j in row:
            links[i, j] = (1 - p) * sum(
                p ** (d - 1) * len({*lists[i, :d]} & {*lists[j, :d]}) / d for d in range(1, k + 1)
            )
    trees = np.zeros_like(far)
    for first, second in zip(np.eye(len(far)) + links, links @ links, strict=True):
        trees += np.outer(first, first) + np.outer(second, second) + np.outer(first, second)
    named = by_place(lists, np.ones(width))
    trees = trees / (1 + trees.sum(axis=0)) * named
    scores = (trees @ trees.T) * named
    return _answer(far, lists, scores / (1 + scores.sum(axis=0)), of[: len(query)], of[len(query) :])


def rfe(query: Array, gallery: Array, k: int = 20, depth: int = 400, slope: float = 0.1, rounds: int = 2) -> Array:
    """Rank flow embedding."""
    far, of = _far(query, gallery)
    lists = _lists(far, max(depth, k))
    places = np.arange(1, lists.shape[1] + 1)
    high = 1 / (1 + np.exp(np.minimum(slope * (places - k // 2), 80)))
    high[0] = 1
    lists = _sorted(lists, by_place(lists, high) ** 2 * by_place(lists, high).T)
    for left in range(rounds, -1, -1):
        links = by_place(lists, _logarithmic(k))
        both = links + links @ links
        embedded = both * both.T
        if left:
            lists = _sorted(lists, embedded @ embedded.T * by_place(lists, 1 / places))
    sure = np.sort(embedded, axis=1)[:, ::-1][:, :k].sum(axis=1)
    scores = embedded.T @ (sure[:, None] / sure.max() * embedded)
    return _answer(far, lists, scores, of[: len(query)], of[len(query) :])


def recknn(query: Array, gallery: Array, k: int = 15, depth: int = 200, rounds: int = 1) -> Array:
    """Reciprocal kNN graph, list by list, length by length."""
    far, of = _far(query, gallery)
    lists = _lists(far, max(depth, k + rounds - 1))
    width = lists.shape[1]
    for done in range(rounds):
        sums = np.zeros_like(far)
        for row in lists:
            for m in range(2, min(k + done, width) + 1):
                near = row[:m]
                share = sum(len({*near} & {*lists[i, :m]}) for i in near) / m**2
                sums[np.ix_(near, near)] += share**2
        place = by_place(lists, np.arange(1, width + 1))
        worse = np.maximum(place, np.where(place.T > 0, place.T, width))
        nearness = np.where(sums > 0, width * (1 + sums) / worse, -place)
        if done < rounds - 1:
            lists = _sorted(lists, nearness)
    return _answer(far, lists, nearness, of[: len(query)], of[len(query) :])


def knn_rank(query: Array, gallery: Array, k: int = 20, depth: int = 400, rounds: int = 1) -> Array:
    """Ranks in the lists of an image and its neighbours, put together."""
    far, of = _far(query, gallery)
    lists = _lists(far, max(depth, k + 1))
    for left in range(rounds, 0, -1):
        inverse = by_place(lists, 1 / np.arange(1, lists.shape[1] + 1))
        scores = np.zeros_like(far)
        for i, row in enumerate(lists):
            for a, neighbour in enumerate(row[: k + 1]):
                scores[i] += inverse[neighbour] / (a + 1)
        if left > 1:
            lists = _sorted(lists, scores)
    return _answer(far, lists, scores, of[: len(query)], of[len(query) :])


def by_place(lists: Lists, weights: NDArray[Any]) -> Array:
    """(n, n): the weight of each image's place in a list, 0 where it has none."""
    out = np.zeros((len(lists), len(lists)))
    for place, weight in enumerate(weights[: lists.shape[1]]):
        out[np.arange(len(lists)), lists[:, place]] = weight
    return out


def _far(query: Array, gallery: Array) -> tuple[Array, Lists]:
    """Distances between different images, in the order in which they first come, and which of them each one is."""
    images = np.concatenate([query, gallery])
    _, first, inverse = np.unique(images, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    different = images[first[order]]
    return sqeuclidean(different, different), np.argsort(order)[inverse.ravel()]


def _lists(far: Array, depth: int) -> Lists:
    return _sorted(np.argsort(far, axis=1, kind="stable")[:, :depth], np.zeros_like(far))


def _by_both_places(lists: Lists) -> Lists:
    weight = by_place(lists, np.arange(lists.shape[1], 0, -1))
    return _sorted(lists, weight + weight.T)


def _logarithmic(k: int) -> Array:
    return 1 - np.log(np.arange(1, k + 1)) / np.log(k)


def _sorted(lists: Lists, scores: Array) -> Lists:
    """Lists by falling score, which is compared in float32; equal ones as they stood, the own image first."""
    out = lists.copy()
    for i, row in enumerate(lists):
        others = [j for j in row if j != i]
        keys = [-np.float32(scores[i, j]) for j in others]
        out[i] = [i, *(others[at] for at in np.argsort(keys, kind="stable"))][: len(row)]
    return out


def _by_column(matrix: Array) -> Array:
    sums = matrix.sum(axis=0)
    return matrix / np.where(sums > 0, sums, 1)


def _answer(far: Array, lists: Lists, scores: Array, query: Lists, gallery: Lists) -> Array:
    """Minus the score of what a query's list names, if it is above 0; else the distance. Copies come first."""
    out = far[np.ix_(query, gallery)].copy()
    for row, q in enumerate(query):
        named = {j: scores[q, j] for j in lists[q] if scores[q, j] > 0}
        if named and q in gallery:
            others = max((score for j, score in named.items() if j != q), default=0)
            named[q] = max(scores[q, q], np.nextafter(np.float32(others), np.float32(np.inf)))
        for j, score in named.items():
            out[row, gallery == j] = -score
    return out
