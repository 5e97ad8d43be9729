"""What turns a tile of inner products into a tile of distances, in place, and the products themselves."""

import numpy as np

from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.compiled import lean
from postproc.kernels.cpu import rows

ZERO = np.float32(0)
BELOW = np.float32(-np.inf)
NOTHING = np.float32(np.nan)
SOME = 16  # rows of a tile that a cache holds with all that is made of them


def multiply(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """``out <- left rightᵀ`` for rows (n, d), (m, d)."""
    with np.errstate(invalid="ignore"):  # BLAS may compute with lanes that hold no data, and drops them
        np.matmul(left, right.T, out=out)


def zero_diagonal(tile: np.ndarray) -> None:
    """``tile[i, i] <- 0``."""
    np.fill_diagonal(tile, 0)


@lean
def mirror(tile):
    """``tile[j, i] <- tile[i, j]`` for i < j, in squares that a cache holds."""
    edge = 64
    for top in range(0, tile.shape[0], edge):
        for left in range(top, tile.shape[1], edge):
            for i in range(top, min(top + edge, tile.shape[0])):
                for j in range(max(left, i + 1), min(left + edge, tile.shape[1])):
                    tile[j, i] = tile[i, j]


@lean
def products_to_distances(tile, row_norms, column_norms, clamp):
    """``tile[i, j] <- row_norms[i] + column_norms[j] - 2 tile[i, j]``, not below zero if ``clamp``."""
    least = ZERO if clamp else BELOW
    for i in range(tile.shape[0]):
        norm = row_norms[i]
        for j in range(tile.shape[1]):
            product = tile[i, j]
            value = (norm + column_norms[j]) - (product + product)
            tile[i, j] = value if value > least else least


def finish_near(
    tile: Floats, left: Floats, right: Floats, signs: Floats, row_limits: Floats, column_limits: Floats
) -> None:
    """Distances of near pairs from differences: ``tile[i, j] <- sum_k signs[k] (left[i, k] - right[j, k])^2``.

    Near is a pair whose sum without signs is less than ``row_limits[i] + column_limits[j]``; no such pair has a
    tile's entry that is, in size, twice that or more. If both sides are the same block, the diagonal stays.
    """
    row_limits, column_limits = row_limits + row_limits, column_limits + column_limits
    largest = column_limits.max(initial=0)
    limits, sizes = (np.empty((min(SOME, len(tile)), tile.shape[1]), np.float32) for _ in range(2))
    for start in range(0, len(tile), SOME):
        some, row_limit = tile[start : start + SOME], row_limits[start : start + SOME]
        if some.min(initial=np.inf) >= row_limit.max() + largest:
            continue  # most often
        limit, size = limits[: len(some)], sizes[: len(some)]
        np.add.outer(row_limit, column_limits, out=limit)
        is_near = np.abs(some, out=size) < limit
        if left is right:
            np.fill_diagonal(is_near[:, start:], False)
        if is_near.any():
            i, j = np.nonzero(is_near)
            values, own = some[i, j], limit[i, j]
            own /= 2  # they stand here doubled
            sides = i + start, j + len(left)
            rows.finish_near(left, right, len(left), signs, *sides, own, 0, len(i), values)
            some[i, j] = values


@lean
def add_same_camera(tile, row_cams, column_cams, row_tracks, column_tracks, weight):
    """Add ``weight`` where both cameras are known and equal and the two images are not of one track."""
    for i in range(tile.shape[0]):
        if row_cams[i] < 0:
            continue
        for j in range(tile.shape[1]):
            if row_cams[i] == column_cams[j] and (row_tracks[i] < 0 or row_tracks[i] != column_tracks[j]):
                tile[i, j] += weight


@lean
def add_outside_tracks(tile, product, row_tracks, column_tracks, weight):
    """``tile += weight product`` where the two images are not of one track."""
    for i in range(tile.shape[0]):
        for j in range(tile.shape[1]):
            if row_tracks[i] < 0 or row_tracks[i] != column_tracks[j]:
                tile[i, j] += weight * product[i, j]


@lean
def zero_same_track(tile, row_tracks, column_tracks):
    """Set to zero where both images are of one track."""
    for i in range(tile.shape[0]):
        if row_tracks[i] < 0:
            continue
        for j in range(tile.shape[1]):
            if row_tracks[i] == column_tracks[j]:
                tile[i, j] = ZERO


@lean
def keep_cameras(tile, row_cams, column_cams, same, out):
    """``out <- tile`` where two cameras are equal (``same``) or differ (not ``same``), NaN elsewhere."""
    for i in range(tile.shape[0]):
        for j in range(tile.shape[1]):
            out[i, j] = tile[i, j] if (row_cams[i] == column_cams[j]) == same else NOTHING


def scatter(
    tile: Floats, row_offsets: Ints, row_members: Ints, column_offsets: Ints, column_members: Ints, out: Floats
) -> None:
    """Write every entry of a tile of classes to all images of both classes.

    ``out[row, column] = tile[i, j]`` for the members of row class ``i`` and column class ``j``; the offsets
    (n + 1,) and (m + 1,) are those of the tile's own classes.
    """
    classes = np.repeat(np.arange(len(column_offsets) - 1), np.diff(column_offsets))
    _scatter(tile, row_offsets, row_members, classes, column_members, out)


@lean
def _scatter(tile, row_offsets, row_members, classes, column_members, out):
    for i in range(tile.shape[0]):
        for a in range(row_offsets[i], row_offsets[i + 1]):
            target = out[row_members[a]]
            for b in range(classes.size):
                target[column_members[b]] = tile[i, classes[b]]
