"""What was found: the one rule for rank lists, and for models that know only some of the images.

A pair of images was found where some list names it, or some model knows both. What nobody knows was not found: it
is never scored, and no answer. Inside a run it stands behind what is known, near enough for a step that moves
whole tracks to pull it up: of the track of an image that was found, what stands in front of all images that have
nothing to do with any of them was found too (where all are of such tracks, what stands in front of the last that
was found).
"""

from collections.abc import Iterator

import numpy as np

from ensemble.base.kinds import Bools, Ints
from postproc.base.vocabulary import Floats

ENTRIES = 1 << 22  # of a strip of queries by all images


class Tracks:
    """The tracks of a gallery, -1 none; None: nobody knows them."""

    def __init__(self, track: Ints | None) -> None:
        self.known = track is not None
        if track is not None:
            tracks, self.of = np.unique(track, return_inverse=True)
            self.count, self.none = len(tracks), tracks == -1

    def beside(self, found: Bools) -> Bools:
        """(n, ng): which images are of the track of one that was found."""
        if not self.known:
            return np.zeros_like(found)
        tracks = np.zeros((len(found), self.count), bool)
        query, image = np.nonzero(found)
        tracks[query, self.of[image]] = True
        tracks[:, self.none] = False
        return tracks[:, self.of]


def answered(distances: Floats, found: Bools, tracks: Tracks) -> Floats:
    """(n, ng) distances of some queries with +inf, never returned, for everything that was not found."""
    pulled = tracks.beside(found) & ~found
    others = ~found & ~pulled
    infinity = np.float32(np.inf)
    front = distances.min(axis=1, where=others, initial=infinity)
    last = distances.max(axis=1, where=found & np.isfinite(distances), initial=-infinity)
    pulled &= distances < np.where(others.any(axis=1), front, last)[:, None]
    return np.where(found | pulled, distances, infinity)


def strips(nq: int, ng: int) -> Iterator[slice]:
    """The queries in strips whose masks stay small."""
    step = max(1, ENTRIES // max(ng, 1))
    return (slice(start, min(start + step, nq)) for start in range(0, nq, step))
