"""Which of 64 numbers are small or large enough to be looked at: one bit each, found without a branch.

Plain vectors of LLVM: every processor has its own instructions for them, and all give the same bits.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from postproc.kernels.compiled import compiled

STRETCH = 64  # numbers that are looked at together
SIDE_BY_SIDE = 4  # bytes from one float32 to the next, where all can be loaded at once

_FLOATS, _ADDRESS = ir.VectorType(ir.FloatType(), STRETCH), types.intp


def _loaded(at, address):
    return at.load(at.inttoptr(address, _FLOATS.as_pointer()), align=4)


def _splat(at, value):
    none = ir.Constant(_FLOATS, ir.Undefined)
    one = at.insert_element(none, value, ir.Constant(ir.IntType(32), 0))
    return at.shuffle_vector(one, none, ir.Constant(ir.VectorType(ir.IntType(32), STRETCH), [0] * STRETCH))


def _bits(at, values, limits, tops):
    found = at.or_(at.fcmp_ordered("<=", values, limits), at.fcmp_ordered(">", values, tops))
    return at.bitcast(found, ir.IntType(64))


@intrinsic
def _of_one(typingctx, values, limit, top):
    """Bits of the 64 numbers at an address that are ``<= limit`` or ``> top``."""

    def emit(context, at, signature, arguments):
        address, limit, top = arguments
        return _bits(at, _loaded(at, address), _splat(at, limit), _splat(at, top))

    return types.int64(_ADDRESS, types.float32, types.float32), emit


@intrinsic
def _of_each(typingctx, values, limits, tops):
    """The same with a limit and a top for each number, at addresses."""

    def emit(context, at, signature, arguments):
        return _bits(at, *(_loaded(at, address) for address in arguments))

    return types.int64(_ADDRESS, _ADDRESS, _ADDRESS), emit


@intrinsic
def lowest(typingctx, marks):
    """The place of the lowest bit of a number other than 0."""

    def emit(context, at, signature, arguments):
        return at.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), emit


@compiled
def marks(values, limit, top):
    """Bit j: is ``values[j] <= limit`` or ``values[j] > top``? NaN is neither.

    For 64 numbers at most; at once where they are float32 side by side.
    """
    if values.size == STRETCH and values.strides[0] == SIDE_BY_SIDE:
        return _of_one(values.ctypes.data, limit, top)  # type: ignore[call-arg]
    found = np.int64(0)
    for j in range(values.size):
        found |= np.int64(values[j] <= limit or values[j] > top) << j
    return found


@compiled
def marks_of_each(values, limits, tops):
    """As :func:`marks`, number by number: ``values[j] <= limits[j]`` or ``values[j] > tops[j]``."""
    near = values.strides[0] == limits.strides[0] == tops.strides[0] == SIDE_BY_SIDE
    if values.size == STRETCH and near:
        return _of_each(values.ctypes.data, limits.ctypes.data, tops.ctypes.data)  # type: ignore[call-arg]
    found = np.int64(0)
    for j in range(values.size):
        found |= np.int64(values[j] <= limits[j] or values[j] > tops[j]) << j
    return found
