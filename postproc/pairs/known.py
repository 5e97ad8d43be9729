"""Tiles where neighbour lists are known: of features whose lists need not be found again, and of lists alone."""

from __future__ import annotations

import numpy as np

from postproc.base import arrays
from postproc.pairs import listed
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import Layout, PairwiseTiles, Tiles

PAIRS = 1 << 16  # pairs that are looked up at a time


def tiles_of(
    pairs: Pairwise, known: NeighbourLists | None = None, cameras: tuple[np.ndarray, np.ndarray] | None = None
) -> Tiles:
    """The tiles of a :class:`Pairwise`, whose neighbours may be ``known``; of lists alone where it is those.

    ``cameras``: as in :class:`~postproc.pairs.tiles.PairwiseTiles`. Raises ValueError for lists of other images.
    """
    if pairs.known is not None:
        return ListTiles(pairs.known)
    tiles = PairwiseTiles(pairs, cameras)
    if known is not None:
        _refuse_others(pairs, known)
        tiles.known = lists_of(known, tiles.layout.like)
    return tiles


def lists_of(known: NeighbourLists, like: np.ndarray) -> Lists:
    """Lists where ``like`` is."""
    return Lists(*(arrays.beside(np.asarray(part), like) for part in (known.rows, known.distances, known.largest)))


def neighbours_of(pairs: Pairwise, lists: Lists, unit_length: bool) -> NeighbourLists:
    """Lists that a walk over all pairs found, as a value."""
    rows, values, largest = (arrays.host(part) for part in (lists.rows, lists.values, lists.largest))
    return NeighbourLists(rows, values, largest, pairs.sizes, pairs.one_set, unit_length, digest=pairs.digest)


class ListTiles(Tiles):
    """Distances as far as lists say them.

    Two images of which neither stands in the other's list are at least as far apart as the ends of both lists, and
    taken to be just that: nearer than they are, and behind everybody that is known to be nearer.
    """

    symmetric = True

    def __init__(self, lists: NeighbourLists) -> None:
        everybody = np.arange(lists.count, dtype=np.int32)
        self.layout = Layout(*lists.sizes, everybody, everybody, one_set=lists.one_set)
        self.known: Lists = lists_of(lists, self.layout.like)
        self.ends = listed.ends(lists.distances)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        tile = out[: tall * wide].reshape(tall, wide)
        np.maximum(self.ends[rows][:, None], self.ends[columns], out=tile)
        _lower(tile, self.known, rows, columns)
        _lower(tile.T, self.known, columns, rows)
        if rows == columns:
            np.fill_diagonal(tile, 0)
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        found = np.maximum(self.ends[left], self.ends[right])
        for part in arrays.blocks(left, PAIRS):
            for a, b in ((left[part], right[part]), (right[part], left[part])):
                pair, place = np.nonzero(self.known.rows[a] == b[:, None])
                at = pair + part.start
                found[at] = np.minimum(found[at], self.known.values[a[pair], place])
        found[left == right] = 0
        return found


def _lower(tile: np.ndarray, lists: Lists, rows: slice, columns: slice) -> None:
    """Put the distances that the lists of ``rows`` say into a tile, where they are lower than what is there."""
    numbers = lists.rows[rows]
    i, place = np.nonzero((numbers >= columns.start) & (numbers < columns.stop))
    j = numbers[i, place] - columns.start
    tile[i, j] = np.minimum(tile[i, j], lists.values[rows][i, place])


def _refuse_others(pairs: Pairwise, known: NeighbourLists) -> None:
    """Refuse lists of other images, or of other distances between them."""
    if (known.sizes, known.one_set) != (pairs.sizes, pairs.one_set):
        found, wanted = (
            f"{sizes[1]} images of one set" if one_set else f"{sizes[0]} queries and {sizes[1]} gallery images"
            for sizes, one_set in ((known.sizes, known.one_set), (pairs.sizes, pairs.one_set))
        )
        raise ValueError(f"neighbours: wanted lists of {wanted}, found lists of {found}")
    if known.digest and known.digest != pairs.digest:
        raise ValueError(
            "neighbours: wanted lists of the distances that are used here, found lists of others: of other "
            "features, of features normalised otherwise, or without the same penalties; make them of these"
        )
