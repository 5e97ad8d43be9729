"""Values of a file as what the project computes with: features in float32, labels in int64, names as text."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.labels import apart
from ensemble.io.matlab5 import Unread
from postproc.base import temporary

_SURROGATE = re.compile("[\ud800-\udfff]")
_FLOATS = "float16, float32 or float64"


def matrix(where: str, value: Any) -> np.ndarray:
    """One array, or a list of arrays to put one under the other, as (n, d) float32.

    What is large and stays in a file is float32 in a file too. Rows come first; of the axes behind them those of
    length 1 are left out, as in (n, d, 1, 1).
    """
    if isinstance(value, (list, tuple)) and value:
        value = stacked(where, value)
    if isinstance(value, np.ndarray):
        value = rows_first(value)
    if not isinstance(value, np.ndarray) or not _is_float(value) or value.ndim != 2:
        wanted = f"(images, values) in {_FLOATS}"
        raise InputError([f"{where}: wanted {wanted}, found {what(value)}; {_way_out(value)}"])
    with np.errstate(over="ignore", invalid="ignore"):
        rows = temporary.as_float32(value)
    _refuse_overflow(where, rows, value, range(len(rows)))
    return rows


def rows_first(array: np.ndarray) -> np.ndarray:
    """(n, d, 1, 1), (n, 1, d) and their like as (n, d); what is long in several directions stays."""
    if array.ndim < 3:
        return array
    long = [length for length in array.shape[1:] if length != 1]
    return array.reshape(len(array), *(long or [1])) if len(long) < 2 else array


def _way_out(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim > 2 and _is_float(value):
        return "bring each image to one vector (mean over places, or reshape(len(x), -1)) and write it again"
    if isinstance(value, np.ndarray) and value.ndim == 1 and _is_float(value):
        return "one image is x[None]; write it again so"
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "iu":
        return "if these are features, write x.astype('float32')"
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu":
        return "if these are labels, call them pid, cam or track"
    return "extract the features again"


def vectors(where: str, content: dict) -> tuple[list[str], np.ndarray]:
    """A dictionary of name and vector as names and (n, d) float32. Every fault of its entries at once."""
    if not content:
        raise InputError([f"{where}: wanted a dictionary of name and vector, found an empty one; write it again"])
    found = {name: vector(value) for name, value in content.items()}
    problems = []
    odd = sorted({type(name).__name__ for name in found if not is_name(name)})
    if odd:
        problems.append(f"{where}: wanted image names as keys, found {examples(odd)}; write the names")
    wrong = [name for name, row in found.items() if row is None and is_name(name)]
    if wrong:
        kinds = examples(sorted({what(content[name]) for name in wrong}))
        problems.append(
            f"{where}: wanted vectors in {_FLOATS}, found {kinds} in {len(wrong)} entries ({examples(wrong)}); "
            "extract them again"
        )
    rows = {name: row for name, row in found.items() if row is not None}
    widths = Counter(row.size for row in rows.values())
    if len(widths) > 1:
        usual = widths.most_common(1)[0][0]
        others = [name for name, row in rows.items() if row.size != usual]
        problems.append(
            f"{where}: wanted {usual} values in every vector, found another number in {len(others)} entries "
            f"({examples(others)}); extract them again"
        )
    refuse_if_any(problems)
    matrix = np.empty((len(rows), next(iter(widths))), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, value in zip(matrix, rows.values(), strict=True):
            row[:] = value
    names = list(rows)
    _refuse_overflow(where, matrix, list(rows.values()), names)
    return names, matrix


def vector(value: Any) -> np.ndarray | None:
    """One vector of an array that is long in one direction at most; ``None`` for anything else."""
    if isinstance(value, (list, tuple)) and value and all(type(number) in (float, int) for number in value):
        value = np.array(value, np.float64) if float in map(type, value) else None
    if not isinstance(value, np.ndarray) or not _is_float(value) or max(value.shape, default=0) != value.size:
        return None
    return value.reshape(-1)


def texts(value: Any) -> list[str] | None:
    """An array or list of names as a list, bytes as the UTF-8 that they are; ``None`` for anything else."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "USO":
        value = value.reshape(-1).tolist()
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, list) and value and all(isinstance(part, (bytes, np.str_)) for part in value):
        try:
            value = [part.decode() if isinstance(part, bytes) else str(part) for part in value]
        except UnicodeDecodeError:
            return None
    return value if isinstance(value, list) and all(map(is_name, value)) else None


def is_name(value: object) -> bool:
    """Text that can be written down: half a surrogate pair cannot."""
    return isinstance(value, str) and value != "" and not _SURROGATE.search(value)


def whole_numbers(value: Any) -> np.ndarray | None:
    """Labels as int64 from any shape: .mat files store n numbers as 1 x n and one as 1 x 1. Else ``None``."""
    if isinstance(value, list) and all(isinstance(n, (int, np.integer)) and abs(int(n)) < 2**62 for n in value):
        value = np.array(value, np.int64)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        return None
    flat = value.reshape(-1)
    if not (np.abs(flat) <= (apart(value.dtype) if value.dtype.kind == "f" else 2.0**62)).all():
        return None
    whole = flat.astype(np.int64)
    return whole if (whole == flat).all() else None


def rounded(value: Any) -> str:
    """Why floats that look whole are no labels: these cannot tell all such numbers apart; empty if they can."""
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return ""
    most = apart(value.dtype)
    return f", which tells whole numbers apart up to {most} only" if (np.abs(value) > most).any() else ""


def what(value: Any) -> str:
    """``40x8 int32``, or the type: what was found instead."""
    if isinstance(value, (np.ndarray, Unread)):
        return f"{'x'.join(map(str, value.shape)) or 'one value of'} {value.dtype}"
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        return f"a list of {len(value)} texts"
    if isinstance(value, (dict, list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    return type(value).__name__


def stacked(where: str, listed: list | tuple) -> Any:
    """Batches, vectors and lists of numbers one under the other; the list itself, if it holds something else."""
    parts = [row if (row := vector(part)) is not None else part for part in listed]
    if not all(isinstance(part, np.ndarray) and part.ndim and _is_float(part) for part in parts):
        return listed
    parts = [part[None] if part.ndim == 1 else rows_first(part) for part in parts]
    shapes = Counter(part.shape[1:] for part in parts)
    if len(shapes) > 1:
        usual = shapes.most_common(1)[0][0]
        others = [place for place, part in enumerate(parts) if part.shape[1:] != usual]
        found = f"another than {'x'.join(map(str, usual))} in part {examples(others)}"
        raise InputError([f"{where}: wanted arrays of one width, found {found}; extract them again"])
    return np.concatenate(parts)


def _refuse_overflow(where: str, rows: np.ndarray, sources: Iterable, names: Iterable) -> None:
    bad = [
        name
        for name, row, source in zip(names, rows, sources, strict=True)
        if source.dtype.itemsize > 4 and (np.isinf(row) & ~np.isinf(source)).any()
    ]
    if bad:
        raise InputError(
            [f"{where}: wanted values that float32 can hold, found larger ones in {examples(bad)}; scale them"]
        )


def _is_float(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and array.dtype.itemsize <= 8
