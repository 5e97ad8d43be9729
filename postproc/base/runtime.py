"""How a computation runs, never what it computes: threads, working memory, progress.

Work is cut into tasks (tiles or ranges of rows) and the tasks run in a pool of Python threads; every kernel
releases the interpreter lock, is itself sequential, and each output row has one owner. So the answer does not
depend on the number of threads, nothing is compiled for one threading layer, and two callers may run at once.
BLAS is held to one thread a task meanwhile and gets its setting back.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from postproc.base import blas, checks, machine, pool
from postproc.base.progress import Progress
from postproc.base.sizes import bytes_of

Task = TypeVar("Task")


@dataclass(frozen=True)
class Runtime:
    """``threads`` in the pool, ``memory`` for their tiles in bytes, ``progress``: who says how far it is."""

    threads: int
    memory: int | None = None
    progress: Progress | None = None


_runtime: ContextVar[Runtime | None] = ContextVar("runtime", default=None)
_MARK = "_postproc_runtime"  # of a thread: the settings that were in force where it was started


def current() -> Runtime:
    """The settings in force: those of the innermost :func:`using`, or as many threads as the machine gives."""
    return _chosen() or Runtime(threads=machine.threads())


def _chosen() -> Runtime | None:
    return _runtime.get() or getattr(threading.current_thread(), _MARK, None)


@contextmanager
def using(
    *, threads: int | None = None, memory: int | str | None = None, progress: bool | Progress | None = None
) -> Iterator[None]:
    """Run what is inside with these settings; what is left out stays as it is.

    threads:  1 or more.
    memory:   for the tiles in flight: bytes, or a size with its unit as "4GB". Less than a megabyte is refused:
              who writes 4 has forgotten the unit.
    progress: true: what takes longer than two seconds says on stderr how far it is and how long it still takes,
              on a terminal in a line that is written over, elsewhere in a line every 30 seconds. False: it does
              not. Nothing is said unless somebody asks.

    They hold in this thread, in those that are started inside, as long as these live, and in processes that are
    forked inside. Other threads are not disturbed, whatever they use themselves. A thread that runs already gets
    them with ``contextvars.copy_context().run``, a spawned process by ``REID_NUM_THREADS``.

    >>> with using(threads=1, memory="2GB"):
    ...     current().threads, current().memory
    (1, 2000000000)
    """
    if threads is not None:
        checks.whole("threads", threads, 1)
    count = None if memory is None else bytes_of("memory", memory)
    if progress is not None and not isinstance(progress, Progress):
        checks.flag("progress", progress)
    now = (_chosen() if threads is None else _chosen() or Runtime(threads)) or current()
    watcher = now.progress if progress is None else (now.progress or Progress()) if progress is True else progress
    found = Runtime(
        threads=now.threads if threads is None else threads,
        memory=now.memory if count is None else count,
        progress=watcher or None,
    )
    with within(found), found.progress.shown() if found.progress else nullcontext():
        yield


@contextmanager
def within(settings: Runtime) -> Iterator[None]:
    """Run what is inside with exactly these settings."""
    _mark_threads()
    token = _runtime.set(settings)
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


def run(function: Callable[[Task], Any], tasks: pool.Tasks[Task], *, what: str, bytes_each: int = 0) -> None:
    """Call ``function`` once with every task, in the pool; ``what`` is its name where progress is shown.

    Where tasks take ``bytes_each``, no more of them run at a time than the memory setting allows.
    """
    settings = current()
    workers = settings.threads
    if settings.memory is not None and bytes_each:
        workers = max(1, min(workers, settings.memory // bytes_each))
    with counted(what, len(tasks)) as step_on, blas.one_thread():
        if workers == 1 or len(tasks) <= 1:
            for task in tasks:
                function(task)
                step_on()
            return
        with within(settings):  # threads that stay have no settings of their own
            pool.share(function, tasks, workers, step_on)


def over_rows(function: Callable[[int, int], Any], count: int, *, what: str, block: int | None = None) -> None:
    """Call ``function(start, stop)`` over ranges that cover ``count`` rows once."""
    block = block or max(1, min(1024, -(-count // (4 * current().threads))))
    run(lambda start: function(start, min(start + block, count)), range(0, count, block), what=what)


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """What to call after each of ``total`` parts of something that takes its time; ``what`` is its name."""
    watcher = current().progress
    if watcher is None:
        yield lambda: None
        return
    with watcher.task(what, total) as step_on:
        yield step_on
