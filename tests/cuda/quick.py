"""numba's CUDA simulator in less time. It starts a thread of Python for every thread of a kernel, and polls all.

Here a kernel whose threads never meet runs them one after the other, and one whose threads meet gets those of a
pool, which wait for each other without spinning. What the threads see (indices, shared memory, atomics) is the
simulator's.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

import numpy as np
from numba import cuda
from numba.np.numpy_support import as_dtype
from numba.types import Type


class _Alone(RuntimeError):
    pass


class _Meeting:
    """A barrier for all threads of a block that have not finished."""

    def __init__(self, count: int) -> None:
        self.alive, self.waiting, self.round = count, 0, 0
        self.broken = False
        self.changed = threading.Condition()

    def wait(self) -> None:
        with self.changed:
            self.waiting += 1
            now = self.round
            self._go_on_if_all_are_here()
            self.changed.wait_for(lambda: self.round != now or self.broken)
            if self.broken:
                raise _Alone("another thread of the block has failed")

    def leave(self, failed: bool) -> None:
        with self.changed:
            self.alive -= 1
            self.broken |= failed
            self._go_on_if_all_are_here()
            self.changed.notify_all()

    def _go_on_if_all_are_here(self) -> None:
        if self.waiting and self.waiting == self.alive:
            self.waiting, self.round = 0, self.round + 1
            self.changed.notify_all()


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


def _shared_array(memory: Any, shape: int, dtype: Any) -> np.ndarray:
    """The simulator's, safe when two threads are the first to ask, and with room for several arrays a line."""
    caller = sys._getframe(1)
    place = id(caller.f_code), caller.f_lasti
    with _lock:
        if place not in memory._allocations:
            memory._allocations[place] = np.empty(shape, as_dtype(dtype) if isinstance(dtype, Type) else dtype)
        return memory._allocations[place]


@contextmanager
def _swapped(function: Callable, fake: Any) -> Iterator[None]:
    """The simulator's: while a function runs, its module's ``cuda`` is the simulated one.

    The last thread that leaves puts the real one back; numba's puts it back with the first that came.
    """
    names = function.__globals__
    with _lock:
        if not _users[id(names)]:
            _real[id(names)] = {name: cuda for name, value in names.items() if value is cuda}
            names.update(dict.fromkeys(_real[id(names)], fake))
        _users[id(names)] += 1
    try:
        yield
    finally:
        with _lock:
            _users[id(names)] -= 1
            if not _users[id(names)]:
                names.update(_real.pop(id(names)))


_lock = threading.Lock()
_users: Counter[int] = Counter()  # how many threads are in functions of a module
_real: dict[int, dict[str, ModuleType]] = {}


@contextmanager
def simulator() -> Iterator[None]:
    """Run blocks this way inside."""
    from numba.cuda.simulator import kernel as simulated
    from numba.cuda.simulator.kernelapi import Dim3, FakeCUDAShared

    pool = ThreadPoolExecutor(64)

    def run(manager: Any, grid_point: tuple[int, ...], *arguments: Any) -> None:
        places = list(np.ndindex(*manager._block_dim))
        meeting = _Meeting(len(places))
        meets = _meets(manager._f)

        def work(place: tuple[int, ...]) -> None:
            me: Any = threading.current_thread()
            x, y, _ = manager._block_dim
            me.blockIdx, me.threadIdx = Dim3(*grid_point), Dim3(*place)
            me.thread_id = place[0] + x * (place[1] + y * place[2])
            me.syncthreads = meeting.wait if meets else _refuse_to_meet
            failed = True
            try:
                manager._f(*arguments)
                failed = False
            finally:
                meeting.leave(failed)

        if meets:
            failures = [done.exception() for done in [pool.submit(work, place) for place in places]]
            for failure in sorted(filter(None, failures), key=lambda failure: isinstance(failure, _Alone)):
                raise failure  # the first cause, not those who waited for it
        else:
            for place in places:
                work(place)

    try:
        shared = mock.patch.object(FakeCUDAShared, "array", _shared_array)
        swapped = mock.patch.object(simulated, "swapped_cuda_module", _swapped)
        with mock.patch.object(simulated.BlockManager, "run", run), shared, swapped:
            yield
    finally:
        pool.shutdown()
