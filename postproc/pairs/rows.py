"""Rows of float32 whose squared distances, and what labels say on top, are all that is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from postproc import kernels
from postproc.base import temporary
from postproc.base.vocabulary import Array
from postproc.pairs.pairwise import read_only

SAMPLE = 2048  # rows that a common part is the mean of


@dataclass(frozen=True)
class Rows:
    """The rows of all classes where they lie: ``first``, and from ``border`` on ``second``, both float32.

    ``more`` is added to distances within one of ``cams`` (n,) but not within one of ``tracks`` (n,); below 0 both
    are unknown. ``together``: within a track the distance is 0.
    """

    first: Array
    second: Array
    mean: np.ndarray  # (d,) float32 that is taken off every row before it is compared
    more: float = 0.0
    cams: np.ndarray | None = None
    tracks: np.ndarray | None = None
    together: bool = False

    @property
    def border(self) -> int:
        return len(self.first)

    @property
    def count(self) -> int:
        return len(self.first) + (0 if self.second is self.first else len(self.second))

    @property
    def width(self) -> int:
        return int(self.first.shape[1])

    @property
    def in_rows(self) -> "Rows":
        """The same as kernels want it (:func:`postproc.base.temporary.in_rows`)."""
        first = temporary.in_rows(self.first)
        second = first if self.second is self.first else temporary.in_rows(self.second)
        return replace(self, first=first, second=second)

    def mark(self, limits: np.ndarray) -> None:
        """Say in ``limits`` (8, n or more) float32 to which pairs ``more`` is added."""
        kernel, codes = kernels.of(limits).candidates, limits.view(np.int32)
        for place, known in ((kernel.CAMERA, self.cams), (kernel.TRACK, self.tracks)):
            row = codes[place, : self.count]
            row[:] = np.arange(self.count, 2 * self.count)  # who is unknown is alone
            if known is not None:
                row[known >= 0] = np.unique(known[known >= 0], return_inverse=True)[1]
        limits[kernel.MORE] = self.more

    @property
    def mates(self) -> np.ndarray:
        """(n,) int32: the next row of the same track, after the last the first, if those count as one; or the row
        itself."""
        following = np.arange(self.count, dtype=np.int32)
        if self.tracks is not None and self.together:
            order = np.argsort(self.tracks, kind="stable")
            order = order[self.tracks[order] >= 0]
            begins = np.diff(self.tracks[order], prepend=-1) != 0
            following[order] = np.roll(order, -1)
            following[order[np.roll(begins, -1)]] = order[begins]
        return following

    def added(self, some: np.ndarray) -> np.ndarray | float:
        """(m, n) what is added to the distances of ``some`` rows from all; -inf where they count as one."""
        if self.cams is None or self.tracks is None:
            return 0.0
        cams, tracks = self.cams[some, None], self.tracks[some, None]
        alike = (cams >= 0) & (cams == self.cams) & ((tracks < 0) | (tracks != self.tracks))
        alike[np.arange(len(some)), some] = False
        found = np.float32(self.more) * alike
        if self.together:
            found[(tracks >= 0) & (tracks == self.tracks)] = -np.inf
        return found

    def moved(self, some: np.ndarray, mean: np.ndarray | None) -> np.ndarray:
        """Copies of some rows, in ascending order, without the common part."""
        found = np.empty((len(some), self.width), np.float32)
        early = int(np.searchsorted(some, self.border))
        sides = (found[:early], self.first, some[:early]), (found[early:], self.second, some[early:] - self.border)
        for part, source, numbers in sides:
            if len(numbers) and numbers[-1] - numbers[0] == len(numbers) - 1:  # no need to pick them
                np.subtract(source[numbers[0] : numbers[-1] + 1], 0 if mean is None else mean, out=part)
                continue
            if isinstance(source, np.ndarray):
                np.take(source, numbers, axis=0, out=part, mode="clip")  # "raise" copies once more
            else:
                part[:] = source[numbers]
            if mean is not None:
                part -= mean
        return found


def rows_in(parts: Sequence[Array]) -> Rows:
    """Those of one or two matrices, in memory or on disk, with what they have in common."""
    rows = Rows(parts[0], parts[-1], np.zeros(parts[0].shape[1], np.float32))
    some = rows.moved(np.linspace(0, rows.count - 1, min(SAMPLE, rows.count)).astype(np.int64), None)
    sums, ones = np.zeros(rows.width), np.ones(rows.width, np.float32)
    lengths = np.empty(len(some), np.float32)
    kernels.of(lengths).rows.square_norms(read_only(some), ones, 0, len(some), lengths, sums)
    return replace(rows, mean=(sums / len(some)).astype(np.float32))
