"""Distances of queries and gallery, and what becomes of them: all at once, or a strip of queries at a time.

Every technique on distances is two walks over tiles: statistics from the neighbours
(:mod:`postproc.pairs.nearest`), then :func:`answer` with a function that turns distances into the technique's own.
In one set no image is its own answer: there is +inf on the diagonal.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays, runtime
from postproc.base.vocabulary import NOBODY, Floats, Nearest
from postproc.pairs import remembered
from postproc.pairs.layout import SMALLEST, STRIP, STRIP_ON_CUDA, Layout
from postproc.pairs.tiles import Buffers, Tiles

Change = Callable[[np.ndarray, np.ndarray], None]  # strip where the tiles are, its queries in NumPy
DISTANCES = "distances"  # of queries and gallery, in a store
ROWS = 16  # of a strip that are looked at together


def answer(
    tiles: Tiles,
    change: Change,
    *,
    top_k: int | None,
    filled: np.ndarray | None = None,
    own: float = np.inf,
    walk: Callable[[Change], None] | None = None,
) -> Floats | Nearest:
    """Distances (nq, ng) after ``change``, or the ``top_k`` nearest by them, in which case no matrix exists.

    ``change(strip, queries)`` turns the distances of the given queries to the whole gallery into the final ones,
    in place. ``filled`` are all distances, where a walk has stored them already; they are written to.
    ``own``: what a matrix of one set has on its diagonal; no list names the own image. ``walk``: what calls with
    all strips, to be written to, in the place of :func:`strips`.
    """
    layout = tiles.layout
    if top_k is None:
        whole = everything(tiles) if filled is None else filled
        change(whole, np.arange(layout.nq))
        if layout.one_set:
            set_own(whole, np.arange(layout.nq), own)
        return whole
    best = _Best(layout.nq, layout.ng, top_k, change, layout.like, layout.one_set)
    walk = walk or partial(strips, tiles, what="answer")
    walk(best.take)
    return best.nearest


def answer_without_distances(
    nq: int, ng: int, fill: Change, *, top_k: int | None, like: np.ndarray | None = None, one_set: bool = False
) -> Floats | Nearest:
    """As :func:`answer` for a method that needs no distances at the end: ``fill`` finds its strip unset.

    The answer is made where ``like`` is, or on the host. ``one_set``: no image is its own answer.
    """
    like = np.empty(0, np.float32) if like is None else like
    if top_k is None:
        whole = arrays.empty((nq, ng), np.float32, like)
        fill(whole, np.arange(nq))
        if one_set:
            set_own(whole, np.arange(nq))
        return whole
    best = _Best(nq, ng, top_k, fill, like, one_set)
    for queries in _some_at_a_time(nq, ng, like):
        best.take(arrays.empty((len(queries), ng), np.float32, like), queries)
    return best.nearest


def answer_of_reached(tiles: Tiles, change: Change, *, top_k: int | None) -> Floats | Nearest:
    """As :func:`answer`, where ``change`` is below 0 for whom it reaches and leaves others, who come behind, at
    their distance, or at 0 where that is below. Distances are computed for blocks of queries alone in which fewer
    than ``top_k`` are reached; nobody is changed twice.
    """
    layout = tiles.layout
    if top_k is None or remembered.current() is not None:
        return answer(tiles, change, top_k=top_k)
    best = _Best(layout.nq, layout.ng, top_k, change, layout.like, layout.one_set)
    for start in range(0, layout.nq, layout.tall):
        queries = np.arange(start, min(start + layout.tall, layout.nq))
        best.take(arrays.full((len(queries), layout.ng), np.inf, np.float32, layout.like), queries)
    lacking = np.flatnonzero(arrays.host(best.nearest.rows[:, -1]) < 0)
    if len(lacking):
        strips(tiles, best.add, what="answer", asked=lacking)
    return best.nearest


def _some_at_a_time(nq: int, ng: int, like: np.ndarray) -> Iterator[np.ndarray]:
    """Ranges of queries whose distances to the gallery have room in a strip."""
    tall = max(SMALLEST, (STRIP_ON_CUDA if arrays.on_cuda(like) else STRIP) // (4 * ng))
    for start in range(0, nq, tall):
        yield np.arange(start, min(start + tall, nq))


def set_own(strip: np.ndarray, queries: np.ndarray, value: float = np.inf) -> None:
    """Give images another distance from themselves; ``strip`` has one set's ``queries`` against all of it."""
    there = arrays.beside(queries, strip)
    strip[arrays.beside(np.arange(len(queries)), strip), there] = value


