"""Similarity of looks joined with how likely a gap in time is between two cameras."""

import math

from numba import cuda, float32, float64

from postproc.base.vocabulary import Array
from postproc.kernels.cpu.spatio_temporal import LARGEST
from postproc.kernels.cuda import launch


@cuda.jit(device=True)
def _joint(squared, norms, cam, other_cam, gap, later, factors, bin_frames, alpha, gamma):
    """``1 - f / (1 + gamma exp(-alpha s))``: s the inner product, f the factor of the gap in time.

    ``norms`` is the sum of the two squared lengths. Where ``gap`` is above 0 the image of ``cam`` is the later
    one, at 0 if ``later``. The last bin of ``factors`` holds all longer gaps.
    """
    slot = factors.shape[2] - 1
    place = abs(gap) / bin_frames
    if place < slot:
        slot = int(place)
    first = gap > 0 or (gap == 0 and later)
    factor = factors[cam, other_cam, slot] if first else factors[other_cam, cam, slot]
    power = -alpha * (0.5 * (float64(norms) - float64(squared)))
    if power > LARGEST:
        power = LARGEST
    return float32(1.0 - float64(factor) / (1.0 + gamma * math.exp(power)))


@cuda.jit(cache=True)
def _join_tile(
    tile, row_norms, row_cams, row_times, column_norms, column_cams, column_times,
    factors, bin_frames, alpha, gamma, rows_later, start,
):  # fmt: skip
    i, j = start + cuda.blockIdx.x, cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j < tile.shape[1]:
        tile[i, j] = _joint(
            tile[i, j], row_norms[i] + column_norms[j], row_cams[i], column_cams[j],
            row_times[i] - column_times[j], rows_later, factors, bin_frames, alpha, gamma,
        )  # fmt: skip


def join_tile(
    tile: Array, row_norms: Array, row_cams: Array, row_times: Array, column_norms: Array, column_cams: Array,
    column_times: Array, factors: Array, bin_frames: int, alpha: float, gamma: float, rows_later: bool,
    start: int, stop: int,
) -> None:  # fmt: skip
    """Squared distances -> one minus the joint score, in place, rows ``start:stop``.

    ``norms`` float32 squared lengths, ``cams`` int32 places in ``factors`` (cameras, cameras, bins) float32
    [later, earlier], ``times`` float64. Of two images of one time the row's is the later if ``rows_later``.
    """
    launch.entries(
        _join_tile, (stop - start, tile.shape[1]),
        tile, row_norms, row_cams, row_times, column_norms, column_cams, column_times,
        factors, bin_frames, alpha, gamma, rows_later, start,
    )  # fmt: skip


@cuda.jit(cache=True)
def _join_pairs(count, squared, left, right, norms, cams, times, factors, bin_frames, alpha, gamma, start):
    m = cuda.grid(1)
    if m >= count:
        return
    m += start
    a, b = left[m], right[m]
    squared[m] = _joint(
        squared[m], norms[a] + norms[b], cams[a], cams[b], times[a] - times[b], True,
        factors, bin_frames, alpha, gamma,
    )  # fmt: skip


def join_pairs(
    squared: Array, left: Array, right: Array, norms: Array, cams: Array, times: Array,
    factors: Array, bin_frames: int, alpha: float, gamma: float, start: int, stop: int,
) -> None:  # fmt: skip
    """As :func:`join_tile` with ``rows_later``: images ``left[m]`` as rows, ``right[m]`` as columns."""
    launch.rows(
        _join_pairs, stop - start,
        squared, left, right, norms, cams, times, factors, bin_frames, alpha, gamma, start,
    )  # fmt: skip
