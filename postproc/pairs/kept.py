"""Strips of distances, or what is made of them, that a method walks over several times: kept where there is room,
else computed anew.

Which strips are kept changes no bit: a strip is the same at every walk, and they come in one order.
"""

from collections.abc import Callable

import numpy as np

from postproc.base import machine, runtime
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen
from postproc.pairs.answering import Change

Source = Callable[[Change, np.ndarray | None], None]

MOST = 4 << 30  # bytes that are kept at most, and half of the memory that is free


def room() -> int:
    """Bytes that may be kept now: no more than ``runtime.using(memory=…)`` says, none where nobody knows what is
    free."""
    wanted = runtime.current().memory
    return min(MOST if wanted is None else min(MOST, wanted), (machine.free_memory() or 0) // 2)


def beside(sizes: Sizes, chosen: Chosen) -> int:
    """What a step holds that walks over kept strips and gives back the nearest only."""
    return 0 if chosen.get("top_k") is None else min(sizes.matrix, room())


class Strips:
    """What a source gives, walk after walk; nobody but the last walk may write to a strip.

    source: ``source(use, asked)`` calls ``use(strip, queries)`` with one strip after the other, of queries
            ``asked`` alone where that is not None.
    most:   bytes that are kept.
    """

    def __init__(self, source: Source, most: int) -> None:
        self.source, self.left = source, most
        self.kept: list[tuple[np.ndarray, np.ndarray]] = []
        self.others: list[np.ndarray] | None = None  # queries of strips that had no room, after the first walk

    def walk(self, use: Change) -> None:
        """Call ``use(strip, queries)`` with one strip after the other."""
        if self.others is None:
            self._first(use)
            return
        for strip, queries in self.kept:
            use(strip, queries)
        if self.others:
            self.source(use, np.concatenate(self.others))

    def _first(self, use: Change) -> None:
        others: list[np.ndarray] = []

        def take(strip: np.ndarray, queries: np.ndarray) -> None:
            use(strip, queries)
            if not others and strip.nbytes <= self.left:  # the first ones, so that their order stays
                self.left -= strip.nbytes
                self.kept.append((strip, queries))
            else:
                others.append(queries)

        self.source(take, None)
        self.others = others
