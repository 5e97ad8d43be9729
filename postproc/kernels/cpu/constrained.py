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
    width = tile.shape[1]
    here = slice(column, column + width)
    of_columns = labels[0][here], labels[1][here], labels[2][here]
    whole = np.full(width, -2, np.float32)  # an image that is seen from no side
    for b in range(tile.shape[0]):
        i = row + b - column
        own = tile[b, i] if 0 <= i < width else np.float32(0)
        of_row = labels[0][row + b], labels[1][row + b], labels[2][row + b]
        _constrain_row(tile[b], sides[b] if sides.size else whole, of_row, of_columns, rules)
        if 0 <= i < width:
            side = sides[b, i] if sides.size else np.float32(-2)
            tile[b, i] = _distance(own, side, row + b, row + b, True, labels, rules)


@compiled
def _constrain_row(values, sides, of_row, of_columns, rules):
    """:func:`_distance` of many i and one other j, without branches: where nothing holds, 0 is taken off."""
    track, cam, group = of_row
    tracks, cams, groups = of_columns
    camera, grouped, direction, alike = rules[0]
    within, between, alone, clip = rules[1]
    one, more = np.isnan(within), 0.0 if np.isnan(within) else within
    spared = alone == EXEMPT or (alone == TOGETHER and track < 0)  # what cameras say of an image of no track
    for a in range(values.size):
        s = np.float64(values[a])
        known = tracks[a] >= 0
        same = known & (tracks[a] == track)
        heard = known | (not spared)
        from_camera = camera if cams[a] == cam else 0.0
        from_side = direction if sides[a] >= alike else 0.0
        seen = from_camera if cams[a] >= 0 else from_side
        apart = s - (seen if heard else 0.0)
        apart -= grouped if heard & (groups[a] >= 0) & (groups[a] == group) else 0.0
        apart -= between if known & (track >= 0) else 0.0
        close = (1.0 if one else s + more) if same else apart
        if clip:
            close = min(max(close, -1.0), 1.0)
        values[a] = abs(2 - 2 * close)


@compiled
def constrain_pairs(values, sides, left, right, labels, rules, start, stop):
    """The same for pairs of classes; ``right`` are i, ``left`` j."""
    for m in range(start, stop):
        side = sides[m] if sides.size else np.float32(-2)
        values[m] = _distance(values[m], side, right[m], left[m], right[m] == left[m], labels, rules)
