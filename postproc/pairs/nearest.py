"""Neighbours of everybody and strips of query x gallery distances: the two ways to walk over the tiles.

Every technique on distances is these two: statistics from the neighbours, then :func:`answer` with a function that
turns distances into the technique's own, a strip of queries at a time. In one set each image is in the lists of
neighbours once, itself among them, and no image is its own answer: there is +inf on the diagonal.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from enum import StrEnum
from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays, runtime
from postproc.base.vocabulary import NOBODY, Floats, Nearest
from postproc.pairs import forecast, from_lists, pruned, remembered
from postproc.pairs.layout import SMALLEST, STRIP, STRIP_ON_CUDA, Layout
from postproc.pairs.long_lists import LONG, waiting_beside
from postproc.pairs.tiles import Buffers, Lists, PairwiseTiles, Tiles

Change = Callable[[np.ndarray, np.ndarray], None]  # strip where the tiles are, its queries in NumPy
DISTANCES = "distances"  # of queries and gallery, in a store


class Among(StrEnum):
    """Among whom the neighbours of an image are looked for."""

    ALL = "all images"
    SAME_CAMERA = "images of its camera"
    OTHER_CAMERAS = "images of other cameras"
    CLASSES = "classes"  # images that nothing tells apart count as one


def of_all(tiles: Tiles, k: int, answer: np.ndarray | None = None) -> Lists:
    """The neighbours of all images among all images; fills ``answer`` (nq, ng) with distances on the way.

    A symmetric distance costs the tiles of the upper triangle only. Memory: the lists and one tile a thread.
    """
    return _lists(tiles, [(Among.ALL, k)], answer)[0]


def of_cameras(tiles: Tiles, *, same: int, other: int, answer: np.ndarray | None = None) -> tuple[Lists, Lists]:
    """The ``same`` nearest of every image among those of its camera, itself included, and the ``other`` nearest
    among those of all other cameras, in one walk. Of unknown camera an image is alone with its copies.
    """
    within, across = _lists(tiles, [(Among.SAME_CAMERA, same), (Among.OTHER_CAMERAS, other)], answer)
    return within, across


def of_all_and_others(tiles: Tiles, *, every: int, other: int) -> tuple[Lists, Lists]:
    """The ``every`` nearest of every image among all, and the ``other`` nearest of other cameras, in one walk."""
    anywhere, across = _lists(tiles, [(Among.ALL, every), (Among.OTHER_CAMERAS, other)], None)
    return anywhere, across


def of_classes(tiles: Tiles, k: int) -> Lists:
    """As :func:`of_all` for classes: images that nothing tells apart count as one, and rows number classes."""
    return _lists(tiles, [(Among.CLASSES, k)], None)[0]


def of_blocks(tiles: Tiles, k: int, visits: Sequence[tuple[int, int]] | None = None) -> Lists:
    """As :func:`of_classes`, where nobody remembers, from these pairs of blocks alone; None: from all of them.

    Where there are fewer than ``k``, the rest is the largest int32 and +inf.
    """
    near = _Near(tiles.layout, k, None, Among.CLASSES)
    _walk(tiles, [near], None, visits)
    return near.lists(tiles.layout)


def of_rows(rows: pruned.Rows, k: int) -> Lists:
    """The ``k`` nearest of these rows, or all there are, by whole numbers: the same bits in any company."""
    own = np.arange(rows.count, dtype=np.int32)
    layout = Layout(0, len(own), own, own)
    near = _Near(layout, k, None, Among.CLASSES)
    pruned.fill(rows, near.values, near.rows, near.largest)
    return near.lists(layout)


def without_self(lists: Lists) -> Lists:
    """The same lists, one entry shorter, without the image itself; where copies crowd it out, without the last."""
    xp = arrays.namespace(lists.rows)
    own = lists.rows == arrays.beside(np.arange(len(lists.rows)), lists.rows)[:, None]
    own[~xp.any(own, axis=1), -1] = True
    rows, values = (part[~own].reshape(len(part), -1) for part in (lists.rows, lists.values))
    return Lists(rows, values, lists.largest)


def of_others(tiles: Tiles, k: int) -> Lists:
    """The ``k`` nearest of every image among all others, or as many as there are."""
    return without_self(of_all(tiles, k + 1))


def of_queries(tiles: Tiles, k: int) -> Nearest:
    """The ``k`` nearest gallery images of every query."""
    return answer(tiles, lambda strip, queries: None, top_k=k)  # type: ignore[return-value]


class _Near:
    """The nearest classes of every class, of all cameras or of the same or of others only (``among``)."""

    def __init__(self, layout: Layout, k: int, cameras: np.ndarray | None, among: Among) -> None:
        classes, like = layout.classes, layout.like
        self.k, self.among, self.same = k, among, among is Among.SAME_CAMERA
        self.cameras = cameras if among in (Among.SAME_CAMERA, Among.OTHER_CAMERAS) else None
        self.kernel = kernels.of(like)
        self.values = arrays.full((classes, min(k, classes)), np.inf, np.float32, like)
        self.rows = arrays.full(self.values.shape, NOBODY, np.int32, like)
        self.worst = arrays.full(classes, np.inf, np.float32, like)
        self.largest = arrays.full(classes, -np.inf, np.float32, like)
        self.waiting: tuple[np.ndarray, np.ndarray] | None = None

    def offer(self, tile: np.ndarray, rows: slice, columns: slice, buffer: np.ndarray, both: bool) -> None:
        """Take a tile in; ``buffer`` is as large and may be written."""
        if self.cameras is not None:
            kept = buffer[: len(tile) * tile.shape[1]].reshape(tile.shape)
            self.kernel.tiles.keep_cameras(tile, self.cameras[rows], self.cameras[columns], self.same, kept)
            tile = kept
        offer = self.kernel.nearest.offer_both if both else self.kernel.nearest.offer_rows
        waiting = {} if self.waiting is None else {"waiting": self.waiting}
        offer(tile, rows.start, columns.start, self.values, self.rows, self.worst, self.largest, **waiting)

    def wait(self) -> None:
        """From now on what is offered may wait until :meth:`settle`, if lists are so long that this is quicker."""
        if self.values.shape[1] >= LONG and not arrays.on_cuda(self.values):
            beside = waiting_beside(self.values.shape[1])
            self.waiting = np.empty((len(self.values), beside), np.int64), np.zeros(len(self.values), np.int64)

    def settle(self) -> None:
        if self.waiting is not None:
            settle = partial(self.kernel.nearest.settle, self.values, self.rows, self.waiting)
            self.kernel.walk.over_rows(settle, len(self.values), what="selection")
            self.waiting = None

    def lists(self, layout: Layout) -> Lists:
        """Sorted lists of images, or of classes, from those of classes."""
        if layout.distinct or self.among is Among.CLASSES:
            values, rows, largest = self.values, self.rows, self.largest
            self.kernel.walk.over_rows(
                partial(self.kernel.nearest.sort_lists, values, rows), len(values), what="sorting"
            )
        else:
            offsets, members = layout.images_there
            values = arrays.empty((layout.classes, min(self.k, len(members))), np.float32, self.values)
            rows = arrays.empty(values.shape, np.int32, self.values)

            def spread(start: int, stop: int) -> None:
                self.kernel.nearest.sort_lists(self.values, self.rows, start, stop)
                self.kernel.nearest.spread_lists(
                    self.values, self.rows, offsets, members, start, stop, values, rows
                )

            self.kernel.walk.over_rows(spread, layout.classes, what="sorting")
            inverse = layout.inverse_there
            values, rows, largest = values[inverse], rows[inverse], self.largest[inverse]
        if self.cameras is not None:
            rows[arrays.namespace(values).isinf(values)] = -1
        return Lists(rows, values, largest)


def _lists(tiles: Tiles, wanted: Sequence[tuple[Among, int]], answer: np.ndarray | None) -> list[Lists]:
    """For every (among whom, k) of ``wanted`` the lists, remembered ones where there are such or one walk."""
    if tiles.known is not None:
        if answer is not None:
            everything(tiles, answer)
        return [_given(tiles, tiles.known, among, k) for among, k in wanted]
    store, key = _remembered(tiles)
    if store is None:
        return _walked(tiles, wanted, answer)
    known = [_known(store.get((key, among)), among, k, tiles.layout) for among, k in wanted]
    distances = None if answer is None else store.get((key, DISTANCES))
    if any(lists is None for lists in known) or (answer is not None and distances is None):
        whole = answer if answer is not None else _room(store, tiles.layout)
        longer = _walked(tiles, [(among, remembered.depth(k)) for among, k in wanted], whole)
        for (among, _), found in zip(wanted, longer, strict=True):
            remembered.keep(store, (key, among), (found.rows, found.values, found.largest))
        if whole is not None:
            remembered.keep(store, (key, DISTANCES), (whole if answer is None else whole.copy(),))
        return [_first(found, k) for found, (_, k) in zip(longer, wanted, strict=True)]
    if answer is not None and distances is not None:
        answer[:] = distances[0]
    return [lists for lists in known if lists is not None]


def _given(tiles: Tiles, known: Lists, among: Among, k: int) -> Lists:
    """What the lists say that are known."""
    if among is Among.ALL:
        return from_lists.of_all(known, tiles.layout, k)
    if among is Among.CLASSES:
        return from_lists.of_classes(known, tiles.layout, k)
    same = among is Among.SAME_CAMERA
    return from_lists.of_cameras(known, tiles.layout, tiles.cameras, k, same=same, whole=not tiles.partial)


def _walked(tiles: Tiles, wanted: Sequence[tuple[Among, int]], answer: np.ndarray | None) -> list[Lists]:
    near = [_Near(tiles.layout, k, tiles.cameras, among) for among, k in wanted]
    if not _pruned(tiles, near, answer):
        _walk(tiles, near, answer)
    return [each.lists(tiles.layout) for each in near]


def _pruned(tiles: Tiles, wanted: Sequence[_Near], answer: np.ndarray | None) -> bool:
    """Do as :func:`_walk` by whole numbers (:mod:`postproc.pairs.pruned`), where that is possible and faster."""
    if len(wanted) != 1 or wanted[0].among not in (Among.ALL, Among.CLASSES):
        return False
    near = wanted[0]
    rows = forecast.worth(tiles, near.k)
    if rows is None:
        return False
    found = near.values, near.rows, near.largest
    if answer is not None and tiles.layout.one_set:
        _walk(tiles, [], answer)  # of each pair once
        if isinstance(tiles, PairwiseTiles) and tiles.layout.distinct:  # then who is near can be read off
            pruned.from_distances(rows, answer, tiles.norms, *found)
            return True
    elif answer is not None:
        everything(tiles, answer)
    pruned.fill(rows, *found)
    return True


def _walk(
    tiles: Tiles,
    wanted: Sequence[_Near],
    answer: np.ndarray | None,
    visits: Sequence[tuple[int, int]] | None = None,
) -> None:
    """Offer every pair of classes to all of ``wanted``, and store those of queries and gallery in ``answer``.

    ``visits``: of these pairs of blocks alone.
    """
    layout = tiles.layout
    blocks, buffers = layout.blocks, Buffers(layout)
    locks = [threading.Lock() for _ in blocks]

    def visit(pair: tuple[int, int]) -> None:
        i, j = pair
        across = tiles.symmetric and i != j
        with buffers.lend() as buffer, buffers.lend() if len(wanted) > 1 else nullcontext(buffer) as spare:
            tile = tiles.tile(blocks[i], blocks[j], buffer)
            if answer is not None:
                _store(tile, blocks[i], blocks[j], layout, answer)
                if across and (layout.one_set or not layout.distinct):
                    _store(arrays.contiguous(tile.T), blocks[j], blocks[i], layout, answer)
            with locks[i], locks[j] if across else nullcontext():
                for near in wanted:
                    near.offer(tile, blocks[i], blocks[j], spare, across)

    for near in wanted:
        near.wait()
    kernel = kernels.of(layout.like)
    visits = _visits(len(blocks), tiles.symmetric) if visits is None else list(visits)
    if arrays.on_cuda(layout.like):  # one tile at a time: along rows, so that one block of two is there already
        visits.sort()
    kernel.walk.run(visit, visits, what="neighbours", bytes_each=max(1, len(wanted)) * buffers.bytes)
    for near in wanted:
        near.settle()


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
    their distance. Distances are computed for blocks of queries alone in which fewer than ``top_k`` are reached,
    which are changed again then.
    """
    layout = tiles.layout
    if top_k is None or remembered.current() is not None:
        return answer(tiles, change, top_k=top_k)
    best = _Best(layout.nq, layout.ng, top_k, change, layout.like, layout.one_set)
    for queries in _some_at_a_time(layout.nq, layout.ng, layout.like):
        best.take(arrays.full((len(queries), layout.ng), np.inf, np.float32, layout.like), queries)
    lacking = np.flatnonzero(arrays.host(best.nearest.rows[:, -1]) < 0)
    if len(lacking):
        strips(tiles, best.take, what="answer", asked=lacking)
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
    store, key = _remembered(tiles)
    known = None if store is None else store.get((key, DISTANCES))
    kept = None if store is None or known is not None or asked is not None else _room(store, layout)
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
                    _store(_tile(tiles, rows, columns, buffer), rows, columns, layout, strip, place)

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
    store, key = _remembered(tiles)
    known = None if store is None else store.get((key, DISTANCES))
    if known is not None:
        answer[:] = known[0]
        return answer

    def visit(pair: tuple[int, int]) -> None:
        rows, columns = (layout.blocks[i] for i in pair)
        with buffers.lend() as buffer:
            _store(_tile(tiles, rows, columns, buffer), rows, columns, layout, answer)

    pairs = [(i, j) for i in _holding(layout, layout.queries) for j in _holding(layout, layout.gallery)]
    kernels.of(layout.like).walk.run(visit, pairs, what="distances", bytes_each=buffers.bytes)
    if store is not None and store.fits(answer.nbytes):
        remembered.keep(store, (key, DISTANCES), (answer.copy(),))
    return answer


