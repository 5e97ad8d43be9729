"""Queries that compete for tracks: who is alike, what they share, what is left of a claim.

Claims are (queries, tracks) float64 of 0 or more. Every sum has one order, whoever computes it: rows of equal
numbers give equal bits. Lists of alike rows are (n, k) int32, ascending, -1 behind the last, and float64 beside.
"""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def alike_rows(
    offsets, members, values, column_offsets, column_members, column_values, lengths, group, apart,
    start, stop, rows, out,
):  # fmt: skip
    """The most alike of every row of a sparse matrix, by cosine: at most as many as ``rows`` is wide.

    Row i holds ``members[offsets[i]:offsets[i + 1]]``; the columns say the same from the other side, and
    ``lengths`` (n,) are those of the rows. Only rows of one ``group``, themselves included, or, ``apart``, only
    those of different groups of which neither is below 0. Equally alike ones go by row.
    """
    n, k = rows.shape
    total = np.zeros(n)
    found = np.empty(n, np.int64)
    for i in range(start, stop):
        count = 0
        for at in range(offsets[i], offsets[i + 1]):
            column, value = members[at], values[at]
            for there in range(column_offsets[column], column_offsets[column + 1]):
                j = column_members[there]
                if apart:
                    if group[i] == group[j] or group[i] < 0 or group[j] < 0:
                        continue
                elif group[i] != group[j]:
                    continue
                product = value * column_values[there]
                if total[j] == 0 and product > 0:
                    found[count] = j
                    count += 1
                total[j] += product
        best = np.sort(found[:count])
        if count > k:
            cosine = np.empty(count)
            for at in range(count):
                cosine[at] = -total[best[at]] / lengths[best[at]]
            order = np.argsort(cosine, kind="mergesort")
            best = np.sort(best[order[:k]])
        for at in range(k):
            rows[i, at], out[i, at] = -1, 0
        for at in range(best.size):
            j = best[at]
            rows[i, at] = j
            out[i, at] = min(total[j] / (lengths[i] * lengths[j]), 1.0)
        for at in range(count):
            total[found[at]] = 0


@compiled
def pool_sparse(rows, weights, offsets, members, values, start, stop, out):
    """``out[i] = sum over the list of i of weight * row``, of a sparse matrix."""
    for i in range(start, stop):
        out[i, :] = 0
        for at in range(rows.shape[1]):
            j = rows[i, at]
            if j < 0:
                break
            for there in range(offsets[j], offsets[j + 1]):
                out[i, members[there]] += weights[i, at] * values[there]


@compiled
def pool_rows(rows, weights, claims, start, stop, out):
    """``out[i] = sum over the list of i of weight * claims of it``."""
    for i in range(start, stop):
        out[i, :] = 0
        for at in range(rows.shape[1]):
            j = rows[i, at]
            if j < 0:
                break
            weight = weights[i, at]
            for t in range(claims.shape[1]):
                out[i, t] += weight * claims[j, t]


@compiled
def lend_rows(tracks, shares, lend, claims, start, stop):
    """``claims[i] += lend * sum over tracks t of claims[i, t] * shares[t]``, in place."""
    added = np.empty(claims.shape[1])
    for i in range(start, stop):
        added[:] = 0
        for t in range(claims.shape[1]):
            value = lend * claims[i, t]
            if value > 0:
                for at in range(tracks.shape[1]):
                    other = tracks[t, at]
                    if other < 0:
                        break
                    added[other] += value * shares[t, at]
        for t in range(claims.shape[1]):
            claims[i, t] += added[t]


@compiled
def clear_own(query_cam, track_cam, claims, start, stop):
    """0 for tracks of the query's own camera, where both are known."""
    for i in range(start, stop):
        if query_cam[i] >= 0:
            for t in range(claims.shape[1]):
                if track_cam[t] == query_cam[i]:
                    claims[i, t] = 0


@compiled
def sums_of_columns(claims, start, stop, out):
    """(tracks,) sums of the columns ``start:stop``, in the order of the rows."""
    for t in range(start, stop):
        out[t] = 0
    for i in range(claims.shape[0]):
        for t in range(start, stop):
            out[t] += claims[i, t]


@compiled
def sharpen_rows(sums, track_cam, cameras, once, power, claims, start, stop):
    """Times the share of the track to ``power``, then, ``once``, of the row in the track's camera."""
    totals = np.empty(cameras)
    for i in range(start, stop):
        totals[:] = 0
        for t in range(claims.shape[1]):
            value = claims[i, t]
            if value > 0:
                value *= (value / sums[t]) ** power
                claims[i, t] = value
                if track_cam[t] >= 0:
                    totals[track_cam[t]] += value
        if once:
            for t in range(claims.shape[1]):
                value = claims[i, t]
                if value > 0 and track_cam[t] >= 0:
                    claims[i, t] = value * (value / totals[track_cam[t]]) ** power


@compiled
def alike_again(rows, roots, lengths, start, stop, out):
    """(n, k) cosine of row i of ``roots`` with every row in its list, 0 behind the last and for rows of 0.

    ``lengths`` (n,) are those of the rows. Four sums at a time, in one order.
    """
    width = roots.shape[1]
    for i in range(start, stop):
        for at in range(rows.shape[1]):
            out[i, at] = 0
            j = rows[i, at]
            if j < 0 or lengths[i] == 0 or lengths[j] == 0:
                continue
            a, b, c, d = 0.0, 0.0, 0.0, 0.0
            for t in range(0, width - 3, 4):
                a += roots[i, t] * roots[j, t]
                b += roots[i, t + 1] * roots[j, t + 1]
                c += roots[i, t + 2] * roots[j, t + 2]
                d += roots[i, t + 3] * roots[j, t + 3]
            for t in range(width - width % 4, width):
                a += roots[i, t] * roots[j, t]
            out[i, at] = min((a + b + c + d) / (lengths[i] * lengths[j]), 1.0)
