"""Rows in ascending order, digit after digit: no comparison, and no digit that all have alike."""

import numpy as np

from postproc.kernels.compiled import compiled

DIGIT = 11  # bits: the counts of a digit stay in the nearest cache


@compiled
def ascending(row, chosen, rest):
    """``chosen`` columns (int32) by their values in ``row``, float32 without NaN, equal ones as they come.

    ``rest`` (3, as many) int32 is written to, and ``chosen`` too; one of the two holds what comes back.
    """
    count = chosen.size
    bits = row.view(np.int32)
    keys, other_keys, other = rest[0, :count], rest[1, :count], rest[2, :count]
    low, high = np.int32(2**31 - 1), np.int32(-(2**31))
    for at in range(count):
        key = bits[chosen[at]]
        key = np.int32(0) if key == -(2**31) else key ^ ((key >> 31) & np.int32(0x7FFFFFFF))  # one zero; ascends
        keys[at] = key
        low, high = min(low, key), max(high, key)
    span = np.int64(high) - np.int64(low)
    counts = np.empty(1 << DIGIT, np.int64)
    shift = 0
    while count > 0 and (span >> shift) > 0:
        counts[:] = 0
        for at in range(count):
            counts[((np.int64(keys[at]) - low) >> shift) & ((1 << DIGIT) - 1)] += 1
        place = 0
        for digit in range(counts.size):
            place, counts[digit] = place + counts[digit], place
        for at in range(count):
            bucket = ((np.int64(keys[at]) - low) >> shift) & ((1 << DIGIT) - 1)
            other_keys[counts[bucket]], other[counts[bucket]] = keys[at], chosen[at]
            counts[bucket] += 1
        keys, other_keys, chosen, other = other_keys, keys, other, chosen
        shift += DIGIT
    return chosen
