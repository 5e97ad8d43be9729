"""Neighbour lists in parts, for several processes: what all of them know, one pair of parts, and how parts join.

One process walks over all tiles (:func:`postproc.pairs.nearest.of_all`). Here the blocks of classes are dealt into
*parts*, ranges of blocks, and each pair of parts is walked over by itself: the nearest of either part among the
other. The tiles are the same tiles, and lists join by (distance, class). So the lists have the same bits, whoever
walks over which pair, and in any order.

Features may be memory-mapped, float16 or float32. What is held of them is one tile's rows, in float32.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.pairs import exact, nearest
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import read_only
from postproc.pairs.tiles import Layout, PairwiseTiles

ROWS = 4096  # rows that are read at a time
_HOST = np.empty(0, np.float32)


class Stored:
    """Rows of matrices (n, d), one after the other, of float16 or float32, in memory or mapped: read as float32.

    ``rows``: which of them, in this order; None: all.
    """

    def __init__(self, matrices: Sequence[np.ndarray], rows: np.ndarray | None = None) -> None:
        self.matrices, self.rows = matrices, rows
        self.starts = np.cumsum([0, *map(len, matrices)])
        self.shape = (int(self.starts[-1]) if rows is None else len(rows), matrices[0].shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, some: slice | np.ndarray) -> np.ndarray:
        """(m, d) float32, contiguous and read-only; where it can be, the very memory."""
        if isinstance(some, slice) and self.rows is None:
            start, stop, _ = some.indices(len(self))
            at = int(np.searchsorted(self.starts, start, side="right")) - 1
            if stop <= self.starts[at + 1] or start >= stop:
                begin = int(self.starts[at])
                found = self.matrices[at][start - begin : max(start, stop) - begin]
                return read_only(np.asarray(np.ascontiguousarray(found, np.float32)))
            some = np.arange(start, stop)
        wanted = some if self.rows is None else self.rows[some]
        out = np.empty((len(wanted), self.shape[1]), np.float32)
        for matrix, start, stop in zip(self.matrices, self.starts, self.starts[1:], strict=False):
            here = np.flatnonzero((wanted >= start) & (wanted < stop))
            out[here] = matrix[wanted[here] - start]
        return read_only(out)


@dataclass(frozen=True)
class Known:
    """What is found once, before any pair: who is a copy of whom, squared lengths, and what all features share.

    ``norms`` (classes,) float32, without the common part; ``centre`` (d,) float32 is that part, or None where it is
    small. ``near``: whether distances of near pairs are found from differences (:mod:`postproc.pairs.exact`).
    """

    layout: Layout
    norms: np.ndarray
    centre: np.ndarray | None
    near: bool


def known(sides: Sequence[np.ndarray]) -> Known:
    """Look through the features once a time: of (queries, gallery), or of one set.

    Raises ValueError for features that are not finite, or too large or too small for float32. Memory: about 40
    bytes an image, and :data:`ROWS` rows a thread.
    """
    layout = _layout(sides)
    parts = _parts(sides, layout)
    _refuse_unusable(sides)
    centre = exact.common_part(parts)
    norms = _norms(parts, centre)
    zero = bool((norms == 0).all())
    exact.check_lengths(norms, lambda: zero)
    return Known(layout, norms, centre, not exact.of_unit_length(norms))


def tiles_of(sides: Sequence[np.ndarray], found: Known) -> PairwiseTiles:
    """The tiles that ``PairwiseTiles(sqeuclidean(query, gallery))`` computes, bit for bit, of what is known."""
    pieces, start = [], 0
    for part in _parts(sides, found.layout):
        pieces.append((start, part))
        start += len(part)
    return KnownTiles(found, Pieces(pieces), Pieces([(0, found.norms)]), sides[0].shape[1])


def of_pair(tiles: PairwiseTiles, first: range, second: range, k: int) -> tuple[Lists, Lists]:
    """The ``k`` nearest classes of those in the blocks ``first`` among those in ``second``, and the other way.

    ``first`` is ``second``, and the two answers are one; or it comes before. Where there are fewer than ``k``, the
    rest is the largest int32 and +inf, so that :func:`joined` needs no other rule. Memory: both lists, and one tile
    a thread.
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


def joined(first: Lists, second: Lists, k: int) -> Lists:
    """The ``k`` nearest of two lists of the same images among different ones, by (distance, class).

    Associative and commutative: the order is total. Distances are 0 or more.
    """
    order = np.concatenate([_keys(first), _keys(second)], axis=1)
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
    nobody = int(kernel.nearest.NOBODY)
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
        rows = np.where(rows == nobody, np.int32(-1), rows)
        yield images, Lists(rows, values, lists.largest[own])


def _keys(lists: Lists) -> np.ndarray:
    """One number for (distance, class), in the same order; a float of 0 or more is ordered as its bits are."""
    bits = np.ascontiguousarray(lists.values).view(np.uint32)
    return bits.astype(np.uint64) << np.uint64(32) | lists.rows.astype(np.uint64)


