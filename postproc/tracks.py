"""Images by track. An image of no track is a track of one, so that every image is in exactly one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from postproc import kernels, runtime
from postproc.grouping import by_track


@dataclass(frozen=True)
class Tracks:
    """``of`` (n,) int32 is the track of every image, numbered by label, images of none last. Those of track t are
    ``members[offsets[t]:offsets[t + 1]]`` (int32, ascending), ``offsets`` (tracks + 1,) int64.
    """

    of: np.ndarray
    offsets: np.ndarray
    members: np.ndarray

    @classmethod
    def by(cls, labels: np.ndarray) -> Tracks:
        """From labels (n,) int; below 0 is no track."""
        groups = by_track(labels)
        of = np.empty(len(labels), np.int32)
        of[groups.members] = np.repeat(np.arange(len(groups.track)), np.diff(groups.offsets))
        return cls(of, groups.offsets, groups.members)

    @property
    def count(self) -> int:
        """How many tracks."""
        return len(self.offsets) - 1

    def means(self, rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """(n, d) features -> (tracks, d): the mean over each track, by ``weights`` (n,) float32 of 0 or more.

        A track whose weights are all 0 gets the plain mean.
        """
        weights = np.zeros(len(rows), np.float32) if weights is None else weights
        out = np.empty((self.count, rows.shape[1]), np.float32)

        def fill(start: int, stop: int) -> None:
            kernels.of(rows).means_of_tracks(rows, self.offsets, self.members, weights, start, stop, out)

        runtime.over_rows(fill, self.count, what="tracks")
        return out
