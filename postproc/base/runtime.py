"""How a computation runs, never what it computes: threads, working memory, progress.

Work is cut into tasks (tiles or ranges of rows) and the tasks run in a pool of Python threads; every kernel
releases the interpreter lock, is itself sequential, and each output row has one owner. So the answer does not
depend on the number of threads, nothing is compiled for one threading layer, and two callers may run at once.
BLAS is held to one thread a task meanwhile and gets its setting back.
"""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from postproc.base import checks

Task = TypeVar("Task")


@dataclass(frozen=True)
class Runtime:
    """``threads`` in the pool, ``memory`` for their tiles in bytes, ``progress`` on a terminal or not."""

    threads: int
    memory: int | None = None
    progress: bool = True


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_runtime: ContextVar[Runtime | None] = ContextVar("runtime", default=None)


def current() -> Runtime:
    """The settings in force: those of the innermost :func:`using`, or one thread a processor."""
    return _runtime.get() or Runtime(threads=_processors())


@contextmanager
def using(
    *, threads: int | None = None, memory: int | None = None, progress: bool | None = None
) -> Iterator[None]:
    """Run what is inside with these settings; what is left out stays as it is.

    >>> with using(threads=1):
    ...     current().threads
    1
    """
    if threads is not None:
        checks.whole("threads", threads, 1)
    if memory is not None:
        checks.whole("memory", memory, 1)
    if progress is not None:
        checks.flag("progress", progress)
    now = current()
    token = _runtime.set(
        Runtime(
            threads=now.threads if threads is None else threads,
            memory=now.memory if memory is None else memory,
            progress=now.progress if progress is None else progress,
        )
    )
    try:
        yield
    finally:
        _runtime.reset(token)


def run(function: Callable[[Task], Any], tasks: Sequence[Task], *, what: str, bytes_each: int = 0) -> None:
    """Call ``function`` once with every task, in the pool; ``what`` is the progress bar's label.

    Where tasks take ``bytes_each``, no more of them run at a time than the memory setting allows.
    """
    from tqdm import tqdm

    settings = current()
    workers = settings.threads
    if settings.memory is not None and bytes_each:
        workers = max(1, min(workers, settings.memory // bytes_each))
    silent = None if settings.progress else True  # None: tqdm shows itself on a terminal only
    with tqdm(total=len(tasks), desc=what, disable=silent, delay=2, leave=False) as bar, _one_blas_thread():
        if workers == 1 or len(tasks) == 1:
            for task in tasks:
                function(task)
                bar.update()
            return
        pool = ThreadPoolExecutor(workers)
        try:
            for done in as_completed([pool.submit(function, task) for task in tasks]):
                done.result()
                bar.update()
        finally:
            pool.shutdown(cancel_futures=True)


def over_rows(function: Callable[[int, int], Any], count: int, *, what: str, block: int | None = None) -> None:
    """Call ``function(start, stop)`` over ranges that cover ``count`` rows once."""
    block = block or max(1, min(1024, -(-count // (4 * current().threads))))
    run(lambda start: function(start, min(start + block, count)), range(0, count, block), what=what)


_lock = threading.Lock()
_holders = 0
_limit: AbstractContextManager[Any] | None = None


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread while anybody is inside; the setting found at the first entry comes back last."""
    global _holders, _limit
    with _lock:
        _holders += 1
        if _limit is None:
            _limit = _blas().limit(limits=1)
    try:
        yield
    finally:
        with _lock:
            _holders -= 1
            if _holders:
                _let_another_thread_restore()
            elif _limit is not None:
                _limit.__exit__(None, None, None)
                _limit = None


@cache
def _blas() -> Any:
    """The BLAS that NumPy has loaded; found once, because that goes through all libraries of the process."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def _let_another_thread_restore() -> None:
    """Give up the control that threadpoolctl, from 3.8 on, reserves to the thread that changed a setting."""
    from threadpoolctl import OpenBLASController

    getattr(OpenBLASController, "clear_controlling_thread", lambda: None)()
