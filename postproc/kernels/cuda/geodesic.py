"""Shortest paths over neighbours, as in :mod:`postproc.kernels.cpu.geodesic`; members ascend."""

from math import log2

import numpy as np
import torch
from numba import cuda

from postproc.kernels.cuda import launch

COLUMNS = launch.THREADS  # images from which paths are found side by side


def divergences(offsets, members, weights, lists, start, stop, out):
    """A thread a pair, which takes the lower image first, so that both directions give the same bits."""
    launch.entries(_divergences, (stop - start, lists.shape[1]), offsets, members, weights, lists, start, out)


@cuda.jit(cache=True)
def _divergences(offsets, members, weights, lists, start, out):
    i = start + cuda.blockIdx.x
    s = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if s >= lists.shape[1]:
        return
    one, other = min(i, lists[i, s]), max(i, lists[i, s])
    a, b = offsets[one], offsets[other]
    total = np.float64(0)
    while a < offsets[one + 1] and b < offsets[other + 1]:
        if members[a] == members[b]:
            p, q = np.float64(weights[a]), np.float64(weights[b])
            if p > 0 and q > 0:
                total += p * log2(p / (p + q)) + q * log2(q / (p + q))
            a += 1
            b += 1
        elif members[a] < members[b]:
            a += 1
        else:
            b += 1
    found = 1 + total / 2
    if one == other or found < 0:
        found = np.float64(0)
    out[i, s] = np.float32(found)


def needed_edges(offsets, members, weights, start, stop, out):
    """A thread an edge; the edges of both its ends ascend."""
    rows = torch.arange(start, stop, dtype=torch.int32, device=members.device)
    owners = torch.repeat_interleave(rows, torch.diff(offsets[start : stop + 1]))
    launch.rows(_needed_edges, len(owners), owners, int(offsets[start]), offsets, members, weights, out)


@cuda.jit(cache=True)
def _needed_edges(count, owners, first, offsets, members, weights, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    u, v = owners[thread], members[first + thread]
    weight = weights[first + thread]
    a, b = offsets[u], offsets[v]
    needed = True
    while needed and a < offsets[u + 1] and b < offsets[v + 1]:
        if members[a] == members[b]:
            one, other = weights[a], weights[b]
            if one < weight and other < weight and np.float64(one) + np.float64(other) <= np.float64(weight):
                needed = False
            a += 1
            b += 1
        elif members[a] < members[b]:
            a += 1
        else:
            b += 1
    out[first + thread] = needed


def blend_geodesics(
    strip, sources, columns, offsets, members, weights, farthest, largest, lambda_value, wanted, start, stop
):  # fmt: skip
    """Paths from COLUMNS images at a time: each image asks its neighbours for a shorter way, until none has one.

    All paths are found, however few are ``wanted``. Edges go both ways. Whoever asks first, what is left is the
    same: rounding keeps the order of sums.
    """
    nodes = len(offsets) - 1
    sources, columns, largest = (
        torch.as_tensor(part, device=strip.device) for part in (sources, columns, largest)
    )
    for first in range(start, stop, COLUMNS):
        count = min(COLUMNS, stop - first)
        own = sources[first : first + count].long()
        away = torch.full((nodes, count), float(farthest), dtype=torch.float64, device=strip.device)
        away[own, torch.arange(count, device=strip.device)] = 0
        changed = torch.ones(1, dtype=torch.int32, device=strip.device)
        while int(changed):
            changed.zero_()
            launch.blocks(_relax, nodes, offsets, members, weights, away, changed)
        launch.entries(_blend, (count, len(columns)), strip, own, columns, away, largest, lambda_value, first)


@cuda.jit(cache=True)
def _relax(offsets, members, weights, away, changed):
    v = cuda.blockIdx.x
    for b in range(cuda.threadIdx.x, away.shape[1], cuda.blockDim.x):
        least = away[v, b]
        before = least
        for edge in range(offsets[v], offsets[v + 1]):
            reached = away[members[edge], b] + np.float64(weights[edge])
            if reached < least:
                least = reached
        if least < before:
            away[v, b] = least
            changed[0] = 1  # as whoever else writes here: millions of atomics on one number would queue


@cuda.jit(cache=True)
def _blend(strip, own, columns, away, largest, lambda_value, first):
    b = cuda.blockIdx.x
    j = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= columns.size:
        return
    scale = largest[own[b]]
    if not scale > 0:
        scale = np.float32(1)
    distance = np.float64(strip[first + b, j] / scale)
    strip[first + b, j] = np.float32((1 - lambda_value) * away[columns[j], b] + lambda_value * distance)
