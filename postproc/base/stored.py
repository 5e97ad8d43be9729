"""Features that are larger than memory: rows of a memory-mapped file, handed out as float32 some at a time.

``np.load("x.npy", mmap_mode="r")`` and ``np.memmap`` give arrays whose numbers stay on disk until somebody looks.
Float16 among them would be read and converted as a whole by whoever wants float32. A step that says
``on_disk=True`` (:mod:`postproc.base.step`) finds a :class:`Stored` in their place, and asks it for some rows at a
time. The numbers are those of ``array.astype(np.float32)``, to the last bit.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np

from postproc.base import arrays
from postproc.base.vocabulary import Unchecked

KINDS = ("float16", "float32")  # of numbers that may stay on disk
NUMBERS = 1 << 19  # of one end of pairs that are in memory at a time
ROWS = 1024  # whose lengths are taken at a time


class Stored:
    """(n, d) float32 that is made when it is asked for: ``x[start:stop]``, ``x[numbers]``.

    source: (m, d) float16 or float32, of a file. numbers: the rows of it, in this order; None: all.
    lengths: (n, 1) float64, what the rows are divided by, or None.
    It is no array, and nothing turns it into one by mistake; ``x[:]`` is all of it, in memory.
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(
        self, source: np.ndarray, numbers: np.ndarray | None = None, lengths: np.ndarray | None = None
    ) -> None:
        self.source, self.numbers, self.lengths = source, numbers, lengths
        self.shape = (len(source) if numbers is None else len(numbers), int(source.shape[1]))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, wanted: Any) -> np.ndarray:
        """Some rows, read-only."""
        rows = self.source[wanted if self.numbers is None else self.numbers[wanted]]
        found = np.ascontiguousarray(rows, np.float32)
        if self.lengths is not None:
            divided = found.astype(np.float64)
            divided /= self.lengths[wanted]  # in place: blocks may be large
            found = divided.astype(np.float32)
        found = found.view()
        found.flags.writeable = False
        return found

    def rows(self, numbers: np.ndarray) -> Stored:
        """Other rows of the same, or the same in another order; nothing is read."""
        chosen = numbers if self.numbers is None else self.numbers[numbers]
        return Stored(self.source, chosen, None if self.lengths is None else self.lengths[numbers])

    def of_unit_length(self) -> Stored:
        """Every row divided by its Euclidean length, as :func:`postproc.l2_normalize` does it; zeros stay."""
        lengths = np.empty((len(self), 1))
        for start in range(0, len(self), ROWS):
            block = self[start : start + ROWS].astype(np.float64)
            lengths[start : start + ROWS] = np.linalg.vector_norm(block, axis=1, keepdims=True)
        lengths[lengths == 0] = 1
        kept = self if self.lengths is None else Stored(self[:])  # of unit length but for rounding, once more
        return Stored(kept.source, kept.numbers, lengths)

    def parts(self) -> list[np.ndarray | None]:
        """The arrays that it is made of, which tell it from any other."""
        return [self.source, self.numbers, self.lengths]


def on_disk(value: Unchecked) -> Any:
    """A memory-mapped matrix of float16 or float32 as :class:`Stored`; anything else as it is."""
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.name not in KINDS or 0 in value.shape:
        return value
    if isinstance(value, np.ma.MaskedArray) or not value.dtype.isnative or not is_mapped(value):
        return value
    return Stored(np.asarray(value))


def is_mapped(value: object) -> bool:
    """Whether the numbers of an array are in a file."""
    while isinstance(value, np.ndarray):
        if isinstance(value, np.memmap):
            return True
        value = value.base
    return isinstance(value, mmap.mmap)


def parts_of(sides: Sequence[Any]) -> list[np.ndarray | None]:
    """Arrays as they are, and what others are made of."""
    return [part for side in sides for part in (side.parts() if isinstance(side, Stored) else [side])]


def gathered(first: Any, second: Any, numbers: np.ndarray) -> np.ndarray:
    """Rows of two matrices one below the other, where either is on disk, as float32."""
    behind = numbers >= len(first)
    out = np.empty((len(numbers), first.shape[1]), np.float32)
    for side, there, border in ((first, ~behind, 0), (second, behind, len(first))):
        if there.any():
            some = arrays.host(side[numbers[there] - border])
            out[there] = some if some.dtype == np.float32 else some.view(np.float32)
    return out


def block_of(*sides: Any) -> int | None:
    """How many pairs of rows to take at a time; None: as many as usual, because nothing is on disk."""
    wide = [side.shape[1] for side in sides if isinstance(side, Stored)]
    return max(64, min(1024, NUMBERS // max(wide))) if wide else None


def pairs_of(
    first: Any, second: Any, left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray, np.ndarray] | None:
    """What a kernel over pairs of rows is handed where any are on disk: rows at both ends, and which are whose.

    None where nothing is on disk.
    """
    if not isinstance(first, Stored) and not isinstance(second, Stored):
        return None
    count = len(left)
    ends, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    rows = gathered(first, second, ends)
    rows.flags.writeable = False
    places = places.astype(np.int32)
    return rows, rows, len(rows), places[:count], places[count:]