def _tile(tiles: Tiles, rows: slice, columns: slice, buffer: np.ndarray) -> np.ndarray:
    """The tile of two blocks as the neighbours see it, who look at a symmetric one once: so the bits agree."""
    if tiles.symmetric and columns.start < rows.start:
        return arrays.contiguous(tiles.tile(columns, rows, buffer).T)
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


def _remembered(tiles: Tiles) -> tuple[remembered.Store | None, bytes]:
    """The store in force and the name of these tiles in it; no store for tiles that have no name."""
    store = remembered.current()
    key = None if store is None else tiles.fingerprint
    return (None, b"") if key is None else (store, key)


def _room(store: remembered.Store, layout: Layout) -> np.ndarray | None:
    """A matrix of distances to be remembered, if one fits."""
    return np.empty((layout.nq, layout.ng), np.float32) if store.fits(4 * layout.nq * layout.ng) else None


def _known(found: tuple[np.ndarray, ...] | None, among: Among, k: int, layout: Layout) -> Lists | None:
    """The first ``k`` of remembered lists, if they are long enough or hold everybody."""
    if found is None:
        return None
    everybody = layout.classes if among is Among.CLASSES else layout.count
    return _first(Lists(*found), k) if min(k, everybody) <= found[0].shape[1] else None


def _first(lists: Lists, k: int) -> Lists:
    """The first ``k`` of longer lists: what a walk for ``k`` finds, in arrays that the caller may write to."""
    return Lists(lists.rows[:, :k].copy(), lists.values[:, :k].copy(), lists.largest.copy())


def _holding(layout: Layout, members: tuple[np.ndarray, np.ndarray]) -> list[int]:
    """The blocks with a class that holds any of these members (queries, or gallery images)."""
    offsets, _ = members
    return [i for i, block in enumerate(layout.blocks) if offsets[block.start] < offsets[block.stop]]


def _any_between(numbers: np.ndarray, block: slice) -> bool:
    """Whether any of the ascending numbers is in a block."""
    first, last = np.searchsorted(numbers, (block.start, block.stop))
    return bool(first < last)


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
    else:  # only what the tile's own classes hold, because it may have to go to a device
        sides = [(row_offsets, targets), (column_offsets, column_members)]
        own = [(ends - ends[0], images[ends[0] : ends[-1]]) for ends, images in sides]
        there = [arrays.beside(part, tile) for side in own for part in side]
        kernels.of(tile).tiles.scatter(tile, *there, out)
