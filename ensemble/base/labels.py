"""Labels are whatever people write: only equality matters. Inside they are numbers, -1 unknown.

Tables keep labels as they were given: whole numbers (int64, -1 unknown), or text (objects, "" unknown).
:func:`numbered` turns them into numbers where steps and scores ask for them, all sides together.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ensemble.base.kinds import Array, Ints

LABELS = ("pid", "cam", "cam_predicted", "track", "scene", "clothes")  # columns of which only equality matters
UNKNOWN = ("", "-1", "nan", "na", "n/a", "<na>", "none", "null")  # what stands where nothing is known
FIRST = 1_000_000  # the number of the first text: no number that somebody writes for a camera
_WHOLE = re.compile(r"([+-]?[0-9]{1,30})(?:\.0*)?")
_ZEROS = re.compile(r"0+[0-9]+")


def of_cells(cells: Iterable[str], *, zeros: bool = False) -> Array:
    """Cells of a table: int64 where all are whole numbers that it holds, else text, in Unicode's composed form.

    zeros: whole numbers stay text where some have zeros in front, which who reads them again may want back.

    >>> of_cells(["7", "", "8.0"]), of_cells(["Dan", "7", "nan"])
    (array([ 7, -1,  8]), array(['Dan', '7', ''], dtype=object))
    >>> of_cells(["007", "-1", "8.0"], zeros=True)
    array(['007', '', '8'], dtype=object)
    """
    texts = [unicodedata.normalize("NFC", text.strip()) for text in cells]
    texts = ["" if text.lower() in UNKNOWN else text for text in texts]
    wholes = [_whole(text) for text in texts]
    if not all(whole is not None or not text for whole, text in zip(wholes, texts, strict=True)):
        return np.array(
            ["" if (whole or 0) < 0 else text for whole, text in zip(wholes, texts, strict=True)], object
        )
    numbers = [-1 if whole is None else whole for whole in wholes]
    if not (zeros and any(map(_ZEROS.fullmatch, texts))):
        return np.array(numbers, np.int64)
    spelt = [text if has_zeros(text) else str(number) for text, number in zip(texts, numbers, strict=True)]
    return np.array(["" if number < 0 else text for text, number in zip(spelt, numbers, strict=True)], object)


def has_zeros(text: str) -> bool:
    """Whether a label is a whole number with zeros in front."""
    return _ZEROS.fullmatch(text) is not None


def of_values(values: Any, *, zeros: bool = False) -> Array | None:
    """Labels of any kind, (n,): numbers, text, categories, None or NaN for unknown; None for what is no label.

    zeros: as :func:`of_cells` has it.

    >>> of_values(np.array([7.0, np.nan])), of_values(np.array([2**63], np.uint64))
    (array([ 7, -1]), array(['9223372036854775808'], dtype=object))
    """
    try:
        array = np.asarray(values)
    except ValueError:  # rows of several lengths
        return None
    array = array.reshape(-1)
    if array.dtype.kind == "i" or (array.dtype.kind == "u" and array.max(initial=0) < 2**63):
        return array.astype(np.int64)
    if array.dtype.kind == "f":
        known = np.isfinite(array)
        whole = np.where(known, array, -1).astype(np.float64)
        if np.isinf(array).any() or (np.floor(whole) != whole).any() or (np.abs(whole) > apart(array.dtype)).any():
            return None
        return whole.astype(np.int64)
    if array.dtype.kind not in "uSUO":
        return None
    cells = [_text(value) for value in array.tolist()]
    return None if None in cells else of_cells((cell for cell in cells if cell is not None), zeros=zeros)


def apart(dtype: np.dtype) -> int:
    """Up to which whole number floats of a kind tell all of them apart: float16 2048, float32 16777216.

    >>> apart(np.dtype(np.float16)), apart(np.dtype(np.float64)) == 2**53
    (2048, True)
    """
    return int(2 ** (np.finfo(dtype).nmant + 1))


def composed(parts: Sequence[Array]) -> Array:
    """Labels out of several, text that is equal where all of them are; unknown where one of them is.

    >>> composed([np.array(["lion", "lion", ""], object), np.array([7, -1, 7])])
    array(['lion+7', '', ''], dtype=object)
    """
    texts = [[text.replace("\\", r"\\").replace("+", r"\+") for text in _canonical(part)] for part in parts]
    return np.array(["+".join(cells) if all(cells) else "" for cells in zip(*texts, strict=True)], object)


def read(column: str, values: Any) -> Array | None:
    """:func:`of_values` of a column of labels: identities keep the zeros in front of their numbers."""
    return of_values(values, zeros=column == "pid")


def as_numbers(values: Array) -> Ints | None:
    """Labels of one column as the whole numbers that they are, -1 unknown; None where some are other text.

    >>> as_numbers(np.array(["007", ""], object)), as_numbers(np.array(["Dan"], object))
    (array([ 7, -1]), None)
    """
    found = of_values(values)
    return None if found is None or found.dtype == object else found


def same(first: Array, second: Array) -> Array:
    """Where two columns say the same, (n,) bool: ``7``, ``07`` and ``"7"`` are one label."""
    if first.dtype != object and second.dtype != object:
        return np.asarray(first == second)
    return np.asarray(_canonical(first) == _canonical(second))


def among(column: Array, wanted: Iterable[int | str]) -> Array:
    """Where a column says one of some labels, (n,) bool; -1 and "" are the unknown ones.

    >>> among(np.array(["07", "x", ""], object), [7, "x"])
    array([ True,  True, False])
    """
    return np.isin(_canonical(column), _canonical(of_cells(map(str, wanted))).tolist())


def either(which: Array, first: Array, second: Array) -> Array:
    """``first`` where ``which``, else ``second``: text where one of them is, spelt as it was."""
    if first.dtype == second.dtype:
        return np.where(which, first, second)
    texts = [values if values.dtype == object else _canonical(values) for values in (first, second)]
    return np.where(which, *texts)


def numbered(columns: Mapping[str, Array]) -> dict[str, Ints]:
    """Columns of one kind, by any names, as numbers that are equal where the labels are.

    Whole numbers stay what they are where all columns hold such, with zeros in front or not. A text has a number
    of :data:`FIRST` or more.

    >>> numbered({"query_cam": np.array(["B", ""], object), "gallery_cam": np.array([3, -1])})
    {'query_cam': array([1000001,      -1]), 'gallery_cam': array([1000000,      -1])}
    >>> numbered({"pid": np.array(["007", "8", ""], object)})
    {'pid': array([ 7,  8, -1])}
    """
    if not any(values.dtype == object for values in columns.values()):
        return {name: values.astype(np.int64) for name, values in columns.items()}
    texts = {name: _canonical(values) for name, values in columns.items()}
    known = sorted({text for values in texts.values() for text in values.tolist() if text})
    wholes = [_whole(text) for text in known]
    if None in wholes:
        wholes = [FIRST + at for at in range(len(known))]
    number = {"": -1, **dict(zip(known, wholes, strict=True))}
    return {name: np.array([number[text] for text in values.tolist()], np.int64) for name, values in texts.items()}


def kind_of(column: str) -> str:
    """What a column is about: predicted cameras and cameras are of one kind."""
    return "cam" if column == "cam_predicted" else column


def _canonical(values: Array) -> Array:
    """Text in the place of labels; of a whole number without zeros before it."""
    if values.dtype != object:
        return np.array(["" if value < 0 else str(value) for value in values.tolist()], object)
    wholes = [(_whole(text), text) for text in values.tolist()]
    return np.array([text if whole is None else str(whole) for whole, text in wholes], object)


def _whole(text: str) -> int | None:
    """The whole number that a cell holds, if int64 holds it too."""
    match = _WHOLE.fullmatch(text)
    value = int(match[1]) if match else None
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _text(value: object) -> str | None:
    """A value as a cell; None for what is no label."""
    if value is None or str(value) in ("<NA>", "NaT") or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool) or not isinstance(value, (str, int, float, np.integer)):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
