"""Whether neighbours are found sooner by whole numbers (:mod:`.pruned`) than by a walk over float32 tiles.

A few rows are compared with everybody. How many distances lie so near the k-th that whole numbers could not tell
them apart says how many candidates there will be, and what these cost. Costs are counted in multiplications of
float32 on one core, as measured. Only the features decide, so that every run decides alike.
"""

from math import log

import numpy as np

from postproc import kernels
from postproc.base import machine
from postproc.base.vocabulary import Array
from postproc.pairs import exact, pruned, remembered
from postproc.pairs.layout import Layout
from postproc.pairs.rows import Rows, rows_in
from postproc.pairs.tiles import Tiles

FEWEST, NARROWEST = 6000, 256  # classes and values below which nothing can be won
LONGEST = remembered.DEPTHS[-1]  # neighbours
ROWS, SAMPLE = 32, 240  # rows that are compared with all, and rows of which it is known what they lose
TILE = 300.0  # what a pair costs on a walk beside its product
WHOLE, SQUARES = 0.28, 0.20  # a product of whole numbers over one of float32, comparisons included; by AMX
ROW = 160.0  # what makes whole numbers of a value, and finds first limits
HIT = 3150.0  # what becomes of a pair that is not ruled out
SETTLED = 15.0  # a value of a candidate, which comes from memory
CROWDED = 0.28  # of a product of all, where so many rows have too many candidates
OFFERED = 2650.0  # what becomes of a pair where one of its rows alone is looked at
IN_FULL = 13.0  # a value of a bank that is compared with one row
BLOCK = 1024  # rows that those are compared with at a time
AGAIN = 4.0  # rows like these that one counts for which is certain to be compared with everybody
MARGIN = 0.8  # of the cost of a walk, above which nothing is risked


def worth(tiles: Tiles, k: int) -> Rows | None:
    """The rows of these tiles, where it pays to compare them as whole numbers, or None."""
    if tiles.layout.classes < FEWEST or k > LONGEST:
        return None
    rows = tiles.all_rows
    return rows if rows is not None and pays(rows, tiles.layout, k) else None


def pays(rows: Rows, layout: Layout, k: int) -> bool:
    """As :func:`worth` for the rows of a layout, where the processor has the instruction.

    The answer is that for the depth of ``k`` (:func:`.remembered.depth`): up to there longer lists begin as
    shorter ones, to the bit.
    """
    n, k = layout.classes, remembered.depth(k)
    if n < FEWEST or k > LONGEST or not NARROWEST <= rows.width <= kernels.of(layout.like).int8.WIDEST:
        return False
    most = MARGIN * walk(n, rows.width)
    across = layout.nq * layout.ng / n * rows.width * (1 - layout.one_set)  # a walk has these distances on its way
    if across + costs(n, rows.width, k, k + 8, 0.0) > most:
        return False
    settled, candidates, crowded = look(rows, k)
    return across + costs(n, rows.width, settled, candidates, crowded) <= most


def walk(n: int, width: int) -> float:
    """What a row costs on a walk over tiles, in multiplications."""
    return n / 2 * (width + TILE)


def costs(n: int, width: int, settled: float, candidates: float, crowded: float) -> float:
    """What a row costs, in multiplications, by its candidates and the share of rows that have too many."""
    hits = candidates * (1 + max(0.0, log(n / pruned.scouts(n)))) / 0.8
    product = n * width * (_whole() + CROWDED * crowded)
    return product + width * (ROW + SETTLED * settled) + HIT * hits


def _whole() -> float:
    return SQUARES if machine.amx() else WHOLE


def pays_one_sided(images: np.ndarray, bank: np.ndarray, k: int, room: int) -> bool:
    """Whether the ``k`` nearest of a bank are found sooner by whole numbers (:mod:`.one_sided`), whose rows have
    ``room`` for candidates; as :func:`pays`."""
    n, (m, width) = len(images), bank.shape
    if m < FEWEST or n < ROWS or not NARROWEST <= width <= kernels.of(bank).int8.WIDEST:
        return False
    return one_sided_ratio(images, bank, k, room) <= MARGIN


def one_sided_ratio(images: np.ndarray, bank: np.ndarray, k: int, room: int) -> float:
    """The cost of that over the cost of a walk."""
    n, (m, width) = len(images), bank.shape
    rows = rows_in([bank])
    left = images[np.linspace(0, n - 1, ROWS).astype(np.int64)] - rows.mean
    settled, candidates = _near(_distances(left, rows), k, _slack(rows))
    crowded = float((settled > room / 2).mean())
    offered = float(candidates.mean()) * (1 + log(m / k))
    product = m * width * (_whole() + IN_FULL * crowded)
    search = product + width * (ROW * (1 + m / n) + SETTLED * float(settled.mean())) + OFFERED * offered
    return search / (m * (width + TILE))


def look(rows: Rows, k: int) -> tuple[float, float, float]:
    """How many candidates a row will have to settle and to hold for its ``k`` nearest, and how many rows will have
    too many: means."""
    u = _slack(rows)
    some = np.linspace(0, rows.count - 1, ROWS).astype(np.int64)
    apart = _distances(rows.moved(some, rows.mean), rows)
    distances = apart + rows.added(some)
    certain, near = _near(distances, k, u)
    far = (distances >= distances.max(axis=1, keepdims=True) - 4 * u).sum(axis=1)
    crowded = (certain >= pruned.near_room(k) // 2) | (far > pruned.FAR_ROOM // 2 * 1.5)
    again = distances[np.arange(len(some)), apart.argmax(axis=1)] == -np.inf  # the farthest counts as one with it
    share = float(crowded.mean()) + AGAIN * float(again.mean())
    return float((certain + far).mean()), float((near + far).mean()), share


def _slack(rows: Rows) -> float:
    """What bounds are off by in the mean."""
    return float(pruned.sample(rows, np.linspace(0, rows.count - 1, SAMPLE).astype(np.int64)).mean())


def _near(distances: np.ndarray, k: int, u: float) -> tuple[np.ndarray, np.ndarray]:
    """How many distances a row will have to settle to know its ``k`` nearest, and how many to hold."""
    kth = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    certain, near = ((distances <= kth + width * u).sum(axis=1) for width in (4, 8))
    return certain, near


def _distances(left: np.ndarray, rows: Rows) -> np.ndarray:
    """Squared distances of some rows without the common part from all, but for their own squared lengths."""
    kernel, mean = kernels.of(rows.mean), rows.mean
    distances = np.empty((len(left), rows.count), np.float32)
    lengths = np.einsum("ij,ij->i", left, left)
    common = mean.astype(np.float64)  # in which no sum of squares is too large
    moved = float(common @ common) > exact.COMMON * float(lengths.mean(dtype=np.float64))
    some = left if moved else left + mean  # with a small common part all may stay as they are
    own = np.einsum("ij,ij->i", some, some) - lengths

    def compare(block: tuple[Array, int, int]) -> None:
        side, start, at = block
        right = np.asarray(side[start : start + BLOCK])
        right = right - mean if moved else right
        part = np.empty((len(right), len(some)), np.float32)  # few columns are multiplied sooner than few rows
        kernel.tiles.multiply(right, some, part)
        part *= -2
        part += np.einsum("ij,ij->i", right, right)[:, None]
        part += own
        distances[:, at : at + len(right)] = part.T

    sides = [(rows.first, 0), (rows.second, rows.border)][: 1 if rows.second is rows.first else 2]
    blocks = [(side, start, offset + start) for side, offset in sides for start in range(0, len(side), BLOCK)]
    kernel.walk.run(compare, blocks, what="forecast")
    return distances
