"""Distances of candidates, until no other row can be among the nearest or be the farthest.

Every distance is :func:`apart`: one order of summation, the same from both ends, exactly 0 for equal rows; and
:func:`more` on top. So it is no matter in which way a row was settled. From itself a row is at ``own_distance``, 0
or -inf, and so are rows that count as one: ``mates`` (n,) int32 names the next of them, round and round, or the
row itself.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from postproc.kernels.compiled import compiled, inner
from postproc.kernels.cpu.candidates import CAMERA, FAR, MORE, NEAR, TRACK, USUAL, WIDE, kth

LANES, SUMS = 16, 4
STEP = LANES * SUMS
GAPS = (57, 23, 10, 4, 1)  # Ciura's, of shell sort

_I32, _I64, _F32 = ir.IntType(32), ir.IntType(64), ir.FloatType()
_LANES = ir.VectorType(_F32, LANES)


def _add_square(at, fma, a, b, offset, total):
    left, right = (at.load(at.inttoptr(at.add(base, offset), _LANES.as_pointer()), align=4) for base in (a, b))
    away = at.fsub(left, right)
    return at.call(fma, [away, away, total])


@intrinsic
def _squares(typingctx, a, b, steps):
    """``sum_t (a[t] - b[t])^2`` over so many times STEP values from two addresses: SUMS vectors, added up in
    halves."""

    def body(module):
        function = ir.Function(module, ir.FunctionType(_F32, [_I64] * 3), "postproc_squares")
        function.linkage = "internal"
        function.attributes.add("noinline")
        fma = ir.Function(module, ir.FunctionType(_LANES, [_LANES] * 3), "llvm.fma.v16f32")
        a, b, steps = function.args
        entry, loop, done = (function.append_basic_block() for _ in range(3))
        zero = ir.Constant(_LANES, [0.0] * LANES)
        at = ir.IRBuilder(entry)
        at.cbranch(at.icmp_signed(">", steps, ir.Constant(_I64, 0)), loop, done)
        at = ir.IRBuilder(loop)
        t = at.phi(_I64)
        totals = [at.phi(_LANES) for _ in range(SUMS)]
        offset = at.mul(t, ir.Constant(_I64, 4 * STEP))
        after = [
            _add_square(at, fma, a, b, at.add(offset, ir.Constant(_I64, 4 * LANES * s)), totals[s])
            for s in range(SUMS)
        ]
        following = at.add(t, ir.Constant(_I64, 1))
        t.add_incoming(ir.Constant(_I64, 0), entry)
        t.add_incoming(following, loop)
        for s in range(SUMS):
            totals[s].add_incoming(zero, entry)
            totals[s].add_incoming(after[s], loop)
        at.cbranch(at.icmp_signed("<", following, steps), loop, done)
        at = ir.IRBuilder(done)
        ends = [at.phi(_LANES) for _ in range(SUMS)]
        for s in range(SUMS):
            ends[s].add_incoming(zero, entry)
            ends[s].add_incoming(after[s], loop)
        total = at.fadd(at.fadd(ends[0], ends[1]), at.fadd(ends[2], ends[3]))
        lanes = LANES
        while lanes > 1:
            lanes //= 2
            halves = [
                at.shuffle_vector(
                    total,
                    ir.Constant(total.type, ir.Undefined),
                    ir.Constant(ir.VectorType(_I32, lanes), list(range(first, first + lanes))),
                )
                for first in (0, lanes)
            ]
            total = at.fadd(*halves)
        at.ret(at.extract_element(total, ir.Constant(_I32, 0)))
        return function

    def codegen(context, builder, signature, args):
        return builder.call(builder.module.globals.get("postproc_squares") or body(builder.module), args)

    return types.float32(types.int64, types.int64, types.int64), codegen


@compiled
def apart(a, b):
    """Squared Euclidean distance of two rows, float32; its error is below (d / 64 + 80) / 2^24 of it."""
    steps = a.size // STEP
    total = _squares(a.ctypes.data, b.ctypes.data, steps)  # type: ignore[call-arg, var-annotated]
    rest = np.float32(0)
    for t in range(steps * STEP, a.size):
        away = a[t] - b[t]
        rest += away * away
    return total + rest


@compiled
def _row(first, second, border, i):
    return first[i] if i < border else second[i - border]


@inner
def more(codes, limits, i, j):
    """What is added to the distance of two rows: ``codes`` are ``limits`` as int32."""
    usual = limits[USUAL, i] + limits[USUAL, j]
    if codes[CAMERA, i] == codes[CAMERA, j] and codes[TRACK, i] != codes[TRACK, j]:
        return limits[MORE, i] + usual
    return usual


@inner
def is_mate(codes, mates, i, j):
    """Whether two rows count as one; a row does with itself."""
    return i == j or (mates[i] != i and codes[TRACK, i] == codes[TRACK, j])


@compiled
def raise_far(first, second, border, some, farthest, limits, start, stop):
    """Raise the far limits of rows ``start:stop`` to what the distance from ``some[farthest[i]]`` makes of
    them."""
    codes = limits.view(np.int32)
    for i in range(start, stop):
        j = some[farthest[i]]
        value = apart(_row(first, second, border, i), _row(first, second, border, j)) + more(codes, limits, i, j)
        limits[FAR, i] = max(limits[FAR, i], value - limits[WIDE, i])


@compiled
def insert(values, rows, value, j):
    """Put (value, j) into a list that is sorted, the worst first, if it precedes the worst: so a heap stays
    one."""
    if not (value < values[0] or (value == values[0] and j < rows[0])):
        return
    at, last = 0, values.size - 1
    while at < last and (values[at + 1] > value or (values[at + 1] == value and rows[at + 1] > j)):
        values[at], rows[at] = values[at + 1], rows[at + 1]
        at += 1
    values[at], rows[at] = value, j


@compiled
def sort(pairs, names, count):
    """Sort ``count`` numbers with their names, the smallest first."""
    for gap in GAPS:
        for i in range(gap, count):
            value, name = pairs[i, 0], names[i, 1]
            j = i
            while j >= gap and pairs[j - gap, 0] > value:
                pairs[j, 0], names[j, 1] = pairs[j - gap, 0], names[j - gap, 1]
                j -= gap
            pairs[j, 0], names[j, 1] = value, name


@compiled
def settle(
    first, second, border, limits, near, near_names, near_counts, far, far_names, far_counts, mates, own_distance,
    some, start, stop, values, rows, largest, unsure,
):  # fmt: skip
    """Lists and largest distances of the rows ``some[start:stop]`` from their candidates (:mod:`.candidates`).

    ``values``, ``rows`` (n, k) hold +inf and a number behind all others; they become heaps, sorted, the worst
    first. ``unsure[i]``: too many candidates were dropped, so that somebody may be missing.
    """
    codes = limits.view(np.int32)
    for i in some[start:stop]:
        own = _row(first, second, border, i)
        insert(values[i], rows[i], own_distance, i)
        j = mates[i]
        while j != i:
            insert(values[i], rows[i], own_distance, j)
            j = mates[j]
        sort(near[i], near_names[i], near_counts[i])
        for a in range(near_counts[i]):
            if near[i, a, 0] > values[i, 0]:
                break
            j = near_names[i, a, 1]
            if is_mate(codes, mates, i, j):
                continue
            value = apart(own, _row(first, second, border, j)) + more(codes, limits, i, j)
            insert(values[i], rows[i], value, j)
        sort(far[i], far_names[i], far_counts[i])
        top = own_distance
        for a in range(far_counts[i]):
            if limits[WIDE, i] - far[i, a, 0] < top:
                break
            j = far_names[i, a, 1]
            if is_mate(codes, mates, i, j):
                continue
            top = max(top, apart(own, _row(first, second, border, j)) + more(codes, limits, i, j))
        largest[i] = top
        unsure[i] = not (values[i, 0] < limits[NEAR, i] and top >= limits[FAR, i] + limits[WIDE, i])


@compiled
def settle_in_full(
    first, second, border, limits, strip, lengths, room, mates, own_distance,
    some, start, stop, values, rows, largest,
):  # fmt: skip
    """As :func:`settle` for the rows ``some[start:stop]`` from all their distances, which are known so well.

    ``strip[r, j]`` is off by ``room (lengths[i] + lengths[j])`` at most, i being ``some[r]``; of rows that
    count as one it may be -inf.
    """
    codes = limits.view(np.int32)
    bounds = np.empty(strip.shape[1], np.float32)
    for r in range(start, stop):
        i = some[r]
        own = _row(first, second, border, i)
        both = np.float32(2) * room * lengths[i]
        highest = np.float32(-np.inf)
        for j in range(bounds.size):
            bounds[j] = strip[r, j] + room * lengths[j]
            highest = max(highest, strip[r, j] - room * lengths[j])
        limit = max(kth(bounds, bounds.size, values.shape[1]), own_distance) + both
        values[i] = np.inf
        rows[i] = np.int32(2**31 - 1)
        top = own_distance
        for j in range(bounds.size):
            near = strip[r, j] - room * lengths[j] <= limit
            far = strip[r, j] + room * lengths[j] + both >= highest
            if near or far:
                value = own_distance
                if not is_mate(codes, mates, i, j):
                    value = apart(own, _row(first, second, border, j)) + more(codes, limits, i, j)
                if near:
                    insert(values[i], rows[i], value, j)
                top = max(top, value)
        largest[i] = top
