"""Similarities between images of one side, corrected by what tracks and cameras say of them, as distances."""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.rules import EXEMPT, TOGETHER


@compiled
def _distance(similarity, side, i, j, itself, labels, rules):
    """|2 - 2 s| after all that is known of images i and j; ``side`` is the product of their orientations.

    ``labels``: tracks, cameras, camera groups. ``rules``: :class:`postproc.kernels.rules.SideRules` as plain
    tuples; what the camera rule counts is taken off s.
    """
    tracks, cams, groups = labels
    camera_rule, track_rule = rules
    camera, group, direction, alike = camera_rule
    within, between, alone, clip = track_rule
    s = float(similarity)
    if (tracks[i] >= 0 and tracks[i] == tracks[j]) or (itself and np.isnan(within)):
        s = 1.0 if np.isnan(within) else s + within
    elif not itself:
        lone = tracks[i] < 0 and (alone == EXEMPT or (alone == TOGETHER and tracks[j] < 0))
        if not lone:
            if cams[i] >= 0:
                s -= camera if cams[i] == cams[j] else 0.0
            elif side >= alike:
                s -= direction
            if groups[i] >= 0 and groups[i] == groups[j]:
                s -= group
        if tracks[i] >= 0 and tracks[j] >= 0:
            s -= between
    if clip:
        s = min(max(s, -1.0), 1.0)
    return abs(2 - 2 * s)


@compiled
def constrain_tile(tile, sides, row, column, labels, rules):
    """A tile of products whose first classes are ``row`` and ``column``; its columns are i, its rows j."""
    for b in range(tile.shape[0]):
        for a in range(tile.shape[1]):
            side = sides[b, a] if sides.size else np.float32(-2)
            tile[b, a] = _distance(tile[b, a], side, column + a, row + b, column + a == row + b, labels, rules)


@compiled
def constrain_pairs(values, sides, left, right, labels, rules, start, stop):
    """The same for pairs of classes; ``right`` are i, ``left`` j."""
    for m in range(start, stop):
        side = sides[m] if sides.size else np.float32(-2)
        values[m] = _distance(values[m], side, right[m], left[m], right[m] == left[m], labels, rules)
