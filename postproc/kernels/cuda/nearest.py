"""The k nearest of every row, fed one tile of distances at a time: a block of threads keeps the list of a row.

Lists are always sorted by (distance, column). An entry matters only if it precedes the last of the list; the few
that do are collected in shared memory, in any order, and merged by counting who precedes whom. The order is total,
so what remains depends neither on the order in which threads ran nor on the tiles.
"""

from typing import Any

import torch
from numba import cuda, float32, int32

from postproc.base.vocabulary import Array
from postproc.kernels.cpu.nearest import NOBODY
from postproc.kernels.cuda import launch
from postproc.kernels.cuda.launch import THREADS

__all__ = ["NOBODY", "offer_both", "offer_rows", "sort_lists", "spread_lists"]

SHORT = 64  # neighbours in a list that leaves room for many blocks in shared memory
LONGEST = 2048  # and in one that fits at all; longer ones are sorted by torch
EACH = 8  # entries that a thread looks at before the block meets
WAITING = 64  # candidates that may wait to be merged
ROOM = WAITING + EACH * THREADS
SORTED = 1 << 26  # entries that are sorted at a time
SMALLEST = float("-inf")


@cuda.jit(device=True)
def _precedes(value, column, other_value, other_column):
    return value < other_value or (value == other_value and column < other_column)


@cuda.jit(device=True)
def _merge(values, columns, kept, new_values, new_columns, count, out_values, out_columns):
    """Merge ``count`` candidates into the sorted list of ``kept``; all threads of the block take part."""
    for at in range(cuda.threadIdx.x, kept + count, cuda.blockDim.x):
        if at < kept:
            value, column, place = values[at], columns[at], at
        else:
            value, column, place = new_values[at - kept], new_columns[at - kept], 0
            low, high = 0, kept
            while low < high:
                middle = (low + high) // 2
                if _precedes(values[middle], columns[middle], value, column):
                    low = middle + 1
                else:
                    high = middle
            place = low
        for other in range(count):
            if _precedes(new_values[other], new_columns[other], value, column):
                place += 1
        if place < kept:
            out_values[place] = value
            out_columns[place] = column
    cuda.syncthreads()
    for at in range(cuda.threadIdx.x, kept, cuda.blockDim.x):
        values[at] = out_values[at]
        columns[at] = out_columns[at]
    cuda.syncthreads()


def _offering(name: str, longest: int) -> Any:
    """The kernel for lists of ``longest`` or fewer, which decides how much shared memory a block takes."""

    def offer(tile, first_row, first_column, all_values, all_columns, largest):
        values = cuda.shared.array(longest, float32)  # one a line: the simulator tells them apart by that
        columns = cuda.shared.array(longest, int32)
        out_values = cuda.shared.array(longest, float32)
        out_columns = cuda.shared.array(longest, int32)
        new_values = cuda.shared.array(ROOM, float32)
        new_columns = cuda.shared.array(ROOM, int32)
        tops = cuda.shared.array(THREADS, float32)
        waiting = cuda.shared.array(1, int32)
        i, thread, threads = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
        row = first_row + i
        kept, width = all_values.shape[1], tile.shape[1]
        for at in range(thread, kept, threads):
            values[at] = all_values[row, at]
            columns[at] = all_columns[row, at]
        if thread == 0:
            waiting[0] = 0
        cuda.syncthreads()
        top = float32(SMALLEST)
        start = 0
        changed = False
        while start < width:
            limit, last = values[kept - 1], columns[kept - 1]
            steps = (
                EACH if last != NOBODY else 1
            )  # few at first: where the list has room, everything is a candidate
            for step in range(steps):
                j = start + step * threads + thread
                if j < width:
                    value = tile[i, j]
                    if value > top:
                        top = value
                    if _precedes(value, first_column + j, limit, last):
                        place = cuda.atomic.add(waiting, 0, 1)
                        new_values[place] = value
                        new_columns[place] = first_column + j
            cuda.syncthreads()
            count = waiting[0]
            cuda.syncthreads()  # nobody adds before everybody has read
            if count > WAITING:
                _merge(values, columns, kept, new_values, new_columns, count, out_values, out_columns)
                changed = True
                if thread == 0:
                    waiting[0] = 0
                cuda.syncthreads()
            start += steps * threads
        count = waiting[0]
        if count > 0:
            _merge(values, columns, kept, new_values, new_columns, count, out_values, out_columns)
            changed = True
        if changed:
            for at in range(thread, kept, threads):
                all_values[row, at] = values[at]
                all_columns[row, at] = columns[at]
        tops[thread] = top
        cuda.syncthreads()
        if thread == 0:
            for other in range(threads):
                if tops[other] > top:
                    top = tops[other]
            if top > largest[row]:
                largest[row] = top

    offer.__name__ = offer.__qualname__ = name
    return cuda.jit(cache=True)(offer)


