"""The nearest of a bank for other images, by a product in int8 that rules nearly every pair out (:mod:`.pruned`).

Where it pays, which a few images say that are compared with everybody. First limits are guessed from some of the
bank, and whose guess was too near is looked for once more. Distances in lists are of one kind
(:mod:`postproc.kernels.cpu.settling`), who is in them by these: the same as a product in float32 finds, up to its
rounding.
"""

import numpy as np

from postproc import kernels
from postproc.base import arrays, machine
from postproc.base.vocabulary import NOBODY, Nearest
from postproc.pairs import forecast, nearest, pruned
from postproc.pairs.pairwise import FeatureTerm, Pairwise, among, read_only, sqeuclidean
from postproc.pairs.rows import Rows, rows_in
from postproc.pairs.tiles import PairwiseTiles

ROOM = 10  # candidates that a row has room for, times k
ROWS = 12  # panels of rows, and of the bank, that are multiplied with each other while they are in the cache
RANK, DEPTH = 12, 2  # a first limit is the RANK-th of some of the bank, of which then some DEPTH k are as near
SOME = 8  # the bank is so many times as large as those, or there are no first limits
AGAIN = 64  # rows, more of which than these are looked for once more if they may lack somebody


def of_images(images: np.ndarray, bank: np.ndarray, k: int, known: np.ndarray | None = None) -> Nearest:
    """The ``k`` nearest of a ``bank`` (m, d) for ``images`` (n, d), ties by row, by squared Euclidean distance.

    ``known`` (n, k) int32: rows of the bank that are probably near, so that the others are sooner ruled out.
    Memory: a byte a value of both, and some megabytes a thread.
    """
    k = min(k, len(bank))
    if pays(images, bank, k):
        return search(images, bank, k, known)
    if images is bank:
        lists = nearest.of_all(PairwiseTiles(among(bank)), k)  # looks at each pair once
        return Nearest(lists.values, lists.rows)
    return nearest.of_queries(PairwiseTiles(sqeuclidean(images, bank)), k)


def of_pairs(pairs: Pairwise, k: int) -> Nearest | None:
    """The same for queries in their gallery, where distances are those of features alone and it pays; or None."""
    match pairs.terms:
        case (FeatureTerm(np.ndarray() as images, np.ndarray() as bank, 1.0),) if pairs.one_track is None:
            k = min(k, len(bank))
            return search(images, bank, k) if pays(images, bank, k) else None
    return None


def pays(images: np.ndarray, bank: np.ndarray, k: int) -> bool:
    """Whether :func:`search` can be done, and is sooner than a walk."""
    return not arrays.on_cuda(bank) and machine.int8() and forecast.pays_one_sided(images, bank, k, room_of(k))


def room_of(k: int) -> int:
    """How many candidates a row has room for."""
    return max(128, ROOM * k)


def search(
    images: np.ndarray, bank: np.ndarray, k: int, known: np.ndarray | None = None, *, limited: bool = True
) -> Nearest:
    """As :func:`of_images`, whether it pays or not, where the processor has the instruction. ``limited``: rows of
    which nothing is known have first limits, by some of the bank."""
    kernel, int8 = kernels.of(bank).one_sided, kernels.of(bank).int8
    images, bank = (read_only(arrays.contiguous(part)) for part in (images, bank))
    mean = rows_in([bank]).mean
    there, _, _ = pruned.quantised(Rows(bank, bank, mean))
    own, _, _ = pruned.quantised(Rows(images, images, mean), there.ratio)
    there.limits[3], there.limits[4], own.limits[4] = -np.inf, np.inf, np.inf
    n, panel = len(images), kernel.PANEL
    values, rows = np.full((n, k), np.inf, np.float32), np.full((n, k), NOBODY, np.int32)
    unsure, beside = np.zeros(n, np.bool_), np.zeros((2, own.limits.shape[1]), np.int32)
    near = None if known is None or (known < 0).any() else np.ascontiguousarray(known)
    some = _some(there, len(bank), k) if limited and near is None else None

    def find(first: int) -> None:
        last, room = min(first + ROWS, len(own.packed)), int8.room_of(own.packed)
        pairs = np.empty(((last - first) * panel, room_of(k), 2), np.float32)
        names, counts = pairs.view(np.int32), np.zeros(len(pairs), np.int64)
        start, stop = first * panel, min(last * panel, n)
        if near is not None:
            kernel.begin_with(images, bank, near, start, stop, values, rows, own.limits)
        elif some is not None:
            int8.first_limits(own.packed, own.begin, own.limits, *some, RANK, first, last, room, *beside)
        kernel.collect(
            own.packed, own.begin, own.limits, there.packed, there.limits, first, last, k, ROWS,
            room, pairs, names, counts,
        )  # fmt: skip
        kernel.settle(images, bank, own.limits, pairs, names, counts, start, start, stop, values, rows, unsure)

    task = 8 * ROWS * panel * room_of(k)
    kernels.of(bank).walk.run(find, range(0, len(own.packed), ROWS), what="neighbours", bytes_each=task)
    left = np.flatnonzero(unsure)
    if some is not None and len(left) > AGAIN:
        again = search(images[left], bank, k, limited=False)
        values[left], rows[left] = again
        return Nearest(values, rows)
    kernels.of(bank).walk.over_rows(
        lambda start, stop: kernel.settle_in_full(images, bank, left, start, stop, values, rows),
        len(left),
        what="neighbours",
        block=4,
    )
    return Nearest(values, rows)


def _some(there: pruned.Numbers, count: int, k: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Some of the ``count`` rows of a bank as :func:`postproc.kernels.cpu.int8.first_limits` takes a few; None
    where these would be many."""
    panel = there.packed.shape[2]
    wanted = -(-RANK * count // (DEPTH * k)) // panel * panel
    if wanted < panel or wanted > count // SOME:
        return None
    return pruned.some_of(there, np.linspace(0, count - 1, wanted).astype(np.int64))
