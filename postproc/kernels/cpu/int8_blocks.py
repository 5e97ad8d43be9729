"""Blocks of products of whole numbers, TALL rows by PANEL columns, and which pairs their limits do not rule out.

Rows stand in panels of PANEL, four values of every row side by side: ``packed[row // PANEL, t // 4, row % PANEL,
t % 4]``. Two instructions can multiply them, and the kind of ``room`` says which when a kernel is compiled, so
that no processor meets one that it has not:

``vpdpbusd`` (AVX-512 VNNI)  multiplies and adds 64 values, four of each of 16 columns by four of one row. One side
                             has no sign: columns are moved up by 128, and every row starts at ``-128 sum_t q_t``.
                             ``room`` is one row of nothing.
``tdpbssd`` (AMX)            multiplies 64 values of each of 16 rows by as many of 16 columns. It wants the values
                             of a row side by side: ``room`` (d / 64, 16, 64) int8 holds those of the rows at hand.

Both give the same whole numbers; nothing overflows below :data:`WIDEST` values. What follows is float32 lane by
lane, without fast-math.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from postproc.base import machine
from postproc.kernels.compiled import inner

LANES, VECTORS, TALL = 16, 3, 16
PANEL = LANES * VECTORS
BLOCK = TALL * PANEL  # pairs
GROUPS = PANEL // TALL  # blocks of two panels
WORDS = BLOCK // 64  # of flags
WIDEST = 1 << 16  # values of a row: 255 * 127 * 65,536 is less than 2^31
DEEP = 64  # values of a row that ``tdpbssd`` takes at a time
HALF = TALL // 2  # rows for which ``vpdpbusd`` has registers

_I8, _I16, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
_INTS, _FLOATS = ir.VectorType(_I32, LANES), ir.VectorType(_F32, LANES)
_ROW = 4 * PANEL  # bytes of four values of every row of a panel, and of a row of sums


def room_of(packed: np.ndarray) -> np.ndarray:
    """Room for the rows at hand, of the kind that this processor's instruction asks for."""
    if machine.amx():
        return np.empty((packed.shape[1] * 4 // DEEP, TALL, DEEP), np.int8)
    return np.empty(0, np.int8)


@inner
def take_up(packed, i0, room):
    """Make the TALL rows from ``i0`` on those at hand."""
    source = packed.ctypes.data + (i0 // PANEL * packed.shape[1] * PANEL + i0 % PANEL) * 4
    _lay(room, source, packed.shape[1])  # type: ignore[call-arg]


@inner
def put_down(room):
    """No rows are at hand any more."""
    _release(room)  # type: ignore[call-arg]


@inner
def block_of(packed, i0, start, limits, others, c, other_limits, room, sums, values, flags):
    """L of every pair of the TALL rows at hand, from ``i0`` on, and the columns in panel ``c`` of ``others``, into
    ``values`` (BLOCK,), and a bit for each that a row or a column cannot rule out into ``flags`` (WORDS,) int64.

    ``limits``, ``other_limits`` (8 or more, n) float32: low, step, wide, near, far, and what is added to L where
    two rows are of one camera and not of one track: the bits of both as int32, and how much. ``start`` (n,) int32;
    ``sums`` (BLOCK,) int32 is written to.
    """
    steps = packed.shape[1]
    left = packed.ctypes.data + (i0 // PANEL * steps * PANEL + i0 % PANEL) * 4
    right = others.ctypes.data + c * steps * _ROW
    _multiply(room, left, right, steps, start.ctypes.data + 4 * i0, sums.ctypes.data)  # type: ignore[call-arg]
    _compare(
        sums.ctypes.data, limits.ctypes.data + 4 * i0, 4 * limits.shape[1],
        other_limits.ctypes.data + 4 * PANEL * c, 4 * other_limits.shape[1], values.ctypes.data, flags.ctypes.data,
    )  # fmt: skip


def _function(name: str, count: int, body: Callable[[Any], None] | None, room: Any = None) -> Any:
    """An intrinsic that calls a function of its own with ``count`` whole numbers, mostly addresses; before them
    comes that of ``room``. Without a ``body`` nothing is done."""

    def made(module, body):
        given = count + (room is not None)
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_I64] * given), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        body(function)
        return function

    def codegen(context, builder, signature, args):
        if body is not None:
            function = builder.module.globals.get(name) or made(builder.module, body)
            if room is not None:
                place = context.make_array(room)(context, builder, args[0]).data
                args = [builder.ptrtoint(place, _I64), *args[1:]]
            builder.call(function, args)
        return context.get_dummy_value()

    return types.void(*([] if room is None else [room]), *[types.int64] * count), codegen


def _external(module, name: str, result: ir.Type, arguments: Sequence[ir.Type]):
    return module.globals.get(name) or ir.Function(module, ir.FunctionType(result, arguments), name)


def _loop(function, at, count, body, carried=()):
    """``body(at, number, *values)`` for the numbers below ``count`` (1 or more), which gives the next values of
    what is carried: the builder behind, and the last."""
    here, loop, done = at.block, function.append_basic_block(), function.append_basic_block()
    at.branch(loop)
    at = ir.IRBuilder(loop)
    number = at.phi(_I64)
    phis = [at.phi(value.type) for value in carried]
    after = body(at, number, *phis) or ()
    following = at.add(number, _n(1))
    for phi, first, last in zip([number, *phis], [_n(0), *carried], [following, *after], strict=True):
        phi.add_incoming(first, here)
        phi.add_incoming(last, loop)
    at.cbranch(at.icmp_signed("<", following, count), loop, done)
    return ir.IRBuilder(done), after


def _n(value):
    return ir.Constant(_I64, value)


def _address(at, base, offset, kind):
    return at.inttoptr(at.add(base, offset), kind.as_pointer())


def _load(at, base, offset, kind):
    return at.load(_address(at, base, offset, kind), align=4)


def _splat(at, scalar):
    none = ir.Constant(ir.VectorType(scalar.type, LANES), ir.Undefined)
    one = at.insert_element(none, scalar, ir.Constant(_I32, 0))
    return at.shuffle_vector(one, none, ir.Constant(_INTS, [0] * LANES))


@intrinsic
def _multiply(typingctx, room, left, right, steps, start, sums):
    """The sums of a block, over ``steps`` times four values."""
    if room.ndim == 3:
        return _function("postproc_int8_squares", 5, _squares, room)
    return _function("postproc_int8_lanes", 5, _lanes, room)


def _lanes(function):
    """By ``vpdpbusd``: half of the rows, then the others."""
    _, left, right, steps, start, sums = function.args
    dot = _external(function.module, "llvm.x86.avx512.vpdpbusd.512", _INTS, [_INTS] * 3)
    flip = ir.Constant(_INTS, [0x80808080 - (1 << 32)] * LANES)
    at = ir.IRBuilder(function.append_basic_block())

    def half(at, which):
        own, begin = at.add(left, at.mul(which, _n(4 * HALF))), at.add(start, at.mul(which, _n(4 * HALF)))
        out = at.add(sums, at.mul(which, _n(HALF * _ROW)))

        def step(at, t, *totals):
            offset = at.mul(t, _n(_ROW))
            columns = [at.xor(_load(at, right, at.add(offset, _n(64 * v)), _INTS), flip) for v in range(VECTORS)]
            rows = [_splat(at, _load(at, own, at.add(offset, _n(4 * r)), _I32)) for r in range(HALF)]
            return [
                at.call(dot, [totals[r * VECTORS + v], columns[v], rows[r]])
                for r in range(HALF)
                for v in range(VECTORS)
            ]

        first = [_splat(at, _load(at, begin, _n(4 * r), _I32)) for r in range(HALF) for _ in range(VECTORS)]
        at, totals = _loop(function, at, steps, step, first)
        for place, total in enumerate(totals):
            at.store(total, _address(at, out, _n(64 * place), _INTS), align=4)
        return at

    half(half(at, _n(0)), _n(1)).ret_void()


def _square(module, name):
    """The function of an instruction of AMX; its registers are squares, called by their numbers."""
    at_memory = name in ("tileloadd64", "tilestored64")
    arguments = [_I8, _I8.as_pointer(), _I64] if at_memory else [_I8] * (3 if name == "tdpbssd" else 1)
    return _external(module, f"llvm.x86.{name}", ir.VoidType(), arguments)


def _register(number):
    return ir.Constant(_I8, number)


def _squares(function):
    """By ``tdpbssd``, over DEEP values of the rows at hand at a time."""
    rows, _, right, steps, _, sums = function.args
    zero, load, dot, store = (
        _square(function.module, name) for name in ("tilezero", "tileloadd64", "tdpbssd", "tilestored64")
    )
    own = _register(2 * VECTORS)
    at = ir.IRBuilder(function.append_basic_block())
    for v in range(VECTORS):
        at.call(zero, [_register(v)])

    def step(at, t):
        at.call(load, [own, _address(at, rows, at.mul(t, _n(TALL * DEEP)), _I8), _n(DEEP)])
        columns = at.mul(t, _n(DEEP // 4 * _ROW))
        for v in range(VECTORS):
            other = _register(VECTORS + v)
            at.call(load, [other, _address(at, right, at.add(columns, _n(64 * v)), _I8), _n(_ROW)])
            at.call(dot, [_register(v), own, other])

    at, _ = _loop(function, at, at.sdiv(steps, _n(DEEP // 4)), step)
    for v in range(VECTORS):
        at.call(store, [_register(v), _address(at, sums, _n(64 * v), _I8), _n(_ROW)])
    at.ret_void()


@intrinsic
def _lay(typingctx, room, source, steps):
    """Bring the values of each of TALL rows of a panel side by side, where the instruction asks for it."""
    return _function("postproc_int8_lay", 2, _turn if room.ndim == 3 else None, room)


def _turn(function):
    """Squares of LANES by LANES numbers change rows for columns; said is how large squares are."""
    room, source, steps = function.args
    at = ir.IRBuilder(function.append_basic_block())
    sizes = ir.ArrayType(_I8, 64)
    said = [1] + [0] * 15 + [DEEP, 0] * 8 + [0] * 16 + [TALL] * 8 + [0] * 8
    sizes = ir.GlobalVariable(function.module, sizes, "postproc_int8_sizes")
    sizes.initializer = ir.Constant(sizes.type.pointee, said)
    sizes.global_constant, sizes.linkage = True, "internal"
    configure = _external(function.module, "llvm.x86.ldtilecfg", ir.VoidType(), [_I8.as_pointer()])
    at.call(configure, [at.bitcast(sizes, _I8.as_pointer())])

    def turn(at, t):
        here, there = at.mul(t, _n(DEEP // 4 * _ROW)), at.mul(t, _n(TALL * DEEP))
        lines = [_load(at, source, at.add(here, _n(_ROW * r)), _INTS) for r in range(LANES)]
        for apart in (1, 2, 4, 8):  # what stands so far apart changes places
            first = [i if not i & apart else LANES + i - apart for i in range(LANES)]
            second = [i + apart if not i & apart else LANES + i for i in range(LANES)]
            for r in range(LANES):
                if not r & apart:
                    pair = lines[r], lines[r + apart]
                    lines[r], lines[r + apart] = (
                        at.shuffle_vector(*pair, ir.Constant(_INTS, places)) for places in (first, second)
                    )
        for r in range(LANES):
            at.store(lines[r], _address(at, room, at.add(there, _n(DEEP * r)), _INTS), align=4)

    at, _ = _loop(function, at, at.sdiv(steps, _n(DEEP // 4)), turn)
    at.ret_void()


@intrinsic
def _release(typingctx, room):
    """Give the squares of registers back."""

    def body(function):
        at = ir.IRBuilder(function.append_basic_block())
        at.call(_external(function.module, "llvm.x86.tilerelease", ir.VoidType(), []), [])
        at.ret_void()

    return _function("postproc_int8_release", 0, body if room.ndim == 3 else None, room)


@intrinsic
def _compare(typingctx, sums, row, below, column, beside, values, flags):
    """L of every pair, and a bit for each that a row or a column cannot rule out.

    ``row`` and ``column`` point into the first of eight arrays that stand ``below`` and ``beside`` bytes from each
    other, see :func:`block_of`.
    """

    def body(function):
        sums, row, below, column, beside, values, flags = function.args
        at = ir.IRBuilder(function.append_basic_block())
        kinds = [_F32] * 5 + [_I32] * 2 + [_F32]
        rows = [at.add(row, at.mul(below, _n(part))) for part in range(len(kinds))]
        columns = [at.add(column, at.mul(beside, _n(part))) for part in range(len(kinds) - 1)]
        lows, factors, wides, nears, fars, cameras, tracks = (
            [_load(at, base, _n(64 * v), ir.VectorType(kind, LANES)) for v in range(VECTORS)]
            for base, kind in zip(columns, kinds, strict=False)
        )

        def compare(at, r):
            low, factor, wide, near, far, camera, track, more = (
                _splat(at, _load(at, base, at.mul(r, _n(4)), kind)) for base, kind in zip(rows, kinds, strict=True)
            )
            factor = at.fmul(factor, ir.Constant(_FLOATS, [-2.0] * LANES))
            for v in range(VECTORS):
                place = at.add(at.mul(r, _n(_ROW)), _n(64 * v))
                product = at.sitofp(_load(at, sums, place, _INTS), _FLOATS)
                scaled = at.fmul(at.fmul(factor, factors[v]), product)
                value = at.fadd(at.fadd(low, lows[v]), scaled)
                seen = at.icmp_signed("==", camera, cameras[v]), at.icmp_signed("!=", track, tracks[v])
                value = at.fadd(value, at.select(at.and_(*seen), more, ir.Constant(_FLOATS, [0.0] * LANES)))
                bits = at.fcmp_ordered("<=", value, near)
                for other in (
                    at.fcmp_ordered("<=", value, nears[v]),
                    at.fcmp_ordered(">=", at.fadd(value, wides[v]), far),
                    at.fcmp_ordered(">=", at.fadd(value, wide), fars[v]),
                ):
                    bits = at.or_(bits, other)
                at.store(value, _address(at, values, place, _FLOATS), align=4)
                place = at.add(at.mul(r, _n(2 * VECTORS)), _n(2 * v))
                at.store(at.bitcast(bits, _I16), _address(at, flags, place, _I16), align=2)

        at, _ = _loop(function, at, _n(TALL), compare)
        at.ret_void()

    return _function("postproc_int8_compare", 7, body)