class Pieces:
    """Some stretches of rows, each with the number of its first row; what is asked for lies in one of them."""

    def __init__(self, pieces: Sequence[tuple[int, np.ndarray | Stored]]) -> None:
        self.pieces = pieces

    def __getitem__(self, wanted: slice) -> np.ndarray:
        for start, rows in self.pieces:
            if start <= wanted.start and wanted.stop <= start + len(rows):
                return rows[wanted.start - start : wanted.stop - start]
        raise IndexError(f"rows {wanted.start} to {wanted.stop}: wanted rows that are there")


class KnownTiles(PairwiseTiles):
    """Tiles whose common facts are handed over, with no more rows than somebody will ask for.

    ``rows`` are those of classes, float16 or float32, ``width`` values each, and ``norms`` what :class:`Known` says
    of the same.
    """

    def __init__(self, found: Known, rows: Pieces, norms: Pieces, width: int) -> None:
        self.like, self.kernel = _HOST, kernels.of(_HOST)
        self.layout, self.norms, self.sizes = found.layout, norms, norms  # type: ignore[assignment]
        self.centre, self.near, self.clamp = found.centre, found.near, True
        self.signs = self.tracks = self.cameras = None
        self.weights = np.ones(width, np.float32)
        self.cams, self.products = [], []
        self.rows, self.last = rows, threading.local()

    def _block(self, classes: slice) -> np.ndarray:
        """The rows; asked twice for the same, the same array, of which BLAS knows that the product is symmetric."""
        if getattr(self.last, "classes", None) != classes:
            found = np.ascontiguousarray(self.rows[classes], np.float32)
            self.last.rows, self.last.classes = read_only(found), classes
        rows: np.ndarray = self.last.rows
        return rows


@dataclass(frozen=True)
class Cut(Layout):
    """A layout that only knows its blocks: for who computes tiles, and has no need to know the images."""

    pieces: tuple[slice, ...] = ()

    @property
    def blocks(self) -> list[slice]:  # type: ignore[override]
        return list(self.pieces)


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

    def classes_of(self, rows: np.ndarray) -> np.ndarray:
        """The numbers that classes have among all; in place, where there is somebody."""
        nobody = int(kernels.of(_HOST).nearest.NOBODY)
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            there = some != nobody
            some[there] = self.numbers[some[there]]
        return rows


def _across(first: int, second: int) -> list[tuple[int, int]]:
    """Pairs of blocks by diagonals, so that threads wait little for each other."""
    pairs = [(i, first + j) for i in range(first) for j in range(second)]
    return sorted(pairs, key=lambda pair: (pair[1] - pair[0], pair))


def _parts(sides: Sequence[np.ndarray], layout: Layout) -> list[Stored]:
    """The rows of all classes: as they stand, or of copies the first."""
    return [Stored([side]) for side in sides] if layout.distinct else [Stored(sides, layout.first)]


def _refuse_unusable(sides: Sequence[np.ndarray]) -> None:
    """Raise ValueError where a feature is NaN or infinite."""
    for name, side in zip(("query", "gallery") if len(sides) > 1 else ("features",), sides, strict=True):
        for start in range(0, len(side), ROWS):
            wrong = np.flatnonzero(~np.isfinite(side[start : start + ROWS]).all(axis=1))
            if len(wrong):
                raise ValueError(
                    f"{name}: wanted finite numbers, found NaN or infinity in row {start + wrong[0]}; mend that row"
                )


def _norms(parts: Sequence[Stored], centre: np.ndarray | None) -> np.ndarray:
    """(classes,) float32: squared lengths without the common part."""
    kernel = kernels.of(_HOST)
    ones = np.ones(parts[0].shape[1], np.float32)
    found = []
    for part in parts:
        out = np.empty(len(part), np.float32)

        def fill(start: int, stop: int, part: Stored = part, out: np.ndarray = out) -> None:
            rows = part[start:stop]
            moved = rows if centre is None else read_only(rows - centre)
            kernel.rows.square_norms(moved, ones, 0, len(moved), out[start:stop])

        kernel.walk.over_rows(fill, len(part), what="norms")
        found.append(out)
    return np.concatenate(found)


def _layout(sides: Sequence[np.ndarray]) -> Layout:
    """Find the images with the same features, some rows at a time."""
    one_set, whole = len(sides) == 1, Stored(sides)
    kernel, keys = kernels.of(_HOST), np.zeros(len(whole), np.uint64)

    def hash_some(start: int, stop: int) -> None:
        bits = read_only(arrays.bits(whole[start:stop]))
        kernel.rows.hash_rows(bits, keys[start:stop], 0, stop - start)

    kernel.walk.over_rows(hash_some, len(whole), what="copies")
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    same_as = first[inverse]
    copies = np.flatnonzero(same_as != np.arange(len(whole)))
    for start in range(0, len(copies), ROWS):  # equal keys are only a hint
        some = copies[start : start + ROWS]
        wrong = some[(arrays.bits(whole[some]) != arrays.bits(whole[same_as[some]])).any(axis=1)]
        same_as[wrong] = wrong
    first, inverse = np.unique(same_as, return_inverse=True)
    sizes = (len(whole), len(whole)) if one_set else (len(sides[0]), len(sides[1]))
    return Layout(*sizes, inverse.astype(np.int32), first.astype(np.int32), _HOST, one_set)


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
