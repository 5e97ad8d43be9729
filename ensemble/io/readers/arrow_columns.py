"""The columns of an Arrow table as arrays and texts: what Parquet, Feather and saved datasets have in common."""

from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, printable
from ensemble.io import bounds
from ensemble.io.matlab5 import Unread
from ensemble.io.readers import table

SINGLE = {"float", "halffloat"}  # kinds of values that become float32


def columns(
    where: Path, found: Any, budget: bounds.Budget, *, first: int = 0, together: bool = True
) -> dict[str, Any]:
    """The columns of a table: values as one float matrix, lists as matrices, labels as arrays, names as texts.

    first: which row of a file its first one is. together: whether columns may be values of one matrix.
    """
    titles = found.column_names
    if len(set(titles)) < len(titles):
        raise InputError([f"{where}: wanted every column once, found {examples(titles, 6)}; rename some"])
    places = table.values(where, titles) if together else []
    budget.spend(8 * found.num_rows * max(1, len(titles)), "rows")
    entries: dict[str, Any] = {}
    if places:
        matrix = np.empty((found.num_rows, len(places)), np.float64)
        for at, place in enumerate(places):
            matrix[:, at] = _numbers(where, titles[place], found.column(place))
        kinds = {str(found.column(place).type) for place in places}
        entries[table.FEATURES] = matrix.astype(np.float32) if kinds <= SINGLE else matrix
    for place, title in enumerate(titles):
        if place not in set(places):
            entries[title] = _column(where, title, found.column(place), budget, first)
    return entries


def _numbers(where: Path, title: str, column: Any) -> np.ndarray:
    import pyarrow.types as types

    if not (types.is_floating(column.type) or types.is_integer(column.type)):
        raise InputError([f"{where}: wanted numbers in the column {printable(title, 40)}, found {column.type}"])
    return np.asarray(column.to_numpy(), np.float64)


def _column(where: Path, title: str, column: Any, budget: bounds.Budget, first: int) -> Any:
    import pyarrow.types as types

    kind = column.type
    if isinstance(kind, _extension()):
        column = _storage(column)
        kind = column.type
    if types.is_string_view(kind):
        column = column.cast("string")
    if types.is_dictionary(kind) or is_text(column.type):
        return _texts(column, budget)
    if is_list(kind):
        return _matrix(where, title, column, first)
    if types.is_integer(kind) and column.null_count:
        return column.to_pylist()
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return np.asarray(column.to_numpy())
    return Unread((len(column),), str(kind))


def _extension() -> Any:
    import pyarrow

    return pyarrow.BaseExtensionType


def _storage(column: Any) -> Any:
    import pyarrow

    return pyarrow.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)


def _texts(column: Any, budget: bounds.Budget) -> list:
    """Texts, each made once however often it is there."""
    import pyarrow.types as types

    found: list = []
    for chunk in column.chunks:
        coded = chunk if types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        kinds = coded.dictionary.to_pylist()
        sizes = np.array([len(text) if isinstance(text, (str, bytes)) else 8 for text in kinds] or [0])
        indices = coded.indices.to_pylist()
        known = np.array([index for index in indices if index is not None], np.intp)
        budget.spend(int(sizes[known].sum()) if len(known) else 0, "texts")
        found += [None if index is None else kinds[index] for index in indices]
    return found


def is_text(kind: Any) -> bool:
    import pyarrow.types as types

    return (
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def is_numeric(kind: Any) -> bool:
    """Whether a column holds lists (of lists) of numbers."""
    import pyarrow.types as types

    while is_list(kind):
        kind = kind.value_type
    return bool(types.is_floating(kind) or types.is_integer(kind))


def is_list(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _matrix(where: Path, title: str, column: Any, first: int) -> Any:
    """A column of lists of one length as (n, d); of lists of lists as (n, d, e)."""
    import pyarrow
    import pyarrow.types as types

    array = column.combine_chunks()
    if isinstance(array, pyarrow.ChunkedArray):
        array = pyarrow.concat_arrays(array.chunks)
    shape = [len(array)]
    while is_list(array.type):
        if array.null_count:
            raise InputError(
                [
                    f"{where}: wanted a vector in every row of {printable(title, 40)}, found {array.null_count} "
                    "empty; extract them again or leave these rows out"
                ]
            )
        inner = array.flatten()
        if types.is_fixed_size_list(array.type):
            width = array.type.list_size
        else:
            lengths = np.diff(array.offsets.to_numpy())
            width = int(lengths[0]) if len(lengths) else 0
            if (lengths != width).any():
                row = first + int(np.flatnonzero(lengths != width)[0]) // max(1, int(np.prod(shape[1:])))
                raise InputError(
                    [
                        f"{where}: wanted {width} values in every row of {printable(title, 40)}, found another "
                        f"number in row {row}; extract them again"
                    ]
                )
        shape.append(width)
        array = inner
    if not (types.is_floating(array.type) or types.is_integer(array.type)):
        return Unread(tuple(shape), str(array.type))
    return np.asarray(array.to_numpy(zero_copy_only=False)).reshape(shape)
