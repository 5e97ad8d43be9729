"""What changes the nearest gallery images of a query and leaves the others: a range of queries at a time."""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def write_to_copies(values, classes, offsets, members, out, start, stop):
    """``out[r, g] = values[r, s]`` for all images g of class ``classes[r, s]``; rows ``start:stop``."""
    for r in range(start, stop):
        for s in range(classes.shape[1]):
            name = classes[r, s]
            if s and name == classes[r, s - 1]:
                continue  # another copy, of the same value
            for at in range(offsets[name], offsets[name + 1]):
                out[r, members[at]] = values[r, s]


@compiled
def average_by_nearness(values, within, sharpness, out, start, stop):
    """``out[r, i] = sum_j w_ij values[r, j] / sum_j w_ij``, ``w_ij = exp(-sharpness * distance of i and j)``.

    ``within`` (rows, m (m - 1) / 2) holds the distances of the pairs i < j, pair by pair; ``values`` (rows, m).
    Every sum runs over j in order, so that copies, which see the same numbers, get the same.
    """
    m = values.shape[1]
    square = np.zeros((m, m), np.float32)
    for r in range(start, stop):
        at = 0
        for i in range(m):
            for j in range(i + 1, m):
                square[i, j] = within[r, at]
                square[j, i] = within[r, at]
                at += 1
        for i in range(m):
            least = square[i].min()
            total = 0.0
            weights = 0.0
            for j in range(m):
                weight = np.exp(-sharpness * (np.float64(square[i, j]) - least))
                total += weight * values[r, j]
                weights += weight
            out[r, i] = total / weights


@compiled
def mix_with_means(
    strip, limits, query_cams, gallery_cams, near, near_weights, crowd, beyond, beyond_weights,
    k, own, mean, penalty, start, stop,
):  # fmt: skip
    """``strip[r, g] <- own * strip[r, g] + mean * M + penalty * (one camera)`` for the rows ``start:stop``.

    M is the weighted mean of ``strip[r, j]`` over the first ``k`` images j of ``near[g]`` that are not of the
    query's camera; where that camera is ``crowd[g]``, over ``beyond[g]``. It is ``strip[r, g]`` itself where
    that exceeds ``limits[r]`` or there is no such j. Cameras below 0 are unknown and equal to none. What is
    at distance +inf stays there, and is no j.
    """
    before = np.empty(strip.shape[1], np.float32)
    for r in range(start, stop):
        before[:] = strip[r]
        camera = query_cams[r]
        for g in range(before.size):
            if before[g] == np.inf:
                continue
            total = 0.0
            share = 0.0
            if before[g] <= limits[r]:
                crowded = camera >= 0 and camera == crowd[g]
                rows = beyond[g] if crowded else near[g]
                weights = beyond_weights[g] if crowded else near_weights[g]
                taken = 0
                for s in range(rows.size):
                    j = rows[s]
                    if j < 0 or taken == k:
                        break
                    if (camera < 0 or gallery_cams[j] != camera) and before[j] < np.inf:
                        total += np.float64(weights[s]) * before[j]
                        share += weights[s]
                        taken += 1
            centre = total / share if share > 0 else np.float64(before[g])
            same = camera >= 0 and gallery_cams[g] == camera
            strip[r, g] = own * before[g] + mean * centre + (penalty if same else 0.0)
