"""Order and selection inside kernels. numba's own (``np.sort``, ``np.partition``) compile for seconds each."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from postproc.kernels.compiled import compiled, inner

DIGIT = 12  # bits: the counts of a digit stay in the nearest cache
ZERO_BELOW = -(2**31)  # the bits of -0
RUN = 8  # so many are put in order one by one before they are merged


@intrinsic
def _bits_of(typingctx, value):
    """The bits of a float32 as int32."""
    return types.int32(types.float32), lambda context, at, signature, given: at.bitcast(given[0], ir.IntType(32))


@intrinsic
def _float_of(typingctx, bits):
    """The float32 of these bits."""
    return types.float32(types.int32), lambda context, at, signature, given: at.bitcast(given[0], ir.FloatType())


@inner
def key_of(value, column):
    """(value, column) as a whole number that is in the same order; of the two zeros there is one."""
    bits = np.int64(_bits_of(value))  # type: ignore[call-arg]
    if bits == ZERO_BELOW:
        bits = 0
    return ((bits ^ ((bits >> 31) & 0x7FFFFFFF)) << 32) | column


@inner
def value_of(place):
    """The float32 whose :func:`key_of` has this number above the column; the next number is the next float32."""
    return _float_of(place ^ ((place >> 31) & 0x7FFFFFFF))  # type: ignore[call-arg]


@compiled
def ascending(keys, other):
    """Keys of float32 and columns by :func:`key_of`, equal values as they come.

    Digit after digit: no comparison, and no digit that all have alike. ``other`` (as many) is written to, and
    ``keys`` too; one of the two holds what comes back.
    """
    low, high = np.int64(2**31 - 1), np.int64(-(2**31))
    for key in keys:
        low, high = min(low, key >> 32), max(high, key >> 32)
    counts = np.empty(1 << DIGIT, np.int32)
    shift = 32
    while keys.size > 0 and ((high - low) >> (shift - 32)) > 0:
        counts[:] = 0
        for key in keys:
            counts[((key - (low << 32)) >> shift) & ((1 << DIGIT) - 1)] += 1
        place = 0
        for digit in range(counts.size):
            place, counts[digit] = place + counts[digit], place
        for key in keys:
            digit = ((key - (low << 32)) >> shift) & ((1 << DIGIT) - 1)
            other[counts[digit]] = key
            counts[digit] += 1
        keys, other = other, keys
        shift += DIGIT
    return keys


@compiled
def order(values):
    """The positions (int64) of ``values``, float64 without NaN, by value, equal ones as they come."""
    count = values.size
    now, then = np.empty(count, np.int64), np.empty(count, np.int64)
    for at in range(count):
        now[at] = at
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
