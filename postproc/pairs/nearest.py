"""Neighbours of everybody: one walk over the tiles, or whole numbers, or lists that somebody has already.

In one set each image is in the lists of neighbours once, itself among them. What is done with distances of queries
and gallery is in :mod:`postproc.pairs.answering`.
"""

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from enum import StrEnum
from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.vocabulary import NOBODY, Nearest
from postproc.pairs import answering, forecast, from_lists, pruned, remembered
from postproc.pairs.layout import Layout
from postproc.pairs.long_lists import LONG, waiting_beside
from postproc.pairs.rows import Rows
from postproc.pairs.tiles import Buffers, Lists, PairwiseTiles, Tiles


class Among(StrEnum):
    """Among whom the neighbours of an image are looked for."""

    ALL = "all images"
    SAME_CAMERA = "images of its camera"
    OTHER_CAMERAS = "images of other cameras"
    OWN_SIDE = "queries of a query, gallery images of a gallery image"
    OTHER_SIDE = "gallery images of a query, queries of a gallery image"
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


def of_sides(tiles: Tiles, *, own: int, other: int) -> tuple[Lists, Lists]:
    """The ``own`` nearest of every image on its side, itself included, and the ``other`` nearest on the other one.

    For tiles in which no class has images of both sides.
    """
    within, across = _lists(tiles, [(Among.OWN_SIDE, own), (Among.OTHER_SIDE, other)], None)
    return within, across


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


def of_rows(rows: Rows, k: int) -> Lists:
    """The ``k`` nearest of these rows, or all there are, by whole numbers: the same bits in any company."""
    layout = _alone(rows)
    near = _Near(layout, k, None, Among.CLASSES)
    pruned.fill(rows, near.values, near.rows, near.largest)
    return near.lists(layout)


def _alone(rows: Rows) -> Layout:
    """Each of these rows a class of its own."""
    own = np.arange(rows.count, dtype=np.int32)
    return Layout(0, len(own), own, own)


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
    return answering.answer(tiles, lambda strip, queries: None, top_k=k)  # type: ignore[return-value]


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
        if self.among not in (Among.ALL, Among.CLASSES):
            rows[arrays.namespace(values).isinf(values)] = -1
        return Lists(rows, values, largest)


def _lists(tiles: Tiles, wanted: Sequence[tuple[Among, int]], answer: np.ndarray | None) -> list[Lists]:
    """For every (among whom, k) of ``wanted`` the lists, remembered ones where there are such or one walk."""
    if tiles.known is not None:
        if answer is not None:
            answering.everything(tiles, answer)
        return [_given(tiles, tiles.known, among, k) for among, k in wanted]
    store, key = answering.in_store(tiles)
    if store is None:
        return _walked(tiles, wanted, answer)
    known = [_known(store.get((key, among)), among, k, tiles.layout) for among, k in wanted]
    distances = None if answer is None else store.get((key, answering.DISTANCES))
    if any(lists is None for lists in known) or (answer is not None and distances is None):
        whole = answer if answer is not None else answering.room(store, tiles.layout)
        longer = _walked(tiles, [(among, remembered.depth(k)) for among, k in wanted], whole)
        for (among, _), found in zip(wanted, longer, strict=True):
            remembered.keep(store, (key, among), (found.rows, found.values, found.largest))
        if whole is not None:
            remembered.keep(store, (key, answering.DISTANCES), (whole if answer is None else whole.copy(),))
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
    if near[0].among is Among.OWN_SIDE:
        own, other = near
        if not _pruned_inside(tiles, own, None):
            _walk(tiles, [own], None, _visits_of(tiles, Among.OWN_SIDE))
        _walk(tiles, [other], answer, _visits_of(tiles, Among.OTHER_SIDE))
    elif not _pruned(tiles, near, answer):
        _walk(tiles, near, answer)
    return [each.lists(tiles.layout) for each in near]


def _pruned(tiles: Tiles, wanted: Sequence[_Near], answer: np.ndarray | None) -> bool:
    """Do as :func:`_walk` by whole numbers (:mod:`postproc.pairs.pruned`), where that is possible and faster."""
    if len(wanted) != 1 or wanted[0].among not in (Among.ALL, Among.CLASSES):
        return False
    near = wanted[0]
    rows = forecast.worth(tiles, near.k)
    if rows is None:
        return tiles.all_rows is None and _pruned_inside(tiles, near, answer)
    found = near.values, near.rows, near.largest
    if answer is not None and tiles.layout.one_set:
        _walk(tiles, [], answer)  # of each pair once
        if isinstance(tiles, PairwiseTiles) and tiles.layout.distinct:  # then who is near can be read off
            pruned.from_distances(rows, answer, tiles.norms, *found)
            return True
    elif answer is not None:
        answering.everything(tiles, answer)
    pruned.fill(rows, *found)
    return True


def _pruned_inside(tiles: Tiles, near: _Near, answer: np.ndarray | None) -> bool:
    """The same inside the gallery; a walk has the rest."""
    layout = tiles.layout
    rows = tiles.inside if layout.classes >= forecast.FEWEST else None
    if rows is None or not forecast.pays(rows, _alone(rows), near.k):
        return False
    border = layout.classes - rows.count
    values, names = near.values[border:], near.rows[border:]
    pruned.fill(rows, values, names, near.largest[border:])
    if border:
        names[names != NOBODY] += border
        near.worst[border:] = values.max(axis=1)
        visits = _visits_of(tiles, near.among)
        _walk(tiles, [near], answer, [pair for pair in visits if layout.blocks[min(pair)].start < border])
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
                answering.write(tile, blocks[i], blocks[j], layout, answer)
                if across and (layout.one_set or not layout.distinct):
                    answering.write(arrays.transposed(tile), blocks[j], blocks[i], layout, answer)
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


def _known(found: tuple[np.ndarray, ...] | None, among: Among, k: int, layout: Layout) -> Lists | None:
    """The first ``k`` of remembered lists, if they are long enough or hold everybody."""
    if found is None:
        return None
    everybody = layout.classes if among is Among.CLASSES else layout.count
    return _first(Lists(*found), k) if min(k, everybody) <= found[0].shape[1] else None


def _first(lists: Lists, k: int) -> Lists:
    """The first ``k`` of longer lists: what a walk for ``k`` finds, in arrays that the caller may write to."""
    return Lists(lists.rows[:, :k].copy(), lists.values[:, :k].copy(), lists.largest.copy())


def _visits_of(tiles: Tiles, among: Among) -> list[tuple[int, int]]:
    """The pairs of blocks in which those are of whom an image's neighbours are wanted."""
    layout = tiles.layout
    visits = _visits(len(layout.blocks), tiles.symmetric)
    if among not in (Among.OWN_SIDE, Among.OTHER_SIDE):
        return visits
    gallery = [block.start >= layout.query_classes for block in layout.blocks]
    return [(i, j) for i, j in visits if (gallery[i] == gallery[j]) == (among is Among.OWN_SIDE)]


def _visits(count: int, symmetric: bool) -> list[tuple[int, int]]:
    """Pairs of blocks by diagonals, so that tiles visited together share few rows."""
    if symmetric:
        return [(i, i + away) for away in range(count) for i in range(count - away)]
    return [(i, (i + away) % count) for away in range(count) for i in range(count)]
