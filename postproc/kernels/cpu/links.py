"""Sums over the links of a node, of numbers that stand side by side, 128 bytes of every node.

Plain vectors of LLVM, added up in registers: every processor has its own instructions for them, and all give the
same bits. What is far away is asked for some links before it is needed, since the wait for it is most of the time;
and whose nodes begin with a line of the cache (:func:`.diffusion.room_of`) waits for no third line.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from postproc.kernels.compiled import compiled
from postproc.kernels.cpu.ahead import LINE

NODE = 128  # bytes of a node's numbers: two cache lines
LANES, DOUBLES = NODE // 4, NODE // 8  # numbers of a node, float32 and float64
VECTORS = 2  # in registers
AHEAD = 40  # links between asking for a node and its turn
MEMBER = 4  # bytes of a member

_I32, _I64, _F32, _F64 = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()
_BYTE = ir.IntType(8).as_pointer()


def _number(value):
    return ir.Constant(_I64, value)


def _pointer(at, base, offset, kind):
    return at.inttoptr(at.add(base, offset), kind.as_pointer())


def _node(at, members, link, x):
    """Where the numbers of the node at the end of a link begin."""
    member = at.load(_pointer(at, members, at.mul(link, _number(MEMBER)), _I32))
    return at.add(x, at.mul(at.zext(member, _I64), _number(NODE)))


def _splat(at, scalar, vector):
    none = ir.Constant(vector, ir.Undefined)
    one = at.insert_element(none, scalar, ir.Constant(_I32, 0))
    return at.shuffle_vector(one, none, ir.Constant(ir.VectorType(_I32, vector.count), [0] * vector.count))


def _ask_for(at, node):
    kind = ir.FunctionType(ir.VoidType(), [_BYTE, _I32, _I32, _I32])
    ask = at.module.declare_intrinsic("llvm.prefetch", (_BYTE,), kind)
    to_read, keep, data = (ir.Constant(_I32, value) for value in (0, 3, 1))
    for offset in range(0, NODE, LINE):
        at.call(ask, [at.inttoptr(at.add(node, _number(offset)), _BYTE), to_read, keep, data])


def _added_up(before, graph, number, own=None):
    """Vectors with the sum over links of weight times the numbers of the member, less those in ``own``."""
    members, weights, links, last, x = graph
    vector = _vector(number)
    entry, loop, done = before.block, before.append_basic_block("links"), before.append_basic_block("sum")
    before.cbranch(before.icmp_signed(">", links, _number(0)), loop, done)
    at = ir.IRBuilder(loop)
    link, sums = at.phi(_I64), [at.phi(vector) for _ in range(VECTORS)]
    soon = at.add(link, _number(AHEAD))
    _ask_for(at, _node(at, members, at.select(at.icmp_signed("<", soon, last), soon, last), x))
    parts = _loaded(at, _node(at, members, link, x), number)
    size = 4 if number is _F32 else 8
    weight = _splat(at, at.load(_pointer(at, weights, at.mul(link, _number(size)), number)), vector)
    if own:
        parts = [at.fsub(part, mine) for part, mine in zip(parts, own, strict=True)]
    after = [at.fadd(total, at.fmul(weight, part)) for total, part in zip(sums, parts, strict=True)]
    following = at.add(link, _number(1))
    link.add_incoming(_number(0), entry)
    link.add_incoming(following, loop)
    at.cbranch(at.icmp_signed("<", following, links), loop, done)
    before.position_at_end(done)
    ends = [before.phi(vector) for _ in range(VECTORS)]
    for total, end, found in zip(sums, ends, after, strict=True):
        for phi in (total, end):
            phi.add_incoming(ir.Constant(vector, [0.0] * vector.count), entry)
            phi.add_incoming(found, loop)
    return ends


def _vector(number):
    return ir.VectorType(number, NODE // VECTORS // (4 if number is _F32 else 8))


def _places():
    return [_number(NODE // VECTORS * v) for v in range(VECTORS)]


def _loaded(at, node, number):
    align = 4 if number is _F32 else 8
    return [at.load(_pointer(at, node, place, _vector(number)), align=align) for place in _places()]


def _stored(at, vectors, node, number):
    for vector, place in zip(vectors, _places(), strict=True):
        at.store(vector, _pointer(at, node, place, _vector(number)), align=4 if number is _F32 else 8)


@intrinsic
def _add_up(typingctx, members, weights, links, last, x, out):
    """The sum of weight times the numbers of the member, over so many links; all but the counts are addresses.

    ``last``: the last link of the matrix, counted from the first here; beyond it nobody is asked for.
    """

    def emit(context, at, signature, arguments):
        *graph, out = arguments
        _stored(at, _added_up(at, graph, _F32), out, _F32)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), emit


@intrinsic
def _spread(typingctx, members, weights, links, last, x, own, out, rest, share, mass, sums):
    """``out = rest * own - share *`` the sum of weight times what a member's numbers are above the ``own``; and
    ``sums``, float64, grow by mass times own times out. Numbers are of the kind of ``rest`` and ``share``."""
    kind = rest
    if kind is not share:
        return None

    def emit(context, at, signature, arguments):
        *graph, own, out, rest, share, mass, sums = arguments
        number = _F32 if kind is types.float32 else _F64
        mine = _loaded(at, own, number)
        above = _added_up(at, graph, number, mine)
        vector, doubles = _vector(number), ir.VectorType(_F64, _vector(number).count)
        rest, share, mass = (_splat(at, one, ir.VectorType(one.type, vector.count)) for one in (rest, share, mass))
        for v in range(VECTORS):
            found = at.fsub(at.fmul(rest, mine[v]), at.fmul(share, above[v]))
            at.store(found, _pointer(at, out, _places()[v], vector), align=4)
            left, right = (one if number is _F64 else at.fpext(one, doubles) for one in (mine[v], found))
            there = _pointer(at, sums, _number(8 * vector.count * v), doubles)
            after = at.fadd(at.load(there, align=8), at.fmul(mass, at.fmul(left, right)))
            at.store(after, there, align=8)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 7, kind, kind, types.float64, types.int64), emit


@compiled
def spread(offsets, members, weights, alpha, mass, x, i, row, sums):
    """``row = ((I - alpha P) x)[i]``, where the ``weights`` P have a sum of 1 or are none, and ``sums``, float64,
    grow by ``mass x[i] row``. x (n, NODE bytes), weights of its kind; one link after the other; no column sees
    another.

    As ``(1 - alpha) x_i - alpha sum_j P_ij (x_j - x_i)``: what is nearly alike is subtracted first.
    """
    first, end = offsets[i], offsets[np.uint32(i + 1)]
    kind = x.dtype.type
    _spread(  # type: ignore[call-arg]
        members.ctypes.data + MEMBER * first,
        weights.ctypes.data + weights.itemsize * first,
        end - first,
        members.size - 1 - first,
        x.ctypes.data,
        x.ctypes.data + NODE * np.int64(i),
        row.ctypes.data,
        kind(1 - alpha) if first < end else kind(1),
        weights.dtype.type(alpha),
        mass,
        sums.ctypes.data,
    )


@compiled
def product(offsets, members, weights, x, i, row):
    """``row = (S x)[i]``, x (n, LANES) float32, one link after the other; no column sees another."""
    first, end = offsets[i], offsets[np.uint32(i + 1)]
    _add_up(  # type: ignore[call-arg]
        members.ctypes.data + MEMBER * first,
        weights.ctypes.data + weights.itemsize * first,
        end - first,
        members.size - 1 - first,
        x.ctypes.data,
        row.ctypes.data,
    )
