"""Tiles of distances of which neighbour lists are all that is known.

A pair stands at the distance that a list says. A pair in no list is at least as far as the last of both lists, and
that is what it is given: the larger of their two ends. Where the lists hold everybody, all is known.

Images whose lists are the same, number by number, are copies, as far as anybody can tell: they form a class, like
images of identical features.
"""

import numpy as np

from postproc.base import arrays
from postproc.pairs import listed
from postproc.pairs.layout import Layout, as_bits, camera_of_classes, classes_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import read_only
from postproc.pairs.tiles import Lists, Tiles

PAIRS = 4096  # that are looked up at a time


class ListTiles(Tiles):
    """Tiles of distances as far as ``lists`` say them.

    ``cameras`` (nq,), (ng,): as in :class:`~postproc.pairs.tiles.PairwiseTiles`.
    """

    symmetric = True
    partial = True

    def __init__(self, lists: NeighbourLists, cameras: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        rows, values = np.asarray(lists.rows), np.asarray(lists.distances)
        columns = [arrays.bits(read_only(part)) for part in (rows, values)]
        if cameras is not None:
            columns.append(as_bits(*cameras)[1] if lists.one_set else np.concatenate(as_bits(*cameras)))
        inverse, first = classes_of([(column[:0], column) for column in columns], (0, lists.count), values)
        self.layout = Layout(*lists.sizes, inverse, first, one_set=lists.one_set)
        self.cameras = None if cameras is None else camera_of_classes(cameras, self.layout)
        self.known = Lists(rows, values, np.asarray(lists.largest))
        self.rows, self.values = rows, values  # of classes, by number
        if not self.layout.distinct:
            self.values, found = values[first], rows[first]
            self.rows = np.where(found >= 0, inverse[np.maximum(found, 0)], -1)
        self.ends = listed.ends(self.values)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        tile = out[: tall * wide].reshape(tall, wide)
        np.maximum(self.ends[rows, None], self.ends[columns], out=tile)
        for later in (True, False):  # of two numbers for a pair that of the first image counts
            self._enter(tile, rows, columns, later)
            self._enter(tile.T, columns, rows, later)
        if rows == columns:
            np.fill_diagonal(tile, 0)
        return tile

    def _enter(self, tile: np.ndarray, rows: slice, columns: slice, later: bool) -> None:
        """Write what the lists of ``rows`` say of ``columns``, where theirs are the ``later`` images, or not."""
        found = self.rows[rows]
        there = (found >= columns.start) & (found < columns.stop)
        there &= (found < np.arange(rows.start, rows.stop)[:, None]) == later
        owners, places = np.nonzero(there)
        owners, places = owners[::-1], places[::-1]  # the nearest is written last
        tile[owners, found[owners, places] - columns.start] = self.values[rows][owners, places]

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        inverse = self.layout.inverse
        one, other = inverse[left], inverse[right]
        first, second = np.minimum(one, other), np.maximum(one, other)
        out = np.maximum(self.ends[first], self.ends[second])
        for start in range(0, len(out), PAIRS):
            part = slice(start, start + PAIRS)
            for owner, wanted in ((second[part], first[part]), (first[part], second[part])):
                hits = self.rows[owner] == wanted[:, None]
                (at,) = np.nonzero(hits.any(axis=1))
                out[part][at] = self.values[owner[at], np.argmax(hits[at], axis=1)]
        out[one == other] = 0
        return out
