"""The k nearest of every row, fed one tile of distances at a time.

Each row owns a list of the k best so far, in any order, and knows the worst of them: a tile entry matters only
if it precedes that by (distance, column). The order is total, therefore neither the order in which tiles arrive
nor their size changes what remains. One tile of a symmetric matrix feeds the lists of its rows and of its columns;
most stretches of a row are dismissed by one vectorised comparison. What is not dismissed waits as keys, whole
numbers in that order, and the best of many are selected. Who finds neighbours one by one keeps them in a max-heap
instead, whose root is the worst.
"""

import numpy as np

from postproc.base import vocabulary
from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.compiled import compiled, inner, lean
from postproc.kernels.cpu.marks import STRETCH, lowest, marks, marks_of_each
from postproc.kernels.cpu.sorting import key_of, value_of

ROOM = 128  # keys beside as many as a list is long, before the best are selected
PANEL = 1 << 18  # keys of the columns that are looked at side by side
TALL = 64  # rows that are looked at for their own sake and for the columns, one after the other
NOBODY = np.int32(vocabulary.NOBODY)  # behind every real column, also at +inf
LOWER = 0x7FFFFFFF  # the bits of a key that are its column
LAST = (0x7F800000 << 32) | LOWER  # the key of +inf and NOBODY
LEAST = -(2**63)  # less than any key
FEW = 400  # lists and columns: so many are sorted sooner than a kernel is compiled

Waiting = tuple[Ints, Ints]  # keys (n, more than TALL) and how many of a row there are, int64


@inner
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


@inner
def offer_one(values, columns, value, column):
    """Take (value, column) into the heap if it precedes the worst entry there; return the worst value."""
    if value < values[0] or (value == values[0] and column < columns[0]):
        _replace_root(values, columns, value, column)
    return values[0]


@inner
def write(keys, values, columns):
    """The values and columns of keys."""
    for at in range(keys.size):
        values[at] = value_of(keys[at] >> 32)
        columns[at] = np.int32(keys[at] & LOWER)


@inner
def select(keys, k):
    """Bring the ``k`` smallest keys to the front, in any order; all keys differ."""
    low, high = 0, keys.size
    while low < k and k < high:
        last = high - 1
        at = (low + high) // 2
        if (keys[low] < keys[at]) == (keys[last] < keys[low]):  # the middle one of three parts the others
            at = low
        elif (keys[last] < keys[at]) == (keys[low] < keys[last]):
            at = last
        middle = keys[at]
        keys[at] = keys[last]
        border = low
        for at in range(low, last):  # without a branch: where a key goes is not to be foreseen
            key = keys[at]
            keys[at] = keys[border]
            keys[border] = key
            border += key < middle
        keys[last] = keys[border]
        keys[border] = middle
        if border >= k:
            high = border
        else:
            low = border + 1


@inner
def _sift(keys, at, key):
    """Put a key into the heap below the place ``at``, which is free."""
    while 2 * at + 1 < keys.size:
        child = 2 * at + 1
        if child + 1 < keys.size:
            child += keys[child + 1] > keys[child]
        if keys[child] < key:
            break
        keys[at] = keys[child]
        at = child
    keys[at] = key


