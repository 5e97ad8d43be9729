"""Sparse rows: sums of them, their transpose, products; a range of rows at a time.

Sparse rows are offsets (n + 1,) int64, members int32, weights float32.
"""

import torch
from numba import cuda, float32

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import launch

ENTRIES = 1 << 26  # entries that are sorted at a time


@cuda.jit(cache=True)
def _sum_runs(count, starts, values, out):
    run = cuda.grid(1)
    if run < count:
        total = float32(0.0)
        for at in range(starts[run], starts[run + 1]):
            total += values[at]
        out[run] = total


@cuda.jit(cache=True)
def _squares_of_rows(count, offsets, weights, out):
    i = cuda.grid(1)
    if i < count:
        total = 0.0
        for at in range(offsets[i], offsets[i + 1]):
            total += float(weights[at]) * float(weights[at])
        out[i] = total


def squares_of_rows(offsets: Array, weights: Array) -> Array:
    """(n,) float64: the sum of the squares of every row."""
    out = weights.new_empty(len(offsets) - 1, dtype=torch.float64)
    launch.rows(_squares_of_rows, len(out), offsets, weights, out)
    return out


def plus_transposed(offsets: Array, members: Array, weights: Array) -> tuple[Array, Array, Array]:
    """``A + A'`` of a square matrix; members ascend."""
    rows = len(offsets) - 1
    owners = torch.repeat_interleave(torch.arange(rows, device=offsets.device), offsets[1:] - offsets[:-1])
    keys = torch.cat([owners * rows + members, members.long() * rows + owners])
    keys, out = _sum_alike(keys, torch.cat([weights, weights]))
    counts = torch.bincount(keys // rows, minlength=rows)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]), (keys % rows).to(torch.int32), out


def sum_of_rows(
    offsets: Array, members: Array, weights: Array, lists: Array, factors: Array, start: int, stop: int
) -> tuple[Array, Array, Array]:
    """``sum_s factors[i, s] * row(lists[i, s])`` for the rows ``start:stop``, as (sizes, members, weights).

    Entries of ``lists`` below 0 are nobody. ``factors`` (1, 1) stands for one factor for all. A row's members
    ascend; sums are taken in the order of the list.
    """
    lists = lists[start:stop].long()
    sizes = torch.where(lists >= 0, (offsets[1:] - offsets[:-1])[lists.clamp(min=0)], 0)
    ends = sizes.sum(dim=1).cumsum(0).cpu()
    pieces = []
    first = 0
    while first < len(lists):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(torch.searchsorted(ends, before + ENTRIES, right=True)))
        part = slice(first, last)
        own = factors if factors.shape[1] == 1 else factors[start + first : start + last]
        pieces.append(_sums(offsets, members, weights, lists[part], sizes[part], own))
        first = last
    if not pieces:
        return offsets.new_zeros(0), members[:0], weights[:0]
    return tuple(torch.cat(part) for part in zip(*pieces, strict=True))  # type: ignore[return-value]


def _sums(
    offsets: Array, members: Array, weights: Array, lists: Array, sizes: Array, factors: Array
) -> tuple[Array, Array, Array]:
    images = len(offsets) - 1
    flat = sizes.reshape(-1)
    source = torch.repeat_interleave(torch.arange(len(flat), device=flat.device), flat)
    before = flat.cumsum(0) - flat
    at = offsets[lists.clamp(min=0).reshape(-1)][source] + (
        torch.arange(len(source), device=flat.device) - before[source]
    )
    values = weights[at]
    values = values * (factors[0, 0] if factors.shape[1] == 1 else factors.reshape(-1)[source])
    keys, out = _sum_alike(source // sizes.shape[1] * images + members[at], values)
    counts = torch.bincount(keys // images, minlength=len(lists))
    return counts, (keys % images).to(torch.int32), out


def _sum_alike(keys: Array, values: Array) -> tuple[Array, Array]:
    """Every key once, ascending, and the sum of its values in the order in which they stand."""
    keys, order = torch.sort(keys, stable=True)
    values = values[order]
    keys, runs = torch.unique_consecutive(keys, return_counts=True)
    starts = torch.cat([runs.new_zeros(1), runs.cumsum(0)])
    out = values.new_empty(len(keys))
    launch.rows(_sum_runs, len(keys), starts, values, out)
    return keys, out


def invert(offsets: Array, members: Array, weights: Array, first: int) -> tuple[Array, Array, Array]:
    """Column lists of rows ``first ..`` of a sparse matrix: (offsets, rows - first, weights), rows ascending."""
    images = len(offsets) - 1
    start = int(offsets[first])
    members, weights = members[start:], weights[start:]
    owners = torch.repeat_interleave(
        torch.arange(images - first, dtype=torch.int32, device=members.device),
        offsets[first + 1 :] - offsets[first:-1],
    )
    counts = torch.bincount(members, minlength=images)
    ends = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    rows, out = torch.empty_like(owners), torch.empty_like(weights)
    free = ends[:-1].clone()  # where the next entry of every column goes
    for at in range(0, len(members), ENTRIES):  # a sort takes 32 bytes an entry
        part = slice(at, at + ENTRIES)
        columns, order = torch.sort(members[part], stable=True)
        counts = torch.bincount(columns, minlength=images)
        before = counts.cumsum(0) - counts
        place = (free - before)[columns] + torch.arange(len(columns), device=columns.device)
        rows[place], out[place] = owners[part][order], weights[part][order]
        free += counts
    return ends, rows, out


@cuda.jit(cache=True)
def _add_products(
    strip, queries, offsets, members, weights, inverted_offsets, inverted_rows, inverted_weights, start
):
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    r = start + cuda.blockIdx.x
    query = queries[r]
    for at in range(offsets[query], offsets[query + 1]):
        t, weight = members[at], weights[at]
        for column in range(inverted_offsets[t] + thread, inverted_offsets[t + 1], threads):
            strip[r, inverted_rows[column]] += weight * inverted_weights[column]
        cuda.syncthreads()  # the next list may hold the same rows


def add_products(
    strip: Array, queries: Array, offsets: Array, members: Array, weights: Array,
    inverted_offsets: Array, inverted_rows: Array, inverted_weights: Array, start: int, stop: int,
) -> None:  # fmt: skip
    """``strip[r, j] += sum_t A[queries[r], t] * A[j, t]`` for the rows ``start:stop`` of a strip.

    The gallery side comes from :func:`invert`. Every sum is taken in the order of the query's own row.
    """
    launch.blocks(
        _add_products, stop - start, strip, queries, offsets, members, weights,
        inverted_offsets, inverted_rows, inverted_weights, start,
    )  # fmt: skip
