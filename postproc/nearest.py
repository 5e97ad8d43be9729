"""Neighbours of everybody and strips of query x gallery distances: the two ways to walk over the tiles."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np

from postproc import kernels, runtime
from postproc.tiles import Buffers, Layout, Tiles
from postproc.types import Nearest


@dataclass(frozen=True)
class Lists:
    """Every image's ``k`` nearest images, itself among them as a rule, nearest first, ties by image.

    ``rows`` (N, k) int32 and ``values`` (N, k) float32; ``largest`` (N,) float32 is the distance of the farthest.
    Images are numbered queries first.
    """

    rows: np.ndarray
    values: np.ndarray
    largest: np.ndarray


def of_all(tiles: Tiles, k: int, answer: np.ndarray | None = None) -> Lists:
    """The neighbours of all images among all images; fills ``answer`` (nq, ng) with distances on the way.

    A symmetric distance costs the tiles of the upper triangle only. Memory: the lists and one tile a thread.
    """
    layout, kernel = tiles.layout, kernels.of(np.empty(0))
    count = layout.classes
    values = np.full((count, min(k, count)), np.inf, np.float32)
    rows = np.full(values.shape, kernel.NOBODY, np.int32)
    worst = np.full(count, np.inf, np.float32)
    largest = np.full(count, -np.inf, np.float32)
    blocks, buffers = layout.blocks, Buffers(layout)
    locks = [threading.Lock() for _ in blocks]

    def visit(pair: tuple[int, int]) -> None:
        i, j = pair
        across = tiles.symmetric and i != j
        with buffers.lend() as buffer:
            tile = tiles.tile(blocks[i], blocks[j], buffer)
            if answer is not None:
                _store(tile, blocks[i], blocks[j], layout, answer)
                if across and not layout.distinct:
                    _store(np.ascontiguousarray(tile.T), blocks[j], blocks[i], layout, answer)
            offer = kernel.offer_both if across else kernel.offer_rows
            with locks[i], locks[j] if across else nullcontext():
                offer(tile, blocks[i].start, blocks[j].start, values, rows, worst, largest)

    runtime.run(visit, _visits(len(blocks), tiles.symmetric), what="neighbours", bytes_each=buffers.bytes)
    return _lists_of_images(layout, values, rows, largest, k)


def strips(tiles: Tiles, use: Callable[[np.ndarray, np.ndarray], None], *, what: str) -> None:
    """Call ``use(strip, queries)`` with the distances (queries, gallery) of one block of queries after the other.

    The strip is the caller's to write to. Memory: one strip (128 MiB or 128 rows) and one tile a thread.
    """
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    offsets, members = layout.queries
    answered = _holding(layout, layout.gallery)
    for i in _holding(layout, layout.queries):
        rows = layout.blocks[i]
        queries = members[offsets[rows.start] : offsets[rows.stop]]
        place = np.zeros(layout.nq, np.int32)
        place[queries] = np.arange(len(queries))
        strip = np.empty((len(queries), layout.ng), np.float32)

        def visit(j: int, i: int = i, strip: np.ndarray = strip, place: np.ndarray = place) -> None:
            with buffers.lend() as buffer:
                if tiles.symmetric and j < i:  # the tile that the neighbours saw, so that the bits agree
                    tile = tiles.tile(layout.blocks[j], layout.blocks[i], buffer).T.copy()
                else:
                    tile = tiles.tile(layout.blocks[i], layout.blocks[j], buffer)
                _store(tile, layout.blocks[i], layout.blocks[j], layout, strip, place)

        runtime.run(visit, answered, what=what, bytes_each=buffers.bytes)
        use(strip, queries)


def everything(tiles: Tiles) -> np.ndarray:
    """All distances (nq, ng)."""
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    answer = np.empty((layout.nq, layout.ng), np.float32)

    def visit(pair: tuple[int, int]) -> None:
        rows, columns = (layout.blocks[i] for i in pair)
        with buffers.lend() as buffer:
            _store(tiles.tile(rows, columns, buffer), rows, columns, layout, answer)

    pairs = [(i, j) for i in _holding(layout, layout.queries) for j in _holding(layout, layout.gallery)]
    runtime.run(visit, pairs, what="distances", bytes_each=buffers.bytes)
    return answer


def smallest(strip: np.ndarray, k: int) -> Nearest:
    """The ``k`` smallest entries of every row, ascending, ties by column; +inf entries are no answer (-1)."""
    kernel = kernels.of(strip)
    n = len(strip)
    values = np.full((n, k), np.inf, np.float32)
    rows = np.full((n, k), kernel.NOBODY, np.int32)
    worst = np.full(n, np.inf, np.float32)
    largest = np.full(n, -np.inf, np.float32)

    def select(start: int, stop: int) -> None:
        kernel.offer_rows(strip[start:stop], start, 0, values, rows, worst, largest)
        kernel.sort_heaps(values, rows, start, stop)

    runtime.over_rows(select, n, what="selection")
    rows[np.isinf(values)] = -1
    return Nearest(values, rows)


def _holding(layout: Layout, members: tuple[np.ndarray, np.ndarray]) -> list[int]:
    """The blocks with a class that holds any of these members (queries, or gallery images)."""
    offsets, _ = members
    return [i for i, block in enumerate(layout.blocks) if offsets[block.start] < offsets[block.stop]]


def _visits(count: int, symmetric: bool) -> list[tuple[int, int]]:
    """Pairs of blocks by diagonals, so that tiles visited together share few rows."""
    if symmetric:
        return [(i, i + away) for away in range(count) for i in range(count - away)]
    return [(i, (i + away) % count) for away in range(count) for i in range(count)]


def _store(
    tile: np.ndarray,
    rows: slice,
    columns: slice,
    layout: Layout,
    out: np.ndarray,
    place: np.ndarray | None = None,
) -> None:
    """Write a tile of classes to the (query, gallery) pairs of images that they stand for."""
    row_offsets, row_members = layout.queries
    column_offsets, column_members = layout.gallery
    row_offsets = row_offsets[rows.start : rows.stop + 1]
    column_offsets = column_offsets[columns.start : columns.stop + 1]
    if row_offsets[0] == row_offsets[-1] or column_offsets[0] == column_offsets[-1]:
        return
    targets = row_members if place is None else place[row_members]
    if layout.distinct:
        first = targets[row_offsets[0]]
        out[first : first + len(tile), column_offsets[0] : column_offsets[-1]] = tile
    else:
        kernels.of(tile).scatter(tile, row_offsets, targets, column_offsets, column_members, out)


def _lists_of_images(layout: Layout, values: np.ndarray, rows: np.ndarray, largest: np.ndarray, k: int) -> Lists:
    """Sorted lists of images from the heaps of classes."""
    kernel = kernels.of(values)
    if layout.distinct:
        runtime.over_rows(partial(kernel.sort_heaps, values, rows), len(values), what="sorting")
        return Lists(rows, values, largest)
    offsets, members = layout.images
    all_values = np.empty((layout.classes, min(k, len(members))), np.float32)
    all_rows = np.empty(all_values.shape, np.int32)

    def spread(start: int, stop: int) -> None:
        kernel.sort_heaps(values, rows, start, stop)
        kernel.spread_lists(values, rows, offsets, members, start, stop, all_values, all_rows)

    runtime.over_rows(spread, layout.classes, what="sorting")
    inverse = layout.inverse
    return Lists(all_rows[inverse], all_values[inverse], largest[inverse])
