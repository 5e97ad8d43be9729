"""Gallery images side by side by what they share, for methods that walk over rankings.

Groups are numbered by their labels and not by rows, so that ties between groups fall the same way however the
gallery is shuffled.
"""

from dataclasses import dataclass

import numpy as np

from postproc.base.vocabulary import Ints


@dataclass(frozen=True)
class Groups:
    """Group i holds the images ``members[offsets[i]:offsets[i + 1]]`` (int32), ``offsets`` int64.

    ``track`` (groups,) int32 is its track, compact and ascending with the label. Images of no track, -1, are the
    last groups, each alone.
    """

    offsets: np.ndarray
    members: np.ndarray
    track: np.ndarray


def compact(labels: Ints) -> np.ndarray:
    """(n,) labels -> int32 numbers 0, 1, … in the order of the labels; below 0 is unknown and becomes -1."""
    out = np.full(len(labels), -1, np.int32)
    known = labels >= 0
    out[known] = np.unique(labels[known], return_inverse=True)[1]
    return out


def group_by_track(track: Ints, *, kind: np.ndarray | None = None, place: np.ndarray | None = None) -> Groups:
    """Images of one track, and of one ``kind`` where given, in the order of ``place``, equal ones by row."""
    track = compact(track)
    same = np.zeros(len(track), np.int64)
    kind, place = (same if keys is None else keys for keys in (kind, place))
    members = np.lexsort((place, kind, track, track < 0))
    track, kind = track[members], kind[members]
    starts = np.ones(len(track), bool)
    starts[1:] = (track[1:] < 0) | (np.diff(track) != 0) | (np.diff(kind) != 0)
    first = np.flatnonzero(starts)
    return Groups(np.append(first, len(track)).astype(np.int64), members.astype(np.int32), track[first])
