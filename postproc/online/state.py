"""What an index holds: one value that nobody changes, so that a query goes on with the one that it began with."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.cached import cached_property
from postproc.online.workplace import Workplace
from postproc.pairs.pairwise import read_only

SPARE = 4  # entries of a list beyond those that are looked at, so that few who leave make nobody search again


@dataclass(frozen=True)
class Settings:
    """Those of :func:`postproc.rerank` that an index is built for."""

    k1: int = 20
    k2: int = 6
    lambda_value: float = 0.3
    power: float = 2.0
    count_self: bool = False
    normalize: bool = True

    @property
    def length(self) -> int:
        """Entries of a list in which neighbours have to be mutual, the image itself among them."""
        return self.k1 if self.count_self else self.k1 + 1

    @property
    def most(self) -> int:
        """Entries of a list that anybody looks at."""
        return max(self.length, self.k2)

    def lengths(self, images: int) -> tuple[int, int]:
        """The whole and the half length of lists among so many images."""
        whole = min(self.length, images)
        return whole, min(round(self.k1 / 2) + 1, whole)


@dataclass
class Room:
    """An array with rows to spare behind the first ``used``, for images that join."""

    array: np.ndarray
    used: int = 0


@dataclass(frozen=True)
class State:
    """A gallery of n images, ready for queries.

    ``features`` (n, d) float32, less ``centre`` (d,) where they have a large common part; ``near``: whether near
    pairs are computed from differences (:mod:`postproc.pairs.exact`); ``norms`` (n,) squared lengths.
    ``rows`` (n, w) int32 and ``values`` (n, w) float32: the nearest of every image, itself among them as a rule,
    ties by row, -1 and +inf where there are fewer or no more are known. ``largest`` (n,): the farthest distance.
    ``offsets``, ``members``, ``distances``: the expanded reciprocal set of every image. ``ids`` (n,) int64.
    ``exact``: whether nobody nearer is missing in the lists.
    """

    settings: Settings
    features: np.ndarray
    norms: np.ndarray
    near: bool
    centre: np.ndarray | None
    rows: np.ndarray
    values: np.ndarray
    largest: np.ndarray
    offsets: np.ndarray
    members: np.ndarray
    distances: np.ndarray
    ids: np.ndarray
    exact: bool = True
    room: Room | None = None  # that features are in, where images have joined
    free: list[Workplace] = field(default_factory=list, compare=False, repr=False)

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.features)

    @cached_property
    def by_id(self) -> tuple[np.ndarray, np.ndarray]:
        """The rows in the order of their ids, and these."""
        order = np.argsort(self.ids, kind="stable")
        return order, self.ids[order]

    @cached_property
    def longest(self) -> float:
        """The length of the longest feature vector."""
        return float(np.sqrt(self.norms.max()))

    def bound(self, norm: float) -> float:
        """A distance beyond which no image is from a query of this squared length."""
        return float((np.sqrt(norm) + self.longest) ** 2)

    @cached_property
    def border(self) -> np.ndarray:
        """(n,) float32: how near a query has to be to enter the list of an image."""
        return read_only(np.ascontiguousarray(self.values[:, self.settings.most - 1]))

    @cached_property
    def weights(self) -> np.ndarray:
        """Of the members of all sets: exp(-p) over its sum."""
        kernel, out = kernels.of(self.distances), np.empty(len(self.distances), np.float32)
        given = self.offsets, self.distances, self.largest, self.settings.normalize, self.settings.power / 2
        kernel.walk.over_rows(
            lambda start, stop: kernel.online.weights_of_rows(*given, start, stop, out), self.count, what="weights"
        )
        return read_only(out)

    @cached_property
    def inverted(self) -> tuple[np.ndarray, np.ndarray]:
        """Whose set has an image as a member, as (offsets, images)."""
        return _turned(self.offsets, self.members, self.count)

    @cached_property
    def holders(self) -> tuple[np.ndarray, np.ndarray]:
        """Whose mean over ``k2`` has an image in it, as (offsets, images)."""
        averaged = self.rows[:, : self.settings.k2]
        there = averaged >= 0
        return _turned(arrays.offsets(there.sum(axis=1)), averaged[there], self.count)

    def ready(self) -> State:
        """The same, with everything computed that the first query would wait for."""
        _ = self.border, self.weights, self.inverted, self.holders
        return self


def _turned(offsets: np.ndarray, members: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """In which rows every member stands, as (offsets, rows); rows rise."""
    new = arrays.offsets(np.bincount(members, minlength=count)), np.empty(len(members), np.int32)
    kernels.of(members).upkeep.turn(read_only(offsets), read_only(members), new[0][:-1].copy(), new[1])
    return read_only(new[0]), read_only(new[1])
