"""Mutual exclusion, step by step: what has been found in a camera speaks against all else there.

Sources: layumi/AICIty-reID-2020 (first of AI City 2020 Track 2), ``pytorch/fast_submit_baidu.py``, beta 0.3;
Xuanmeng-Zhang/AICITY2021-Track2 (second of 2021), ``post-processing``, beta 0.15 and 0.1.
"""

from typing import Any

import numpy as np

from postproc import checks, kernels, runtime
from postproc.grouping import by_track, codes
from postproc.types import Distances, Floats, Ints

LEVELS = ("image", "track")


def exclude(
    distances: Distances,
    gallery_cam: np.ndarray,
    gallery_track: np.ndarray,
    *,
    beta: float = 0.3,
    depth: int = 99,
    level: str = "image",
) -> Distances:
    """Go down the ranking, and let every image push the other tracks of its camera away.

    For j = 0 … depth - 1: of the image t that is *now* at place j, ``out += beta / (1 + j)`` for the images of its
    camera and of another track. That changes the ranking, in which place j + 1 is then looked up.

    Takes:   distances (nq, ng) float32, any unit; +inf stays +inf and pushes nobody.
             gallery_cam (ng,) int: an image of unknown camera, -1, neither pushes nor is pushed.
             gallery_track (ng,) int: an image of no track, -1, is a track of one; those of one camera at one
             distance are copies and leave each other alone.
    Returns: (nq, ng) float32, same unit. Places that are tied go by track number, no track last, then by camera.
    beta:    0 (none) to 1,000,000, in the unit of the distances; the winners' 0.1 to 0.3 are of cosine. They sum:
             a track of n images that stands first raises the others of its camera by beta (1 + 1/2 + … + 1/n).
    depth:   0 or more places are looked at. The winners' 99 belong to lists of 100.
    level:   "image": as released, so long tracks push often. "track": a track of one camera has one place,
             that of its nearest image.
    Raises:  ValueError for NaN, -inf, no image, lengths that do not fit or a setting out of range.
    Cost:    O(nq (ng log n + depth T)) time for T tracks of n images, as a track is pushed as a whole; so many
             images of no track cost much. Memory: the answer.
    Differs: ties are ordered, the released code leaves them to an unstable sort.

    >>> cam, track = np.array([0, 0, 0, 1]), np.array([7, 8, 7, 8])
    >>> exclude(np.array([[0.1, 0.2, 0.3, 0.5]], np.float32), cam, track, depth=1)
    array([[0.1, 0.5, 0.3, 0.5]], dtype=float32)
    """
    given = checks.distances("distances", distances)
    checks.not_empty("distances", given)
    cam = codes(checks.labels("gallery_cam", gallery_cam, given.shape[1]))
    track = checks.labels("gallery_track", gallery_track, given.shape[1])
    checks.between("beta", beta, 0, 1e6)
    return _excluded(given, track, cam, beta * np.eye(cam.max() + 1), depth, level)


def exclude_kinds(
    distances: Distances,
    gallery_track: np.ndarray,
    gallery_kind: Ints,
    weights: Floats,
    *,
    depth: int = 99,
    level: str = "image",
) -> Distances:
    """:func:`exclude` by a table instead of one camera: camera clusters, directions, all of them at once.

    ``out += weights[kind of t, kind of the image] / (1 + j)`` for the images of other tracks than t.

    Takes:   gallery_kind (ng,) int, a kind is whatever the table can tell apart, such as one combination of camera
             and direction, below 0 has no part; weights (kinds, kinds) float32, 0 or more.
    Raises:  ValueError also for a kind that the table does not have.
    Everything else as in :func:`exclude`, which is this with the cameras and ``beta`` on the diagonal.

    >>> table = np.array([[0.3, 0.1], [0.1, 0.3]], np.float32)
    >>> track, kind = np.array([7, 8, 9]), np.array([0, 0, 1])
    >>> exclude_kinds(np.array([[0.1, 0.2, 0.3]], np.float32), track, kind, table, depth=1)
    array([[0.1, 0.5, 0.4]], dtype=float32)
    """
    given = checks.distances("distances", distances)
    checks.not_empty("distances", given)
    track = checks.labels("gallery_track", gallery_track, given.shape[1])
    kind = np.maximum(checks.labels("gallery_kind", gallery_kind, given.shape[1]), -1)
    table = checks.features("weights", weights).astype(np.float64)
    if table.shape[0] != table.shape[1] or (table < 0).any():
        least = table.min(initial=0)
        raise ValueError(f"weights: wanted a square table of 0 or more, got shape {table.shape}, least {least}")
    if kind.max() >= len(table):
        raise ValueError(f"gallery_kind: wanted kinds below {len(table)}, as the weights have, got {kind.max()}")
    return _excluded(given, track, kind.astype(np.int32), table, depth, level)


def _excluded(given: Floats, track: Ints, kind: np.ndarray, weights: np.ndarray, depth: int, level: Any) -> Floats:
    checks.whole("depth", depth, 0)
    checks.one_of("level", level, LEVELS)
    groups = by_track(track, kind=kind)
    kinds = kind[groups.members[groups.offsets[:-1]]]
    kernel, out = kernels.of(given), np.empty_like(given)

    def fill(start: int, stop: int) -> None:
        kernel.raise_excluded(
            given, groups.offsets, groups.members, groups.track, kinds, weights,
            int(depth), level == "track", start, stop, out,
        )  # fmt: skip

    runtime.over_rows(fill, len(given), what="exclusion")
    return out
