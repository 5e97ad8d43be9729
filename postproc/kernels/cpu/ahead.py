"""Memory that is asked for before it is needed, where waiting for it would be most of the time."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LINE = 64  # bytes that come together


@intrinsic
def ask_for(typingctx, address):
    """Let the line of the cache at an address come while something else is done."""

    def emit(context, at, signature, arguments):
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        ask = at.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        to_read, keep, data = (ir.Constant(number, value) for value in (0, 3, 1))
        at.call(ask, [at.inttoptr(arguments[0], byte), to_read, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), emit
