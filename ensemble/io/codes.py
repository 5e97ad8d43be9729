"""Binary codes in files: bits that are packed, written out as 0 and 1, or lists of codes of several lengths.

Our own form is the one of :func:`packed`: eight bits a byte and the lengths beside them, under ``code_lengths``.
light-reid's dictionaries hold a list with one array a length. A file whose values are all 0 and 1, or all -1 and
1, holds one code. Values stay as they are; what they are is said by their lengths.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.io.arrays import matrix, what, whole_numbers

LENGTHS = "code_lengths"  # the key of a file's codes
BITS = ((0, 1), (-1, 1))


def features(where: str, value: Any, lengths: Any = None) -> tuple[np.ndarray, tuple[int, ...]]:
    """The values of a file as (n, d) float32, and the lengths of the codes that they are; none for other features.

    value:   an array; a list of arrays, one under the other where they have one width, else codes side by side.
    lengths: what the file says of them.
    Raises:  InputError for what is none of these.
    """
    if lengths is not None:
        return _described(where, value, lengths)
    if _is_pyramid(value):
        parts = [_numbers(where, part) for part in value]
        return np.concatenate(parts, axis=1), tuple(part.shape[1] for part in parts)
    rows = _numbers(where, value)
    return rows, (rows.shape[1],) if _two_valued(rows) else ()


def shared(model: str, found: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    """The lengths that all sides of a model have. Raises InputError where two sides have others."""
    lengths = set(found.values())
    if len(lengths) > 1 and () not in lengths:
        told = ", ".join(f"{side} {list(codes)}" for side, codes in found.items())
        raise InputError(
            [f"{model}: wanted codes of the same lengths on all sides, found {told}; write them again"]
        )
    return lengths.pop() if len(lengths) == 1 else ()


def packed(rows: np.ndarray, lengths: tuple[int, ...]) -> np.ndarray | None:
    """Codes (n, bits) of 0 and 1 as (n, bytes) uint8, each from a byte of its own; None for other values."""
    if not ((rows == 0) | (rows == 1)).all():
        return None
    ends = np.cumsum(lengths)
    parts = [np.packbits(rows[:, end - n : end] > 0, axis=1) for end, n in zip(ends, lengths, strict=True)]
    return np.concatenate(parts, axis=1)


def _described(where: str, value: Any, lengths: Any) -> tuple[np.ndarray, tuple[int, ...]]:
    given = whole_numbers(lengths)
    if given is None or not len(given) or (given < 1).any() or given.sum() > 1 << 24:
        raise InputError(
            [f"{where}: wanted {LENGTHS} as bits of each code, found {what(lengths)}; write them again"]
        )
    codes = tuple(given.tolist())
    sizes = [-(-length // 8) for length in codes]
    if (
        isinstance(value, np.ndarray)
        and value.dtype == np.uint8
        and value.ndim == 2
        and value.shape[1] == sum(sizes)
    ):
        parts = np.split(value, np.cumsum(sizes)[:-1], axis=1)
        bits = [np.unpackbits(part, axis=1, count=n) for part, n in zip(parts, codes, strict=True)]
        return np.concatenate(bits, axis=1).astype(np.float32), codes
    whole = np.concatenate(value, axis=1) if _is_pyramid(value) else value
    if isinstance(whole, np.ndarray) and whole.ndim == 2 and whole.shape[1] != sum(codes):
        raise InputError(
            [
                f"{where}: wanted codes of {list(codes)} bits, {sum(codes)} numbers or {sum(sizes)} bytes (uint8) "
                f"an image, found {what(value)}; write them again"
            ]
        )
    return _numbers(where, whole), codes


def _is_pyramid(value: Any) -> bool:
    """A list of arrays of several widths, each with a row an image."""
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        return False
    if not all(isinstance(part, np.ndarray) and part.ndim == 2 for part in value):
        return False
    return len({len(part) for part in value}) == 1 and len({part.shape[1] for part in value}) == len(value)


def _numbers(where: str, value: Any) -> np.ndarray:
    """Features as float32; whole numbers only where they are bits."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biu" and value.ndim == 2 and _two_valued(value):
        return value.astype(np.float32)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 2:
        raise InputError(
            [f"{where}: wanted features, or bits with {LENGTHS} beside them, found {what(value)}; add {LENGTHS}"]
        )
    return matrix(where, value)


def _two_valued(rows: np.ndarray) -> bool:
    """Whether all values are bits, and not all the same; the first row tells in most cases."""
    pairs = [pair for pair in BITS if rows.size and np.isin(rows[:1], pair).all()]
    return any(bool(np.isin(rows, pair).all()) for pair in pairs) and bool(rows.min() != rows.max())
