"""Similarities between images of one side, corrected by what tracks and cameras say of them, as distances."""

import math

import numpy as np
from numba import cuda, float32, float64

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch
from postproc.kernels.rules import EXEMPT, TOGETHER

UNSEEN = -2.0  # less than any product of orientations
Rules = tuple[tuple[float, ...], tuple[float, ...]]  # of cameras and of tracks, as :mod:`postproc.kernels.rules`
Label = tuple[Array, Array, Array]  # tracks, cameras, camera groups


@cuda.jit(device=True)
def _distance(
    similarity, side, itself, track, other_track, cam, other_cam, own_group, other_group,
    camera, group, direction, alike, within, between, alone, clip,
):  # fmt: skip
    """|2 - 2 s| after all that is known of an image and another; ``side`` is the product of their orientations.

    The rules are those of :mod:`postproc.kernels.cpu.constrained`.
    """
    s = float64(similarity)
    if (track >= 0 and track == other_track) or (itself and math.isnan(within)):
        s = 1.0 if math.isnan(within) else s + within
    elif not itself:
        lone = track < 0 and (alone == EXEMPT or (alone == TOGETHER and other_track < 0))
        if not lone:
            if cam >= 0:
                if cam == other_cam:
                    s -= camera
            elif side >= alike:
                s -= direction
            if own_group >= 0 and own_group == other_group:
                s -= group
        if track >= 0 and other_track >= 0:
            s -= between
    if clip:
        s = min(max(s, -1.0), 1.0)
    return float32(abs(2.0 - 2.0 * s))


@cuda.jit(cache=True)
def _constrain_tile(
    tile, sides, sided, row, column, row_tracks, row_cams, row_groups, tracks, cams, groups,
    camera, group, direction, alike, within, between, alone, clip,
):  # fmt: skip
    b, a = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if a < tile.shape[1]:
        side = sides[b, a] if sided else float32(UNSEEN)
        tile[b, a] = _distance(
            tile[b, a], side, column + a == row + b,
            tracks[a], row_tracks[b], cams[a], row_cams[b], groups[a], row_groups[b],
            camera, group, direction, alike, within, between, alone, clip,
        )  # fmt: skip


def constrain_tile(tile: Array, sides: Array, row: int, column: int, labels: Label, rules: Rules) -> None:
    """A tile of products whose first classes are ``row`` and ``column``; its columns are i, its rows j."""
    tall, wide = tile.shape
    of_rows, of_columns = (
        [label[first : first + count] for label in labels] for first, count in ((row, tall), (column, wide))
    )
    sided = bool(np.prod(sides.shape))
    launch.entries(
        _constrain_tile, tile.shape,
        tile, sides if sided else tile, sided, row, column, *of_rows, *of_columns, *rules[0], *rules[1],
    )  # fmt: skip


@cuda.jit(cache=True)
def _constrain_pairs(
    count, values, sides, sided, left, right, tracks, cams, groups,
    camera, group, direction, alike, within, between, alone, clip, start,
):  # fmt: skip
    m = cuda.grid(1)
    if m >= count:
        return
    m += start
    i, j = right[m], left[m]
    side = sides[m] if sided else float32(UNSEEN)
    values[m] = _distance(
        values[m], side, i == j, tracks[i], tracks[j], cams[i], cams[j], groups[i], groups[j],
        camera, group, direction, alike, within, between, alone, clip,
    )  # fmt: skip


def constrain_pairs(
    values: Array, sides: Array, left: Array, right: Array, labels: Label, rules: Rules, start: int, stop: int
) -> None:
    """The same for pairs of classes; ``right`` are i, ``left`` j."""
    sided = bool(np.prod(sides.shape))
    launch.rows(
        _constrain_pairs,
        stop - start,
        values,
        sides if sided else values,
        sided,
        left,
        right,
        *labels,
        *rules[0],
        *rules[1],
        start,
    )