@inner
def make_heap(keys):
    """Bring keys into the order of a heap, the largest first."""
    for parent in range(keys.size // 2 - 1, -1, -1):
        _sift(keys, parent, keys[parent])


@inner
def sort_heap(keys):
    """Bring a heap of keys into ascending order."""
    for size in range(keys.size - 1, 0, -1):
        key = keys[size]
        keys[size] = keys[0]
        _sift(keys[:size], np.int64(0), key)


@inner
def _up_to(keys, last):
    """How many keys are no larger than ``last``."""
    count = 0
    for at in range(keys.size):
        count += keys[at] <= last
    return count


@inner
def _last(keys, k):
    """A number up to which there are ``k`` of the keys, all of which differ, 0 < k < their number.

    Counted again and again, for keys stay where they are then and a vector of them is one comparison; between two
    numbers as far as the counts say, and every third time in their middle.
    """
    low, high = keys[0], keys[0]
    for at in range(keys.size):
        key = keys[at]
        low = key if key < low else low  # numba compiles functions for ``min`` and ``max``
        high = key if key > high else high
    below, up_to = 1, keys.size  # so many are up to ``low`` and up to ``high``
    looks = 0
    while below < k and k < up_to:
        share = 0.5 if looks % 3 == 2 else (k - below) / (up_to - below)
        guess = low + np.int64((np.float64(high) - np.float64(low)) * share)
        guess = low + 1 if guess <= low else guess
        guess = high - 1 if guess >= high else guess
        count = _up_to(keys, guess)
        if count < k:
            low, below = guess, count
        else:
            high, up_to = guess, count
        looks += 1
    return low if below == k else high


@inner
def _merge(waiting, size, room, values, columns):
    """Take the first ``size`` keys that wait into the list, in ``room`` for twice both; return the worst value."""
    k = values.size
    held = k
    while held > 0 and columns[held - 1] == NOBODY:
        held -= 1
    keys, own, kept = room[: size + held], room[size : size + held], room[size + held :]
    for at in range(size):
        keys[at] = waiting[at]
    for at in range(held):
        own[at] = key_of(values[at], np.int64(columns[at]))
    held = min(keys.size, k)
    worst = LAST
    if keys.size > k:
        last = _last(keys, k)
        count = np.uint64(0)
        for at in range(keys.size):  # without a branch
            kept[count] = keys[at]
            count += np.uint64(keys[at] <= last)
        keys, worst = kept[:k], LEAST
    elif keys.size == k:
        worst = LEAST
    for at in range(held):
        worst = max(worst, keys[at])
    for at in range(held):
        values[at] = value_of(keys[at] >> 32)
    for at in range(held):
        columns[at] = np.int32(keys[at] & LOWER)
    return value_of(worst >> 32)


def offer_rows(
    tile: Floats,
    first_row: int,
    first_column: int,
    values: Floats,
    columns: Ints,
    worst: Floats,
    largest: Floats,
    waiting: Waiting | None = None,
) -> None:
    """Feed the entries of ``tile`` (n, m) to the lists of its rows, and the row maxima; NaN is no entry.

    What may be among the best is collected, and the best of that selected when there is much of it. What is
    collected stays in ``waiting`` from one tile to the next; without it, every list is up to date after each.
    """
    if waiting is None and _are_few(values, tile):
        _offer_few(tile, first_row, first_column, values, columns, worst, largest)
        return
    k = values.shape[1]
    rows = waiting or (np.empty((1, k + ROOM), np.int64), np.zeros(1, np.int64))
    _offer(
        _wide(tile), True, 0, 0, first_row, first_column, values, columns, worst, largest, *rows, *rows,
        _room(k, rows), waiting is not None, False,
    )  # fmt: skip


def offer_both(
    tile: Floats,
    first_row: int,
    first_column: int,
    values: Floats,
    columns: Ints,
    worst: Floats,
    largest: Floats,
    waiting: Waiting | None = None,
) -> None:
    """As :func:`offer_rows`, and the same entries to the lists of the columns, for a symmetric matrix.

    Some rows at a time, which are looked at twice while they are at hand.
    """
    (n, m), k = tile.shape, values.shape[1]
    if m < STRETCH or (waiting is None and _are_few(values, tile)):
        offer_rows(tile, first_row, first_column, values, columns, worst, largest, waiting)
        offer_rows(tile.T, first_column, first_row, values, columns, worst, largest, waiting)
        return
    tile, width = _wide(tile), k // 2 + 32 + TALL if waiting is None else waiting[0].shape[1]
    abreast = min(m, max(STRETCH, PANEL // width // STRETCH * STRETCH))
    rows = waiting or (np.empty((1, k + ROOM), np.int64), np.zeros(1, np.int64))
    keys, sizes = waiting or (np.empty((abreast, width), np.int64), np.zeros(abreast, np.int64))
    room = _room(k, rows, (keys, sizes))
    for panel in range(0, m, abreast):
        stop = min(panel + abreast, m)
        there = slice(first_column + panel, first_column + stop) if waiting else slice(None)
        for start in range(0, n, TALL):
            _offer(
                tile[start : start + TALL], panel == 0, panel, stop, first_row + start, first_column, values,
                columns, worst, largest, *rows, keys[there], sizes[there], room, waiting is not None,
                start + TALL >= n,
            )  # fmt: skip


def _are_few(values: Floats, tile: Floats) -> bool:
    return values.size > 0 and max(len(values), *tile.shape) <= FEW


def _offer_few(
    tile: Floats, first_row: int, first_column: int, values: Floats, columns: Ints, worst: Floats, largest: Floats
) -> None:
    """What :func:`offer_rows` does, in NumPy: of small sets a kernel is not worth its compilation."""
    some, k = slice(first_row, first_row + len(tile)), values.shape[1]
    keys, top = np.empty((len(tile), k + tile.shape[1]), np.int64), tile.max(axis=1, initial=-np.inf)
    keys[:, :k] = _keys(values[some], columns[some])
    keys[:, k:] = _keys(tile, np.arange(first_column, first_column + tile.shape[1]))
    if np.isnan(top).any():
        keys[:, k:][np.isnan(tile)] = LAST
        top = np.fmax.reduce(tile, axis=1, initial=-np.inf)
    keys.partition(k - 1, axis=1)
    keys = np.sort(keys[:, :k], axis=1)  # nobody comes last, as kernels want it
    _spell(keys, values[some], columns[some])
    worst[some] = values[some, -1]
    np.maximum(largest[some], top, out=largest[some])


def settle(values: Floats, columns: Ints, waiting: Waiting, start: int, stop: int) -> None:
    """Take what still waits for the lists of rows ``start:stop`` into them."""
    _settle(values, columns, *waiting, _room(values.shape[1], waiting), start, stop)


def _wide(tile: Floats) -> Floats:
    """A tile whose rows are a stretch or more, what is added being no entries."""
    if tile.shape[1] >= STRETCH:
        return np.ascontiguousarray(tile)
    wide = np.full((len(tile), STRETCH), np.nan, tile.dtype)
    wide[:, : tile.shape[1]] = tile
    return wide


def _room(k: int, *waiting: Waiting) -> Ints:
    return np.empty(2 * (k + max(keys.shape[1] for keys, _ in waiting)), np.int64)


@lean
def _settle(values, columns, keys, sizes, room, start, stop):
    for i in range(start, stop):
        if sizes[i] > 0:
            _merge(keys[i], sizes[i], room, values[i], columns[i])
            sizes[i] = 0


@lean
def _offer(
    tile, with_rows, panel, stop, first_row, first_column, values, columns, worst, largest, row_keys, row_sizes,
    keys, sizes, room, stay, last,
):  # fmt: skip
    """Offer a tile to the lists of its rows if ``with_rows``, and to those of its columns ``panel:stop``.

    What may be among the best of a row is collected in ``row_keys``, of a column in ``keys``, and merged where
    there is no room for more: of a stretch, of TALL rows. What may not ``stay`` is merged at the end of a row, and
    of columns where these are the ``last`` rows.
    """
    m = tile.shape[1]
    most = row_keys.shape[1] - STRETCH
    for i in range(tile.shape[0] if with_rows else 0):
        name = first_row + i
        at = name if stay else 0
        row = row_keys[at]
        limit = worst[name]
        top = largest[name]
        size = row_sizes[at]
        for start in range(0, m, STRETCH):
            begin = start if start + STRETCH <= m else m - STRETCH  # the last stretch looks at some once more
            left = marks(tile, i * m + begin, limit, top) & (-1 << (start - begin))  # type: ignore[call-arg]
            while left != 0:
                j = begin + lowest(left)
                left &= left - 1
                value = tile[i, j]
                if value > top:
                    top = value
                if value <= limit:
                    row[size] = key_of(value, first_column + j)
                    size += 1
            if size > most or (not stay and size > 0 and start + STRETCH >= m):
                limit = _merge(row, size, room, values[name], columns[name])
                size = 0
        row_sizes[at] = size
        worst[name] = limit
        largest[name] = top
    for i in range(tile.shape[0]):
        for start in range(panel, stop, STRETCH):
            begin = start if start + STRETCH <= m else m - STRETCH
            left = marks_of_each(tile, i * m + begin, worst, largest, first_column + begin)  # type: ignore[call-arg]
            left &= -1 << (start - begin)
            while left != 0:
                j = begin + lowest(left)
                left &= left - 1
                value = tile[i, j]
                name = first_column + j
                if value > largest[name]:
                    largest[name] = value
                if value <= worst[name]:
                    at = j - panel
                    size = sizes[at]
                    keys[at, size] = key_of(value, first_row + i)
                    sizes[at] = size + 1
    most = 0 if last and not stay else keys.shape[1] - TALL
    for at in range(stop - panel):
        size = sizes[at]
        if size > most:
            name = first_column + panel + at
            worst[name] = _merge(keys[at], size, room, values[name], columns[name])
            sizes[at] = 0


def sort_lists(values: Floats, columns: Ints, start: int, stop: int) -> None:
    """Bring the lists of rows ``start:stop`` into order, nearest first, ties by column."""
    some, names = values[start:stop], columns[start:stop]
    keys = _keys(some, names)
    keys.sort(axis=1)
    _spell(keys, some, names)


def _keys(values: Floats, columns: Ints) -> Ints:
    """What :func:`key_of` makes of all of them."""
    bits = (values + np.float32(0)).view(np.int32)  # of the two zeros there is one
    bits ^= (bits >> 31) & LOWER
    keys = bits.astype(np.int64)
    keys <<= 32
    keys |= columns
    return keys


def _spell(keys: Ints, values: Floats, columns: Ints) -> None:
    """What :func:`write` does with all of them; ``keys`` are lost."""
    columns[:] = keys & LOWER
    keys >>= 32
    keys ^= (keys >> 31) & LOWER
    values.view(np.int32)[:] = keys


@compiled
def sort_heaps(values, columns, start, stop):
    """Turn the heaps of rows ``start:stop`` into lists, nearest first, ties by column."""
    k = values.shape[1]
    keys = np.empty(k, np.int64)
    for i in range(start, stop):
        for at in range(k):
            keys[at] = key_of(values[i, at], np.int64(columns[i, at]))
        sort_heap(keys)
        write(keys, values[i], columns[i])


@compiled
def first_of_rows(matrix, rows):
    """``rows`` (n, k), k <= m, become the columns of the smallest entries of ``matrix`` (n, m), ties by column."""
    values = np.empty(rows.shape[1], matrix.dtype)
    for i in range(len(rows)):
        values[:] = np.inf
        rows[i] = NOBODY
        limit = values[0]
        for j in range(matrix.shape[1]):
            if matrix[i, j] <= limit:
                limit = offer_one(values, rows[i], matrix[i, j], j)
        for size in range(values.size - 1, 0, -1):
            value, column = values[size], rows[i, size]
            values[size], rows[i, size] = values[0], rows[i, 0]
            _replace_root(values[:size], rows[i, :size], value, column)


def spread_lists(
    class_values: Floats, class_columns: Ints, offsets: Ints, members: Ints, start: int, stop: int, values: Floats,
    columns: Ints,
) -> None:  # fmt: skip
    """Lists of the nearest classes -> lists of the nearest images, rows ``start:stop``; ties by image.

    ``offsets``, ``members`` name the images of every class in ascending order. A class holds at least one
    image, so the k nearest images are among the members of the k nearest classes.
    """
    values[start:stop], columns[start:stop] = np.inf, NOBODY
    _spread(class_values, class_columns, offsets, members, start, stop, values, columns)
    sort_lists(values, columns, start, stop)


@lean
def _spread(class_values, class_columns, offsets, members, start, stop, values, columns):
    for i in range(start, stop):
        for at in range(class_columns.shape[1]):
            value, name = class_values[i, at], class_columns[i, at]
            if name == NOBODY:
                break
            for member in range(offsets[name], offsets[name + 1]):
                image = members[member]
                if not (value < values[i, 0] or (value == values[i, 0] and image < columns[i, 0])):
                    break
                _replace_root(values[i], columns[i], value, image)
