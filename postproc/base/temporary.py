"""Large matrices that are made of files, in files themselves: float32 rows that nobody's memory holds.

Where features are memory-mapped and what is made of them is large (``LARGE``, or the size that
``REID_ON_DISK_FROM`` says), it is written to a file without a name in the folder of temporary files (TMPDIR), some
rows at a time, and mapped. Everything else is made in memory. Numbers are the same.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from postproc.base import arrays, machine, runtime
from postproc.base.sizes import LEAST, SINGLE, bytes_of
from postproc.base.stored import Stored, is_mapped
from postproc.base.vocabulary import Array

VARIABLE = "REID_ON_DISK_FROM"
LARGE = 32 << 20  # bytes, as float32
ROWS = 1024  # the least that is worked on at a time, where that many are there
BLOCK = 1 << 20  # numbers that are worked on at a time


class NoRoom(OSError):
    """The folder of temporary files is full; the text says what to do."""


def is_large(*shape: int) -> bool:
    """Whether so many float32 are left on disk where they come from there. Raises machine.BadVariable."""
    return SINGLE * prod(shape) >= _least()


def _least() -> int:
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return LARGE
    try:
        return bytes_of(VARIABLE, given, LEAST)
    except ValueError as error:
        raise machine.BadVariable(f"{error}; mend it or unset it") from None


def blocks(shape: Sequence[int], what: str) -> Iterator[slice]:
    """Slices over the rows of a matrix, with progress under the name ``what``."""
    count, width = shape[0], max(1, prod(shape[1:]))
    step = max(ROWS, BLOCK // width)
    with runtime.counted(what, -(-count // step)) as step_on:
        for start in range(0, count, step):
            yield slice(start, min(start + step, count))
            step_on()


def as_float32(array: np.ndarray, what: str = "read") -> np.ndarray:
    """(n, d) float32, one row after the other: as it is where it is so."""
    if array.dtype == np.float32 and array.flags.c_contiguous and array.flags.aligned:
        return np.asarray(array)
    if is_mapped(array) and is_large(*array.shape):
        return written(array.shape, lambda part: array[part], what)
    return np.require(array, np.float32, ["C", "A", "E"])


def rows(array: np.ndarray, numbers: np.ndarray, absent: float | str | None = None) -> np.ndarray:
    """``array[numbers]``, and ``absent`` for numbers below 0; rows that follow each other in a file stay there."""
    if not is_mapped(array):
        return _filled(array, numbers, absent)
    numbers = np.asarray(numbers)
    if not len(numbers) or numbers.dtype == bool:
        return _filled(array, numbers, absent)
    first, count = int(numbers[0]), len(numbers)
    if first >= 0 and np.array_equal(numbers, np.arange(first, first + count)):
        return array[first : first + count]
    shape = (count, *array.shape[1:])
    if not is_large(*shape):
        return _filled(array, numbers, absent)
    return written(shape, lambda part: _filled(array, numbers[part], absent), "read", array.dtype)


def _filled(array: np.ndarray, numbers: np.ndarray, absent: float | str | None) -> np.ndarray:
    found: np.ndarray = array[numbers]
    if absent is not None:
        found[numbers < 0] = absent
    return found


def by_rows(
    function: Callable[[Sequence[np.ndarray]], np.ndarray], parts: Sequence[np.ndarray], what: str
) -> np.ndarray:
    """What a function makes of matrices of as many rows each, if it makes each row of that row of them alone.

    It is called with all rows at once where nothing of them is on disk, or the answer is not large; else with some
    at a time.
    """
    count = len(parts[0])
    if not any(map(is_mapped, parts)) or not count:
        return function(parts)
    width = function([part[:1] for part in parts]).shape[1]
    if not is_large(count, width):
        return function(parts)
    return written((count, width), lambda part: function([one[part] for one in parts]), what)


def in_rows(side: Array) -> np.ndarray:
    """(n, d) float32, one row after the other, for who looks at it here and there: as it is where it is so.

    Anything else is written once, large or not. Raises NoRoom where there is none: other ways have other bits.
    """
    plain = side.source if isinstance(side, Stored) and side.numbers is None and side.lengths is None else side
    if isinstance(plain, np.ndarray) and plain.dtype == np.float32 and plain.flags.c_contiguous:
        found = np.asarray(plain).view()
        found.flags.writeable = False
        return found
    return written((len(side), side.shape[1]), lambda part: side[part], "features")


def written(
    shape: Sequence[int], make: Callable[[slice], np.ndarray], what: str, kind: DTypeLike = np.float32
) -> np.ndarray:
    """A matrix of the rows that ``make`` gives for slices, in a file without a name; read-only.

    Raises NoRoom where the folder of temporary files has none.
    """
    kind = np.dtype(kind)
    with _file(shape, kind) as file:
        for part in blocks(shape, what):
            with np.errstate(over="ignore", invalid="ignore"):
                file.write(np.ascontiguousarray(make(part), kind).data)
        file.flush()
        return np.asarray(np.memmap(file, kind, mode="r", shape=tuple(shape)))


def empty(shape: tuple[int, int], *sources: Array) -> Array:
    """(n, d) float32 that somebody will fill: in a file, if it is large and any of what it is made of is in one.

    Raises NoRoom where the folder of temporary files has none.
    """
    if not any(map(is_mapped, sources)) or not is_large(*shape):
        return arrays.empty(shape, np.float32, sources[0])
    return _mapped(shape, np.dtype(np.float32), "features")


def aside(array: np.ndarray, what: str) -> np.ndarray:
    """The same numbers in a file, to read and to write, if they are large; else the array itself.

    Raises NoRoom where the folder of temporary files has none.
    """
    if not is_large(*array.shape):
        return array
    found = _mapped(array.shape, array.dtype, what)
    for start in range(0, len(array), ROWS):
        found[start : start + ROWS] = array[start : start + ROWS]
    return found


def _mapped(shape: tuple[int, ...], kind: np.dtype, what: str) -> np.ndarray:
    """A matrix in a file without a name, to be written to."""
    with _file(shape, kind, what) as file:
        if hasattr(
            os, "posix_fallocate"
        ):  # a disk that is full later ends a process that writes where it is mapped
            os.posix_fallocate(file.fileno(), 0, kind.itemsize * prod(shape))
        return np.asarray(np.memmap(file, kind, mode="r+", shape=shape))


@contextmanager
def _file(shape: Sequence[int], kind: np.dtype, what: str = "features") -> Iterator[IO[bytes]]:
    try:
        with tempfile.TemporaryFile(prefix="postproc-") as file:
            yield file
    except OSError as error:
        size = kind.itemsize * prod(shape) / 1e9
        raise NoRoom(
            f"{what}: wanted {size:.2f} GB for them as {kind.name} in the folder of temporary files, but "
            f"{error.strerror or error}; make room there, or set TMPDIR to another folder"
        ) from None