class _Best:
    """Collects the nearest of every query, one changed strip after the other."""

    def __init__(self, nq: int, ng: int, top_k: int, change: Change, like: np.ndarray, one_set: bool) -> None:
        k = min(top_k, max(1, ng - one_set))
        self.nearest = Nearest(arrays.empty((nq, k), np.float32, like), arrays.empty((nq, k), np.int32, like))
        self.change, self.one_set = change, one_set

    def take(self, strip: np.ndarray, queries: np.ndarray) -> None:
        self.change(strip, queries)
        self._choose(strip, queries)

    def add(self, strip: np.ndarray, queries: np.ndarray) -> None:
        """Behind those that are listed already, below 0, all others at their distance."""
        rows, distances = self.nearest.rows[queries], self.nearest.distances[queries]
        listed = rows >= 0
        owners = arrays.namespace(rows).nonzero(listed)[0]
        for some in arrays.blocks(strip, ROWS):
            strip[some][strip[some] < 0] = 0
        strip[owners, arrays.as_type(rows[listed], np.int64)] = distances[listed]
        self._choose(strip, queries)

    def _choose(self, strip: np.ndarray, queries: np.ndarray) -> None:
        if self.one_set:
            set_own(strip, queries)
        found = smallest(strip, self.nearest.rows.shape[1])
        self.nearest.distances[queries] = found.distances
        self.nearest.rows[queries] = found.rows


def strips(
    tiles: Tiles,
    use: Callable[[np.ndarray, np.ndarray], None],
    *,
    what: str,
    asked: np.ndarray | None = None,
) -> None:
    """Call ``use(strip, queries)`` with the distances (queries, gallery) of one block of queries after the other.

    ``asked``: of the blocks alone in which any of these queries is. The strip is the caller's to write to. Memory:
    one strip (128 MiB or 128 rows) and one tile a thread.
    """
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    offsets, members = layout.queries
    answered = [layout.blocks[j] for j in _holding(layout, layout.gallery)]
    store, key = in_store(tiles)
    known = None if store is None else store.get((key, DISTANCES))
    kept = None if store is None or known is not None or asked is not None else room(store, layout)
    visited = layout.strips
    if asked is not None:
        wanted = np.unique(layout.inverse[asked])
        visited = [rows for rows in visited if _any_between(wanted, rows)]
    with runtime.counted(what, len(visited)) as step_on:
        for rows in visited:
            queries = members[offsets[rows.start] : offsets[rows.stop]]
            if known is not None:
                use(known[0][queries], queries)
                step_on()
                continue
            place = np.zeros(layout.nq, np.int32)
            place[queries] = np.arange(len(queries))
            strip = arrays.empty((len(queries), layout.ng), np.float32, layout.like)

            def visit(
                columns: slice, rows: slice = rows, strip: np.ndarray = strip, place: np.ndarray = place
            ) -> None:
                with buffers.lend() as buffer:
                    write(_tile(tiles, rows, columns, buffer), rows, columns, layout, strip, place)

            beside = [piece for block in answered for piece in _around(rows, block)]
            kernels.of(layout.like).walk.run(visit, beside, what=what, bytes_each=buffers.bytes)
            if kept is not None:
                kept[queries] = strip
            use(strip, queries)
            del strip, visit  # before there is the next strip
            step_on()
    if store is not None and kept is not None:
        remembered.keep(store, (key, DISTANCES), (kept,))


