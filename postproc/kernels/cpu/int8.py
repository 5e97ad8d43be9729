"""Rows of whole numbers, their products in int8, and which pairs these cannot rule out.

The definition and the bounds are in :mod:`postproc.kernels.reference.int8`. A row becomes ``step * q`` with q in
-127 .. 127. Rows stand in panels of :data:`PANEL`, four values of every row side by side:
``packed[row // PANEL, t // 4, row % PANEL, t % 4]``. So one instruction (``vpdpbusd``) multiplies and adds 64
values, four of each of 16 rows. It takes one side without sign: columns are moved up by 128, and every row starts
at ``-128 sum_t q_t``. All lanes are explicit, no fast-math; what overflows is nothing below :data:`WIDEST` values.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from postproc.kernels.compiled import compiled

TALL, VECTORS = 8, 3  # rows and vectors of columns of a register block: 24 sums at a time
LANES = 16
PANEL = LANES * VECTORS
WIDEST = 1 << 16  # values of a row: 255 * 127 * 65,536 is less than 2^31
BLOCK = TALL * PANEL  # pairs of a register block
GROUPS = PANEL // TALL  # register blocks of two panels
HALF = np.float32(0.70710678)
HIGHEST = np.float32(127)
SHORTEST = np.float32(2.0**-100)  # largest value of a row that is worth a step

_I8, _I16, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()


def _address(at, base, offset, kind):
    return at.inttoptr(at.add(base, offset), kind.as_pointer())


def _load(at, base, offset, kind):
    return at.load(_address(at, base, offset, kind), align=4)


def _splat(at, scalar):
    none = ir.Constant(ir.VectorType(scalar.type, LANES), ir.Undefined)
    one = at.insert_element(none, scalar, ir.Constant(_I32, 0))
    return at.shuffle_vector(one, none, ir.Constant(ir.VectorType(_I32, LANES), [0] * LANES))


def _sums_of_products(function, at, a, b, steps, start):
    """The int32 sums of a block (rows of vectors), and the builder behind the loop over four values at a time."""
    ints = ir.VectorType(_I32, LANES)
    dot = ir.Function(function.module, ir.FunctionType(ints, [ints] * 3), "llvm.x86.avx512.vpdpbusd.512")
    loop, done = function.append_basic_block(), function.append_basic_block()
    first = [_splat(at, _load(at, start, ir.Constant(_I64, 4 * r), _I32)) for r in range(TALL)]
    flip = ir.Constant(ints, [0x80808080 - (1 << 32)] * LANES)
    entry = at.block
    at.branch(loop)
    at = ir.IRBuilder(loop)
    t = at.phi(_I64)
    t.add_incoming(ir.Constant(_I64, 0), entry)
    sums = [[at.phi(ints) for _ in range(VECTORS)] for _ in range(TALL)]
    offset = at.mul(t, ir.Constant(_I64, 4 * PANEL))

    def moved(by):
        return at.add(offset, ir.Constant(_I64, by))

    columns = [at.xor(_load(at, b, moved(64 * v), ints), flip) for v in range(VECTORS)]
    after = [
        [at.call(dot, [sums[r][v], columns[v], row]) for v in range(VECTORS)]
        for r, row in enumerate(_splat(at, _load(at, a, moved(4 * r), _I32)) for r in range(TALL))
    ]
    following = at.add(t, ir.Constant(_I64, 1))
    t.add_incoming(following, loop)
    for r in range(TALL):
        for v in range(VECTORS):
            sums[r][v].add_incoming(first[r], entry)
            sums[r][v].add_incoming(after[r][v], loop)
    at.cbranch(at.icmp_signed("<", following, steps), loop, done)
    return after, ir.IRBuilder(done)


def _compare(at, products, rows, columns, values, flags):
    """Store L of every pair, and a bit for each that a row or a column cannot rule out."""
    floats = ir.VectorType(_F32, LANES)
    lows, factors, wides, nears, fars = (
        [_load(at, base, ir.Constant(_I64, 64 * v), floats) for v in range(VECTORS)] for base in columns
    )
    for r in range(TALL):
        low, factor, wide, near, far = (
            _splat(at, _load(at, base, ir.Constant(_I64, 4 * r), _F32)) for base in rows
        )
        factor = at.fmul(factor, ir.Constant(floats, [-2.0] * LANES))
        for v in range(VECTORS):
            scaled = at.fmul(at.fmul(factor, factors[v]), at.sitofp(products[r][v], floats))
            value = at.fadd(at.fadd(low, lows[v]), scaled)
            bits = at.fcmp_ordered("<=", value, near)
            for other in (
                at.fcmp_ordered("<=", value, nears[v]),
                at.fcmp_ordered(">=", at.fadd(value, wides[v]), far),
                at.fcmp_ordered(">=", at.fadd(value, wide), fars[v]),
            ):
                bits = at.or_(bits, other)
            place = ir.Constant(_I64, 4 * (r * PANEL + v * LANES))
            at.store(value, _address(at, values, place, floats), align=4)
            place = ir.Constant(_I64, 2 * (r * VECTORS + v))
            at.store(at.bitcast(bits, _I16), _address(at, flags, place, _I16), align=2)


@intrinsic
def block_of(typingctx, a, b, steps, start, row, below, column, beside, values, flags):
    """L and flags of the pairs of TALL rows and PANEL columns: addresses (int64), and how many times four values.

    ``row`` and ``column`` point into the first of five arrays that stand ``below`` and ``beside`` bytes from each
    other: low, step, wide, near, far.
    """

    def body(module):
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_I64] * 10), "postproc_int8_block")
        function.linkage = "internal"
        function.attributes.add("noinline")
        a, b, steps, start, row, below, column, beside, values, flags = function.args
        at = ir.IRBuilder(function.append_basic_block())
        products, at = _sums_of_products(function, at, a, b, steps, start)
        sides = [
            [at.add(base, at.mul(apart, ir.Constant(_I64, n))) for n in range(5)]
            for base, apart in ((row, below), (column, beside))
        ]
        _compare(at, products, sides[0], sides[1], values, flags)
        at.ret_void()
        return function

    def codegen(context, builder, signature, args):
        builder.call(builder.module.globals.get("postproc_int8_block") or body(builder.module), args)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 10), codegen


@compiled
def narrow(packed, start, limits, panels, others, upper, at, values, rows, columns):
    """Collect the pairs of two ranges of panels that their limits do not rule out: (how far, how many).

    ``panels``, ``others``: (first, behind the last) panel of rows and of columns; ``upper``: the same range, each
    pair once. ``limits`` (5, n) float32: low, step, wide, and the limits near and far of each row. Found are L of
    a pair, its row and column. ``at`` is the number of the register block to begin with; where there is no room
    for one more it ends, to be called again with what it returned.
    """
    first, stop = panels
    steps = packed.shape[1]
    size, apart = steps * 4 * PANEL, 4 * limits.shape[1]
    groups = PANEL // TALL * (stop - first)
    block, flags = np.empty((TALL, PANEL), np.float32), np.zeros(TALL * VECTORS + 8, np.uint16)
    count = 0
    every = groups * (others[1] - others[0])
    while at < every and count + BLOCK <= values.size:
        c, g = others[0] + at // groups, at % groups
        r, within = first + g * TALL // PANEL, g * TALL % PANEL
        at += 1
        if upper and r > c:
            continue
        i0, j0 = r * PANEL + within, c * PANEL
        block_of(  # type: ignore[call-arg]
            packed.ctypes.data + r * size + 4 * within,
            packed.ctypes.data + c * size,
            steps,
            start.ctypes.data + 4 * i0,
            limits.ctypes.data + 4 * i0,
            apart,
            limits.ctypes.data + 4 * j0,
            apart,
            block.ctypes.data,
            flags.ctypes.data,
        )
        for k in range(TALL * VECTORS):
            bits = np.int64(flags[k])
            a, j = k // VECTORS, k % VECTORS * LANES
            while bits:
                lowest = bits & -bits
                b = j + _place(lowest)
                bits ^= lowest
                if not upper or j0 + b >= i0 + a:
                    values[count], rows[count], columns[count] = block[a, b], i0 + a, j0 + b
                    count += 1
    return at, count


@compiled
def first_limits(packed, start, limits, few, few_limits, k, first, stop, farthest):
    """Limits of the rows in panels ``first:stop`` by what they are to a ``few`` rows (panels of them), k or more.

    ``few_limits`` (5, n): low + wide, step, -wide, -inf, +inf. So what is compared is the bound from above with
    the k-th smallest so far, and L with the largest; ``farthest`` (n,) int32 is the number of its row among the
    few.
    """
    steps = packed.shape[1]
    size, below, beside = steps * 4 * PANEL, 4 * limits.shape[1], 4 * few_limits.shape[1]
    block, flags = np.empty((TALL, PANEL), np.float32), np.zeros(TALL * VECTORS + 8, np.uint16)
    best = np.empty((TALL, k), np.float32)
    for i0 in range(first * PANEL, stop * PANEL, TALL):
        best[:] = np.inf
        for c in range(few.shape[0]):
            block_of(  # type: ignore[call-arg]
                packed.ctypes.data + i0 // PANEL * size + i0 % PANEL * 4,
                few.ctypes.data + c * size,
                steps,
                start.ctypes.data + 4 * i0,
                limits.ctypes.data + 4 * i0,
                below,
                few_limits.ctypes.data + 4 * c * PANEL,
                beside,
                block.ctypes.data,
                flags.ctypes.data,
            )
            for at in range(TALL * VECTORS):
                bits = np.int64(flags[at])
                a, j = at // VECTORS, at % VECTORS * LANES
                while bits:
                    lowest = bits & -bits
                    b = j + _place(lowest)
                    bits ^= lowest
                    value = block[a, b]
                    low = value + few_limits[2, c * PANEL + b]
                    if low > limits[4, i0 + a]:
                        limits[4, i0 + a], farthest[i0 + a] = low, c * PANEL + b
                    if value < best[a, k - 1]:
                        t = k - 1
                        while t > 0 and best[a, t - 1] > value:
                            best[a, t] = best[a, t - 1]
                            t -= 1
                        best[a, t] = value
            limits[3, i0 : i0 + TALL] = best[:, k - 1]
        limits[3, i0 : i0 + TALL] = best[:, k - 1] + limits[2, i0 : i0 + TALL]
        limits[4, i0 : i0 + TALL] -= limits[2, i0 : i0 + TALL]


@compiled
def _place(bit):
    """The number of the only bit of sixteen that is set."""
    place = 0
    if bit & 0xFF00:
        place += 8
    if bit & 0xF0F0:
        place += 4
    if bit & 0xCCCC:
        place += 2
    if bit & 0xAAAA:
        place += 1
    return place


@compiled
def _turn(row, block):
    """Butterflies over distances 16, 32, .. of blocks of a power of two, in place: no length changes."""
    width = LANES
    while width < block:
        for base in range(0, row.size, 2 * width):
            left, right = row[base : base + width], row[base + width : base + 2 * width]
            for t in range(width):
                u, v = left[t], right[t]
                left[t] = (u + v) * HALF
                right[t] = (u - v) * HALF
        width *= 2


@compiled
def quantise(first, second, border, mean, signs, block, start, stop, packed, begin, step, length, lost):
    """Rows ``start:stop`` of ``first`` and (from ``border`` on) ``second`` -> panels of whole numbers.

    ``begin`` is -128 times the sum of a row's numbers, ``length`` its squared length without the mean and ``lost``
    the length of what the numbers lose of it, both in float64.
    """
    width, wide = first.shape[1], packed.shape[1] * 4
    row, other = np.zeros(wide, np.float32), np.zeros(wide, np.float32)
    for i in range(start, stop):
        source = first[i] if i < border else second[i - border]
        for t in range(width):
            row[t] = (source[t] - mean[t]) * signs[t]
        row[width:] = 0
        _turn(row, block)
        if block >= LANES * LANES:  # once more, with what stood side by side far apart
            apart = wide // LANES
            for a in range(LANES):
                for t in range(apart):
                    other[a * apart + t] = row[LANES * t + a]
            row[:] = other
            _turn(row, block)
        top = np.float32(0)
        for t in range(wide):
            top = max(top, abs(row[t]))
        s = top / HIGHEST if top > SHORTEST else np.float32(1)
        inverse = np.float32(1) / s
        p, w = i // PANEL, i % PANEL
        total = np.int32(0)
        for t in range(wide):
            other[t] = np.rint(row[t] * inverse)
        away, square = 0.0, 0.0
        for t in range(0, wide, 4):
            for a in range(4):
                q = min(HIGHEST, max(-HIGHEST, other[t + a]))
                packed[p, t >> 2, w, a] = np.int8(q)
                total += np.int32(q)
                rest = np.float64(row[t + a]) - np.float64(s) * np.float64(q)
                away += rest * rest
                square += np.float64(row[t + a]) * np.float64(row[t + a])
        begin[i], step[i], length[i], lost[i] = -128 * total, s, square, np.sqrt(away)
