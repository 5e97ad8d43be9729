"""Camera, camera group, direction: where images were seen from, and what it counts that it was the same place.

One rule for three steps: :func:`postproc.camera_penalty` adds what it counts to a finished matrix,
:func:`postproc.exclude` raises by it inside a ranking, and :func:`postproc.rerank_constrained` takes it off the
similarities of all images. What each part of the rule says is in :class:`postproc.kernels.rules.CameraRule`.
"""

from typing import Annotated

import numpy as np

from postproc.base import checks
from postproc.base.settings import Number, Within
from postproc.base.vocabulary import Array, Unchecked
from postproc.kernels.rules import CameraRule, Places
from postproc.pairs.l2_normalize import l2_normalize

Alike = Annotated[Number, Within(-1, 1)]  # the cosine of two orientations from which on they are one direction


def rule_of(camera: float, group: float, direction: float, alike: float) -> CameraRule:
    """The rule as the kernels take it: plain numbers."""
    return CameraRule(float(camera), float(group), float(direction), float(alike))


def places(
    side: str, count: int, cam: Unchecked, group: Unchecked, aux: Unchecked, rule: CameraRule, *, like: Array
) -> Places:
    """Where the ``count`` images of a side ("query" or "gallery") were seen from, checked.

    Camera groups are looked at only where the rule counts them, orientations only where it counts directions. What
    is not looked at is unknown. Orientations are brought to unit length, where
    ``like`` is.
    """
    cams = checks.labels(f"{side}_cam", cam, count)
    groups = np.full(count, -1)
    if rule.group:
        groups = checks.labels(f"{side}_cam_group", group, count)
    orientations = np.zeros((count, 1), np.float32)
    if rule.direction:
        orientations = l2_normalize(checks.side_features(f"{side}_aux", aux, count, like=like))
    return Places(cams, groups, orientations)


def places_of_sides(
    cams: tuple[Unchecked, Unchecked],
    groups: tuple[Unchecked, Unchecked],
    aux: tuple[Unchecked, Unchecked],
    sizes: tuple[int, int],
    rule: CameraRule,
    *,
    like: Array,
) -> tuple[Places, Places]:
    """:func:`places` of queries and gallery, whose orientations are of one width."""
    query, gallery = (
        places(side, count, cam, group, features, rule, like=like)
        for side, count, cam, group, features in zip(("query", "gallery"), sizes, cams, groups, aux, strict=True)
    )
    if rule.direction:
        checks.same_width("query_aux", query.orientations, "gallery_aux", gallery.orientations)
    return query, gallery
