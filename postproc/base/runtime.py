"""How a computation runs, never what it computes: threads, working memory, progress.

Work is cut into tasks (tiles or ranges of rows) and the tasks run in a pool of Python threads; every kernel
releases the interpreter lock, is itself sequential, and each output row has one owner. So the answer does not
depend on the number of threads, nothing is compiled for one threading layer, and two callers may run at once.
BLAS is held to one thread a task meanwhile and gets its setting back.
"""

import functools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from postproc.base import blas, checks, forks, machine

Task = TypeVar("Task")


@dataclass(frozen=True)
class Runtime:
    """``threads`` in the pool, ``memory`` for their tiles in bytes, ``progress`` on a terminal or not."""

    threads: int
    memory: int | None = None
    progress: bool = True


_runtime: ContextVar[Runtime | None] = ContextVar("runtime", default=None)
_MARK = "_postproc_runtime"  # of a thread: the settings that were in force where it was started


def current() -> Runtime:
    """The settings in force: those of the innermost :func:`using`, or as many threads as the machine gives."""
    return _chosen() or Runtime(threads=machine.threads())


def _chosen() -> Runtime | None:
    return _runtime.get() or getattr(threading.current_thread(), _MARK, None)


@contextmanager
def using(
    *, threads: int | None = None, memory: int | None = None, progress: bool | None = None
) -> Iterator[None]:
    """Run what is inside with these settings; what is left out stays as it is.

    They hold in this thread, in those that are started inside, as long as these live, and in processes that are
    forked inside. Other threads are not disturbed, whatever they use themselves. A thread that runs already gets
    them with ``contextvars.copy_context().run``, a spawned process by ``REID_NUM_THREADS``.

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
    now = (_chosen() if threads is None else _chosen() or Runtime(threads)) or current()
    _mark_threads()
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


@functools.cache
def _mark_threads() -> None:
    """Let every thread know what was in force where it was started, as Python itself can from 3.14 on.

    There is no other place that knows both: before, a thread starts with an empty context, whoever starts it.
    """
    start = threading.Thread.start

    @functools.wraps(start)
    def marked(thread: threading.Thread) -> None:
        setattr(thread, _MARK, _chosen())
        start(thread)

    threading.Thread.start = marked  # type: ignore[method-assign, assignment]


def run(function: Callable[[Task], Any], tasks: Sequence[Task], *, what: str, bytes_each: int = 0) -> None:
    """Call ``function`` once with every task, in the pool; ``what`` is the progress bar's label.

    Where tasks take ``bytes_each``, no more of them run at a time than the memory setting allows.
    """
    settings = current()
    workers = settings.threads
    if settings.memory is not None and bytes_each:
        workers = max(1, min(workers, settings.memory // bytes_each))
    with _bar(len(tasks), what, settings.progress) as step_on, blas.one_thread():
        if workers == 1 or len(tasks) == 1:
            for task in tasks:
                function(task)
                step_on()
            return
        pool = ThreadPoolExecutor(workers)
        try:
            for done in as_completed([pool.submit(function, task) for task in tasks]):
                done.result()
                step_on()
        finally:
            pool.shutdown(cancel_futures=True)


def over_rows(function: Callable[[int, int], Any], count: int, *, what: str, block: int | None = None) -> None:
    """Call ``function(start, stop)`` over ranges that cover ``count`` rows once."""
    block = block or max(1, min(1024, -(-count // (4 * current().threads))))
    run(lambda start: function(start, min(start + block, count)), range(0, count, block), what=what)


_drawing = forks.waits_for(threading.RLock())


@contextmanager
def _bar(total: int, what: str, wanted: bool) -> Iterator[Callable[[], object]]:
    """What to call after every task: it moves a bar on where there is a terminal to draw it on."""
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        yield lambda: None
        return
    with forks.loading:
        from tqdm import tqdm

    class Bar(tqdm):
        """With a lock that is free after a fork, and without a thread that looks after it."""

        _lock = _drawing
        monitor_interval = 0

    with Bar(total=total, desc=what, delay=2, leave=False) as bar:
        yield bar.update
