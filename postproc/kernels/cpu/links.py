"""Products of a sparse matrix with numbers that stand side by side, 128 bytes of every node.

Plain vectors of LLVM, added up in registers: every processor has its own instructions for them, and all give the
same bits. What is far away is asked for some links before it is needed, since the wait for it is most of the time.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from postproc.kernels.compiled import compiled

NODE = 128  # bytes of a node's numbers: two cache lines
LANES, DOUBLES = NODE // 4, NODE // 8  # numbers of a node, float32 and float64
VECTORS = 4  # in registers
AHEAD = 24  # links between asking for a node and its turn
WEIGHT = 4  # bytes of a weight, of a member
LINE = 64  # bytes of a line of the cache

_I32, _I64, _F32, _F64 = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.DoubleType()
_BYTE = ir.IntType(8).as_pointer()


def _number(value):
    return ir.Constant(_I64, value)


def _pointer(at, base, offset, kind):
    return at.inttoptr(at.add(base, offset), kind.as_pointer())


def _node(at, members, link, x):
    """Where the numbers of the node at the end of a link begin."""
    member = at.load(_pointer(at, members, at.mul(link, _number(WEIGHT)), _I32))
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


def _emitter(number):
    """What makes the instructions that add up numbers of a kind."""
    vector = ir.VectorType(number, NODE // VECTORS // (4 if number is _F32 else 8))
    places, align = [_number(NODE // VECTORS * v) for v in range(VECTORS)], 4 if number is _F32 else 8

    def emit(context, before, signature, arguments):
        members, weights, links, last, x, out = arguments
        entry, loop, done = before.block, before.append_basic_block("links"), before.append_basic_block("sum")
        before.cbranch(before.icmp_signed(">", links, _number(0)), loop, done)
        at = ir.IRBuilder(loop)
        link, sums = at.phi(_I64), [at.phi(vector) for _ in range(VECTORS)]
        soon = at.add(link, _number(AHEAD))
        _ask_for(at, _node(at, members, at.select(at.icmp_signed("<", soon, last), soon, last), x))
        node = _node(at, members, link, x)
        weight = at.load(_pointer(at, weights, at.mul(link, _number(WEIGHT)), _F32))
        weight = _splat(at, weight if number is _F32 else at.fpext(weight, number), vector)
        parts = [at.load(_pointer(at, node, place, vector), align=align) for place in places]
        after = [at.fadd(total, at.fmul(weight, part)) for total, part in zip(sums, parts, strict=True)]
        following = at.add(link, _number(1))
        link.add_incoming(_number(0), entry)
        link.add_incoming(following, loop)
        at.cbranch(at.icmp_signed("<", following, links), loop, done)
        before.position_at_end(done)
        ends = [before.phi(vector) for _ in range(VECTORS)]
        for total, end, found, place in zip(sums, ends, after, places, strict=True):
            for phi in (total, end):
                phi.add_incoming(ir.Constant(vector, [0.0] * vector.count), entry)
                phi.add_incoming(found, loop)
            before.store(end, _pointer(before, out, place, vector), align=align)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), emit


@intrinsic
def _add_up(typingctx, members, weights, links, last, x, out):
    """The sum of weight times the numbers of the member, over so many links; all but the counts are addresses.

    ``last``: the last link of the matrix, counted from the first here; beyond it nobody is asked for.
    """
    return _emitter(_F32)


@intrinsic
def _add_up_doubles(typingctx, members, weights, links, last, x, out):
    """The same of float64, the weights being float32."""
    return _emitter(_F64)


@compiled
def product(offsets, members, weights, x, i, row):
    """``row = (S x)[i]``, x (n, columns), one link after the other; the same bits beside any other columns."""
    first, end = offsets[i], offsets[i + 1]
    there, last = WEIGHT * first, members.size - 1 - first
    if row.size * row.itemsize == NODE and row.itemsize == 4:
        _add_up(  # type: ignore[call-arg]
            members.ctypes.data + there,
            weights.ctypes.data + there,
            end - first,
            last,
            x.ctypes.data,
            row.ctypes.data,
        )
    elif row.size * row.itemsize == NODE and row.itemsize == 8:
        _add_up_doubles(  # type: ignore[call-arg]
            members.ctypes.data + there,
            weights.ctypes.data + there,
            end - first,
            last,
            x.ctypes.data,
            row.ctypes.data,
        )
    else:
        row[:] = 0
        for at in range(first, end):
            weight, other = weights[at], x[members[at]]
            for j in range(row.size):
                row[j] += weight * other[j]
