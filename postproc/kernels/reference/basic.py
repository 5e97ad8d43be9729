"""Features, distances and cameras: what the other definitions are written with."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def unit(x: Array) -> Array:
    """Rows divided by their length; zero rows stay zero."""
    x = np.asarray(x, np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def sqeuclidean(x: Array, y: Array) -> Array:
    """(n, m) squared Euclidean distances, from differences, so that copies are at exactly 0."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    return np.stack([((row - y) ** 2).sum(axis=1) for row in x])


def same_camera(cam: NDArray, track: NDArray) -> Array:
    """1 for two images of one known camera and not of one track, over all images."""
    one_camera = (cam[:, None] == cam) & (cam >= 0)[:, None]
    one_track = (track[:, None] == track) & (track >= 0)[:, None]
    return (one_camera & ~one_track).astype(np.float64)
