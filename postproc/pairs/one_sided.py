"""The nearest of a bank for other images, by a product in int8 that rules nearly every pair out (:mod:`.pruned`).

Where it pays, which a few images say that are compared with everybody. Distances in lists are of one kind
(:mod:`postproc.kernels.cpu.settling`), who is in them by these: the same as a product in float32 finds, up to its
rounding.
"""

import numpy as np

from postproc import kernels
from postproc.base import arrays, machine
from postproc.base.vocabulary import NOBODY, Nearest
from postproc.pairs import forecast, nearest, pruned
from postproc.pairs.pairwise import read_only, sqeuclidean
from postproc.pairs.tiles import PairwiseTiles

ROOM = 10  # candidates that a row has room for, times k
ROWS = 12  # panels of rows, and of the bank, that are multiplied with each other while they are in the cache


def of_images(images: np.ndarray, bank: np.ndarray, k: int, known: np.ndarray | None = None) -> Nearest:
    """The ``k`` nearest of a ``bank`` (m, d) for ``images`` (n, d), ties by row, by squared Euclidean distance.

    ``known`` (n, k) int32: rows of the bank that are probably near, so that the others are sooner ruled out.
    Memory: a byte a value of both, and some megabytes a thread.
    """
    k = min(k, len(bank))
    if arrays.on_cuda(bank) or not machine.int8() or not forecast.pays_one_sided(images, bank, k, room_of(k)):
        return nearest.of_queries(PairwiseTiles(sqeuclidean(images, bank)), k)
    return search(images, bank, k, known)


def room_of(k: int) -> int:
    """How many candidates a row has room for."""
    return max(128, ROOM * k)


def search(images: np.ndarray, bank: np.ndarray, k: int, known: np.ndarray | None = None) -> Nearest:
    """As :func:`of_images`, whether it pays or not, where the processor has the instruction."""
    kernel = kernels.of(bank).one_sided
    images, bank = (read_only(arrays.contiguous(part)) for part in (images, bank))
    mean = pruned.rows_in([bank]).mean
    there, _, _ = pruned.quantised(pruned.Rows(bank, bank, mean))
    own, _, _ = pruned.quantised(pruned.Rows(images, images, mean), there.ratio)
    there.limits[3], there.limits[4], own.limits[4] = -np.inf, np.inf, np.inf
    n, panel = len(images), kernel.PANEL
    values, rows = np.full((n, k), np.inf, np.float32), np.full((n, k), NOBODY, np.int32)
    unsure = np.zeros(n, np.bool_)
    near = None if known is None or (known < 0).any() else np.ascontiguousarray(known)

    def find(first: int) -> None:
        last = min(first + ROWS, len(own.packed))
        pairs = np.empty(((last - first) * panel, room_of(k), 2), np.float32)
        names, counts = pairs.view(np.int32), np.zeros(len(pairs), np.int64)
        start, stop = first * panel, min(last * panel, n)
        if near is not None:
            kernel.begin_with(images, bank, near, start, stop, values, rows, own.limits)
        kernel.collect(
            own.packed, own.begin, own.limits, there.packed, there.limits, first, last, k, ROWS,
            kernels.of(bank).int8.room_of(own.packed), pairs, names, counts,
        )  # fmt: skip
        kernel.settle(images, bank, own.limits, pairs, names, counts, start, start, stop, values, rows, unsure)

    task = 8 * ROWS * panel * room_of(k)
    kernels.of(bank).walk.run(find, range(0, len(own.packed), ROWS), what="neighbours", bytes_each=task)
    some = np.flatnonzero(unsure)
    kernels.of(bank).walk.over_rows(
        lambda start, stop: kernel.settle_in_full(images, bank, some, start, stop, values, rows),
        len(some),
        what="neighbours",
        block=4,
    )
    return Nearest(values, rows)