_offer, _offer_long = _offering("_offer", SHORT), _offering("_offer_long", LONGEST)


def offer_rows(
    tile: Array, first_row: int, first_column: int, values: Array, columns: Array, worst: Array, largest: Array
) -> None:
    """Feed the entries of ``tile`` (n, m) to the lists of its rows, and the row maxima; NaN is no entry."""
    if values.shape[1] <= LONGEST:
        kernel = _offer if values.shape[1] <= SHORT else _offer_long
        launch.blocks(kernel, len(tile), tile, first_row, first_column, values, columns, largest)
        return
    for start in range(0, len(tile), max(1, SORTED // (tile.shape[1] + values.shape[1]))):
        part = tile[start : start + max(1, SORTED // (tile.shape[1] + values.shape[1]))]
        rows = slice(first_row + start, first_row + start + len(part))
        _sort_in(part, first_column, values[rows], columns[rows], largest[rows])


def offer_both(
    tile: Array, first_row: int, first_column: int, values: Array, columns: Array, worst: Array, largest: Array
) -> None:
    """As :func:`offer_rows`, and the same entries to the lists of the columns, for a symmetric matrix."""
    offer_rows(tile, first_row, first_column, values, columns, worst, largest)
    offer_rows(tile.T.contiguous(), first_column, first_row, values, columns, worst, largest)


def _sort_in(part: Array, first_column: int, values: Array, columns: Array, largest: Array) -> None:
    """Lists too long for shared memory: sort them together with the entries, by column and then by value."""
    kept = values.shape[1]
    missing = torch.isnan(part)
    torch.maximum(largest, part.masked_fill(missing, SMALLEST).amax(dim=1), out=largest)
    own = torch.arange(first_column, first_column + part.shape[1], dtype=torch.int32, device=part.device)
    every_value = torch.cat([values, part.masked_fill(missing, float("inf"))], dim=1)
    every_column = torch.cat([columns, own.expand(part.shape).masked_fill(missing, int(NOBODY))], dim=1)
    every_column, order = torch.sort(every_column, dim=1, stable=True)
    every_value, order = torch.sort(every_value.gather(1, order), dim=1, stable=True)
    values.copy_(every_value[:, :kept])
    columns.copy_(every_column.gather(1, order[:, :kept]))


def sort_lists(values: Array, columns: Array, start: int, stop: int) -> None:
    """Nothing to do: these lists are sorted all the time."""


@cuda.jit(cache=True)
def _spread(count, class_values, class_columns, offsets, members, start, values, columns):
    at_row = cuda.grid(1)
    if at_row >= count:
        return
    i = start + at_row
    kept = values.shape[1]
    for at in range(kept):
        values[i, at] = float32(float("inf"))
        columns[i, at] = NOBODY
    for at in range(class_columns.shape[1]):
        value, name = class_values[i, at], class_columns[i, at]
        if name == NOBODY:
            break
        for member in range(offsets[name], offsets[name + 1]):
            image = members[member]
            if not _precedes(value, image, values[i, kept - 1], columns[i, kept - 1]):
                break
            place = kept - 1
            while place > 0 and _precedes(value, image, values[i, place - 1], columns[i, place - 1]):
                values[i, place] = values[i, place - 1]
                columns[i, place] = columns[i, place - 1]
                place -= 1
            values[i, place] = value
            columns[i, place] = image


def spread_lists(
    class_values: Array, class_columns: Array, offsets: Array, members: Array, start: int, stop: int,
    values: Array, columns: Array,
) -> None:  # fmt: skip
    """Lists of the nearest classes -> lists of the nearest images, rows ``start:stop``; ties by image.

    ``offsets``, ``members`` name the images of every class in ascending order.
    """
    launch.rows(_spread, stop - start, class_values, class_columns, offsets, members, start, values, columns)
