"""Neighbours of every image among those of its kind: small products in the place of one of all by all."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np

from postproc import kernels
from postproc.base.vocabulary import NOBODY, Floats, Ints
from postproc.pairs import nearest
from postproc.pairs.forecast import FEWEST
from postproc.pairs.layout import Layout, copies, cut, edge_of
from postproc.pairs.pairwise import among
from postproc.pairs.tiles import Lists, PairwiseTiles

TOGETHER = 256  # classes of several kinds in one block at most: a product of fewer is none the faster


def of_kind(rows: Floats, kinds: Ints, k: int) -> Lists:
    """The ``k`` nearest of every image among those of its kind, itself one of them, by squared Euclidean distance.

    rows (n, d) float32, kinds (n,) int, 0 or more. Ties go by row. Where a kind has fewer, the rest is the largest
    int32 and +inf. ``largest`` is of the kind too. Memory: the features once more.
    """
    count, sizes = len(rows), np.bincount(kinds)
    found = Lists(
        np.full((count, min(k, count)), NOBODY, np.int32),
        np.full((count, min(k, count)), np.inf, np.float32),
        np.empty(count, np.float32),
    )
    for kind in np.flatnonzero(sizes >= FEWEST):  # perhaps by whole numbers
        members = np.flatnonzero(kinds == kind)
        _put(nearest.of_all(PairwiseTiles(among(rows[members])), k), members, found)
    members = np.argsort(kinds, kind="stable")
    members = members[sizes[kinds[members]] < FEWEST]
    if len(members):
        _put(_of_small_kinds(rows[members], kinds[members], k), members, found)
    return found


def _put(lists: Lists, members: Ints, found: Lists) -> None:
    """Lists of some images, ascending in every kind, to their places, with their numbers."""
    places = members, slice(lists.rows.shape[1])
    names = members.astype(np.int32)
    found.rows[places] = np.where(lists.rows == NOBODY, NOBODY, names[np.minimum(lists.rows, len(names) - 1)])
    found.values[places], found.largest[members] = lists.values, lists.largest


def _of_small_kinds(rows: Floats, kinds: Ints, k: int) -> Lists:
    """As :func:`of_kind` for images in the order of their kinds."""
    pairs, sides = among(rows), (kinds[:0], kinds)
    layout = copies(pairs, sides)
    of = kinds[layout.first]
    layout = replace(layout, alike=None, cuts=list(_blocks(of)))  # no copies are of one kind, but in one class
    first = [of[block.start] for block in layout.blocks]
    visits = [(i, j) for i, kind in enumerate(first) for j in range(i, np.searchsorted(first, kind, "right"))]
    lists = nearest.of_blocks(_TilesOfKinds(pairs, sides, layout), k, visits)
    return lists if layout.distinct else _of_images(lists, layout, k)


def _blocks(kinds: Ints) -> Iterator[slice]:
    """Cut ascending kinds so that a block has whole kinds, TOGETHER at most, or is of one kind."""
    edge, start = edge_of(len(kinds)), 0
    borders = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    for first, last in pairwise(borders):
        if last - start > TOGETHER and start < first:
            yield slice(start, first)
            start = first
        if last - start > TOGETHER:
            yield from cut(start, last, edge)
            start = last
    if start < len(kinds):
        yield slice(start, len(kinds))


class _TilesOfKinds(PairwiseTiles):
    """Tiles of distances, NaN where two kinds, which are its cameras, differ."""

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile, kinds = super().tile(rows, columns, out), np.asarray(self.cameras)
        self.kernel.tiles.keep_cameras(tile, kinds[rows], kinds[columns], True, tile)
        return tile


def _of_images(lists: Lists, layout: Layout, k: int) -> Lists:
    """Lists of images from those of classes."""
    offsets, members = layout.images
    values = np.empty((layout.classes, min(k, layout.count)), np.float32)
    rows = np.empty(values.shape, np.int32)
    kernel = kernels.of(values)

    def spread(start: int, stop: int) -> None:
        kernel.nearest.spread_lists(lists.values, lists.rows, offsets, members, start, stop, values, rows)

    kernel.walk.over_rows(spread, layout.classes, what="sorting")
    return Lists(rows[layout.inverse], values[layout.inverse], lists.largest[layout.inverse])
