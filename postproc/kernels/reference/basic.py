"""Distances, means and rankings: what the other definitions are written with."""

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


def rank(distances: Array) -> NDArray[np.int64]:
    """Gallery rows nearest first; -1 for +inf."""
    order = np.argsort(distances, axis=1, kind="stable")
    return np.where(np.isinf(np.take_along_axis(distances, order, axis=1)), -1, order)


def track_mean(gallery: Array, track: NDArray, place: NDArray, chunk: int | None) -> Array:
    """Every image gets the mean over its run of ``chunk`` images of its track."""
    out = np.array(gallery, np.float64)
    for name in set(track.tolist()) - {-1}:
        members = sorted(np.flatnonzero(track == name), key=lambda row: (place[row], row))
        for start in range(0, len(members), chunk or len(members)):
            run = members[start : start + (chunk or len(members))]
            out[run] = np.mean(np.asarray(gallery, np.float64)[run], axis=0)
    return out
