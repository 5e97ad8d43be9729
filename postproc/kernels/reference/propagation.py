"""What features or messages become on a graph of neighbours. Features are brought to unit length here."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


def gcr(
    query: Array, gallery: Array, query_cam: NDArray, gallery_cam: NDArray, k1: int, k2: int,
    beta1: float, beta2: float, scale: float, rounds: int, symmetric: bool,
) -> list[Array]:  # fmt: skip
    """Graph convolution with matrices of all by all; copies share the places left to them in a list."""
    x, copies, other = _images(query, gallery, query_cam, gallery_cam)
    everybody = np.ones_like(other)
    for _ in range(rounds):
        d = sqeuclidean(x, x)
        all_images = _propagation(d, everybody, copies, k1, beta1, symmetric)
        cross = _propagation(d, other, copies, k2 - 1, beta2, symmetric)
        x = unit((1 - scale) * all_images @ x + scale * cross @ x)
    return np.split(x, [len(query)])


def cheb_gr(images: Array, deviations: float, beta: float, rounds: int) -> Array:
    """Graph convolution over all who are nearer than the mean less so many deviations."""
    x = unit(images)
    for _ in range(rounds):
        c = sqeuclidean(x, x) / 2
        s = np.zeros_like(c)
        for i, row in enumerate(c):
            others = np.delete(row, i)
            limit = max(others.mean() - deviations * others.std(), 0) if len(others) else 0
            near = (row <= limit) | (np.arange(len(c)) == i)
            s[i, near] = np.exp(-row[near] / beta)
        x = unit(s / np.sqrt(np.outer(s.sum(axis=1), s.sum(axis=0))) @ x)
    return x


def gcr_local(
    query: Array, gallery: Array, query_cam: NDArray, gallery_cam: NDArray, k1: int, k2: int,
    beta1: float, beta2: float, scale: float, in_order: bool,
) -> list[Array]:  # fmt: skip
    """One round on a small graph an image. ``in_order``: what moved already pulls with its new features."""
    x, _, other = _images(query, gallery, query_cam, gallery_cam)
    d, s = sqeuclidean(x, x), x @ x.T
    out = x.copy()
    everybody = ~np.eye(len(x), dtype=bool)
    for i in range(len(x)):
        features = out if in_order else x
        total = 0
        for allowed, k, beta, share in ((everybody, k1, beta1, 1 - scale), (other, k2, beta2, scale)):
            near = [j for j in np.argsort(d[i], kind="stable") if allowed[i, j] and d[i, j] < 2][:k]
            members = [i, *near]
            small = np.exp((s[np.ix_(members, members)] - 1) / beta)
            sums = small.sum(axis=1)
            total = total + share * (small[0] / np.sqrt(sums[0] * sums)) @ features[members]
        out[i] = total
    return np.split(unit(out), [len(query)])


def gnn_rerank(query: Array, gallery: Array, k1: int, k2: int, lambda_value: float) -> Array:
    """Two rounds of messages along the first k2 neighbours, then 1 - inner products, mixed with 1 - cosine."""
    images = unit(np.concatenate([query, gallery]))
    matrix = sqeuclidean(images, images)
    cosine, order = 1 - matrix / 2, np.argsort(matrix, axis=1, kind="stable")
    graph = np.zeros_like(matrix)
    np.put_along_axis(graph, order[:, :k1], 1, axis=1)
    if k2 > 1:
        messages = np.zeros_like(matrix)
        for i, near in enumerate(order[:, :k2]):
            messages[i, near] = cosine[i, near] ** 2
        for _ in range(2):
            graph = unit(messages @ (graph + graph.T))
    nq = len(query)
    return 1 - (1 - lambda_value) * graph[:nq] @ graph[nq:].T - lambda_value * cosine[:nq, nq:]


def _images(
    query: Array, gallery: Array, query_cam: NDArray, gallery_cam: NDArray
) -> tuple[Array, NDArray, NDArray]:
    """Unit features of all images; which are copies of one another; which are of two cameras."""
    x = unit(np.concatenate([query, gallery]))
    cam = np.concatenate([query_cam, gallery_cam])
    copies = (x[:, None] == x).all(axis=2) & (cam[:, None] == cam)
    return x, copies, ((cam[:, None] != cam) | (cam < 0)) & ~copies


def _propagation(d: Array, allowed: NDArray, copies: NDArray, k: int, beta: float, symmetric: bool) -> Array:
    """``S_ij / sqrt(sum_t S_it * sum_t S_tj)``; an image whose list holds no copy of it joins it."""
    s = np.zeros_like(d)
    for i in range(len(d)):
        for j in [j for j in np.argsort(d[i], kind="stable") if allowed[i, j]][:k]:
            s[i, copies[j]] += np.exp(-d[i, j] / (2 * beta)) / copies[j].sum()
        if not s[i, copies[i]].any():
            s[i, i] = 1
    if symmetric:
        s = (s + s.T) / 2
    return s / np.sqrt(np.outer(s.sum(axis=1), s.sum(axis=0)))
