"""Which images belong together, as identities for training.

Sources: gggcy/AIC2020_ReID ``post_processing/kmeans``: groups, and the names of the pictures;
michuanhaohao/AICITY2021_Track2_DMT ``train_stage2_v1.py``: DBSCAN on .9 Jaccard and .1 cosine distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

import postproc
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Array, Ints
from ensemble.base.labels import numbered
from postproc.tracks.query_mean import cluster_queries


@dataclass(frozen=True)
class How:
    """The method and its settings: ``clusters``, ``starts`` of kmeans, ``eps``, ``min_samples`` of the others.

    ``dbscan`` measures 2 - 2 cosine, ``jaccard`` how little two neighbourhoods overlap (``k1``, ``k2``), mixed
    with ``cosine`` parts of 1 - cosine.
    raw:     features are joined as they are, not made of unit length model by model.
    cameras: draw one of so many for every image, from 1; None: as the tables say.
    """

    method: str
    clusters: int | None = None
    starts: int = 1
    eps: float = 0.5
    min_samples: int = 4
    k1: int = 30
    k2: int = 6
    cosine: float = 0.0
    raw: bool = False
    cameras: int | None = None
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Grouped:
    """Images of some sides, one side after the other.

    side, names: (n,) what they are. pid: (n,) int64 identities, -1 for an image in no group.
    cam:         (n,) int64 cameras by number, 0 unknown; ``drawn``: nobody gave them.
    called:      (n,) what pictures of them are called for training, and in train those that are not there already.
    """

    sides: tuple[str, ...]
    side: list[str]
    names: list[str]
    pid: Ints
    cam: Ints
    drawn: bool
    called: list[str]

    @property
    def kept(self) -> Ints:
        """The rows that are in a group."""
        return np.flatnonzero(self.pid >= 0)


def group(sets: Sequence[FeatureSet], sides: tuple[str, ...], offset: int, how: How) -> Grouped:
    """Group the images of some sides by all models together; identities are numbered from ``offset``.

    Raises InputError where there is no group, or more are wanted than there are images.
    """
    first = sets[0]
    rows = np.concatenate([np.hstack([_part(each, side, how.raw) for each in sets]) for side in sides])
    if how.method == "kmeans":
        clusters = how.clusters or 1
        if clusters > len(rows):
            raise InputError([f"--clusters: wanted at most {len(rows)}, as there are images, found {clusters}"])
        found = postproc.kmeans(rows, clusters=clusters, starts=how.starts, seed=how.seed)
    else:
        dense = _dense_by_overlap(rows, how) if how.method == "jaccard" else None
        found = cluster_queries(rows, eps=how.eps, min_samples=how.min_samples) if dense is None else dense
        if (found < 0).all():
            wanted = f"groups of {how.min_samples} images within {how.eps:g}"
            raise InputError([f"--eps: wanted {wanted}, found none; make it larger"])
    pid = np.where(found < 0, -1, found + offset)
    names = [name for side in sides for name in getattr(first, f"{side}_table")["name"]]
    cam = _cameras(first, sides) if how.cameras is None else _drawn(len(names), how)
    called = _called(names, pid, cam)
    of = [side for side in sides for _ in getattr(first, side)]
    return Grouped(sides, of, names, pid, cam, how.cameras is not None, called)


def _dense_by_overlap(rows: Array, how: How) -> Ints:
    """(n,) groups by DBSCAN on the Jaccard distance of the neighbourhoods of one set, -1 in none.

    ``(1 - cosine) * Jaccard + cosine * (1 - cosine of the features)``. Source: ``compute_jaccard_distance`` and
    scikit-learn's DBSCAN, as in SpCL and Cluster-Contrast; with .1 of the cosine distance DMT, whose function for
    that is not in the release. The lists of the nearest images are as long as it takes to hold all within ``eps``.
    """
    from scipy.sparse import csr_matrix
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import sort_graph_by_row_values

    count, k = len(rows), 4 * how.k1
    unit = postproc.l2_normalize(rows)
    settings: dict[str, Any] = {"k1": how.k1, "k2": how.k2, "count_self": True, "normalize": False}
    while True:
        near = postproc.rerank(unit, lambda_value=how.cosine, top_k=min(k, count), **settings)
        whole = near.rows.shape[1] >= count - 1
        if whole or not (near.distances[:, -1] <= how.eps).any():
            break
        k *= 2
    inside = (near.rows >= 0) & (near.distances <= how.eps)
    left, place = np.nonzero(inside)
    right, far = near.rows[left, place], near.distances[left, place]
    own = np.arange(count)
    ends = np.concatenate([left, own]), np.concatenate([right, own])
    far = np.concatenate([np.maximum(far, 0), np.zeros(count, np.float32)])
    pairs = csr_matrix((far, ends), shape=(count, count))
    pairs = sort_graph_by_row_values(pairs, warn_when_not_sorted=False)
    found = DBSCAN(eps=how.eps, min_samples=how.min_samples, metric="precomputed").fit_predict(pairs)
    _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
    by_image = np.argsort(np.argsort(np.where(found[first] < 0, -1, first)))
    return (by_image - int((found < 0).any()))[numbers].astype(np.int64)


def _part(features: FeatureSet, side: str, raw: bool) -> Array:
    rows: Array = getattr(features, side)
    return rows if raw else postproc.l2_normalize(rows)


def _cameras(features: FeatureSet, sides: tuple[str, ...]) -> Ints:
    """Cameras of all images, one side after the other, as numbers."""
    tables = {side: getattr(features, f"{side}_table") for side in sides}
    given = {side: table["cam"].to_numpy() for side, table in tables.items() if "cam" in table}
    numbers = numbered(given)
    parts = [
        np.maximum(numbers[side], 0) if side in numbers else np.zeros(len(tables[side]), int) for side in sides
    ]
    return np.concatenate(parts)


def _drawn(count: int, how: How) -> Ints:
    return np.random.Generator(np.random.PCG64(how.seed)).integers(1, (how.cameras or 1) + 1, count)


def _called(names: Sequence[str], pid: Ints, cam: Ints) -> list[str]:
    """PID_CAM_NUMBER with the suffix of the name, .jpg where it has none; the number is that of the image, from 1.

    >>> _called(["000001.jpg", "b"], np.array([1763, 7]), np.array([4, 0]))
    ['00001763_004_000001.jpg', '00000007_000_000002.jpg']
    """
    return [
        f"{person:08d}_{camera:03d}_{number:06d}{PurePosixPath(name).suffix or '.jpg'}"
        for number, (name, person, camera) in enumerate(zip(names, pid.tolist(), cam.tolist(), strict=True), 1)
    ]
