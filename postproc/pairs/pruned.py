"""Neighbours of all by a product in int8 that rules nearly every pair out; what is left is settled in float32.

The same lists as a walk over float32 tiles finds, up to its rounding, in about half of the time. Nothing but the
features and ``k`` decides a bit of them: who is in a list, and in which order, is decided by distances of one kind
(:mod:`postproc.kernels.cpu.settling`), whatever was ruled out before. The bounds are derived in
:mod:`postproc.kernels.reference.int8`.

1. Rows lose a common part, are turned so that their values are alike, and become whole numbers with a step a row.
2. Products of these, upper triangle of tiles; a pair that the limits of its two rows do not rule out becomes a
   candidate of either row, near or far.
3. Distances of candidates, the likeliest first, until no other can get in. Rows whose candidates had no room (few)
   are compared with everybody.

Memory: a byte a value of the features, and about 1.5 kB a row. Features that stay on disk are on disk as float32
meanwhile.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from postproc import kernels
from postproc.base import machine
from postproc.pairs.pairwise import read_only
from postproc.pairs.rows import Rows

FAR_ROOM = 96  # candidates that a row has room for
BLOCK = 1 << 20  # bytes of a block of panels: two of them stay in the cache
HITS = 1 << 15  # pairs that a thread collects before it offers them
AMONG = 8  # a first limit leaves room for about so many times k rows, and for so many of the few, 6 at least
SINGLE = 8  # rows at most that are compared with everybody one by one
STRIP = 256  # rows that are compared with everybody at a time
CANDIDATES = 1760  # bytes a row, with limits
OTHER = 384  # bytes a row of lengths and bounds, as measured
ULP = 2.0**-24


@dataclass(frozen=True)
class Numbers:
    """All rows as whole numbers, and what bounds their distances: see :func:`postproc.kernels.cpu.int8.narrow`."""

    packed: np.ndarray  # (panels, wide / 4, PANEL, 4) int8
    begin: np.ndarray  # (panels * PANEL,) int32
    limits: np.ndarray  # (9, panels * PANEL) float32
    ratio: float  # of what is lost to what there is, by which bounds are divided between two rows


def fill(rows: Rows, values: np.ndarray, names: np.ndarray, largest: np.ndarray) -> None:
    """The nearest of every row into ``values`` and ``names`` (n, k), in any order, and the distance of the
    farthest. Without the instruction every row is compared with everybody: the same bits, later."""
    rows = rows.in_rows
    if machine.int8():
        lengths, unsure = _by_candidates(rows, values, names, largest)
    else:
        lengths, unsure = quantised(rows)[1], np.arange(rows.count)
    _in_full(rows, lengths, unsure, values, names, largest)


def from_distances(
    rows: Rows,
    distances: np.ndarray,
    lengths: np.ndarray,
    values: np.ndarray,
    names: np.ndarray,
    largest: np.ndarray,
) -> None:
    """As :func:`fill`, where all ``distances`` (n, n) are known to the rounding of a product.

    ``lengths`` (n,): of the rows that were multiplied, squared.
    """
    kernel = kernels.of(values)
    everybody, rows = np.arange(rows.count), rows.in_rows
    marks, mates, lengths = _marks(rows), rows.mates, _sizes(rows, lengths)

    def settle(start: int, stop: int) -> None:
        some = everybody[start:stop]
        kernel.settling.settle_in_full(
            rows.first, rows.second, rows.border, marks, distances[start:stop], lengths, _room(rows), mates,
            rows.own, some, 0, len(some), values, names, largest,
        )  # fmt: skip

    kernel.walk.over_rows(settle, rows.count, what="neighbours")


def _marks(rows: Rows) -> np.ndarray:
    """Limits that say nothing but to which pairs something is added."""
    limits = np.full((9, rows.count), np.nan, np.float32)
    rows.mark(limits)
    return limits


def _sizes(rows: Rows, lengths: np.ndarray) -> np.ndarray:
    """(n,) float32 how large the parts of a row's distances are, of which rounding is a share."""
    sizes = lengths.astype(np.float32) + np.float32(rows.more)
    return sizes if rows.usual is None else sizes + abs(rows.usual)


def _room(rows: Rows) -> np.float32:
    """What a product, and what is added to it, may be off by, over the lengths of both its rows."""
    return np.float32((1.1 * rows.width + 512) * ULP)


