"""Features and distances of tracks."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean
from postproc.kernels.reference.reciprocal import rerank_matrix


def groups_of(track: NDArray) -> list[list[int]]:
    """The images of every track, those of none (below 0) alone."""
    named = [np.flatnonzero(track == name).tolist() for name in sorted(set(track.tolist())) if name >= 0]
    return named + [[row] for row in np.flatnonzero(track < 0).tolist()]


def track_mean(gallery: Array, track: NDArray, place: NDArray, chunk: int | None) -> Array:
    """Every image gets the mean over its run of ``chunk`` images of its track."""
    out = np.array(gallery, np.float64)
    for name in set(track.tolist()) - {-1}:
        members = sorted(np.flatnonzero(track == name), key=lambda row: (place[row], row))
        for start in range(0, len(members), chunk or len(members)):
            run = members[start : start + (chunk or len(members))]
            out[run] = np.mean(np.asarray(gallery, np.float64)[run], axis=0)
    return out


def quality_track_mean(
    gallery: Array, track: NDArray, quality: Array, threshold: float, keep: float, add: float
) -> Array:
    """``keep x + add mean`` of the images of the track that are good enough, of all where none is."""
    x = np.asarray(gallery, np.float64)
    out = np.empty_like(x)
    for group in groups_of(track):
        good = [row for row in group if quality[row] >= threshold] or group
        out[group] = keep * x[group] + add * x[good].mean(axis=0)
    return out


def weighted_track_mean(query: Array, gallery: Array, track: NDArray, threshold: float, epsilon: float) -> Array:
    """Weights ``1 / (mean distance to the track's queries + epsilon)``, over their sum."""
    x = np.asarray(gallery, np.float64)
    out = np.empty_like(x)
    for group in groups_of(track):
        d = sqeuclidean(query, x[group])
        closest = d.min(axis=1)
        own = closest < threshold if (closest < threshold).any() else closest == closest.min()
        weights = 1 / (d[own].mean(axis=0) + epsilon)
        out[group] = weights @ x[group] / weights.sum()
    return out


def track_augmentation(gallery: Array, track: NDArray, epsilon: float) -> Array:
    """Weights ``1 / (distance to the image + epsilon)``, over their sum."""
    x = np.asarray(gallery, np.float64)
    out = np.empty_like(x)
    for group in groups_of(track):
        weights = 1 / (sqeuclidean(x[group], x[group]) + epsilon)
        out[group] = weights @ x[group] / weights.sum(axis=1, keepdims=True)
    return out


def pool_distances(
    distances: Array, track: NDArray, query_track: NDArray, reduce: str, k: int | None, query_reduce: str
) -> Array:
    """Distances between tracks, of finite entries, at the place of every finite entry."""
    of: dict[str, Callable[..., float]] = {"min": np.min, "mean": np.mean, "max": np.max}
    d = np.asarray(distances, np.float64)
    out = np.full_like(d, np.inf)
    for rows in groups_of(query_track):
        for columns in groups_of(track):
            found = [sorted(v for v in d[row, columns] if v < np.inf)[:k] for row in rows]
            of_queries = [of[reduce](values) for values in found if values]
            if of_queries:
                out[np.ix_(rows, columns)] = of[query_reduce](of_queries)
    out[np.isinf(d)] = np.inf
    return out


def rerank_tracks(
    query: Array, means: Array, track: NDArray, k1: int, k2: int, lambda_value: float, twice: bool
) -> Array:
    """``rerank`` of queries and tracks, for every image; ``means`` (ng, d) are those of the images' tracks."""
    groups = groups_of(track)
    images = np.concatenate([query, [means[group[0]] for group in groups]])
    matrix = sqeuclidean(images, images)
    if twice:
        largest = matrix.max(axis=0)
        matrix = (matrix / np.where(largest > 0, largest, 1)).T
    by_track = rerank_matrix(matrix, len(query), k1, k2, lambda_value)
    out = np.empty((len(query), len(track)))
    for column, group in enumerate(groups):
        out[:, group] = by_track[:, [column]]
    return out


def nearest_first(distances: Array, plain: Array, track: NDArray, later: float) -> Array:
    """``later`` more for the images of a track that are not as near as its nearest by the ``plain`` distance."""
    out = np.array(distances, np.float64)
    for group in groups_of(track):
        out[:, group] += later * (plain[:, group] > plain[:, group].min(axis=1, keepdims=True))
    return out
