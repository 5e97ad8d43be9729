"""The nearest of all images and the nearest of other cameras, the second read off the first where these are long.

One kind of list is found sooner than two (:mod:`.pruned` finds one only), and of 32 nearest images a few are as a
rule of other cameras. Whether that is so is looked at in some rows; images whose lists hold too few are compared
with everybody. Only the features and cameras decide.
"""

import numpy as np

from postproc.base import arrays
from postproc.base.vocabulary import Array
from postproc.pairs import forecast, from_lists, nearest, remembered
from postproc.pairs.layout import Layout
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import Buffers, Lists, PairwiseTiles, Tiles

LONG = 32  # entries of a list, where fewer are wanted
SLICES, ROWS = 8, 32  # rows that are looked at, some that follow each other in each of so many places
LACKING = 0.02  # the share of rows with too few from which on both kinds are walked for


def of_all_and_others(tiles: Tiles, everybody: Pairwise, *, every: int, other: int) -> tuple[Lists, Lists]:
    """As :func:`nearest.of_all_and_others`; ``everybody``: the same distances of all images as one set."""
    layout, length = tiles.layout, max(every, LONG)
    alone = tiles.known is not None or remembered.current() is not None or arrays.on_cuda(layout.like)
    if alone or tiles.cameras is None or layout.classes < forecast.FEWEST:
        return nearest.of_all_and_others(tiles, every=every, other=other)
    if _lacking(tiles, tiles.cameras, length, other) > LACKING:
        return nearest.of_all_and_others(tiles, every=every, other=other)
    longer = nearest.of_all(tiles, length)
    across = from_lists.of_cameras(longer, layout, tiles.cameras, other, same=False, whole=False)
    _complete(across, everybody, tiles.cameras[layout.inverse], layout)
    return Lists(longer.rows[:, :every].copy(), longer.values[:, :every].copy(), longer.largest), across


def _lacking(tiles: Tiles, cameras: Array, length: int, other: int) -> float:
    """The share of some classes that have fewer than ``other`` of other cameras among their nearest."""
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    blocks = layout.blocks
    found = []
    for at in np.unique(np.linspace(0, len(blocks) - 1, SLICES).astype(np.int64)):
        some = slice(blocks[at].start, min(blocks[at].start + ROWS, blocks[at].stop))
        with buffers.lend() as buffer:
            far = np.hstack([tiles.tile(some, columns, buffer).copy() for columns in blocks])
        limits = np.partition(far, length - 1, axis=1)[:, length - 1 : length]
        beyond = cameras[some, None] != cameras
        found.append(((far <= limits) & beyond).sum(axis=1) < np.minimum(other, beyond.sum(axis=1)))
    return float(np.concatenate(found).mean())


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
        found = nearest.smallest(strip, k)
        across.rows[images], across.values[images] = found.rows, found.distances

    nearest.strips(PairwiseTiles(everybody.of_gallery(lacking)), search, what="other cameras")
