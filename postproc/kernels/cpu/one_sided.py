"""Which rows of a bank may be among the nearest of other rows: products in int8 as :mod:`.int8`, of one side.

All of the bank is gone through for some rows at a time. What their limits do not rule out are candidates:
``pairs`` (rows, room, 2) float32 and ``names``, the same memory as int32, as in :mod:`.candidates`; ``counts``
(rows,) int64.
"""

import numpy as np

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.ahead import LINE, ask_for
from postproc.kernels.cpu.candidates import NEAR, WIDE, keep
from postproc.kernels.cpu.int8_blocks import BLOCK, PANEL, TALL, WORDS, block_of, put_down, take_up
from postproc.kernels.cpu.marks import lowest
from postproc.kernels.cpu.settling import apart, insert
from postproc.kernels.cpu.sorting import ascending, key_of, kth, value_of

LOWER = 0x7FFFFFFF  # the bits of a key that are its column
SOON = 2  # candidates between asking for a row and its turn


@compiled
def collect(packed, begin, limits, bank, bank_limits, first, stop, k, abreast, room, pairs, names, counts):
    """Candidates of the rows in panels ``first:stop`` for the ``k`` nearest of the bank, ``abreast`` panels of it
    at a time.

    ``limits`` (8, n) and ``bank_limits`` (8, m) as in :func:`.int8.narrow`, near and far -inf and +inf in the
    bank, far +inf in both. When the pairs are used up the limit becomes what it is by the candidates there are.
    ``room``: of :func:`.int8_blocks.room_of`.
    """
    sums, block, flags = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.float32), np.empty(WORDS, np.int64)
    most, spare, wide = pairs.shape[1], np.empty(pairs.shape[1], np.float32), bank_limits[WIDE]
    for behind in range(0, bank.shape[0], abreast):
        for i0 in range(first * PANEL, stop * PANEL, TALL):
            take_up(packed, i0, room)
            for c in range(behind, min(behind + abreast, bank.shape[0])):
                block_of(packed, i0, begin, limits, bank, c, bank_limits, room, sums, block, flags)
                for word in range(WORDS):
                    left = flags[word]
                    while left != 0:
                        place = 64 * word + lowest(left)  # type: ignore[call-arg]
                        left &= left - 1
                        i = i0 + place // PANEL
                        row, value = i - first * PANEL, block[place]
                        count = counts[row]
                        if count == most:
                            for one in range(count):
                                spare[one] = pairs[row, one, 0] + wide[names[row, one, 1]]
                            limit = min(limits[NEAR, i], kth(spare, count, k) + limits[WIDE, i])
                            count, limits[NEAR, i] = keep(pairs, names, row, count, limit, spare)
                        if value <= limits[NEAR, i]:
                            pairs[row, count, 0], names[row, count, 1] = value, c * PANEL + place % PANEL
                            count += 1
                        counts[row] = count
    put_down(room)


@compiled
def _ask_for_row(bank, j):
    """Let a row of the bank come."""
    width = bank.shape[1] * bank.itemsize
    row = bank.ctypes.data + j * width
    for line in range(row, row + width, LINE):
        ask_for(line)  # type: ignore[call-arg]


@compiled
def begin_with(images, bank, known, start, stop, values, rows, limits):
    """Begin the lists of the rows ``start:stop`` with ``known`` (n, k) rows of the bank, none of them twice, and
    limit what may come beside: nobody who is farther than all of these.

    ``values``, ``rows`` (n, k) hold +inf and a number behind all others; they become heaps, sorted, the worst
    first.
    """
    k = known.shape[1]
    for i in range(start, stop):
        for s in range(k + SOON):
            if s < k:
                _ask_for_row(bank, np.int64(known[i, s]))
            if s >= SOON:  # what was nearest is likely to be nearest still, and goes to the end
                j, at = known[i, s - SOON], k - 1 - s + SOON
                value = apart(images[i], bank[j])
                while at < k - 1 and (
                    values[i, at + 1] > value or (values[i, at + 1] == value and rows[i, at + 1] > j)
                ):
                    values[i, at], rows[i, at] = values[i, at + 1], rows[i, at + 1]
                    at += 1
                values[i, at], rows[i, at] = value, j
        limits[NEAR, i] = np.nextafter(values[i, 0], np.float32(np.inf))


@compiled
def settle(images, bank, limits, pairs, names, counts, first, start, stop, values, rows, unsure):
    """Lists of the rows ``start:stop`` from their candidates, which begin with those of the row ``first``.

    ``values``, ``rows`` (n, k): as :func:`begin_with` finds or leaves them; they become lists, the nearest first.
    ``unsure[i]``: too many candidates were dropped, so that somebody may be missing. Whose turn is soon is asked
    for, since the wait for it is most of the time.
    """
    keys, other = np.empty(pairs.shape[1], np.int64), np.empty(pairs.shape[1], np.int64)
    listed = np.full(len(bank), -1, np.int32)  # the last row of which somebody was in the list from the beginning
    for i in range(start, stop):
        at, count = i - first, 0
        for s in range(rows.shape[1]):
            if rows[i, s] < len(bank):
                listed[rows[i, s]] = i
        for one in range(counts[at]):
            if listed[names[at, one, 1]] != i and pairs[at, one, 0] <= values[i, 0]:
                keys[count] = key_of(pairs[at, one, 0], np.int64(names[at, one, 1]))
                count += 1
        order = ascending(keys[:count], other[:count])
        for one in range(count + SOON):
            if one < count:
                _ask_for_row(bank, order[one] & LOWER)
            if one >= SOON:
                key = order[one - SOON]
                if value_of(key >> 32) > values[i, 0]:
                    break
                j = np.int32(key & LOWER)
                insert(values[i], rows[i], apart(images[i], bank[j]), j)
        unsure[i] = not values[i, 0] < limits[NEAR, i]
        values[i], rows[i] = values[i, ::-1].copy(), rows[i, ::-1].copy()


@compiled
def settle_in_full(images, bank, some, start, stop, values, rows):
    """As :func:`settle` for the rows ``some[start:stop]`` from everybody in the bank."""
    near, names = np.empty(values.shape[1], np.float32), np.empty(values.shape[1], np.int32)
    for i in some[start:stop]:
        near[:], names[:] = np.inf, 2**31 - 1
        for j in range(len(bank)):
            insert(near, names, apart(images[i], bank[j]), np.int32(j))
        values[i], rows[i] = near[::-1], names[::-1]