def _by_candidates(
    rows: Rows, values: np.ndarray, names: np.ndarray, largest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`fill`; all squared lengths, and which rows it could not be sure of."""
    kernel = kernels.of(values)
    n, k = values.shape
    numbers, square, _ = quantised(rows)
    order = _limit(numbers, rows, k)
    near, far = _candidates(n, near_room(k)), _candidates(n, FAR_ROOM)
    _narrow(numbers, np.full((n, k), np.inf, np.float32), (*near, *far))
    unsure, mates = np.zeros(n, np.bool_), rows.mates

    def settle(start: int, stop: int) -> None:
        kernel.settling.settle(
            rows.first, rows.second, rows.border, numbers.limits, *near, *far, mates, rows.own, order, start, stop,
            values, names, largest, unsure,
        )  # fmt: skip

    kernel.walk.over_rows(settle, n, what="neighbours")
    return square, np.flatnonzero(unsure)


def bytes_of_row(width: int, k: int, threads: int) -> int:
    """What :func:`fill` holds a row: numbers and candidates, after them strips of distances."""
    return max(_wide(width) + 8 * (near_room(k) + FAR_ROOM) + 4 * k + OTHER, threads * 4 * STRIP)


def near_room(k: int) -> int:
    """How many near candidates a row has room for."""
    return 32 * -(-max(96, 3 * k) // 32)


def _candidates(n: int, room: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pairs = np.empty((n, room, 2), np.float32)
    return pairs, pairs.view(np.int32), np.zeros(n, np.int32)


def sample(rows: Rows, some: np.ndarray) -> np.ndarray:
    """The :func:`slacks` of some rows."""
    few = Rows(read_only(rows.moved(some, None)), read_only(rows.moved(some[:0], None)), rows.mean)
    return quantised(few)[2]


def quantised(rows: Rows, ratio: float | None = None) -> tuple[Numbers, np.ndarray, np.ndarray]:
    """Whole numbers of all rows, their squared lengths without the common part, and their slacks.

    ``ratio``: of rows that they are compared with; None: their own.
    """
    kernel = kernels.of(rows.first).int8
    n, wide = rows.count, _wide(rows.width)
    panels = -(-n // kernel.PANEL)
    packed = np.zeros((panels, wide // 4, kernel.PANEL, 4), np.int8)
    begin, limits = (
        np.zeros(panels * kernel.PANEL, np.int32),
        np.full((9, panels * kernel.PANEL), np.nan, np.float32),
    )
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), rows.width)
    square, lost = np.empty(n), np.empty(n)

    def quantise(start: int, stop: int) -> None:
        kernel.quantise(
            rows.first, rows.second, rows.border, rows.mean, signs, wide & -wide, start, stop, packed, begin,
            limits[1], square, lost,
        )  # fmt: skip

    kernels.of(rows.first).walk.over_rows(quantise, n, what="whole numbers", block=kernel.PANEL * 4)
    slack, ratio = slacks(square, lost, rows.width, wide, ratio)
    usual = np.zeros(n) if rows.usual is None else rows.usual.astype(np.float64)
    slack += (8 * rows.more + 32 * abs(usual)) * ULP
    limits[0, :n] = square + usual - 2 * slack
    limits[2, :n] = 4 * slack
    limits[3, :n], limits[4, :n] = np.inf, -np.inf
    rows.mark(limits)
    return Numbers(packed, begin, limits, ratio), square, slack


def _wide(width: int) -> int:
    """Values of a row of whole numbers."""
    unit = 256 if width >= 1024 else 64
    return -(-width // unit) * unit


def _limit(numbers: Numbers, rows: Rows, k: int) -> np.ndarray:
    """First limits of all rows: by some rows, so that few pairs become candidates from the beginning.

    Returned is an order of all rows in which those come together that are near the same one, and so, mostly, have
    the same candidates.
    """
    kernel, n = kernels.of(numbers.limits), rows.count
    panel = kernel.int8.PANEL
    some = np.linspace(0, n - 1, min(scouts(n), n) // panel * panel).astype(np.int64)
    if not len(some):
        return np.arange(n)
    few, limits = some_of(numbers, some)
    nearest, farthest = np.zeros((2, numbers.limits.shape[1]), np.int32)
    rank = min(k, max(6, -(-AMONG * k * len(some) // n)))

    def find(start: int, stop: int) -> None:
        kernel.int8.first_limits(
            numbers.packed, numbers.begin, numbers.limits, few, limits, rank, start, stop,
            kernel.int8.room_of(few), nearest, farthest,
        )  # fmt: skip
        start, stop = start * panel, min(stop * panel, n)
        kernel.settling.raise_far(
            rows.first, rows.second, rows.border, some, farthest, numbers.limits, start, stop
        )

    kernel.walk.over_rows(find, len(numbers.packed), what="limits")
    return np.argsort(nearest[:n], kind="stable")


def some_of(numbers: Numbers, some: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Some rows, whole panels of them, as :func:`postproc.kernels.cpu.int8.first_limits` wants those that others
    are compared with."""
    panel = numbers.packed.shape[2]
    packed = numbers.packed[some // panel, :, some % panel].reshape(-1, panel, *numbers.packed.shape[1::2])
    limits = np.ascontiguousarray(numbers.limits[:, some])
    limits[0] += limits[2]
    limits[2:5] = -limits[2], np.full(len(some), -np.inf), np.full(len(some), np.inf)
    return np.ascontiguousarray(packed.swapaxes(1, 2)), limits


def scouts(n: int) -> int:
    """How many of so many rows give first limits."""
    return min(960, max(240, n // 40))


def slacks(
    square: np.ndarray, lost: np.ndarray, width: int, wide: int, ratio: float | None = None
) -> tuple[np.ndarray, float]:
    """(n,) float64 u: distances are within ``2 u[i] + 2 u[j]`` of those of the whole numbers, rounding
    included; and the ratio by which they were divided, that of these rows if there is none."""
    length = np.sqrt(square)
    stages = 2 * max(0, int(np.log2(wide & -wide)) - 4)
    turning = (3.1 * stages + 2) * ULP
    lost = lost * (1 + 2.0**-30) + turning * length
    if ratio is None:
        ratio = float(max(lost.mean(), 1e-30) / max(length.mean(), 1e-30))
    long = (length * (1 + turning) + lost) ** 2
    slack = (lost**2 / ratio + long * ratio + lost**2) / 2
    return slack + (1.1 * turning + (width / 32 + 100) * ULP) * long + 2.0**-110, ratio


def _narrow(numbers: Numbers, best: np.ndarray, candidates: tuple[np.ndarray, ...]) -> None:
    """Collect the candidates of all rows."""
    kernel = kernels.of(numbers.limits)
    panels = len(numbers.packed)
    each = max(4, min(12, BLOCK // numbers.packed[0].nbytes))
    blocks = [(a, min(a + each, panels)) for a in range(0, panels, each)]
    locks = [threading.Lock() for _ in blocks]
    free: list[tuple[np.ndarray, ...]] = []

    def visit(pair: tuple[int, int]) -> None:
        i, j = pair
        try:
            hits = free.pop()
        except IndexError:
            hits = np.empty(HITS, np.float32), np.empty(HITS, np.int32), np.empty(HITS, np.int32)
        room = kernel.int8.room_of(numbers.packed)
        at, last = 0, (blocks[i][1] - blocks[i][0]) * (blocks[j][1] - blocks[j][0]) * kernel.int8.GROUPS
        while at < last:
            at, count = kernel.int8.narrow(
                numbers.packed, numbers.begin, numbers.limits, blocks[i], blocks[j], i == j, at, room, *hits
            )
            with locks[i]:
                if i == j:
                    kernel.candidates.take(*hits, count, numbers.limits, best, *candidates)
                    continue
                with locks[j]:
                    kernel.candidates.take(*hits, count, numbers.limits, best, *candidates)
        free.append(hits)

    kernel.walk.run(visit, list(_visits(len(blocks))), what="neighbours", bytes_each=12 * HITS)


def _visits(count: int) -> Iterator[tuple[int, int]]:
    """The upper triangle by diagonals."""
    for away in range(count):
        for i in range(count - away):
            yield i, i + away


def _in_full(
    rows: Rows, lengths: np.ndarray, some: np.ndarray, values: np.ndarray, names: np.ndarray, largest: np.ndarray
) -> None:
    """Settle ``some`` rows by their distances from all; ``lengths`` (n,) of all, squared."""
    if not len(some):
        return
    if len(some) <= SINGLE:
        _one_by_one(rows, some, values, names, largest)
        return
    kernel = kernels.of(values)
    room = _room(rows)
    blocks = [np.arange(a, min(a + 1024, rows.count)) for a in range(0, rows.count, 1024)]
    marks, mates, apart = _marks(rows), rows.mates, _sizes(rows, lengths)
    lengths = lengths.astype(np.float32)

    def settle(start: int) -> None:
        these = some[start : start + STRIP]
        left = rows.moved(these, rows.mean)
        strip = np.empty((len(these), rows.count), np.float32)
        for block in blocks:
            strip[:, block[0] : block[-1] + 1] = left @ rows.moved(block, rows.mean).T
        kernel.tiles.products_to_distances(strip, lengths[these], lengths, True)
        strip += rows.added(these)
        kernel.settling.settle_in_full(
            rows.first, rows.second, rows.border, marks, strip, apart, room, mates, rows.own,
            these, 0, len(these), values, names, largest,
        )  # fmt: skip

    kernel.walk.run(settle, range(0, len(some), STRIP), what="neighbours", bytes_each=4 * STRIP * rows.count)


def _one_by_one(rows: Rows, some: np.ndarray, values: np.ndarray, names: np.ndarray, largest: np.ndarray) -> None:
    """As :func:`_in_full` for so few rows that a product would not pay: nothing is known, all are compared."""
    kernel, marks, mates = kernels.of(values), _marks(rows), rows.mates
    nothing = np.zeros((1, rows.count), np.float32)

    def settle(at: int) -> None:
        these = some[at : at + 1]
        kernel.settling.settle_in_full(
            rows.first, rows.second, rows.border, marks, nothing, nothing[0], np.float32(0), mates,
            rows.own, these, 0, 1, values, names, largest,
        )  # fmt: skip

    kernel.walk.run(settle, range(len(some)), what="neighbours")
