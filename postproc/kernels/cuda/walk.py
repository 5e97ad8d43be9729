"""How work is walked over on a device: one range after the other, large ones, because a launch has its price.

The pool of threads of :mod:`postproc.base.runtime` has nothing to give here: a launch returns at once, and the
device runs what it was given in order.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from postproc.base.pool import Tasks
from postproc.base.room import room

Task = TypeVar("Task")

ROWS = 1 << 16  # rows of a range
HEAVY = 128  # ranges that stay in a processor's cache become so many times longer here


def run(function: Callable[[Task], Any], tasks: Tasks[Task], *, what: str, bytes_each: int = 0) -> None:
    """Call ``function`` with every task, in order."""
    with room(what):
        for task in tasks:
            function(task)


def over_rows(function: Callable[[int, int], Any], count: int, *, what: str, block: int | None = None) -> None:
    """Call ``function(start, stop)`` over ranges that cover ``count`` rows once."""
    block = ROWS if block is None else HEAVY * block
    run(lambda start: function(start, min(start + block, count)), range(0, count, block), what=what)
