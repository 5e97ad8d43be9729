"""Tracklets, and what an association may look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from ensemble.base.kinds import Array, Bools, Floats, Ints
from ensemble.boxes.tables import Window
from ensemble.boxes.value import Boxes

ALONE, LEFT_OUT = -1, -2  # in the place of a group


@dataclass(frozen=True, eq=False)
class Tracklets:
    """One row a tracklet, by camera and then by its number there.

    cam, track:   (t,) int64.
    first, last:  (t,) int64 frames; start, end: (t,) float64 seconds, comparable between cameras.
    entry, exit:  zones of the first and the last box, "" where there is none.
    boxes:        all boxes; ``of`` (n,) int64: the row of the tracklet of each; ``seconds`` (n,) when it was.
    """

    cam: Ints
    track: Ints
    first: Ints
    last: Ints
    start: Floats
    end: Floats
    entry: Sequence[str]
    exit: Sequence[str]
    boxes: Boxes
    of: Ints
    seconds: Floats

    def __len__(self) -> int:
        return len(self.cam)

    @property
    def counts(self) -> Ints:
        """(t,) how many boxes each has."""
        return np.bincount(self.of, minlength=len(self)).astype(np.int64)

    def overlapping(self) -> Bools:
        """(t, t) two of one camera that are in sight at the same time; nobody with itself."""
        found: Bools = self.cam[:, None] == self.cam
        found &= (self.first[:, None] <= self.last) & (self.first <= self.last[:, None])
        np.fill_diagonal(found, False)
        return found

    def called(self, rows: Ints) -> list[str]:
        """How messages call some of them."""
        return [f"camera {self.cam[row]} id {self.track[row]}" for row in rows.tolist()]


@dataclass(frozen=True, eq=False)
class Shots:
    """Features of single boxes: one row a box that a feature was taken of.

    of: (m,) int64 row of its tracklet, ascending; looks: (m, d) float32 of unit length, all models side by side.
    """

    of: Ints
    looks: Array


class Looks(Protocol):
    """How unlike tracklets look."""

    def among(self, rows: Ints, models: Mapping[str, Array] | None = None) -> Floats:
        """(k, k) distances of some tracklets, symmetric, +inf for what must not be matched; the diagonal is 0.

        models: other features for all tracklets, in the place of their own.
        """
        ...


@dataclass(frozen=True, eq=False)
class World:
    """What an association looks at.

    models:   (t, d) float32 features of every model; NaN where a tracklet has none.
    known:    (t,) the tracklets that have features. The others are never matched.
    windows:  travel windows between cameras; there may be none.
    shots:    features of boxes; None: features are of tracklets.
    """

    tracklets: Tracklets
    models: Mapping[str, Array]
    known: Bools
    looks: Looks
    windows: Sequence[Window] = ()
    shots: Shots | None = None
    fps: float = 10.0
    notes: list[str] = field(default_factory=list)

    def with_windows(self, windows: Sequence[Window]) -> "World":
        """The same with other travel windows."""
        return replace(self, windows=tuple(windows))

    @property
    def rows(self) -> Ints:
        """The tracklets that can be matched."""
        return np.flatnonzero(self.known)
