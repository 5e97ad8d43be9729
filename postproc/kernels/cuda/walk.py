"""How work is walked over on a device: one range after the other, large ones, because a launch has its price.

The pool of threads of :mod:`postproc.runtime` has nothing to give here: a launch returns at once, and the device
runs what it was given in order.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

Task = TypeVar("Task")

ROWS = 1 << 16  # rows of a range
HEAVY = 128  # ranges that stay in a processor's cache become so many times longer here


def run(function: Callable[[Task], Any], tasks: Sequence[Task], *, what: str, bytes_each: int = 0) -> None:
    """Call ``function`` with every task, in order."""
    with memory(what):
        for task in tasks:
            function(task)


def over_rows(function: Callable[[int, int], Any], count: int, *, what: str, block: int | None = None) -> None:
    """Call ``function(start, stop)`` over ranges that cover ``count`` rows once."""
    block = ROWS if block is None else HEAVY * block
    run(lambda start: function(start, min(start + block, count)), range(0, count, block), what=what)


@contextmanager
def memory(what: str) -> Iterator[None]:
    """Say in a sentence what to do where the device has no room."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        free, whole = (size / 2**30 for size in torch.cuda.mem_get_info())
        raise MemoryError(
            f"{what}: the CUDA device has no room ({free:.1f} of {whole:.1f} GiB are free); set top_k, so that no "
            "matrix of all distances exists, and hand the gallery as a NumPy array, which comes here in blocks"
        ) from error
