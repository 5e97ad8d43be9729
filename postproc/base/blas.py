"""BLAS is held to one thread while our own threads work, and gets its setting back."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any

from postproc.base import forks

_lock = forks.waits_for(threading.RLock())
_holders: Counter[int] = Counter()  # threads that are inside, by number
_limit: AbstractContextManager[Any] | None = None


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS to one thread while anybody is inside; the setting found at the first entry comes back last."""
    global _limit
    me = threading.get_ident()
    with _lock:
        _holders[me] += 1
        if _limit is None:
            _limit = libraries().limit(limits=1)
    try:
        yield
    finally:
        with _lock:
            _holders[me] -= 1
            _leave()


def _leave() -> None:
    """Give the setting back if nobody is inside any more, and in any case the control over it."""
    global _limit
    for thread in [thread for thread, count in _holders.items() if count <= 0]:
        del _holders[thread]
    if _holders:
        _let_another_thread_restore()
    elif _limit is not None:
        _limit.__exit__(None, None, None)
        _limit = None


@cache
def libraries() -> Any:
    """The BLAS that NumPy has loaded; found once, because that goes through all libraries of the process."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _let_another_thread_restore() -> None:
    """Give up the control that threadpoolctl, from 3.8 on, reserves to the thread that changed a setting."""
    from threadpoolctl import OpenBLASController

    getattr(OpenBLASController, "clear_controlling_thread", lambda: None)()


def _in_child() -> None:
    """Of those who were inside, a forked process has only the thread that forked."""
    if _limit is not None:
        me = threading.get_ident()
        for thread in [thread for thread in _holders if thread != me]:
            del _holders[thread]
        _let_another_thread_restore()
        _leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
