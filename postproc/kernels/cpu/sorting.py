"""Order and selection inside kernels. numba's own (``np.sort``, ``np.partition``) compile for seconds each."""

import numpy as np

from postproc.kernels.compiled import compiled

DIGIT = 11  # bits: the counts of a digit stay in the nearest cache
RUN = 8  # so many are put in order one by one before they are merged


@compiled
def ascending(row, chosen, rest):
    """``chosen`` columns (int32) by their values in ``row``, float32 without NaN, equal ones as they come.

    Digit after digit: no comparison, and no digit that all have alike.
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


@compiled
def order(values):
    """The positions (int64) of ``values``, float64 without NaN, by value, equal ones as they come."""
    count = values.size
    now, then = np.arange(count), np.empty(count, np.int64)
    for start in range(0, count, RUN):
        for at in range(start + 1, min(start + RUN, count)):
            moved, free = now[at], at
            while free > start and values[now[free - 1]] > values[moved]:
                now[free] = now[free - 1]
                free -= 1
            now[free] = moved
    width = RUN
    while width < count:
        for start in range(0, count, 2 * width):
            left, right = start, min(start + width, count)
            border, stop = right, min(start + 2 * width, count)
            for at in range(start, stop):
                if left < border and (right >= stop or values[now[left]] <= values[now[right]]):
                    then[at] = now[left]
                    left += 1
                else:
                    then[at] = now[right]
                    right += 1
        now, then = then, now
        width *= 2
    return now


@compiled
def kth(values, count, k):
    """The k-th smallest of ``values[:count]``, k from 1; they are rearranged."""
    low, high = 0, count - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    return values[k - 1]


@compiled
def at_place(values, place):
    """The one of ``values``, float64 without NaN, that is at ``place`` (from 0) in ascending order."""
    return kth(values.copy(), values.size, place + 1)
