"""Mutual exclusion, step by step: what has been found in a camera speaks against all else there.

Sources: layumi/AICIty-reID-2020 (first of AI City 2020 Track 2), ``pytorch/fast_submit_baidu.py``, beta 0.3;
Xuanmeng-Zhang/AICITY2021-Track2 (second of 2021), ``post-processing``, beta 0.15 and 0.1.
"""

from typing import Annotated, Literal, NamedTuple

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Count, Needs, Neutral, Number, Weight, Within
from postproc.base.step import KEPT, checked, step
from postproc.base.vocabulary import Distances, Floats, Ints
from postproc.constraints.camera_rule import Alike, places, rule_of
from postproc.kernels.rules import CameraRule, Places, plain
from postproc.pairs import held, spent
from postproc.pairs.pairwise import read_only
from postproc.tracks.grouping import compact, group_by_track


@step(
    unit=KEPT,
    memory=held.images(200),
    work=spent.only("level", ("image",), spent.together(spent.matrix(180), spent.per_query(2600, "depth"))),
)
def exclude(
    distances: Distances,
    gallery_cam: np.ndarray,
    gallery_track: np.ndarray,
    gallery_cam_group: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    *,
    beta: Annotated[Weight, Within(0, 1e6), Neutral(0.0)] = 0.3,
    group: Annotated[Number, Within(0, 1e6), Needs("gallery_cam_group", instead="0")] = 0.0,
    direction: Annotated[Number, Within(0, 1e6), Needs("gallery_aux", instead="0")] = 0.0,
    alike: Alike = 0.25,
    depth: Annotated[Count, Neutral(0)] = 99,
    level: Literal["image", "track"] = "image",
) -> Distances:
    """Go down the ranking, and let every image push the other tracks of its camera away.

    For j = 0 … depth - 1: of the image t that is *now* at place j, ``out += beta / (1 + j)`` for the images of its
    camera and of another track. That changes the ranking, in which place j + 1 is then looked up.

    Takes:   distances (nq, ng) float32, any unit; +inf stays +inf and pushes nobody.
             gallery_cam (ng,) int: an image of unknown camera, -1, neither pushes nor is pushed.
             gallery_track (ng,) int: an image of no track, -1, is a track of one; those of one camera at one
             distance are copies and leave each other alone.
             gallery_cam_group (ng,) int, -1 unknown, looked at only with ``group``; gallery_aux (ng, a) float32,
             an orientation model's features of any length, only with ``direction``.
             Of one set (n, n) with +inf on the diagonal, each image has its ranking of the others; the image
             itself, which is in none, pushes nobody.
    Returns: (nq, ng) float32, same unit. Places that are tied go by track number, no track last, then by camera.
    beta:    0 (none) to 1,000,000, in the unit of the distances; the winners' 0.1 to 0.3 are of cosine. They sum:
             a track of n images that stands first raises the others of its camera by beta (1 + 1/2 + … + 1/n).
    group:   the same within a camera group, beside ``beta``. 0: none; 0.1: layumi.
    direction: the same where the camera of t is unknown and the orientation features of t and of the other image
             have a cosine of ``alike`` or more. 0: none; 0.1: layumi.
    alike:   -1 to 1.
    depth:   0 or more places are looked at. The winners' 99 belong to lists of 100.
    level:   "image": as released, so long tracks push often. "track": a track of one camera (and, with ``group``
             or ``direction``, of one camera group and orientation) has one place, that of its nearest image.
    Raises:  ValueError for NaN, -inf, no image, lengths that do not fit or a setting out of range.
    Cost:    O(nq (ng + depth n)) time, n the images that can come to a place: each camera's first ``depth`` and
             those of tracks that were found. 4 to 6 ms a query and core among 82,161 images of 15 cameras. With
             ``direction`` every image is of a kind of its own, n is ng, and that costs much. Memory: the answer.
    Differs: ties are ordered, the released code leaves them to an unstable sort.

    >>> cam, track = np.array([0, 0, 0, 1]), np.array([7, 8, 7, 8])
    >>> exclude(np.array([[0.1, 0.2, 0.3, 0.5]], np.float32), cam, track, depth=1)
    array([[0.1, 0.5, 0.3, 0.5]], dtype=float32)
    """
    given = read_only(checks.distances("distances", distances, cuda=True))
    checks.not_empty("distances", given)
    ng = given.shape[1]
    rule = rule_of(beta, group, direction, alike)
    aux = arrays.host(gallery_aux)
    seen = places("gallery", ng, gallery_cam, gallery_cam_group, aux, rule, like=np.empty(0))
    cam = compact(seen.cams)
    track = checks.labels("gallery_track", gallery_track, ng)
    if not rule.group and not rule.direction:
        return _excluded(given, track, cam, Weights.of_table(beta * np.eye(cam.max() + 1)), depth, level)
    columns = np.column_stack([cam, compact(seen.groups), seen.orientations])
    known, kind = np.unique(columns, axis=0, return_inverse=True)
    cams, groups = np.ascontiguousarray(known[:, :2].T, np.int32)
    kinds = Places(cams, groups, np.ascontiguousarray(known[:, 2:], np.float32))
    return _excluded(given, track, kind.reshape(-1).astype(np.int32), Weights.by_rule(rule, kinds), depth, level)


