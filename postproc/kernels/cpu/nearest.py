"""The k nearest of every row, fed one tile of distances at a time.

Each row owns a max-heap ordered by (distance, column): its root is the worst of the k best so far, so a tile
entry matters only if it precedes the root. The order is total, therefore neither the order in which tiles
arrive nor their size changes what remains. One tile of a symmetric matrix feeds the heaps of its rows and of
its columns; most stretches of a row are dismissed by one vectorised comparison.
"""

import numpy as np

from postproc.kernels.compiled import compiled

STRETCH = 64  # entries that are dismissed together
NOBODY = np.int32(2**31 - 1)  # behind every real column, also at +inf


@compiled
def _replace_root(values, columns, value, column):
    """Put (value, column) in the place of the worst entry and restore the heap."""
    size = values.size
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        other = child + 1
        if other < size and (
            values[other] > values[child] or (values[other] == values[child] and columns[other] > columns[child])
        ):
            child = other
        if values[child] < value or (values[child] == value and columns[child] < column):
            break
        values[at] = values[child]
        columns[at] = columns[child]
        at = child
    values[at] = value
    columns[at] = column


@compiled
def offer_one(values, columns, value, column):
    """Take (value, column) into the heap if it precedes the worst entry there; return the worst value."""
    if value < values[0] or (value == values[0] and column < columns[0]):
        _replace_root(values, columns, value, column)
    return values[0]


@compiled
def offer_rows(tile, first_row, first_column, values, columns, worst, largest):
    """Feed the entries of ``tile`` (n, m) to the heaps of its rows, and the row maxima; NaN is no entry."""
    n, m = tile.shape
    for i in range(n):
        row = first_row + i
        limit = worst[row]
        top = largest[row]
        for start in range(0, m, STRETCH):
            part = tile[i, start : min(start + STRETCH, m)]
            hit = 0
            for j in range(part.size):
                hit |= int(part[j] <= limit) | int(part[j] > top)
            if hit:
                for j in range(part.size):
                    if part[j] > top:
                        top = part[j]
                    if part[j] <= limit:
                        limit = offer_one(values[row], columns[row], part[j], first_column + start + j)
        worst[row] = limit
        largest[row] = top


@compiled
def offer_both(tile, first_row, first_column, values, columns, worst, largest):
    """As :func:`offer_rows`, and the same entries to the heaps of the columns, for a symmetric matrix."""
    n, m = tile.shape
    for i in range(n):
        row = first_row + i
        limit = worst[row]
        top = largest[row]
        for start in range(0, m, STRETCH):
            stop = min(start + STRETCH, m)
            part = tile[i, start:stop]
            limits = worst[first_column + start : first_column + stop]
            tops = largest[first_column + start : first_column + stop]
            hit = 0
            for j in range(part.size):
                value = part[j]
                hit |= int(value <= limit) | int(value > top) | int(value <= limits[j]) | int(value > tops[j])
            if hit:
                for j in range(part.size):
                    value = part[j]
                    column = first_column + start + j
                    if value > top:
                        top = value
                    if value > tops[j]:
                        tops[j] = value
                    if value <= limit:
                        limit = offer_one(values[row], columns[row], value, column)
                    if value <= limits[j]:
                        limits[j] = offer_one(values[column], columns[column], value, row)
        worst[row] = limit
        largest[row] = top


@compiled
def sort_heaps(values, columns, start, stop):
    """Turn the heaps of rows ``start:stop`` into lists, nearest first, ties by column."""
    for i in range(start, stop):
        for size in range(values.shape[1] - 1, 0, -1):
            value, column = values[i, size], columns[i, size]
            values[i, size], columns[i, size] = values[i, 0], columns[i, 0]
            _replace_root(values[i, :size], columns[i, :size], value, column)


@compiled
def spread_lists(class_values, class_columns, offsets, members, start, stop, values, columns):
    """Lists of the nearest classes -> lists of the nearest images, rows ``start:stop``; ties by image.

    ``offsets``, ``members`` name the images of every class in ascending order. A class holds at least one
    image, so the k nearest images are among the members of the k nearest classes.
    """
    for i in range(start, stop):
        values[i, :] = np.inf
        columns[i, :] = NOBODY
        for at in range(class_columns.shape[1]):
            value, name = class_values[i, at], class_columns[i, at]
            if name == NOBODY:
                break
            for member in range(offsets[name], offsets[name + 1]):
                image = members[member]
                if not (value < values[i, 0] or (value == values[i, 0] and image < columns[i, 0])):
                    break
                _replace_root(values[i], columns[i], value, image)
    sort_heaps(values, columns, start, stop)
