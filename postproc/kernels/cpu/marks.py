"""Which of 64 numbers are small or large enough to be looked at: one bit each, found without a branch.

Plain vectors of LLVM: every processor has its own instructions for them, and all give the same bits. They are read
from arrays of float32 that lie side by side; others are refused when a kernel is compiled.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

STRETCH = 64  # numbers that are looked at together

_FLOATS = ir.VectorType(ir.FloatType(), STRETCH)


def _side_by_side(*arrays):
    return all(
        isinstance(array, types.Array) and array.dtype == types.float32 and array.layout == "C" for array in arrays
    )


def _loaded(context, at, kind, array, place):
    """The numbers from a place on, in an array of any shape."""
    data = context.make_array(kind)(context, at, array).data
    return at.load(at.bitcast(at.gep(data, [place]), _FLOATS.as_pointer()), align=4)


def _splat(at, value):
    none = ir.Constant(_FLOATS, ir.Undefined)
    one = at.insert_element(none, value, ir.Constant(ir.IntType(32), 0))
    return at.shuffle_vector(one, none, ir.Constant(ir.VectorType(ir.IntType(32), STRETCH), [0] * STRETCH))


def _bits(at, values, limits, tops):
    found = at.or_(at.fcmp_ordered("<=", values, limits), at.fcmp_ordered(">", values, tops))
    return at.bitcast(found, ir.IntType(64))


@intrinsic
def marks(typingctx, values, place, limit, top):
    """Bit j: is number ``place + j`` of all in ``values`` ``<= limit`` or ``> top``? NaN is neither."""
    if not _side_by_side(values):
        return None

    def emit(context, at, signature, arguments):
        array, place, limit, top = arguments
        found = _loaded(context, at, signature.args[0], array, place)
        return _bits(at, found, _splat(at, limit), _splat(at, top))

    return types.int64(values, types.intp, types.float32, types.float32), emit


@intrinsic
def marks_of_each(typingctx, values, place, limits, tops, first):
    """As :func:`marks`, number by number: against ``limits[first + j]`` and ``tops[first + j]``."""
    if not _side_by_side(values, limits, tops):
        return None

    def emit(context, at, signature, arguments):
        array, place, limits, tops, first = arguments
        places = (array, place), (limits, first), (tops, first)
        kinds = signature.args[0], signature.args[2], signature.args[3]
        return _bits(at, *(_loaded(context, at, kind, *one) for kind, one in zip(kinds, places, strict=True)))

    return types.int64(values, types.intp, limits, tops, types.intp), emit


@intrinsic
def lowest(typingctx, marks):
    """The place of the lowest bit of a number other than 0."""

    def emit(context, at, signature, arguments):
        return at.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), emit