@checked
def exclude_kinds(
    distances: Distances,
    gallery_track: np.ndarray,
    gallery_kind: Ints,
    weights: Floats,
    *,
    depth: Annotated[Count, Within(0)] = 99,
    level: Literal["image", "track"] = "image",
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
    given = read_only(checks.distances("distances", distances, cuda=True))
    checks.not_empty("distances", given)
    track = checks.labels("gallery_track", gallery_track, given.shape[1])
    kind = np.maximum(checks.labels("gallery_kind", gallery_kind, given.shape[1]), -1)
    table = checks.features("weights", weights).astype(np.float64)
    if table.shape[0] != table.shape[1] or (table < 0).any():
        least = table.min(initial=0)
        raise ValueError(f"weights: wanted a square table of 0 or more, got shape {table.shape}, least {least}")
    if kind.max() >= len(table):
        raise ValueError(f"gallery_kind: wanted kinds below {len(table)}, as the weights have, got {kind.max()}")
    return _excluded(given, track, kind.astype(np.int32), Weights.of_table(table), depth, level)


NOWHERE = Places(np.empty(0, np.int32), np.empty(0, np.int32), np.empty((0, 1), np.float32))


class Weights(NamedTuple):
    """What an image of one kind weighs on one of another: a table, or where that is empty a camera rule."""

    table: np.ndarray
    kinds: Places
    rule: CameraRule

    @classmethod
    def of_table(cls, table: np.ndarray) -> "Weights":
        """By a square table (kinds, kinds) float64."""
        return cls(table, NOWHERE, CameraRule(0.0, 0.0, 0.0, 0.0))

    @classmethod
    def by_rule(cls, rule: CameraRule, kinds: Places) -> "Weights":
        """By where the images of each kind were seen from."""
        return cls(np.empty((0, 0)), kinds, rule)


def _excluded(given: Floats, track: Ints, kind: Ints, weights: Weights, depth: int, level: str) -> Floats:
    groups = group_by_track(track, kind=kind)
    kinds = kind[groups.members[groups.offsets[:-1]]]
    kernel, out = kernels.of(given), arrays.empty(given.shape, np.float32, given)

    def fill(start: int, stop: int) -> None:
        kernel.exclusion.raise_excluded(
            given, groups.offsets, groups.members, groups.track, kinds, *plain(weights),
            int(depth), level == "track", start, stop, out,
        )  # fmt: skip

    kernel.walk.over_rows(fill, len(given), what="exclusion")
    return out
