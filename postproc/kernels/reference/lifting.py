"""Temporal lifting, pair by pair."""

from math import exp

import numpy as np

from postproc.kernels.reference.basic import Array


def tlift(
    distances: Array,
    cams: tuple[Array, Array],
    frames: tuple[Array, Array],
    tau: float,
    sigma: float,
    k: int,
    alpha: float,
) -> Array:
    """1 - s (w + alpha) / (1 + alpha); ties among the k nearest by gallery row, then by whatever query."""
    d = np.array(distances, np.float64)
    (query_cam, gallery_cam), (query_frame, gallery_frame) = cams, frames
    out = np.array(d)
    for i, (a, t) in enumerate(zip(query_cam, query_frame, strict=True)):
        along = [
            j
            for j, (b, other) in enumerate(zip(query_cam, query_frame, strict=True))
            if j == i or (a >= 0 and a == b and abs(float(other) - float(t)) < tau)
        ]
        for b in set(gallery_cam.tolist()):
            images = np.flatnonzero(gallery_cam == b)
            pairs = sorted((d[j, g], g) for j in along for g in images if d[j, g] < np.inf)[:k]
            times = [float(gallery_frame[g]) for _, g in pairs] if a >= 0 and b >= 0 else []
            for g in images[d[i, images] < np.inf]:
                s = 1 - d[i, g]
                w = sum(exp(-(((float(gallery_frame[g]) - t) / sigma) ** 2)) for t in times) / max(len(times), 1)
                out[i, g] = 1 - s * ((w if s > 0 else 0) + alpha) / (1 + alpha)
    return out
