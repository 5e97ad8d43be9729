"""Threads that stay for the next call, so that a call on little data is not mostly the start of threads.

Who asks works too, and waits for nobody who has not begun: so a task may ask for helpers itself, and where no
thread can be had any more (the interpreter ends) the caller does everything alone.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol, TypeVar

Task = TypeVar("Task")
Given = TypeVar("Given", covariant=True)


class Tasks(Protocol[Given]):
    """As many as ``len`` says, in an order."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Given]: ...


MOST = 1024  # threads; started one by one, when nobody is idle

_pool: ThreadPoolExecutor | None = None
_lock = threading.Lock()


def share(function: Callable[[Task], Any], tasks: Tasks[Task], workers: int, step_on: Callable[[], None]) -> None:
    """Call ``function`` once with every task, in order of ``tasks``, by this thread and ``workers`` - 1 others.

    Tasks are taken one by one, so that millions of them need not exist at a time. ``step_on`` is called after
    each. After an error no further task begins; those that have begun are waited for, and the error of the first
    of them by order is raised. The others see the context variables of this thread.
    """
    work = _Work(function, tasks, step_on)
    for _ in range(min(workers, len(tasks)) - 1):
        _ask(work)
    try:
        work.go_on(helper=False)
    finally:
        work.end()
    if work.errors:
        raise work.errors[min(work.errors)]


class _Work:
    """Tasks that somebody has to do, and how far they are."""

    def __init__(self, function: Callable[[Any], Any], tasks: Tasks[Any], step_on: Callable[[], None]) -> None:
        self.function, self.step_on = function, step_on
        self.left: Iterator[tuple[int, Any]] = iter(enumerate(tasks))
        self.errors: dict[int, BaseException] = {}
        self.running = 0  # helpers; the caller, whom a key may interrupt anywhere, is not waited for
        self.changed = threading.Condition()

    def go_on(self, helper: bool = True) -> None:
        """Do tasks until none is left."""
        while (found := self._begin(helper)) is not None:
            number, task = found
            done = False
            try:
                self.function(task)
                done = True
            except BaseException as error:  # raised by the caller, whoever met it
                self.errors[number] = error
            finally:
                self._finish(done, helper)

    def end(self) -> None:
        """Begin no further task, and wait for those that somebody works at."""
        with self.changed:
            self._drop()
            while self.running:
                self.changed.wait()

    def _begin(self, helper: bool) -> tuple[int, Any] | None:
        with self.changed:
            found = next(self.left, None)
            self.running += helper and found is not None
            return found

    def _finish(self, done: bool, helper: bool) -> None:
        with self.changed:
            self.running -= helper
            if done:
                self.step_on()
            else:
                self._drop()
            self.changed.notify_all()

    def _drop(self) -> None:
        """Forget what nobody has begun."""
        self.left = iter(())


def _ask(work: _Work) -> None:
    """Let a thread of the pool help, if there is one."""
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(MOST, thread_name_prefix="postproc")
        with suppress(RuntimeError):  # the interpreter ends, or the system gives no thread
            _pool.submit(copy_context().run, work.go_on)


def _in_child() -> None:
    """A forked process has none of these threads."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
