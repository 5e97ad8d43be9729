"""What has to be whole when a process forks.

A child gets every lock as it is, and none of the threads that hold it. So a fork waits for those of our locks that
are held for a moment, and for whoever compiles or imports a kernel; what is held for long is put right in the
child, where it belongs (:mod:`postproc.base.blas`, :mod:`postproc.features.metrics.silence`).
"""

import os
import threading
from typing import Protocol, TypeVar


class Lock(Protocol):
    """What can be acquired again by the thread that has it."""

    def acquire(self) -> object: ...
    def release(self) -> object: ...


Some = TypeVar("Some", bound=Lock)

_locks: list[Lock] = []  # in the order in which they are taken, here and wherever somebody takes two of them
_taken: list[Lock] = []


def waits_for(lock: Some) -> Some:
    """From now on no process forks while another thread holds ``lock``."""
    _locks.append(lock)
    return lock


def _take() -> None:
    for lock in _locks:  # also those that somebody adds while this waits
        lock.acquire()
        _taken.append(lock)


def _give_back() -> None:
    while _taken:
        _taken.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_take, after_in_parent=_give_back, after_in_child=_give_back)

loading = waits_for(threading.RLock())  # held by who imports a family of kernels
