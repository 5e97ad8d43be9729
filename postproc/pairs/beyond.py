"""The nearest of all images and the nearest of other cameras, the second read off the first where these are long.

One kind of list is found sooner than two (:mod:`.pruned` finds one only), and of the nearest images a few are as a
rule of other cameras. Whether that is so is looked at in some rows; images whose lists hold too few are compared
with everybody. Only the features and cameras decide.
"""

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.vocabulary import Array
from postproc.pairs import answering, forecast, from_lists, nearest, remembered
from postproc.pairs.layout import Layout
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import Buffers, Lists, PairwiseTiles, Tiles

LONG = 32  # entries of a list, where fewer are wanted and would not do
SLICES, ROWS = 4, 32  # rows that are looked at, some that follow each other in each of so many places
LACKING = 0.02  # the share of rows with too few from which on both kinds are walked for


def of_all_and_others(tiles: Tiles, everybody: Pairwise, *, every: int, other: int) -> tuple[Lists, Lists]:
    """As :func:`nearest.of_all_and_others`; ``everybody``: the same distances of all images as one set."""
    layout = tiles.layout
    alone = tiles.known is not None or remembered.current() is not None or arrays.on_cuda(layout.like)
    if alone or tiles.cameras is None or layout.classes < forecast.FEWEST:
        return nearest.of_all_and_others(tiles, every=every, other=other)
    lengths = [min(max(every, length), layout.classes) for length in (every, LONG)]
    lacking = _lacking(tiles, tiles.cameras, lengths, other)
    if lacking[-1] > LACKING:
        return nearest.of_all_and_others(tiles, every=every, other=other)
    length = lengths[-1] if lacking[0] else lengths[0]  # the longer, the more pairs have to be looked at
    longer = nearest.of_all(tiles, length)
    across = from_lists.of_cameras(longer, layout, tiles.cameras, other, same=False, whole=False)
    _complete(across, everybody, tiles.cameras[layout.inverse], layout)
    return Lists(longer.rows[:, :every].copy(), longer.values[:, :every].copy(), longer.largest), across


def _lacking(tiles: Tiles, cameras: Array, lengths: list[int], other: int) -> list[float]:
    """The share of some classes that have fewer than ``other`` of other cameras among so many nearest, a share a
    length."""
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    blocks = layout.blocks
    places = [blocks[at] for at in np.unique(np.linspace(0, len(blocks) - 1, SLICES).astype(np.int64))]
    some = [slice(block.start, min(block.start + ROWS, block.stop)) for block in places]
    borders = np.cumsum([0, *(part.stop - part.start for part in some)])
    far = np.empty((borders[-1], layout.classes), np.float32)

    def look(columns: slice) -> None:
        with buffers.lend() as buffer:
            for part, first, last in zip(some, borders, borders[1:], strict=False):
                far[first:last, columns] = tiles.tile(part, columns, buffer)

    kernels.of(far).walk.run(look, blocks, what="other cameras", bytes_each=buffers.bytes)
    beyond = np.concatenate([cameras[part] for part in some])[:, None] != cameras
    wanted = np.minimum(other, beyond.sum(axis=1))
    shares = []
    for length in lengths:
        limits = np.partition(far, length - 1, axis=1)[:, length - 1 : length]
        shares.append(float((((far <= limits) & beyond).sum(axis=1) < wanted).mean()))
    return shares


def _complete(across: Lists, everybody: Pairwise, cameras: Array, layout: Layout) -> None:
    """Find what lists of other cameras lack although there is more; ``cameras`` are those of all images."""
    k = across.rows.shape[1]
    _, number, counts = np.unique(cameras, return_inverse=True, return_counts=True)
    there = np.minimum(k, layout.count - counts[number])
    lacking = np.flatnonzero((across.rows >= 0).sum(axis=1) < there)
    if not len(lacking):
        return

    def search(strip: np.ndarray, numbers: np.ndarray) -> None:
        images = lacking[numbers]
        strip[cameras[images, None] == cameras] = np.inf
        found = answering.smallest(strip, k)
        across.rows[images], across.values[images] = found.rows, found.distances

    answering.strips(PairwiseTiles(everybody.of_gallery(lacking)), search, what="other cameras")
