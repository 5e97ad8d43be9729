"""What is inside one file, for somebody who wonders: format, entries, shapes, first names, bad values."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, printable
from ensemble.io import containers
from ensemble.io.keys import column_of
from ensemble.io.layouts import flat, opened
from ensemble.io.lists import TABLES, read_lines, read_table
from ensemble.io.matlab5 import Unread
from ensemble.io.name_lists import TEXT

SHOWN = 3
_ATOMS = (str, bytes, int, float, np.generic, type(None))


@dataclass(frozen=True)
class Entry:
    """One array of a file, or ``count`` arrays of one shape and dtype that are stored under names.

    ``not_finite`` counts NaN and infinite values, ``zero_rows`` rows (or vectors) of zeros; ``None`` where that
    makes no sense. ``examples`` are the first names or values.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    count: int = 1
    examples: tuple[str, ...] = ()
    not_finite: int | None = None
    zero_rows: int | None = None


@dataclass(frozen=True)
class Contents:
    """A file, its format, its entries."""

    path: Path
    format: str
    entries: tuple[Entry, ...]


def contents(path: Path) -> Contents:
    """Read a feature file, a name list, a track list or a table and say what is in it; nothing is executed.

    Raises: InputError for a file that cannot be read, and for a pickle that holds more than data, naming it.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in TEXT:
        return Contents(path, "text", _lines(path))
    if suffix in TABLES and not has_features(path):
        return Contents(path, "table", _table(path))
    content = opened(containers.load(path))
    with np.errstate(invalid="ignore"):  # a signalling NaN is counted like the others
        return Contents(path, containers.reader_of(path).name, _entries(content))


def has_features(path: Path) -> bool:
    """Whether a table has columns of features."""
    try:
        return any(column_of(key) == "" for key in containers.keys(path) or ())
    except InputError:
        return False  # reading it as a table says what is wrong


def _entries(content: Any) -> tuple[Entry, ...]:
    if not isinstance(content, dict):
        return (_entry("", content),)
    content = {key: opened(value) for key, value in flat(content).items()}
    groups: dict[tuple, list] = {}
    for key, value in content.items():
        # Arrays of one dimension under names are the vectors of a model; all else stands alone.
        vector = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"
        groups.setdefault((value.shape, str(value.dtype)) if vector else (key,), []).append(key)
    entries = []
    for names in groups.values():
        values = [content[name] for name in names]
        if len(names) == 1:
            entries.append(_entry(_text(names[0]), values[0]))
            continue
        entries.append(
            Entry(
                name="",
                shape=values[0].shape,
                dtype=str(values[0].dtype),
                count=len(names),
                examples=_first(names),
                not_finite=_total(values, _not_finite),
                zero_rows=_total(values, lambda value: int(not value.any())),
            )
        )
    return tuple(entries)


def _entry(name: str, value: Any) -> Entry:
    if isinstance(value, Unread):
        return Entry(name, value.shape, f"{value.dtype}, not read")
    if isinstance(value, np.ndarray):
        if value.dtype.kind != "f":
            return Entry(name, value.shape, str(value.dtype), examples=_first(value.reshape(-1)))
        zero = int((~value.any(axis=-1)).sum()) if value.ndim else None
        return Entry(name, value.shape, str(value.dtype), not_finite=_not_finite(value), zero_rows=zero)
    if isinstance(value, list) and value and all(isinstance(part, _ATOMS) for part in value[:SHOWN]):
        kind = "text" if all(isinstance(part, (str, bytes)) for part in value) else "list"
        return Entry(name, (len(value),), kind, examples=_first(value))
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (dict, list, tuple)):
        inner = value[0]
        said = f"keys {_text(', '.join(map(str, inner)))}" if isinstance(inner, dict) else f"of {len(inner)}"
        return Entry(name, (len(value),), f"list of {type(inner).__name__}s, the first {said}")
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        arrays = [part for part in value if isinstance(part, np.ndarray)]
        kind = f"{type(value).__name__} of arrays" if arrays else type(value).__name__
        return Entry(name, (len(value),), kind, not_finite=_total(arrays, _not_finite) if arrays else None)
    return Entry(name, (), type(value).__name__, examples=_first([value]))


def _total(values: Iterable[np.ndarray], count: Callable[[np.ndarray], int]) -> int:
    """The sum over arrays; one that is there again and again is looked at once."""
    known: dict[int, int] = {}
    return sum(known[id(v)] if id(v) in known else known.setdefault(id(v), count(v)) for v in values)


def _not_finite(array: np.ndarray) -> int:
    return int(array.size - np.isfinite(array).sum()) if array.dtype.kind in "biufc" else 0


def _first(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(_text(value) for value, _ in zip(values, range(SHOWN), strict=False))


def _text(value: Any) -> str:
    """A value on one line, whatever a hostile file put there."""
    if isinstance(value, int) and value.bit_length() > 200:
        return f"a number of {value.bit_length()} bits"
    return printable(str(value), most=60)


def _lines(path: Path) -> tuple[Entry, ...]:
    lines = read_lines(path)
    words = sum(len(line.split()) for line in lines)
    entries = [Entry("lines", (len(lines),), "text", examples=_first(lines))]
    return (*entries, Entry("words", (words,), "text")) if words != len(lines) else tuple(entries)


def _table(path: Path) -> tuple[Entry, ...]:
    header, rows, _ = read_table(path)
    columns = ((title, [row[place] for row in rows]) for place, title in enumerate(header))
    return tuple(Entry(_text(title), (len(rows),), "text", examples=_first(column)) for title, column in columns)
