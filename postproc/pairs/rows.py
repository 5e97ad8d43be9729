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
    are unknown. ``together``: within a track the distance is 0. ``usual`` (n,) float32 is added at both ends, and
    then each row is at -inf from itself, because others may be below 0.
    """

    first: Array
    second: Array
    mean: np.ndarray  # (d,) float32 that is taken off every row before it is compared
    more: float = 0.0
    cams: np.ndarray | None = None
    tracks: np.ndarray | None = None
    together: bool = False
    usual: np.ndarray | None = None

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
    def own(self) -> np.float32:
        """How far each row is from itself."""
        return np.float32(0 if self.usual is None else -np.inf)

    def behind(self, border: int) -> "Rows":
        """Those from ``border`` on, where ``second`` begins if there is one."""
        rows = rows_in([read_only(self.first[border:]) if self.second is self.first else self.second])
        cams, tracks, usual = (
            None if part is None else part[border:] for part in (self.cams, self.tracks, self.usual)
        )
        return replace(
            self, first=rows.first, second=rows.second, mean=rows.mean, cams=cams, tracks=tracks, usual=usual
        )

    @property
    def in_rows(self) -> "Rows":
        """The same as kernels want it (:func:`postproc.base.temporary.in_rows`)."""
        first = temporary.in_rows(self.first)
        second = first if self.second is self.first else temporary.in_rows(self.second)
        return replace(self, first=first, second=second)

    def mark(self, limits: np.ndarray) -> None:
        """Say in ``limits`` (9, n or more) float32 what is added to which pairs."""
        kernel, codes = kernels.of(limits).candidates, limits.view(np.int32)
        for place, known in ((kernel.CAMERA, self.cams), (kernel.TRACK, self.tracks)):
            row = codes[place, : self.count]
            row[:] = np.arange(self.count, 2 * self.count)  # who is unknown is alone
            if known is not None:
                row[known >= 0] = np.unique(known[known >= 0], return_inverse=True)[1]
        limits[kernel.MORE] = self.more
        limits[kernel.USUAL, : self.count] = 0 if self.usual is None else self.usual

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
        if self.cams is None and self.usual is None:
            return 0.0
        found, own = np.zeros((len(some), self.count), np.float32), (np.arange(len(some)), some)
        if self.cams is not None and self.tracks is not None:
            cams, tracks = self.cams[some, None], self.tracks[some, None]
            alike = (cams >= 0) & (cams == self.cams) & ((tracks < 0) | (tracks != self.tracks))
            alike[own] = False
            found[alike] = self.more
            if self.together:
                found[(tracks >= 0) & (tracks == self.tracks)] = -np.inf
        if self.usual is not None:
            found += self.usual[some, None] + self.usual
            found[own] = self.own
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
