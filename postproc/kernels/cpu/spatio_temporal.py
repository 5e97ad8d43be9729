"""Similarity of looks joined with how likely a gap in time is between two cameras."""

import numpy as np

from postproc.kernels.compiled import compiled

LARGEST = 700.0  # whose exponential float64 still holds


@compiled
def _joint(squared, norms, cam, other_cam, gap, later, factors, bin_frames, alpha, gamma):
    """``1 - f / (1 + gamma exp(-alpha s))``: s the inner product, f the factor of the gap in time.

    ``norms`` is the sum of the two squared lengths. Where ``gap`` is above 0 the image of ``cam`` is the later
    one, at 0 if ``later``. The last bin of ``factors`` holds all longer gaps.
    """
    last = factors.shape[2] - 1
    place = abs(gap) / bin_frames
    slot = int(place) if place < last else last
    first = gap > 0 or (gap == 0 and later)
    factor = factors[cam, other_cam, slot] if first else factors[other_cam, cam, slot]
    similarity = 0.5 * (np.float64(norms) - squared)
    return 1.0 - np.float64(factor) / (1.0 + gamma * np.exp(min(-alpha * similarity, LARGEST)))


@compiled
def join_tile(
    tile, row_norms, row_cams, row_times, column_norms, column_cams, column_times,
    factors, bin_frames, alpha, gamma, rows_later, start, stop,
):  # fmt: skip
    """Squared distances -> one minus the joint score, in place, rows ``start:stop``.

    ``norms`` float32 squared lengths, ``cams`` int32 places in ``factors`` (cameras, cameras, bins) float32
    [later, earlier], ``times`` float64. Of two images of one time the row's is the later if ``rows_later``.
    """
    for i in range(start, stop):
        row = tile[i]
        norm, cam, time = row_norms[i], row_cams[i], row_times[i]
        for j in range(row.size):
            row[j] = _joint(
                row[j], norm + column_norms[j], cam, column_cams[j], time - column_times[j], rows_later,
                factors, bin_frames, alpha, gamma,
            )  # fmt: skip


@compiled
def join_pairs(squared, left, right, norms, cams, times, factors, bin_frames, alpha, gamma, start, stop):
    """As :func:`join_tile` with ``rows_later``: images ``left[m]`` as rows, ``right[m]`` as columns."""
    for m in range(start, stop):
        a, b = left[m], right[m]
        squared[m] = _joint(
            squared[m], norms[a] + norms[b], cams[a], cams[b], times[a] - times[b], True,
            factors, bin_frames, alpha, gamma,
        )  # fmt: skip
