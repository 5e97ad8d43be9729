"""Images compared by whom they are near to, among the gallery."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean, unit
from postproc.kernels.reference.reciprocal import weights


def aim(query: Array, gallery: Array, k1: int, k2: int) -> Array:
    """2 - s - A_q . A_g; ties by row."""
    query, gallery = unit(query), unit(gallery)
    across, among = query @ gallery.T, gallery @ gallery.T
    mean = _kept(among, k1)[_nearest(among, k2)].mean(axis=1)
    return np.asarray(2 - across - unit(_kept(across, k1)) @ unit(mean).T)


def visual_neighbours(query: Array, gallery: Array, k: int, weight: float) -> Array:
    """1 - s - weight |A and B| / |A or B|, A and B the k nearest gallery images of both; ties by row."""
    query, gallery = unit(query), unit(gallery)
    across, among = query @ gallery.T, gallery @ gallery.T
    out = 1 - across
    for i, found in enumerate(map(set, _nearest(across, k).tolist())):
        for j, near in enumerate(map(set, _nearest(among, k).tolist())):
            out[i, j] -= weight * len(found & near) / len(found | near)
    return np.asarray(out)


def rerank_one_sided(
    query: Array,
    gallery: Array,
    k1: int,
    query_k: int,
    ways: int,
    mean: int,
    step_weight: float,
    lambda_value: float,
) -> Array:
    """Jaccard distance of the query's nearest, by way of the gallery's neighbours, and of the gallery's V."""
    query, gallery = unit(query), unit(gallery)
    c, d = 1 - query @ gallery.T, sqeuclidean(gallery, gallery)
    near = _nearest(-d, ways)
    e = np.empty_like(c)
    for j, images in enumerate(near):
        e[:, j] = np.sort(c[:, images] + step_weight * d[j, images] / 2, axis=1)[:, :mean].mean(axis=1)
    own = np.zeros_like(c)
    for i, images in enumerate(_nearest(-e, query_k)):
        own[i, images] = np.exp(-e[i, images]) / np.exp(-e[i, images]).sum()
    largest = d.max(axis=0)
    v = weights((d / np.where(largest > 0, largest, 1)).T, k1, 1)
    shared = np.stack([np.minimum(row, v).sum(axis=1) for row in own])
    most = e.max(axis=1, keepdims=True)
    share = e / np.where(most > 0, most, 1)
    return np.asarray((1 - lambda_value) * (1 - shared / (2 - shared)) + lambda_value * share)


def _nearest(similar: Array, k: int) -> NDArray[np.intp]:
    return np.argsort(-similar.round(9), axis=1, kind="stable")[:, :k]


def _kept(similar: Array, k: int) -> Array:
    out = np.zeros_like(similar)
    rows = _nearest(similar, k)
    np.put_along_axis(out, rows, np.take_along_axis(similar, rows, axis=1), axis=1)
    return out
