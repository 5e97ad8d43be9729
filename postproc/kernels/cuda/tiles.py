"""What turns a tile of inner products into a tile of distances, in place, and the products themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numba import cuda, float32, float64

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch

ZERO, NOTHING = 0.0, float("nan")


@contextmanager
def in_float32() -> Iterator[None]:
    """Whole float32 products: no TF32, whatever the process has chosen; its choice comes back."""
    matmul: Any = torch.backends.cuda.matmul
    name: str = "allow_tf32"
    whole: bool | str = False
    try:
        found = matmul.allow_tf32
    except RuntimeError:  # torch has a second name for it, and refuses this one to who chose by the other
        name, whole = "fp32_precision", "ieee"
        found = matmul.fp32_precision
    setattr(matmul, name, whole)
    try:
        yield
    finally:
        setattr(matmul, name, found)


def multiply(left: Array, right: Array, out: Array) -> None:
    """``out <- left rightᵀ`` for rows (n, d), (m, d)."""
    with in_float32():
        torch.mm(left, right.T, out=out)


def zero_diagonal(tile: Array) -> None:
    """``tile[i, i] <- 0``."""
    tile.fill_diagonal_(0)


def mirror(tile: Array) -> None:
    """``tile[j, i] <- tile[i, j]`` for i < j."""
    upper = torch.triu(tile)
    tile.copy_(upper + torch.triu(tile, 1).T)


@cuda.jit(cache=True)
def _to_distances(tile, row_norms, column_norms, clamp):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1]:
        value = (row_norms[i] + column_norms[j]) - (tile[i, j] + tile[i, j])
        if clamp and not value > float32(ZERO):
            value = float32(ZERO)
        tile[i, j] = value


def products_to_distances(tile: Array, row_norms: Array, column_norms: Array, clamp: bool) -> None:
    """``tile[i, j] <- row_norms[i] + column_norms[j] - 2 tile[i, j]``, not below zero if ``clamp``."""
    launch.entries(_to_distances, tile.shape, tile, row_norms, column_norms, clamp)


@cuda.jit(cache=True)
def _finish_near(tile, left, right, signs, row_limits, column_limits):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1]:
        limit = row_limits[i] + column_limits[j]
        if abs(tile[i, j]) < limit + limit:
            total, apart = 0.0, 0.0
            for k in range(left.shape[1]):
                away = float64(left[i, k]) - float64(right[j, k])
                total += signs[k] * (away * away)
                apart += away * away
                if apart >= limit:
                    break
            if apart < limit:
                tile[i, j] = total


def finish_near(
    tile: Array, left: Array, right: Array, signs: Array, row_limits: Array, column_limits: Array
) -> None:
    """Distances of near pairs from differences: ``tile[i, j] <- sum_k signs[k] (left[i, k] - right[j, k])^2``.

    Near is a pair whose sum without signs is less than ``row_limits[i] + column_limits[j]``; no such pair has a
    tile's entry that is, in size, twice that or more.
    """
    launch.entries(_finish_near, tile.shape, tile, left, right, signs, row_limits, column_limits)


@cuda.jit(cache=True)
def _add_same_camera(tile, row_cams, column_cams, row_tracks, column_tracks, weight):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    alike = j < tile.shape[1] and row_cams[i] >= 0 and row_cams[i] == column_cams[j]
    if alike and (row_tracks[i] < 0 or row_tracks[i] != column_tracks[j]):
        tile[i, j] += weight


def add_same_camera(
    tile: Array, row_cams: Array, column_cams: Array, row_tracks: Array, column_tracks: Array, weight: float
) -> None:
    """Add ``weight`` where both cameras are known and equal and the two images are not of one track."""
    launch.entries(_add_same_camera, tile.shape, tile, row_cams, column_cams, row_tracks, column_tracks, weight)


@cuda.jit(cache=True)
def _add_outside_tracks(tile, product, row_tracks, column_tracks, weight):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1] and (row_tracks[i] < 0 or row_tracks[i] != column_tracks[j]):
        tile[i, j] += weight * product[i, j]


def add_outside_tracks(
    tile: Array, product: Array, row_tracks: Array, column_tracks: Array, weight: float
) -> None:
    """``tile += weight product`` where the two images are not of one track."""
    launch.entries(_add_outside_tracks, tile.shape, tile, product, row_tracks, column_tracks, weight)


@cuda.jit(cache=True)
def _zero_same_track(tile, row_tracks, column_tracks):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1] and row_tracks[i] >= 0 and row_tracks[i] == column_tracks[j]:
        tile[i, j] = float32(ZERO)


def zero_same_track(tile: Array, row_tracks: Array, column_tracks: Array) -> None:
    """Set to zero where both images are of one track."""
    launch.entries(_zero_same_track, tile.shape, tile, row_tracks, column_tracks)


@cuda.jit(cache=True)
def _keep_cameras(tile, row_cams, column_cams, same, out):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1]:
        out[i, j] = tile[i, j] if (row_cams[i] == column_cams[j]) == same else float32(NOTHING)


def keep_cameras(tile: Array, row_cams: Array, column_cams: Array, same: bool, out: Array) -> None:
    """``out <- tile`` where two cameras are equal (``same``) or differ (not ``same``), NaN elsewhere."""
    launch.entries(_keep_cameras, tile.shape, tile, row_cams, column_cams, same, out)


@cuda.jit(cache=True)
def _scatter(tile, row_offsets, row_members, column_offsets, column_members, out):
    i, j = cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1]:
        for a in range(row_offsets[i], row_offsets[i + 1]):
            for b in range(column_offsets[j], column_offsets[j + 1]):
                out[row_members[a], column_members[b]] = tile[i, j]


def scatter(
    tile: Array, row_offsets: Array, row_members: Array, column_offsets: Array, column_members: Array, out: Array
) -> None:
    """Write every entry of a tile of classes to all images of both classes.

    ``out[row, column] = tile[i, j]`` for the members of row class ``i`` and column class ``j``; the offsets
    (n + 1,) and (m + 1,) are those of the tile's own classes.
    """
    launch.entries(_scatter, tile.shape, tile, row_offsets, row_members, column_offsets, column_members, out)
