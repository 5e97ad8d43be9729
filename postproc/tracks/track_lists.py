"""Images by track. An image of no track is a track of one, so that every image is in exactly one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from postproc import kernels
from postproc.base import arrays
from postproc.tracks.grouping import group_by_track


@dataclass(frozen=True)
class Tracks:
    """``of`` (n,) int32 is the track of every image, numbered by label, images of none last. Those of track t are
    ``members[offsets[t]:offsets[t + 1]]`` (int32, ascending), ``offsets`` (tracks + 1,) int64. All in NumPy.
    """

    of: np.ndarray
    offsets: np.ndarray
    members: np.ndarray

    @classmethod
    def by(cls, labels: np.ndarray) -> Tracks:
        """From labels (n,) int; below 0 is no track."""
        groups = group_by_track(labels)
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
        return means(rows, self.offsets, self.members, weights)

    def of_images(self, values: np.ndarray) -> np.ndarray:
        """(tracks, ...) values -> (n, ...): every image gets what its track has."""
        return values[arrays.beside(self.of, values)]


def means(
    rows: np.ndarray,
    offsets: np.ndarray,
    members: np.ndarray,
    weights: np.ndarray | None = None,
    dtype: DTypeLike = np.float32,
) -> np.ndarray:
    """:meth:`Tracks.means` for any lists of rows; summed in float64, which ``dtype`` may be too."""
    weights = np.zeros(len(rows), np.float32) if weights is None else weights
    out = arrays.empty((len(offsets) - 1, rows.shape[1]), dtype, rows)
    kernel = kernels.of(rows)

    def fill(start: int, stop: int) -> None:
        kernel.tracks.means_of_tracks(rows, offsets, members, weights, start, stop, out)

    kernel.walk.over_rows(fill, len(out), what="tracks")
    return out
