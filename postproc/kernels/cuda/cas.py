"""Cluster-aware diffusion, as in :mod:`postproc.kernels.cpu.cas`.

What spreads from COLUMNS images at a time stands in dense columns of (n, COLUMNS) float64: a row of the graph is
read once for all of them, and of each the largest entries are kept.
"""

import numpy as np
import torch
from numba import cuda

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch
from postproc.kernels.cuda.propagation import propagate
from postproc.kernels.cuda.sparse import invert

HALF = 5  # steps from either end
COLUMNS = launch.THREADS


def walk_halves(offsets, members, weights, roots, alpha, keep, wanted_offsets, wanted, start, stop, short):
    """A step after the other, over all images: the graph is symmetric, so that steps arrive as they leave."""
    n = len(offsets) - 1
    pieces = []
    for first in range(start, stop, COLUMNS):
        count = min(COLUMNS, stop - first)
        images = torch.arange(count, device=weights.device)
        walk, long = torch.zeros((2, n, count), dtype=torch.float64, device=weights.device)
        walk[first + images, images] = 1
        total = torch.zeros_like(walk)
        ways, power = 1.0, 1 - alpha
        for t in range(HALF + 1):
            if t == HALF:
                ways /= 2
            else:
                total += power * walk
            next_walk, next_long = torch.empty_like(walk), torch.empty_like(long)
            launch.blocks(_walk, n, offsets, members, weights, roots, ways, walk, long, next_walk, next_long)
            long = next_long
            if t < HALF:
                walk = next_walk
            ways *= (2 * HALF - t) / (t + 1)
            power *= alpha
        begin, end = int(wanted_offsets[first]), int(wanted_offsets[first + count])
        owners = _owners(wanted_offsets[first : first + count + 1])
        short[begin:end] = total[wanted[begin:end], owners].float()
        long *= (alpha / 2) ** (2 * HALF)
        long += 0.5 * alpha**HALF * total
        kept = _largest((walk + long).T.contiguous(), keep)
        halves = torch.stack([walk.T[kept], long.T[kept]], dim=1).float()
        pieces.append((kept.sum(dim=1), kept.nonzero()[:, 1].int(), halves))
    return tuple(torch.cat(part) for part in zip(*pieces, strict=True))


@cuda.jit(cache=True)
def _walk(offsets, members, weights, roots, ways, walk, long, next_walk, next_long):
    """A step further, and a step of Horner's scheme, in which there are so many ``ways`` over the middle."""
    u = cuda.blockIdx.x
    root = np.float64(roots[u]) * ways
    for b in range(cuda.threadIdx.x, walk.shape[1], cuda.blockDim.x):
        here = np.float64(0)
        sums = np.float64(0)
        for edge in range(offsets[u], offsets[u + 1]):
            v = members[edge]
            weight = np.float64(weights[edge])
            here += weight * walk[v, b]
            sums += weight * (long[v, b] + root * np.float64(roots[v]) * walk[v, b])
        next_walk[u, b] = here
        next_long[u, b] = sums


def _owners(offsets: Array) -> Array:
    """The row of every entry."""
    return torch.repeat_interleave(torch.arange(len(offsets) - 1, device=offsets.device), torch.diff(offsets))


def _largest(values: Array, keep: int) -> Array:
    """(n, m) bool: the ``keep`` largest entries above 0 of every row, of equals the first."""
    there = values > 0
    if keep >= values.shape[1]:
        return there
    limit = values.topk(keep, dim=1).values[:, -1:]
    above = there & (values > limit)
    alike = there & (values == limit)
    return above | (alike & (alike.cumsum(dim=1) <= keep - above.sum(dim=1, keepdim=True)))


def meet_halves(offsets, members, weights, wanted_offsets, wanted, start, stop, out):
    """A thread a wanted pair; both lists ascend."""
    owners = start + _owners(wanted_offsets[start : stop + 1])
    first = int(wanted_offsets[start])
    launch.rows(_meet_halves, len(owners), owners, first, offsets, members, weights, wanted, out)


