"""Distances of images of which some parts are seen, pair by pair."""

import numpy as np

from postproc.kernels.reference.basic import Array, unit


def part_distances(query: Array, gallery: Array, seen_by: tuple[Array, Array], seen: float, far: float) -> Array:
    """The mean of 2 - 2 cosine of the parts, weighed by the root of both visibilities."""
    shown = [np.where(v >= seen, 1.0, 0.0) if seen else np.asarray(v, np.float64) for v in seen_by]
    count = shown[0].shape[1]
    sides = [
        np.stack([unit(part) for part in np.split(np.asarray(x, np.float64), count, 1)]) for x in (query, gallery)
    ]
    out = np.full((len(query), len(gallery)), far, np.float64)
    for i, a in enumerate(shown[0]):
        for j, b in enumerate(shown[1]):
            weights = np.sqrt(a * b)
            if weights.sum() > 0:
                each = [2 - 2 * sides[0][k][i] @ sides[1][k][j] for k in range(count)]
                out[i, j] = weights @ each / weights.sum()
    return out
