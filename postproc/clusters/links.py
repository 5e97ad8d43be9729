"""Who must be together and who cannot be: from tracks, cameras and times for nothing, and from people's lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from postproc.base import checks
from postproc.base.vocabulary import Ints, Unchecked
from postproc.clusters.components import components
from postproc.clusters.known_pairs import Given, members

BLOCK = 256  # images that are held against all of their part together
NONE = np.empty((0, 2), np.int64)
Window = tuple[int, int, float, float]


class Conflict(ValueError):
    """Links that cannot all hold. ``pairs``: (m, 2) rows that must be together and cannot be."""

    def __init__(self, pairs: Ints) -> None:
        self.pairs = pairs
        shown = ", ".join(f"{one} and {other}" for one, other in pairs[:3].tolist())
        more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
        super().__init__(
            f"must and cannot: wanted links that can all hold, found images that must be together, directly or "
            f"through others, and cannot be: {shown}{more}"
        )


@dataclass(frozen=True)
class Items:
    """What is known of the images of one set; -1 is unknown, None is unknown of all.

    ``first`` and ``last`` are when the image, or the track that it is of, begins and ends.
    """

    cam: Ints
    track: Ints
    first: Ints | None
    last: Ints | None

    @staticmethod
    def of(count: int, cam: Unchecked, track: Unchecked, frame: Unchecked) -> "Items":
        """From columns of images: a track of a camera begins with its first image and ends with its last."""
        cams = checks.labels_or_none("query_cam", cam, count)
        tracks = checks.labels_or_none("query_track", track, count)
        if frame is None:
            return Items(cams, tracks, None, None)
        frames = checks.labels("query_frame", frame, count)
        key = np.where(tracks >= 0, unique_pairs(cams, tracks), -1)
        number = np.unique(key, return_inverse=True)[1].reshape(-1)
        low, high = np.full(number.max() + 1, np.iinfo(np.int64).max), np.full(number.max() + 1, -(2**63))
        np.minimum.at(low, number, frames)
        np.maximum.at(high, number, frames)
        alone = tracks < 0
        return Items(cams, tracks, np.where(alone, frames, low[number]), np.where(alone, frames, high[number]))

    def must(self) -> Ints:
        """(m, 2) rows: the images of one track of one camera are one identity."""
        tracked = np.where(self.track >= 0, unique_pairs(self.cam, self.track), -1)
        chains = [np.stack([rows[:-1], rows[1:]], axis=1) for rows in members(tracked)]
        return np.concatenate([NONE, *chains])

    def cannot(self, part: Ints, *, one_track_per_camera: bool = False, windows: Sequence[Window] = ()) -> Ints:
        """(m, 2) rows of one ``part`` that rules forbid beside each other; a track by its first image.

        Two tracks of one camera that overlap in time, or any two with ``one_track_per_camera``, and two images
        outside of a window of travel times: ``(one camera, other camera, least, most)`` frames from the end of one
        appearance to the beginning of the next. Images of unknown camera are free.
        """
        tracked = (self.track >= 0) & (self.cam >= 0)
        key = unique_pairs(self.cam, self.track)
        first = np.unique(
            np.where(self.track >= 0, key, key.max(initial=0) + 1 + np.arange(len(key))), return_index=True
        )[1]
        group = np.full(len(part), -1)
        if windows:
            group[first] = np.where(self.cam[first] >= 0, part[first], -1)
        elif self.first is not None or one_track_per_camera:
            group[first] = np.where(tracked[first], unique_pairs(part, self.cam)[first], -1)
        found = [NONE]
        for rows in members(group):
            for start in range(0, len(rows), BLOCK):
                some = rows[start : start + BLOCK]
                i, j = np.nonzero(self._forbidden(some, rows, one_track_per_camera, windows))
                later = rows[j] > some[i]
                found.append(np.stack([some[i][later], rows[j][later]], axis=1))
        return np.concatenate(found)

    def _forbidden(self, left: Ints, right: Ints, single: bool, windows: Sequence[Window]) -> Any:
        cam, other = self.cam[left][:, None], self.cam[right]
        tracked = (self.track[left] >= 0)[:, None] & (self.track[right] >= 0)
        apart = (cam == other) & (cam >= 0) & tracked & (self.track[left][:, None] != self.track[right])
        if self.first is None or self.last is None:
            return apart if single else np.zeros(apart.shape, bool)
        begins, ends = self.first[left][:, None], self.last[left][:, None]
        begins_other, ends_other = self.first[right], self.last[right]
        forbidden = apart if single else apart & (begins <= ends_other) & (begins_other <= ends)
        gap = np.maximum(np.maximum(begins - ends_other, begins_other - ends), 0)
        after = begins > begins_other  # the right one came first
        for one, second, least, most in windows:
            way = (cam == one) & (other == second) & ~after | (cam == second) & (other == one) & after
            forbidden = forbidden | way & ((gap < least) | (gap > most))
        return forbidden


def unique_pairs(one: Ints, other: Ints) -> Ints:
    """(n,) numbers, equal where both are equal."""
    return np.unique(np.stack([one, other]), axis=1, return_inverse=True)[1].reshape(-1)


def kept_apart(known: Given, must: Ints, cannot: Ints) -> Given:
    """A matrix in which linkage keeps to links: what must be one is nearest, what cannot never is.

    All images that must be one, directly or through others, are as near as the nearest pair, or 0 if that is less,
    and so are joined before anything else. Average and complete linkage join nothing across +inf.
    """
    assert known.matrix is not None
    matrix = known.matrix.copy()
    nearest = min(0.0, float(np.min(matrix, where=np.isfinite(matrix), initial=0)))
    for rows in members(components(known.images, must[:, 0], must[:, 1])):
        matrix[np.ix_(rows, rows)] = nearest
    for one, other in (cannot.T, cannot.T[::-1]):
        matrix[one, other] = np.inf
    return Given(known.images, matrix, None)


def rows_of(name: str, value: Unchecked, images: int) -> Ints:
    """Links as a caller writes them -> (m, 2) int64 rows."""
    if value is None:
        return NONE
    array = np.asarray(value)
    if array.size == 0:
        return NONE
    whole = np.issubdtype(array.dtype, np.integer)
    if array.ndim != 2 or array.shape[1] != 2 or not whole:
        raise ValueError(
            f"{name}: wanted pairs of rows, (m, 2) whole numbers, got shape {array.shape} {array.dtype}"
        )
    wrong = array[((array < 0) | (array >= images)).any(axis=1)]
    if len(wrong):
        raise ValueError(f"{name}: wanted rows 0 to {images - 1}, got {wrong[0].tolist()}")
    return array.astype(np.int64)


def refuse_conflicts(images: int, must: Ints, cannot: Ints) -> None:
    """Raise :class:`Conflict` with every pair that cannot be together and must be, also through others."""
    group = components(images, must[:, 0], must[:, 1])
    wrong = group[cannot[:, 0]] == group[cannot[:, 1]]
    if wrong.any():
        raise Conflict(cannot[wrong])