def everything(tiles: Tiles, out: np.ndarray | None = None) -> np.ndarray:
    """All distances (nq, ng), in ``out`` if there is one."""
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    answer = arrays.empty((layout.nq, layout.ng), np.float32, layout.like) if out is None else out
    store, key = in_store(tiles)
    known = None if store is None else store.get((key, DISTANCES))
    if known is not None:
        answer[:] = known[0]
        return answer

    def visit(pair: tuple[int, int]) -> None:
        rows, columns = (layout.blocks[i] for i in pair)
        with buffers.lend() as buffer:
            write(_tile(tiles, rows, columns, buffer), rows, columns, layout, answer)

    pairs = [(i, j) for i in _holding(layout, layout.queries) for j in _holding(layout, layout.gallery)]
    kernels.of(layout.like).walk.run(visit, pairs, what="distances", bytes_each=buffers.bytes)
    if store is not None and store.fits(answer.nbytes):
        remembered.keep(store, (key, DISTANCES), (answer.copy(),))
    return answer


def _tile(tiles: Tiles, rows: slice, columns: slice, buffer: np.ndarray) -> np.ndarray:
    """The tile of two blocks as the neighbours see it, who look at a symmetric one once: so the bits agree."""
    if tiles.symmetric and columns.start < rows.start:
        return arrays.transposed(tiles.tile(columns, rows, buffer))
    return tiles.tile(rows, columns, buffer)


def _around(rows: slice, block: slice) -> list[slice]:
    """A block, where these rows are a part of it in pieces: before them, they themselves, behind them."""
    if not (block.start <= rows.start and rows.stop <= block.stop):
        return [block]
    pieces = [slice(block.start, rows.start), rows, slice(rows.stop, block.stop)]
    return [piece for piece in pieces if piece.start < piece.stop]


def smallest(strip: np.ndarray, k: int) -> Nearest:
    """The ``k`` smallest entries of every row, ascending, ties by column; +inf entries are no answer (-1)."""
    kernel = kernels.of(strip)
    n = len(strip)
    values = arrays.full((n, k), np.inf, np.float32, strip)
    rows = arrays.full((n, k), NOBODY, np.int32, strip)
    worst = arrays.full(n, np.inf, np.float32, strip)
    largest = arrays.full(n, -np.inf, np.float32, strip)

    def select(start: int, stop: int) -> None:
        kernel.nearest.offer_rows(strip[start:stop], start, 0, values, rows, worst, largest)
        kernel.nearest.sort_lists(values, rows, start, stop)

    kernel.walk.over_rows(select, n, what="selection")
    rows[arrays.namespace(values).isinf(values)] = -1
    return Nearest(values, rows)


def in_store(tiles: Tiles) -> tuple[remembered.Store | None, bytes]:
    """The store in force and the name of these tiles in it; no store for tiles that have no name."""
    store = remembered.current()
    key = None if store is None else tiles.fingerprint
    return (None, b"") if key is None else (store, key)


def room(store: remembered.Store, layout: Layout) -> np.ndarray | None:
    """A matrix of distances to be remembered, if one fits."""
    return np.empty((layout.nq, layout.ng), np.float32) if store.fits(4 * layout.nq * layout.ng) else None


def _holding(layout: Layout, members: tuple[np.ndarray, np.ndarray]) -> list[int]:
    """The blocks with a class that holds any of these members (queries, or gallery images)."""
    offsets, _ = members
    return [i for i, block in enumerate(layout.blocks) if offsets[block.start] < offsets[block.stop]]


def _any_between(numbers: np.ndarray, block: slice) -> bool:
    """Whether any of the ascending numbers is in a block."""
    first, last = np.searchsorted(numbers, (block.start, block.stop))
    return bool(first < last)


def write(
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
    else:  # only what the tile's own classes hold, because it may have to go to a device
        sides = [(row_offsets, targets), (column_offsets, column_members)]
        own = [(ends - ends[0], images[ends[0] : ends[-1]]) for ends, images in sides]
        there = [arrays.beside(part, tile) for side in own for part in side]
        kernels.of(tile).tiles.scatter(tile, *there, out)
