"""Penalties and corrections of finished distances, pair by pair."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array, sqeuclidean, unit

Labels = NDArray[np.integer]


def label_penalty(distances: Array, query: Labels, gallery: Labels, penalty: float, equal: bool = True) -> Array:
    """``penalty`` more where two known labels are equal, or differ."""
    out = np.array(distances, np.float64)
    for i, a in enumerate(query):
        for j, b in enumerate(gallery):
            if a >= 0 and b >= 0 and (a == b) == equal:
                out[i, j] += penalty
    return out


def expected_same_camera(prob: Array, track: Labels) -> Array:
    """Over all images: how likely two are of one camera; 0 in a track."""
    prob = np.asarray(prob, np.float64)
    one_track = (track[:, None] == track) & (track >= 0)[:, None]
    return np.where(one_track, 0, prob @ prob.T)


def topology_matrix(pid: Labels, cam: Labels, count: str) -> tuple[list[int], Array]:
    """Pairs of two images of an identity, or pairs of its cameras, by cameras; rows divided by their sums."""
    images = [(p, c) for p, c in zip(pid.tolist(), cam.tolist(), strict=True) if p >= 0 and c >= 0]
    cameras = sorted({c for _, c in images})
    pairs = np.zeros((len(cameras), len(cameras)))
    seen = set()
    for i, (person, a) in enumerate(images):
        for j, (other, b) in enumerate(images):
            if i != j and person == other and (count == "images" or (person, a, b) not in seen):
                pairs[cameras.index(a), cameras.index(b)] += 1
                seen.add((person, a, b))
    return cameras, pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1)


def apply_topology(
    distances: Array, query: Labels, gallery: Labels, cameras: list[int], matrix: Array, weight: float
) -> Array:
    """Distances times 1 - weight * share."""
    out = np.array(distances, np.float64)
    for i, a in enumerate(query.tolist()):
        for j, b in enumerate(gallery.tolist()):
            if a in cameras and b in cameras and out[i, j] < np.inf:
                out[i, j] *= 1 - weight * matrix[cameras.index(a), cameras.index(b)]
    return out


def subtract_auxiliary(distances: Array, query: Array, gallery: Array, weight: float, metric: str) -> Array:
    """Distances less weighted distances of a side model."""
    square = sqeuclidean(query, gallery)
    cosine = 1 - unit(query) @ unit(gallery).T
    other = {"sqeuclidean": square, "euclidean": np.sqrt(square), "cosine": cosine}[metric]
    return np.asarray(distances, np.float64) - weight * other


def orientation_rule(
    distances: Array, query: Array, gallery: Array, track: Labels, near: float, far: float, penalty: float
) -> Array:
    """More where the nearest image of the track is of the query's orientation and the distance is large."""
    side = 2 - 2 * unit(query) @ unit(gallery).T
    out = np.array(distances, np.float64)
    for i in range(len(query)):
        for j in range(len(gallery)):
            members = (track == track[j]) if track[j] >= 0 else np.arange(len(gallery)) == j
            if side[i, members].min() < near and distances[i, j] > far:
                out[i, j] += penalty
    return out


def attribute_distance(a: int, b: int, confusion: Array) -> float:
    """Of two classes of one attribute, from the classifier's confusion (UWIPL)."""
    columns = np.asarray(confusion, np.float64) + 1e-4
    columns = columns / columns.sum(axis=0)
    together = 1.0 if a == b else columns[:, a] @ columns[:, b]
    return float(-np.log(together + 1e-4) / np.log(len(columns)))


def attribute_distances(query: Array, gallery: Array, confusions: list[Array], expected: bool) -> Array:
    """Sums over attributes, of the most probable classes or of all classes by their probability."""
    out = np.zeros((len(query), len(gallery)))
    first = 0
    for confusion in confusions:
        classes = len(confusion)
        for i, p in enumerate(np.asarray(query, np.float64)[:, first : first + classes]):
            for j, r in enumerate(np.asarray(gallery, np.float64)[:, first : first + classes]):
                if not p.any() or not r.any():
                    continue
                for a in range(classes):
                    for b in range(classes):
                        weight = p[a] * r[b] if expected else float(a == p.argmax() and b == r.argmax())
                        if weight:
                            out[i, j] += weight * attribute_distance(a, b, confusion)
        first += classes
    return out


def part_penalty(
    distances: Array,
    views: Sequence[tuple[Array, Array]],
    parts: Sequence[tuple[Array, Array]],
    track: Labels,
    weight: float,
    enough: float,
) -> Array:
    """More where the view is alike and no part is."""
    out = np.array(distances, np.float64)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            members = np.flatnonzero(track == track[j]) if track[j] >= 0 else [j]
            seen = [
                float(unit(q[i : i + 1])[0] @ unit(g[m : m + 1])[0])
                for q, g in parts
                for m in members
                if q[i].any() and g[m].any()
            ]
            part = max(seen) if seen else 1 - out[i, j]
            view = [(1 + (unit(q[i : i + 1]) @ unit(g[members]).T).max()) / 2 for q, g in views]
            out[i, j] += weight * (np.mean(view) if view else 1) * (enough - part)
    return out


def cluster_gallery_soft(gallery: Array, kind: Labels, k: int, rate: float, rounds: int) -> Array:
    """Images moved to weighted means of their neighbours, those of another kind farther than everybody."""
    x = np.asarray(gallery, np.float64)
    for _ in range(rounds):
        far = sqeuclidean(x, x)
        far += (kind[:, None] != kind) * far.max(axis=1, keepdims=True)
        near = np.argsort(far, axis=1, kind="stable")[:, : k + 1]
        d = np.take_along_axis(far, near, axis=1)
        weights = np.exp(-d / (d[:, 1:2] + 1 if len(x) > 1 else 1))
        mean = np.einsum("ik,ikd->id", weights / weights.sum(axis=1, keepdims=True), x[near])
        x = (1 - rate) * x + rate * mean
    return x
