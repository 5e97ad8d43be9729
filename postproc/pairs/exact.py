"""Where |a|^2 + |b|^2 - 2 a.b would lose what makes the distance: a large common part, and near pairs.

Squared distances come from products, because products are fast. What is left of a difference of large numbers is
rounding. So two rules, which look at the features alone, never at tiles or threads:

1. **Common part.** Where the squared length of the mean of all rows is more than :data:`COMMON` times the mean
   squared distance from it, the mean is taken off every row before the products: distances stay the same.
2. **Near pairs.** Where a squared distance is less than :data:`NEAR` of the sum of both squared lengths, half of
   its bits are lost; it is computed once more, from differences, in float64. Not where all features are of unit
   length: their distances are 2 - 2 cosine, and what is lost is no more than the rounding of 1.

So features of unit length keep their numbers, unless all point one way, and features around the origin but for
near pairs.
"""

from collections.abc import Callable

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.vocabulary import Array
from postproc.pairs.pairwise import read_only

COMMON = 64.0
NEAR = np.float32(2.0**-12)
UNIT = 2.0**-10
SHORTEST = 2.0**-100  # a squared length below has fewer bits than float32 has, or none
LONGEST = float(np.finfo(np.float32).max) / 4
ROWS = 1024  # that are summed at a time


def common_part(parts: list[Array]) -> np.ndarray | None:
    """(d,) float32: the mean of all rows of ``parts`` by rule 1, or None where it is small. O(n d), in float64."""
    return common_part_and_lengths(parts)[0]


def common_part_and_lengths(parts: list[Array]) -> tuple[np.ndarray | None, np.ndarray]:
    """As :func:`common_part`, and the squared lengths (n,) float32 of all rows as they are."""
    total, squares = np.zeros(parts[0].shape[1]), np.empty(sum(map(len, parts)), np.float32)
    start = 0
    for part in parts:
        blocks = list(arrays.blocks(part, ROWS))  # by the rows alone, so that the sum has one order
        found, lengths = np.zeros((len(blocks), len(total))), squares[start : start + len(part)]

        def look(
            at: int,
            part: Array = part,
            blocks: list[slice] = blocks,
            found: np.ndarray = found,
            lengths: np.ndarray = lengths,
        ) -> None:
            _look(part[blocks[at]], found[at], lengths[blocks[at]])

        kernels.of(part[:0]).walk.run(look, range(len(blocks)), what="lengths")
        for sums in found:
            total += sums
        start += len(part)
    mean = total / len(squares)
    common = float(mean @ mean)
    spread = float(squares.sum(dtype=np.float64)) / len(squares) - common
    return mean.astype(np.float32) if common > COMMON * spread else None, squares


def _look(block: Array, sums: np.ndarray, lengths: np.ndarray) -> None:
    """The sum of some rows, in float64, and their squared lengths."""
    if arrays.on_cuda(block) or block.dtype != np.float32:
        wide = arrays.as_type(block, np.float64)
        sums[:], lengths[:] = arrays.host(wide.sum(axis=0)), arrays.host((wide * wide).sum(axis=1))
        return
    ones = np.ones(block.shape[1], np.float32)
    kernels.of(block).rows.square_norms(read_only(arrays.contiguous(block)), ones, 0, len(block), lengths, sums)


def check_lengths(sizes: Array, is_zero: Callable[[], bool]) -> None:
    """Refuse squared lengths (n,) that float32 cannot hold: too large, or all of them too small."""
    xp = arrays.namespace(sizes)
    largest = float(xp.max(xp.abs(sizes))) if len(sizes) else 0.0
    if not largest < LONGEST or (largest < SHORTEST and not is_zero()):
        raise ValueError("features: wanted squared lengths that float32 can hold; normalise them before")


def of_unit_length(sizes: Array) -> bool:
    """Whether all rows with these squared lengths are of length 1, or zero."""
    xp = arrays.namespace(sizes)
    return bool(xp.all((xp.abs(sizes - 1) < UNIT) | (sizes == 0)))


def scale_of(*sides: Array) -> float:
    """A power of two that makes very small features as large as 1; 1 for all others."""
    largest = 0.0
    for side in sides:
        for part in arrays.blocks(side, ROWS):
            largest = max(largest, float(arrays.namespace(side).max(arrays.namespace(side).abs(side[part]))))
    return 1.0 if largest == 0 or largest > 2.0**-40 else 2.0 ** -np.floor(np.log2(largest))
