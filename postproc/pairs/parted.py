"""Neighbour lists in parts, for several processes: one pair of parts, and how parts join.

One process walks over all tiles (:func:`postproc.pairs.nearest.of_all`). Here the blocks of classes are dealt
into *parts*, ranges of blocks, and each pair of parts is walked over by itself: the nearest of either part among
the other. The tiles are the same tiles (:mod:`postproc.pairs.stored`), and lists join by (distance, class). So the
lists have the same bits, whoever walks over which pair, and in any order. Where one process would use whole
numbers, a pair of parts does so too, for both parts together.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from postproc import kernels
from postproc.base.vocabulary import NOBODY
from postproc.pairs import nearest
from postproc.pairs.layout import Layout
from postproc.pairs.rows import rows_in
from postproc.pairs.stored import ROWS, Cut
from postproc.pairs.tiles import Lists, PairwiseTiles

_HOST = np.empty(0, np.float32)
_LAST = np.uint64(0x7F800000_7FFFFFFF)  # the key of nobody, at +inf


def deal(layout: Layout, most: int) -> list[range]:
    """The blocks of classes in parts of at most ``most`` classes, or one block where that is larger."""
    sizes = [block.stop - block.start for block in layout.blocks]
    found, start, held = [], 0, 0
    for number, size in enumerate(sizes):
        if held and held + size > most:
            found.append(range(start, number))
            start, held = number, 0
        held += size
    found.append(range(start, len(sizes)))
    return found


def of_pair(tiles: PairwiseTiles, first: range, second: range, k: int) -> tuple[Lists, Lists]:
    """The ``k`` nearest classes of those in the blocks ``first`` among those in ``second``, and the other way.

    ``first`` is ``second``, and the two answers are one; or it comes before. Where there are fewer than ``k``, the
    rest is the largest int32 and +inf, so that :func:`joined` needs no other rule. Memory: both lists, and one
    tile a thread.
    """
    alone = first == second
    numbers = [*first] if alone else [*first, *second]
    window = _Window(tiles, [tiles.layout.blocks[number] for number in numbers])
    count = len(first)
    visits = None if alone else _across(count, len(second))
    found = nearest.of_blocks(window, k, visits)
    rows = window.classes_of(found.rows)
    split = window.layout.blocks[count - 1].stop
    cut = (slice(0, split), slice(split, None))
    left, right = (Lists(rows[part], found.values[part], found.largest[part]) for part in cut)
    return (left, left) if alone else (left, right)


def of_both(parts: Sequence[tuple[int, np.ndarray]], k: int) -> tuple[Lists, Lists]:
    """The ``k`` nearest classes of one or two parts among those of both, or all there are, by whole numbers.

    A part is the number of its first class and its rows (n, d) float32; the first part comes before the second.
    Who is near enough has the distance that one process finds (:mod:`postproc.pairs.pruned`), so lists join as
    those of :func:`of_pair` do. Memory: both lists, and :func:`postproc.pairs.pruned.bytes_of_row` a class.
    """
    found = nearest.of_rows(rows_in([rows for _, rows in parts]), k)
    numbers = [np.arange(start, start + len(rows), dtype=np.int32) for start, rows in parts]
    rows = np.concatenate(numbers)[found.rows]
    cut = (slice(0, len(numbers[0])), slice(len(numbers[0]), None))
    left, right = (Lists(rows[part], found.values[part], found.largest[part]) for part in cut)
    return (left, left) if len(parts) == 1 else (left, right)


def joined(first: Lists, second: Lists, k: int) -> Lists:
    """The ``k`` nearest of two lists of the same images by (distance, class); who is in both stands once.

    Associative and commutative: the order is total. Distances are 0 or more, of one class the same in both.
    """
    order = np.concatenate([_keys(first), _keys(second)], axis=1)
    order.sort(axis=1)
    twice = order[:, 1:] == order[:, :-1]
    if twice.any():
        order[:, 1:][twice] = _LAST
        order.sort(axis=1)
    kept = order[:, :k]
    rows = (kept & np.uint64(0xFFFFFFFF)).astype(np.int32)
    values = (kept >> np.uint64(32)).astype(np.uint32).view(np.float32)
    return Lists(rows, values, np.maximum(first.largest, second.largest))


def of_images(lists: Lists, layout: Layout, k: int, classes: slice) -> Iterator[tuple[np.ndarray | slice, Lists]]:
    """Lists of images from those of the ``classes`` given, some at a time: (images, their lists).

    Where there are fewer than ``k`` images, lists are as long as there are images.
    """
    kernel = kernels.of(_HOST)
    width = min(k, layout.count)
    offsets, members = layout.images
    for start in range(classes.start, classes.stop, ROWS):
        stop = min(start + ROWS, classes.stop)
        some = slice(start - classes.start, stop - classes.start)
        if layout.distinct:
            rows, values = lists.rows[some, :width], lists.values[some, :width]
            images: np.ndarray | slice = slice(start, stop)
            own = some
        else:
            values = np.empty((stop - start, width), np.float32)
            rows = np.empty(values.shape, np.int32)
            near = np.ascontiguousarray(lists.values[some]), np.ascontiguousarray(lists.rows[some])
            kernel.nearest.spread_lists(*near, offsets, members, 0, stop - start, values, rows)
            images = members[offsets[start] : offsets[stop]]
            place = layout.inverse[images] - start
            rows, values = rows[place], values[place]
            own = layout.inverse[images] - classes.start
        rows = np.where(rows == NOBODY, np.int32(-1), rows)
        yield images, Lists(rows, values, lists.largest[own])


class _Window(nearest.Tiles):
    """Some blocks of tiles as if there were no others."""

    symmetric = True

    def __init__(self, tiles: PairwiseTiles, blocks: Sequence[slice]) -> None:
        lengths = [block.stop - block.start for block in blocks]
        stops = np.cumsum(lengths).tolist()
        pieces = tuple(slice(stop - length, stop) for stop, length in zip(stops, lengths, strict=True))
        own = np.arange(stops[-1], dtype=np.int32)
        self.tiles, self.layout = tiles, Cut(0, len(own), own, own, tiles.layout.like, pieces=pieces)
        self.there = {piece.start: block for piece, block in zip(pieces, blocks, strict=True)}
        self.numbers = np.concatenate([np.arange(block.start, block.stop, dtype=np.int32) for block in blocks])

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        return self.tiles.tile(self.there[rows.start], self.there[columns.start], out)

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        raise NotImplementedError("some blocks alone are walked over, and asked for no pairs")

    def classes_of(self, rows: np.ndarray) -> np.ndarray:
        """The numbers that classes have among all; in place, where there is somebody."""
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            there = some != NOBODY
            some[there] = self.numbers[some[there]]
        return rows


def _across(first: int, second: int) -> list[tuple[int, int]]:
    """Pairs of blocks by diagonals, so that threads wait little for each other."""
    pairs = [(i, first + j) for i in range(first) for j in range(second)]
    return sorted(pairs, key=lambda pair: (pair[1] - pair[0], pair))


def _keys(lists: Lists) -> np.ndarray:
    """One number for (distance, class), in the same order; a float of 0 or more is ordered as its bits are."""
    bits = np.ascontiguousarray(lists.values).view(np.uint32)
    return bits.astype(np.uint64) << np.uint64(32) | lists.rows.astype(np.uint64)
