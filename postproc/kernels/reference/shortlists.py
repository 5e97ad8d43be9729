"""What refines a shortlist by neighbours. Features are brought to unit length here."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean, unit


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
