"""How far a computation is, and how long it still takes: said on stderr by who is asked to, and by nobody else.

A :class:`Progress` says nothing about what is quick. On a terminal it is a line that is written over, everywhere
else (a log file) a line now and then. It looks on from a thread of its own, so that a computation that can only
wait is seen as well, and what is computed only counts.
"""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TextIO

from postproc.base import forks

QUICK = 2.0  # seconds that pass in silence
BETWEEN = 30.0  # seconds from line to line where nothing can be written over
GLANCE = 0.25  # seconds from one look to the next
BAR = 20  # letters
PRIOR = 5.0  # seconds that count as predicted well, before anything was seen

_lock = forks.waits_for(threading.RLock())  # of all of them: it is held for a moment


@dataclass(eq=False)
class Task:
    """Something of which ``done`` of ``total`` is done."""

    what: str
    total: int
    started: float
    done: int = 0

    def step_on(self) -> None:
        self.done += 1

    def left(self, now: float) -> float | None:
        """Seconds, as those before went; None where nothing is done yet."""
        return (now - self.started) * (self.total - self.done) / self.done if self.done else None


@dataclass(frozen=True)
class Stage:
    """A part of a run, and how many seconds it is said to take; None: nobody knows."""

    name: str
    seconds: float | None


@dataclass(eq=False)
class Progress:
    """What is done, and what is left of it.

    stages: the parts of a run in their order, where somebody has predicted them: time left is then that of the
            run. :meth:`next_stage` says that one is over.
    """

    stages: Sequence[Stage] = ()
    clock: Callable[[], float] = time.monotonic
    tasks: list[Task] = field(default_factory=list)
    _over: list[float] = field(default_factory=list)  # how long every stage took that is over
    _since: float = 0.0  # when the stage began, or what is without one
    _ended: float = -QUICK  # when the last task did
    _said: float = 0.0
    _width: int = 0  # of what stands on the terminal
    _shown: int = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Say it, inside."""
        with _lock:
            self._shown += 1
            first = self._shown == 1
        if not first:  # somebody does already
            try:
                yield
            finally:
                self._shown -= 1
            return
        self._since = self._said = self.clock()
        over = threading.Event()
        looker = threading.Thread(target=self._look_on, args=(over,), name="progress", daemon=True)
        looker.start()
        try:
            yield
        finally:
            over.set()
            looker.join()
            self._shown -= 1
            self.clear()

    @contextmanager
    def task(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Something that has ``total`` parts; what comes is to be called after each of them."""
        now = self.clock()
        with _lock:
            if not (self.tasks or self.stages) and now - self._ended > 1:
                self._since = self._said = now
            task = Task(what, total, now)
            self.tasks.append(task)
        try:
            yield task.step_on
        finally:
            with _lock:
                self.tasks.remove(task)
                self._ended = self.clock()
                if not (self.tasks or self.stages):
                    self.clear()

    def next_stage(self) -> None:
        """The stage is over, and the next one begins."""
        with _lock:
            now = self.clock()
            self._over.append(now - self._since)
            self._since = now
            self.clear()

    def text(self) -> str:
        """What there is to say now; "" for nothing."""
        with _lock:
            now = self.clock()
            if now - self._since < QUICK and sum(self._over) < QUICK:
                return ""
            stage = self.stages[len(self._over)] if len(self._over) < len(self.stages) else None
            task = self.tasks[0] if self.tasks else None
            if stage is None and task is None:
                return ""
            names = dict.fromkeys(([stage.name] if stage else []) + ([task.what] if task else []))
            run = self._left(now)
            left = run if run is not None else task.left(now) if task else None
            how = f" {_bar(task)}" if task and task.total else ""
            after = (
                "" if left is None else f", about {said(left)} left" + (" of the run" if run is not None else "")
            )
            return f"{': '.join(names)}{how}, {said(now - self._since)}{after}"

    def clear(self) -> None:
        """Take away what stands on the terminal, before somebody else writes."""
        with _lock:
            if self._width:
                _write("\r" + " " * self._width + "\r")
                self._width = 0

    def _left(self, now: float) -> float | None:
        """Seconds of the whole run, as predicted, and as what is over has taken by that; None: nobody knows."""
        at = len(self._over)
        left = [stage.seconds for stage in self.stages[at:]]
        before = [stage.seconds or 0 for stage in self.stages[:at]]
        known = [seconds for seconds in left if seconds is not None]
        if not known or len(known) < len(left):
            return None
        went = sum(took for took, predicted in zip(self._over, before, strict=False) if predicted)
        factor = min(4.0, max(0.25, (went + PRIOR) / (sum(before) + PRIOR)))
        here = max(0.0, factor * known[0] - (now - self._since))
        task = self.tasks[0] if self.tasks else None
        seen = task.left(now) if task and 20 * task.done > task.total else None
        return max(here, seen or 0.0) + factor * sum(known[1:])

    def _look_on(self, over: threading.Event) -> None:
        while not over.wait(GLANCE):
            with _lock:
                self._say()

    def _say(self) -> None:
        stream = sys.stderr
        if stream is None:
            return
        terminal = _is_terminal(stream)
        if not terminal and self.clock() - self._said < BETWEEN:
            return
        text = self.text()
        if not text:
            return
        self._said = self.clock()
        if not terminal:
            _write(text + "\n")
            return
        text = text[: max(20, shutil.get_terminal_size().columns - 1)]
        _write("\r" + text.ljust(self._width))
        self._width = len(text)


def said(seconds: float) -> str:
    """A duration in words of one or two digits.

    >>> said(0.4), said(59.4), said(95), said(5000)
    ('1 s', '59 s', '1.6 min', '1.4 h')
    """
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    value, unit = (seconds / 60, "min") if seconds < 3600 else (seconds / 3600, "h")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def _bar(task: Task) -> str:
    filled = BAR * task.done // task.total
    return f"{100 * task.done // task.total:3d} % [{'#' * filled}{'.' * (BAR - filled)}]"


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads it any more, which is no reason to stop
        sys.stderr.write(text)
        sys.stderr.flush()
