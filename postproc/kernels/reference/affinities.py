"""Images compared by whom they are near to, among the gallery."""

import numpy as np

from postproc.kernels.reference.basic import Array, unit


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


def _nearest(similar: Array, k: int) -> Array:
    return np.argsort(-similar.round(9), axis=1, kind="stable")[:, :k]


def _kept(similar: Array, k: int) -> Array:
    out = np.zeros_like(similar)
    rows = _nearest(similar, k)
    np.put_along_axis(out, rows, np.take_along_axis(similar, rows, axis=1), axis=1)
    return out
