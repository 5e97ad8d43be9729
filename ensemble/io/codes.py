"""Binary codes in files: bits that are packed, written out as 0 and 1, or lists of codes of several lengths.

Our own form is the one of :func:`packed`: eight bits a byte and the lengths beside them, under ``code_lengths``.
light-reid's dictionaries hold a list with one array a length. A file whose values are all 0 and 1, or all -1 and
1, holds one code, which nobody has said: that is noted. Values stay as they are; their lengths say what they are.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ensemble.base.errors import InputError
from ensemble.io.arrays import matrix, rows_first, what, whole_numbers

LENGTHS = "code_lengths"  # the key of a file's codes
BITS = {"0 and 1": (0, 1), "-1 and 1": (-1, 1)}
ROWS = 1024  # that are looked at together


class Codes(NamedTuple):
    """The lengths of the codes that features are, none where they are numbers; ``seen``: what all values are.

    ``seen`` is empty where the file says itself that these are codes.
    """

    lengths: tuple[int, ...] = ()
    seen: str = ""


NONE = Codes()


def features(where: str, value: Any, lengths: Any = None) -> tuple[np.ndarray, Codes]:
    """The values of a file as (n, d) float32, and the codes that they are.

    value:   an array; a list of arrays, one under the other where they have one width, else codes side by side.
    lengths: what the file says of them.
    Raises:  InputError for what is none of these.
    """
    if lengths is not None:
        return _described(where, value, lengths)
    if is_pyramid(value) and all(map(_seen, value)):
        return np.concatenate(value, axis=1, dtype=np.float32), Codes(tuple(part.shape[1] for part in value))
    rows = _numbers(where, value)
    seen = _seen(rows)
    return rows, Codes((rows.shape[1],), seen) if seen and rows.min() != rows.max() else NONE


def shared(model: str, found: Mapping[str, Codes], notes: list[str]) -> tuple[int, ...]:
    """The lengths that all sides of a model have; what its values alone say is noted.

    Raises InputError where a file says that one side has codes and another side has others, or none.
    """
    lengths, seen = {one.lengths for one in found.values()}, {one.seen for one in found.values()}
    said = any(one.lengths and not one.seen for one in found.values())
    if len(lengths) > 1 and (said or () not in lengths):
        told = ", ".join(f"{side} {list(one.lengths) or 'numbers'}" for side, one in found.items())
        raise InputError(
            [f"{model}: wanted codes of the same lengths on all sides, found {told}; write them again"]
        )
    if len(lengths) != 1 or not any(lengths) or len(seen - {""}) > 1:
        return ()
    (same,) = lengths
    if not said:
        notes.append(
            f"{model}: all values are {seen.pop()}: they are taken for binary codes of {same[0]} bits; "
            f"with {LENGTHS} beside them the file says which they are"
        )
    return same


def packed(rows: np.ndarray, lengths: tuple[int, ...]) -> np.ndarray | None:
    """Codes (n, bits) of 0 and 1 as (n, bytes) uint8, each from a byte of its own; None for other values."""
    if not _are(rows, BITS["0 and 1"]):
        return None
    ends = np.cumsum(lengths)
    parts = [np.packbits(rows[:, end - n : end] > 0, axis=1) for end, n in zip(ends, lengths, strict=True)]
    return np.concatenate(parts, axis=1)


def lengths_of(value: Any) -> tuple[int, ...] | None:
    """What an entry :data:`LENGTHS` says; None for what says nothing."""
    given = whole_numbers(value)
    if given is None or not len(given) or (given < 1).any() or given.sum() > 1 << 24:
        return None
    return tuple(given.tolist())


def bytes_of(lengths: tuple[int, ...]) -> list[int]:
    """Bytes of each code, where they are packed."""
    return [-(-length // 8) for length in lengths]


def is_pyramid(value: Any) -> bool:
    """A list of arrays of several widths, each with a row an image."""
    if not isinstance(value, (list, tuple)) or len(value) < 2:
        return False
    if not all(isinstance(part, np.ndarray) and part.ndim == 2 and part.dtype.kind in "biuf" for part in value):
        return False
    return len({len(part) for part in value}) == 1 and len({part.shape[1] for part in value}) == len(value)


def are_bits(array: np.ndarray) -> bool:
    """Whether a matrix of whole numbers holds bits."""
    return array.dtype.kind in "biu" and array.ndim == 2 and bool(_seen(array))


def _described(where: str, value: Any, lengths: Any) -> tuple[np.ndarray, Codes]:
    codes = lengths_of(lengths)
    if codes is None:
        raise InputError(
            [f"{where}: wanted {LENGTHS} as bits of each code, found {what(lengths)}; write them again"]
        )
    sizes = bytes_of(codes)
    value = rows_first(value) if isinstance(value, np.ndarray) else value
    is_table = isinstance(value, np.ndarray) and value.ndim == 2
    if is_table and value.dtype == np.uint8 and value.shape[1] == sum(sizes):
        parts = np.split(value, np.cumsum(sizes)[:-1], axis=1)
        bits = [np.unpackbits(part, axis=1, count=n) for part, n in zip(parts, codes, strict=True)]
        return np.concatenate(bits, axis=1, dtype=np.float32), Codes(codes)
    pyramid = is_pyramid(value)
    widths = tuple(part.shape[1] for part in value) if pyramid else codes
    if pyramid and sorted(widths) == sorted(codes):
        codes = widths  # as they stand side by side
    whole = np.concatenate(value, axis=1, dtype=np.float32) if pyramid else value
    whole = _numbers(where, whole, said=True) if not is_table or value.shape[1] == sum(codes) else value
    if whole.shape[1] != sum(codes) or not _seen(whole):
        raise InputError(
            [
                f"{where}: wanted codes of {list(codes)} bits, {sum(codes)} numbers (0 and 1, or -1 and 1) or "
                f"{sum(sizes)} bytes (uint8) an image, found {_found(whole)}; write them again"
            ]
        )
    return whole, Codes(codes)


def _found(rows: np.ndarray) -> str:
    other = rows[(rows != 0) & (abs(rows) != 1)]
    return f"{what(rows)}{f' with {other[0]:.6g}' if other.size else ''}"


def _numbers(where: str, value: Any, *, said: bool = False) -> np.ndarray:
    """Features as float32; whole numbers only where they are bits, not all the same unless that is ``said``."""
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, np.ndarray) for part in value):
        batches = all(are_bits(part) for part in value) and len({part.shape[1] for part in value}) == 1
        value = np.concatenate(value) if batches else value
    value = rows_first(value) if isinstance(value, np.ndarray) else value
    if isinstance(value, np.ndarray) and are_bits(value) and (said or value.min() != value.max()):
        return value.astype(np.float32)
    if isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 2:
        raise InputError(
            [
                f"{where}: wanted features, or bits with {LENGTHS} beside them, found {what(value)}; if these are "
                f"features, write x.astype('float32'), else add {LENGTHS}"
            ]
        )
    return matrix(where, value)


def _seen(rows: np.ndarray) -> str:
    """What all values are, "0 and 1" or "-1 and 1"; "" for others, which the first row tells in most cases."""
    fit = [name for name, pair in BITS.items() if rows.size and _are(rows[:1], pair)]
    return next((name for name in fit if _are(rows, BITS[name])), "")


def _are(rows: np.ndarray, pair: tuple[int, int]) -> bool:
    """Whether all values are one of two, some rows at a time."""
    parts = (rows[start : start + ROWS] for start in range(0, len(rows), ROWS))
    return all(bool(((part == pair[0]) | (part == pair[1])).all()) for part in parts)
