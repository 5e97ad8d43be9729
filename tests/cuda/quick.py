"""numba's CUDA simulator in less time. It starts a thread of Python for every thread of a kernel, and polls all.

Here all threads of a block run in one thread of Python. Those that never meet run one after the other. Those that
meet are greenlets: each runs up to the next ``syncthreads``, then the next one does. What the threads see (places,
shared memory, atomics) is the simulator's, but for arrays: of ``x.shape`` it lists all names that an array has.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, partial
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

import numpy as np
from numba import cuda
from numba.np.numpy_support import as_dtype
from numba.types import Type

Place = tuple[int, ...]


@cache
def _meets(function: Callable) -> bool:
    """Whether a kernel, or a device function that it names, calls syncthreads."""
    code = function.__code__
    if "syncthreads" in code.co_names:
        return True
    scopes = [function.__globals__]  # and those of its modules: ``block.total``
    scopes += [vars(each) for each in map(function.__globals__.get, code.co_names) if _is_ours(each)]
    named = (scope.get(name) for scope in scopes for name in code.co_names)
    inner = (getattr(each, "fn", each) for each in named)
    return any(_meets(each) for each in inner if isinstance(each, FunctionType) and each is not function)


def _is_ours(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__.startswith("postproc.")


def _refuse_to_meet() -> None:
    raise RuntimeError("syncthreads in a kernel that was taken for one without, and ran a thread at a time")


class _InKernel(np.ndarray):
    """What a kernel may do with an array: read and write entries, slice it, ask for its shape, but not compute."""

    __array_ufunc__ = None


def _plain(argument: Any) -> Any:
    """The array itself in the place of the simulator's."""
    from numba.cuda.simulator.cudadrv.devicearray import FakeWithinKernelCUDAArray

    return argument._item._ary.view(_InKernel) if isinstance(argument, FakeWithinKernelCUDAArray) else argument


def _shared_array(memory: Any, shape: int, dtype: Any) -> np.ndarray:
    """The simulator's, with room for several arrays a line."""
    caller = sys._getframe(1)
    place = id(caller.f_code), caller.f_lasti
    if place not in memory._allocations:
        memory._allocations[place] = np.empty(shape, as_dtype(dtype) if isinstance(dtype, Type) else dtype)
    return memory._allocations[place]


_real: dict[int, tuple[dict[str, Any], dict[str, ModuleType]]] = {}  # modules whose ``cuda`` is not the real one
_nothing = nullcontext()


def _swapped(function: Callable, fake: Any) -> AbstractContextManager[None]:
    """The simulator's: while a function runs, its module's ``cuda`` is the simulated one.

    Modules stay so until the kernel has ended, whose call is the first; numba swaps at every call of a function.
    """
    names = function.__globals__
    if id(names) in _real:
        return _nothing
    first = not _real
    _real[id(names)] = names, {name: cuda for name, value in names.items() if value is cuda}
    names.update(dict.fromkeys(_real[id(names)][1], fake))
    return _restored() if first else _nothing


@contextmanager
def _restored() -> Iterator[None]:
    """The real ``cuda`` comes back everywhere."""
    try:
        yield
    finally:
        for names, before in _real.values():
            names.update(before)
        _real.clear()


def _run(manager: Any, grid_point: Place, *arguments: Any) -> None:
    """The simulator's: all threads of a block."""
    from greenlet import getcurrent, greenlet
    from numba.cuda.simulator.kernelapi import Dim3

    me: Any = threading.current_thread()
    work = partial(manager._f, *map(_plain, arguments))
    width, height, _ = manager._block_dim
    me.blockIdx = Dim3(*grid_point)

    def become(place: Place) -> None:
        me.threadIdx = Dim3(*place)
        me.thread_id = place[0] + width * (place[1] + height * place[2])

    places = list(np.ndindex(*manager._block_dim))
    if _meets(manager._f):
        me.syncthreads = getcurrent().switch
        _in_rounds({place: greenlet(work) for place in places}, become)
    else:
        me.syncthreads = _refuse_to_meet
        for place in places:
            become(place)
            work()


def _in_rounds(threads: dict[Place, Any], become: Callable[[Place], None]) -> None:
    """Every thread up to where it meets the others, until all have ended; an error of one is the error of all.

    Every other round begins with the last thread, so that something is wrong where they do not meet but should.
    """
    order = list(threads)
    while order:
        for place in order:
            become(place)
            threads[place].switch()
        order = [place for place in reversed(order) if not threads[place].dead]


@contextmanager
def simulator() -> Iterator[None]:
    """Run blocks this way inside."""
    from numba.cuda.simulator import kernel as simulated
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    shared = mock.patch.object(FakeCUDAShared, "array", _shared_array)
    swapped = mock.patch.object(simulated, "swapped_cuda_module", _swapped)
    with mock.patch.object(simulated.BlockManager, "run", _run), shared, swapped:
        yield
