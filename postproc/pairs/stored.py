"""Features that stay where they are until a tile wants them, and what is known of all images before any pair.

Matrices may be memory-mapped, float16 or float32. What is held of them is one tile's rows a thread, in float32; so
the tiles are those of the float32 numbers, bit for bit.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from postproc import kernels
from postproc.base import arrays, machine, stored
from postproc.base.vocabulary import Array
from postproc.pairs import exact, forecast
from postproc.pairs.layout import Layout
from postproc.pairs.pairwise import read_only
from postproc.pairs.rows import rows_in
from postproc.pairs.tiles import PairwiseTiles

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
        wanted: np.ndarray = np.asarray(some) if self.rows is None else self.rows[some]
        out = np.empty((len(wanted), self.shape[1]), np.float32)
        for matrix, start, stop in zip(self.matrices, self.starts, self.starts[1:], strict=False):
            here = np.flatnonzero((wanted >= start) & (wanted < stop))
            out[here] = matrix[wanted[here] - start]
        return read_only(out)


class Pieces:
    """Some stretches of rows, each with the number of its first row; what is asked for lies in one of them."""

    def __init__(self, pieces: Sequence[tuple[int, np.ndarray | Stored]]) -> None:
        self.pieces = pieces

    def __getitem__(self, wanted: slice) -> np.ndarray:
        for start, rows in self.pieces:
            if start <= wanted.start and wanted.stop <= start + len(rows):
                return rows[wanted.start - start : wanted.stop - start]
        raise IndexError(f"rows {wanted.start} to {wanted.stop}: wanted rows that are there")


@dataclass(frozen=True)
class Known:
    """What is found once, before any pair: who is a copy of whom, squared lengths, and what all features share.

    ``norms`` (classes,) float32, without the common part; ``centre`` (d,) float32 is that part, or None where it
    is small. ``near``: whether distances of near pairs are found from differences (:mod:`postproc.pairs.exact`).
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
    centre, norms = exact.common_part_and_lengths(list(parts))
    if centre is not None:
        norms = _norms(parts, centre)
    zero = bool((norms == 0).all())
    exact.check_lengths(norms, lambda: zero)
    return Known(layout, norms, centre, not exact.of_unit_length(norms))


@dataclass(frozen=True)
class Cut(Layout):
    """A layout that only knows its blocks: for who computes tiles, and has no need to know the images."""

    pieces: tuple[slice, ...] = ()

    @property
    def blocks(self) -> list[slice]:
        return list(self.pieces)


class KnownTiles(PairwiseTiles):
    """Tiles whose common facts are handed over, with no more rows than somebody will ask for.

    ``rows`` are those of classes, float16 or float32, ``width`` values each, and ``norms`` what :class:`Known`
    says of the same. Who asks for the distances of pairs has to say the ``parts`` too.
    """

    def __init__(self, found: Known, rows: Pieces, norms: Pieces | np.ndarray, width: int) -> None:
        self.like, self.kernel = _HOST, kernels.of(_HOST)
        self.layout, self.norms, self.sizes = found.layout, norms, norms
        self.centre, self.near, self.clamp = found.centre, found.near, True
        self.signs = self.tracks = self.cameras = None
        self.parts = []
        self.weights = np.ones(width, np.float32)
        self.cams, self.products = [], []
        self.rows, self.last = rows, threading.local()

    def _block(self, classes: slice) -> np.ndarray:
        """The rows; asked twice for the same, the same array, so that BLAS knows a symmetric product."""
        if getattr(self.last, "classes", None) != classes:
            found = np.ascontiguousarray(self.rows[classes], np.float32)
            self.last.rows, self.last.classes = read_only(found), classes
        rows: np.ndarray = self.last.rows
        return rows


def tiles_of(sides: Sequence[np.ndarray], found: Known) -> PairwiseTiles:
    """The tiles that ``PairwiseTiles(sqeuclidean(query, gallery))`` computes, bit for bit, of what is known."""
    pieces, start = [], 0
    for part in _parts(sides, found.layout):
        pieces.append((start, part))
        start += len(part)
    tiles = KnownTiles(found, Pieces(pieces), found.norms, sides[0].shape[1])
    tiles.parts = _on_disk(sides, found.layout)
    return tiles


def whole_numbers(sides: Sequence[np.ndarray], found: Known, k: int) -> bool:
    """Whether :func:`postproc.neighbours` in this process finds ``k`` by whole numbers, itself among them."""
    rows = rows_in(_parts(sides, found.layout))
    return machine.int8() and forecast.pays(rows, found.layout, k)


def _parts(sides: Sequence[np.ndarray], layout: Layout) -> list[Stored]:
    """The rows of all classes: as they stand, or of copies the first."""
    return [Stored([side]) for side in sides] if layout.distinct else [Stored(sides, layout.first)]


def _on_disk(sides: Sequence[np.ndarray], layout: Layout) -> list[Array]:
    """The same rows for who looks at pairs here and there."""
    whole = [stored.Stored(side) for side in sides]
    if layout.distinct:
        return list(whole)
    border = 0 if layout.one_set else layout.query_classes
    gallery = whole[-1].rows(layout.first[border:] - layout.border)
    return [gallery] if layout.one_set else [whole[0].rows(layout.first[:border]), gallery]


def _refuse_unusable(sides: Sequence[np.ndarray]) -> None:
    """Raise ValueError where a feature is NaN or infinite."""
    for name, side in zip(("query", "gallery") if len(sides) > 1 else ("features",), sides, strict=True):
        for start in range(0, len(side), ROWS):
            wrong = np.flatnonzero(~np.isfinite(side[start : start + ROWS]).all(axis=1))
            if len(wrong):
                raise ValueError(
                    f"{name}: wanted finite numbers, found NaN or infinity in row {start + wrong[0]}; mend it"
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
