"""Mean and standard deviation of the distances from every image to all of one set.

Every two images are looked at once: a tile adds to the sums of its rows and to those of its columns. Tiles add in
one order, whoever has computed them, so that sums have the same bits at any number of threads.
"""

import threading
from typing import NamedTuple

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.pairs.tiles import Buffers, PairwiseTiles


class Added(NamedTuple):
    """What a tile adds to the ``sums`` of some classes."""

    classes: slice
    sums: np.ndarray  # (2, classes) float64: of what distances are off their pivot, and of its square


def of_gallery(tiles: PairwiseTiles, root: bool) -> tuple[np.ndarray, np.ndarray]:
    """(ng,) float64 both, of distances among the gallery, which is the set on both sides; of their square roots if
    ``root``.

    Of one set an image's distance to itself does not count. Of equal distances they are the distance and 0
    exactly: sums are taken of what distances are off a pivot, the distance to the class before.
    """
    layout = tiles.layout
    first, xp = layout.first, arrays.namespace(layout.like)
    copies = arrays.as_type(arrays.beside(np.diff(layout.gallery[0]), layout.like), np.float64)
    pivots = tiles.between(first, np.roll(first, 1))
    if root:
        pivots = xp.sqrt(xp.where(pivots > 0, pivots, xp.zeros_like(pivots)))
    pivots = arrays.as_type(pivots, np.float64)
    sums = _sums(tiles, root, pivots, copies)
    own = copies - float(layout.one_set)  # at distance 0
    count = layout.ng - layout.one_set
    off, square = (sums[0] - own * pivots) / max(count, 1), (sums[1] + own * pivots * pivots) / max(count, 1)
    spread = square - off * off
    means = pivots + off if count else xp.zeros_like(pivots)
    deviations = xp.sqrt(xp.where(spread > 0, spread, xp.zeros_like(spread)))
    gallery = arrays.beside(layout.inverse[layout.border :], layout.like)
    return means[gallery], deviations[gallery]


def _sums(tiles: PairwiseTiles, root: bool, pivots: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """(2, classes) float64: for each class the sums over the distances to all others."""
    layout, buffers = tiles.layout, Buffers(tiles.layout)
    kernel, blocks = kernels.of(layout.like), layout.blocks
    sums = arrays.full((2, layout.classes), 0, np.float64, layout.like)
    pairs = [(i, i + away) for away in range(len(blocks)) for i in range(len(blocks) - away)]
    lock, waiting, turn = threading.Lock(), dict[int, list[Added]](), iter(range(len(pairs)))
    due = next(turn)

    def add(number: int, parts: list[Added]) -> None:
        nonlocal due
        with lock:
            waiting[number] = parts
            while due in waiting:
                for part in waiting.pop(due):
                    sums[:, part.classes] += part.sums
                due = next(turn, -1)

    def visit(number: int) -> None:
        rows, columns = (blocks[at] for at in pairs[number])
        parts = [
            Added(side, arrays.full((2, side.stop - side.start), 0, np.float64, layout.like))
            for side in ([rows] if rows == columns else [rows, columns])
        ]
        with buffers.lend() as buffer:
            kernel.hubness.moments_of_tile(
                tiles.tile(rows, columns, buffer), root,
                pivots[rows], pivots[columns], copies[rows], copies[columns],
                parts[0].sums, parts[-1].sums, rows == columns,
            )  # fmt: skip
        add(number, parts)

    kernel.walk.run(visit, range(len(pairs)), what="moments", bytes_each=buffers.bytes)
    return sums