@cuda.jit(cache=True)
def _meet_halves(count, owners, first, offsets, members, weights, wanted, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    place = first + thread
    i, j = owners[thread], wanted[place]
    a, b = offsets[i], offsets[j]
    total = np.float64(out[place])
    while a < offsets[i + 1] and b < offsets[j + 1]:
        if members[a] == members[b]:
            total += np.float64(weights[b, 0] * weights[a, 1] + weights[b, 1] * weights[a, 0])
            a += 1
            b += 1
        elif members[a] < members[b]:
            a += 1
        else:
            b += 1
    out[place] = np.float32(total)


def smooth_candidates(
    offsets, members, confident_offsets, confident, step_offsets, step_members, step_weights,
    back_offsets, back_members, back_weights, returning, beta, start, stop, values,
):  # fmt: skip
    """First a thread a candidate, then a thread a row; ``back`` is not looked at."""
    owners = start + _owners(offsets[start : stop + 1])
    first = int(offsets[start])
    reaches = torch.empty(len(owners), dtype=torch.float64, device=values.device)
    launch.rows(
        _reach, len(owners), owners, first, members, confident_offsets, confident,
        step_offsets, step_members, step_weights, reaches,
    )  # fmt: skip
    launch.rows(
        _smooth,
        stop - start,
        offsets,
        first,
        confident_offsets,
        confident,
        returning,
        beta,
        start,
        reaches,
        values,
    )


@cuda.jit(device=True)
def _entry(offsets, members, weights, row, wanted):
    """An entry of a sparse row whose members ascend; 0 where there is none."""
    low, high = offsets[row], offsets[row + 1]
    while low < high:
        middle = (low + high) // 2
        if members[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    if low < offsets[row + 1] and members[low] == wanted:
        return np.float64(weights[low])
    return np.float64(0)


@cuda.jit(cache=True)
def _reach(
    count, owners, first, members, confident_offsets, confident, step_offsets, step_members, step_weights, out
):
    """How two steps lead from a candidate to the confident ones; -1 for one of these."""
    thread = cuda.grid(1)
    if thread >= count:
        return
    i, j = owners[thread], members[first + thread]
    begin, end = confident_offsets[i], confident_offsets[i + 1]
    reach = np.float64(0)
    for at in range(begin, end):
        if confident[at] == j:
            reach = np.float64(-1)
    if reach == 0 and end > begin:
        for edge in range(step_offsets[j], step_offsets[j + 1]):
            towards = np.float64(0)
            for at in range(begin, end):
                towards += _entry(step_offsets, step_members, step_weights, step_members[edge], confident[at])
            reach += np.float64(step_weights[edge]) * (towards / (end - begin))
    out[thread] = reach


@cuda.jit(cache=True)
def _smooth(
    count, offsets, first, confident_offsets, confident, returning, beta, start, reaches, values
):  # fmt: skip
    """The candidates of a row pulled together, and divided by their sum."""
    thread = cuda.grid(1)
    if thread >= count:
        return
    i = start + thread
    begin, end = offsets[i], offsets[i + 1]
    sure = confident_offsets[i + 1] - confident_offsets[i]
    anchor = np.float64(0)
    for at in range(confident_offsets[i], confident_offsets[i + 1]):
        anchor += np.float64(returning[confident[at]]) / sure
    others = 0
    mean = np.float64(0)
    pulled = np.float64(0)
    for at in range(begin, end):
        reach = reaches[at - first]
        if reach >= 0:
            others += 1
        if reach < 0 or reach > anchor:
            reach = anchor
        reaches[at - first] = reach
        mean += np.float64(values[at]) / (end - begin)
        pulled += np.float64(values[at]) * reach / (end - begin)
    divisor = anchor * anchor + 2 * beta
    if sure > 1 and others > 1 and divisor > 0:
        for at in range(begin, end):
            own = np.float64(values[at]) * (anchor * reaches[at - first] + 2 * beta)
            values[at] = np.float32((own + anchor * (anchor * mean - pulled)) / divisor)
    total = np.float64(0)
    for at in range(begin, end):
        total += np.float64(values[at])
    for at in range(begin, end):
        values[at] = np.float32(np.float64(values[at]) / total) if total > 0 else np.float32(0)


def product_of_rows(left_offsets, left_members, left_weights, offsets, members, weights, keep, start, stop):
    """COLUMNS rows at a time, as columns of the transposed product; entries of 0 are left out."""
    n = len(offsets) - 1
    back_offsets, back_members, back_weights = invert(offsets, members, weights, 0)
    back_weights = back_weights.double()
    pieces = []
    for first in range(start, stop, COLUMNS):
        count = min(COLUMNS, stop - first)
        begin, end = int(left_offsets[first]), int(left_offsets[first + count])
        owners = _owners(left_offsets[first : first + count + 1])
        rows = left_weights.new_zeros((n, count))
        rows[left_members[begin:end], owners] = left_weights[begin:end]
        found = torch.empty((n, count), dtype=torch.float64, device=rows.device)
        propagate(back_offsets, back_members, back_weights, rows, 0, n, found)
        found = found.T.contiguous()
        kept = _largest(found, keep)
        sums = torch.where(kept, found, 0).sum(dim=1)
        sizes = kept.sum(dim=1)
        shares = found[kept] / torch.repeat_interleave(sums, sizes)
        pieces.append((sizes, kept.nonzero()[:, 1].int(), shares.float()))
    return tuple(torch.cat(part) for part in zip(*pieces, strict=True))
