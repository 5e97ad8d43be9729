"""MATLAB 5 files (``save -v6``, ``-v7``, SciPy's ``savemat``): the numeric arrays, everything else by its outside.

An own reader, because SciPy's trusts the numbers in the file and a damaged one takes the process down with it.
Layout: 128 bytes of header, then elements of (type, length, data); a variable is an element that holds four
more: flags with the class, dimensions, name, values. A compressed variable is one such element in zlib.
Values may be stored narrower than their class says. Source: MathWorks, "MAT-File Format".
"""

import io
import math
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.io.bounds import Budget, refuse_size

MATRIX, COMPRESSED = 14, 15
COMPLEX = 0x0800
TEXT = 116  # bytes at the beginning that are for the eye
DENSEST = 1100  # bytes that one byte of deflate can hold, at most
DEEP = 8  # cells in cells
CELL = 64  # bytes that a cell takes in memory, at least
BEGINNING = 4096  # more than flags, dimensions and the longest name take
# Types of stored values, and classes of variables.
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMERIC = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
OTHER = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function", 17: "opaque"}


@dataclass(frozen=True)
class Unread:
    """An entry that is no array of numbers or text and was left in the file; only its outside is known."""

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class _Variable:
    name: str
    shape: tuple[int, ...]
    flags: int
    order: str
    rest: Iterator[tuple[int, memoryview]]


def keys(data: bytes) -> tuple[str, ...]:
    """The names of the variables; of compressed ones only the beginning is unpacked."""
    return tuple(variable.name for variable in _variables(data, None))


def load(data: bytes, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """The variables with ``wanted`` names. Raises what a broken file raises, or TooLarge."""
    budget = Budget(len(data))
    return {v.name: _values(v, budget) for v in _variables(data, budget) if wanted(v.name)}


def cells(data: bytes, name: str) -> list[np.ndarray | Unread] | None:
    """What is in the cell array ``name``, columns first, cells in cells unread; None where there is none.

    Raises as :func:`load`.
    """
    budget = Budget(len(data))
    for variable in _variables(data, budget):
        if variable.name == name and OTHER.get(variable.flags & 0xFF) == "cell":
            return [_cell(kind, element, variable.order, budget) for kind, element in variable.rest]
    return None


def nested(data: bytes, name: str) -> Any:
    """The variable ``name``: an array, or of cells a list, columns first, and so on inside; None for none.

    Raises as :func:`load`.
    """
    budget = Budget(len(data))
    for variable in _variables(data, budget):
        if variable.name == name:
            return _inside(variable, budget, DEEP)
    return None


def dumped(entries: Mapping[str, np.ndarray], header: str) -> bytes:
    """A file with these arrays, without the time of its making: the same bytes for the same arrays."""
    import scipy.io

    content, first = io.BytesIO(), header.encode("ascii").ljust(TEXT)
    scipy.io.savemat(content, dict(entries))
    return first + content.getvalue()[len(first) :]


def _inside(variable: _Variable, budget: Budget, deep: int) -> Any:
    if OTHER.get(variable.flags & 0xFF) != "cell":
        return _values(variable, budget)
    if not deep:
        raise ValueError("cells in cells without an end")
    found = []
    for kind, element in variable.rest:
        if kind != MATRIX:
            raise ValueError(f"a cell with an element of type {kind}")
        budget.spend(CELL, variable.name)
        empty = np.zeros((0, 0))
        found.append(_inside(_variable(element, variable.order), budget, deep - 1) if len(element) else empty)
    return found


def _cell(kind: int, element: memoryview, order: str, budget: Budget) -> np.ndarray | Unread:
    if kind != MATRIX:
        raise ValueError(f"a cell with an element of type {kind}")
    return _values(_variable(element, order), budget) if len(element) else np.zeros((0, 0))


def _variables(data: bytes, budget: Budget | None) -> Iterator[_Variable]:
    """The variables one after the other; without a budget, only the beginning of those that are compressed."""
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise ValueError("a MATLAB header that ends early")
    seen: set[str] = set()
    for kind, element in _elements(memoryview(data)[128:], order):
        if kind == COMPRESSED:
            kind, element = _inflated(element, order, budget)
        if kind != MATRIX:
            raise ValueError(f"an element of type {kind} where a variable should be")
        variable = _variable(element, order)
        if variable.name in seen:
            raise ValueError(f"the variable {variable.name} twice")
        seen.add(variable.name)
        if variable.name:  # MATLAB's own bookkeeping has no name
            yield variable


def _variable(element: memoryview, order: str) -> _Variable:
    rest = _elements(element, order)
    (_, flags), (_, dimensions), (_, text) = (next(rest, (0, memoryview(b""))) for _ in range(3))
    (word,) = struct.unpack_from(f"{order}I", flags)
    shape = tuple(int(n) for n in np.frombuffer(dimensions, f"{order}i4"))
    return _Variable(bytes(text).decode("latin-1"), shape, word, order, rest)


def _values(variable: _Variable, budget: Budget) -> np.ndarray | Unread:
    name, shape, code = variable.name, variable.shape, variable.flags & 0xFF
    if code not in NUMERIC or variable.flags & COMPLEX:
        return Unread(shape, "complex" if code in NUMERIC else OTHER.get(code, f"class {code}"))
    kind, raw = next(variable.rest, (0, memoryview(b"")))
    if kind not in STORED:
        raise ValueError(f"{name} with values of type {kind}")
    values = np.frombuffer(raw, variable.order + STORED[kind])
    refuse_size(shape, values.itemsize, values.nbytes)
    if math.prod(shape) != len(values):
        raise ValueError(f"{name} of shape {shape} with {len(values)} values")
    budget.spend(len(values) * np.dtype(NUMERIC[code]).itemsize, name)
    return values.astype(NUMERIC[code], copy=False).reshape(shape, order="F")


def _elements(view: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    place = 0
    while place < len(view):
        kind, size = struct.unpack_from(f"{order}II", view, place)
        start = place + 8
        if kind >> 16:  # up to four bytes fit beside a tag of half the size
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
        if start + size > len(view) or (start == place + 4 and size > 4):
            raise EOFError("an element that is longer than the file")
        yield kind, view[start : start + size]
        place = start + size + (0 if kind == COMPRESSED else -(start + size) % 8)


def _inflated(packed: memoryview, order: str, budget: Budget | None) -> tuple[int, memoryview]:
    machine = zlib.decompressobj()
    kind, size = struct.unpack(f"{order}II", machine.decompress(packed, 8))
    if size > DENSEST * len(packed):
        raise EOFError("a compressed variable that ends early")
    if budget is not None:
        budget.spend(size, "a compressed variable")
    wanted = min(size, BEGINNING) if budget is None else size
    data = machine.decompress(machine.unconsumed_tail, wanted) if wanted else b""
    if len(data) != wanted:
        raise EOFError("a compressed variable that ends early")
    return kind, memoryview(data)
