"""Graph convolution, and what refines a shortlist by neighbours. Features are brought to unit length here."""

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


def kwf(
    query: Array, gallery: Array, query_cam: NDArray, gallery_cam: NDArray, k: int, shortlist: int | None,
    weighting: str, own: float, mean: float, camera_penalty: float,
) -> Array:  # fmt: skip
    """Distances to weighted means of neighbours outside the query's camera."""
    query, gallery = unit(query), unit(gallery)
    d, among = sqeuclidean(query, gallery), sqeuclidean(gallery, gallery)
    weight = {
        "uniform": lambda distance: 1.0,
        "similarity": lambda distance: max(1 - distance / 2, 1e-6),
        "exponential": lambda distance: np.exp(-distance / 2),
    }[weighting]
    out = np.empty_like(d)
    for q, camera in enumerate(query_cam):
        limit = np.inf if shortlist is None else np.sort(d[q])[:shortlist][-1]
        same = (gallery_cam == camera) & (camera >= 0)
        for g in range(len(gallery)):
            near = [j for j in np.argsort(among[g], kind="stable") if not same[j]][:k]
            centre = d[q, g]
            if d[q, g] <= limit and near:
                centre = np.average(d[q, near], weights=[weight(among[g, j]) for j in near])
            out[q, g] = own * d[q, g] + mean * centre + camera_penalty * same[g]
    return out


def lbr(query: Array, gallery: Array, k: int, temperature: float) -> Array:
    """Distances blurred over the k nearest."""
    query, gallery = unit(query), unit(gallery)
    out = sqeuclidean(query, gallery)
    for row in out:
        near = np.argsort(row, kind="stable")[:k]
        w = np.exp(-sqeuclidean(gallery[near], gallery[near]) / (2 * temperature))
        _write(row, gallery, near, w @ row[near] / w.sum(axis=1))
    return out


def superglobal(query: Array, gallery: Array, shortlist: int, k: int, beta: float) -> tuple[Array, Array]:
    """Distances, and the products with the refined features (nq, shortlist), the nearest image first."""
    query, gallery = unit(query), unit(gallery)
    out, stages = sqeuclidean(query, gallery), []
    for q, row in zip(query, out, strict=True):
        near = np.argsort(row, kind="stable")[:shortlist]
        x = gallery[near]
        s = x @ x.T
        refined = []
        for i in range(len(x)):
            others = [j for j in np.argsort(-s[i], kind="stable") if j != i][:k]
            weights = np.array([1, *(beta * max(s[i, j], 0) for j in others)])
            refined.append(weights @ x[[i, *others]] / weights.sum())
        y = np.array(refined)
        stages.append(y @ q)
        expanded = y[np.argsort(-stages[-1], kind="stable")[: k + 1]].max(axis=0)
        row += 3 + np.sqrt(k + 1)
        _write(row, gallery, near, 2 - y @ (q + expanded))
    return out, np.array(stages)


def _write(row: Array, gallery: Array, near: NDArray, values: Array) -> None:
    """New distances for the images ``near`` and for all copies of them."""
    for image, value in zip(near, values, strict=True):
        row[(gallery == gallery[image]).all(axis=1)] = value


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
