"""Parquet, and Arrow's own files (Feather, the streams of ``datasets``): a column a value, or one of lists."""

import os
import struct
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, printable
from ensemble.io import bounds
from ensemble.io.keys import column_of
from ensemble.io.matlab5 import Unread
from ensemble.io.readers import table
from ensemble.io.readers.reader import Reader, Wanted

FILE = b"ARROW1\x00\x00"  # before the stream that a file is
INSTALL = f"{sys.executable} -m pip install"
DICTIONARY, BATCH = 2, 3  # kinds of messages that have values


def needs_pyarrow(path: Path) -> Any:
    """pyarrow. Raises InputError where it is not installed."""
    if find_spec("pyarrow") is None:
        raise InputError([f"{path}: wanted the package pyarrow, which reads it, found none; {INSTALL} pyarrow"])
    import pyarrow

    return pyarrow


def load_stream(path: Path, budget: bounds.Budget) -> Any:
    """The table in an Arrow file or stream, checked against what it may become."""
    pyarrow = needs_pyarrow(path)
    with pyarrow.memory_map(os.fspath(path)) as source:
        start = len(FILE) if source.read(len(FILE)) == FILE else 0
        source.seek(start)
        for message in _messages(pyarrow, source):
            budget.spend(_unpacked(message), "a batch of rows")
        source.seek(start)
        with pyarrow.ipc.open_stream(source) as stream:
            found = stream.read_all()
        found.validate(full=True)
        return found


def _messages(pyarrow: Any, source: Any) -> Iterator[Any]:
    reader = pyarrow.ipc.MessageReader.open_stream(source)
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _unpacked(message: Any) -> int:
    """The bytes that a message becomes: its own, or those that its compressed buffers say that they hold."""
    body = memoryview(message.body) if message.body is not None else memoryview(b"")
    data = memoryview(message.metadata).cast("B")
    root = struct.unpack_from("<I", data, 0)[0]
    kind = _field(data, root, 1)
    batch = _table(data, root, 2)
    if kind and data[kind] == DICTIONARY and batch:
        batch = _table(data, batch, 1)
    elif not kind or data[kind] != BATCH:
        batch = 0
    if not batch or not _field(data, batch, 3):
        return len(body)
    start = _table(data, batch, 2)
    total = 0
    for place in range(struct.unpack_from("<I", data, start)[0] if start else 0):
        offset, length = struct.unpack_from("<qq", data, start + 4 + 16 * place)
        if length:
            (size,) = struct.unpack_from("<q", body, offset)
            total += length if size < 0 else size
    return total


def _field(data: memoryview, place: int, number: int) -> int:
    """Where a field of a FlatBuffers table stands; 0 where it is not written."""
    start = place - struct.unpack_from("<i", data, place)[0]
    size = struct.unpack_from("<H", data, start)[0]
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", data, start + at)[0] if at < size else 0
    return place + offset if offset else 0


def _table(data: memoryview, place: int, number: int) -> int:
    at = _field(data, place, number)
    return at + struct.unpack_from("<I", data, at)[0] if at else 0


def columns(where: Path, found: Any, budget: bounds.Budget) -> dict[str, Any]:
    """The columns of a table: values as one float matrix, lists as matrices, labels as arrays, names as texts."""
    titles = found.column_names
    if len(set(titles)) < len(titles):
        raise InputError([f"{where}: wanted every column once, found {examples(titles, 6)}; rename some"])
    places = table.values(where, titles)
    budget.spend(8 * found.num_rows * max(1, len(titles)), "rows")
    entries: dict[str, Any] = {}
    if places:
        matrix = np.empty((found.num_rows, len(places)), np.float64)
        for at, place in enumerate(places):
            matrix[:, at] = _numbers(where, titles[place], found.column(place))
        kinds = {str(found.column(place).type) for place in places}
        entries[table.FEATURES] = matrix.astype(np.float32) if kinds <= {"float", "halffloat"} else matrix
    for place, title in enumerate(titles):
        if place not in set(places):
            entries[title] = _column(where, title, found.column(place), budget)
    return entries


def _numbers(where: Path, title: str, column: Any) -> np.ndarray:
    import pyarrow.types as types

    if not (types.is_floating(column.type) or types.is_integer(column.type)):
        raise InputError([f"{where}: wanted numbers in the column {printable(title, 40)}, found {column.type}"])
    return np.asarray(column.to_numpy(), np.float64)


def _column(where: Path, title: str, column: Any, budget: bounds.Budget) -> Any:
    import pyarrow.types as types

    kind = column.type
    if isinstance(kind, _extension()):
        column = _storage(column)
        kind = column.type
    if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind):
        return _texts(column, budget)
    if _is_list(kind):
        return _matrix(where, title, column)
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


def _is_list(kind: Any) -> bool:
    import pyarrow.types as types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _matrix(where: Path, title: str, column: Any) -> Any:
    """A column of lists of one length as (n, d); of lists of lists as (n, d, e)."""
    import pyarrow
    import pyarrow.types as types

    array = column.combine_chunks()
    if isinstance(array, pyarrow.ChunkedArray):
        array = pyarrow.concat_arrays(array.chunks)
    shape = [len(array)]
    while _is_list(array.type):
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
                row = int(np.flatnonzero(lengths != width)[0]) // max(1, int(np.prod(shape[1:])))
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


def keys_of(where: Path, schema: Any) -> tuple[str, ...]:
    """The titles, those of values as one; the only column of lists is features, whatever it is called."""
    import pyarrow.types as types

    titles = table.keys(where, schema.names)
    if any(column_of(title) == "" for title in titles):
        return titles
    lists = [part.name for part in schema if _is_list(part.type) and types.is_floating(part.type.value_type)]
    return (table.FEATURES, *titles) if len(lists) == 1 else titles


def _load_arrow(path: Path, wanted: Wanted) -> dict[str, Any]:
    budget = bounds.Budget(path.stat().st_size)
    return columns(path, load_stream(path, budget), budget)


def _keys_arrow(path: Path) -> tuple[str, ...]:
    return keys_of(path, schema_of(path))


def schema_of(path: Path) -> Any:
    """The columns of an Arrow file or stream."""
    pyarrow = needs_pyarrow(path)
    with pyarrow.memory_map(os.fspath(path)) as source:
        source.seek(len(FILE) if source.read(len(FILE)) == FILE else 0)
        with pyarrow.ipc.open_stream(source) as stream:
            return stream.schema


def _load_parquet(path: Path, wanted: Wanted) -> dict[str, Any]:
    pyarrow = needs_pyarrow(path)
    from pyarrow import parquet

    budget = bounds.Budget(path.stat().st_size)
    with parquet.ParquetFile(path) as file:
        texts = [part.name for part in file.schema_arrow if pyarrow.types.is_string(part.type)]
        nested = [
            part.name
            for part in file.schema_arrow
            if pyarrow.types.is_nested(part.type) and not _is_list(part.type)
        ]
        names = [name for name in file.schema_arrow.names if name not in nested]
        _refuse_large(file.metadata, budget)
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        found = file.read(columns=names, use_threads=False)
    found.validate(full=True)
    entries = columns(path, found, budget)
    return {**entries, **{name: Unread((found.num_rows,), "a record") for name in nested}}


def _refuse_large(metadata: Any, budget: bounds.Budget) -> None:
    """Values are counted before they are unpacked: what repeats takes next to nothing in the file."""
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for number in range(rows.num_columns):
            column = rows.column(number)
            size = {"DOUBLE": 8, "INT64": 8, "BOOLEAN": 1}.get(column.physical_type, 4)
            budget.spend(max(column.num_values * size, column.total_uncompressed_size), column.path_in_schema)


def _keys_parquet(path: Path) -> tuple[str, ...]:
    needs_pyarrow(path)
    from pyarrow import parquet

    return keys_of(path, parquet.read_schema(path))


def _is_arrow(path: Path, head: bytes) -> bool:
    stream = path.suffix.lower() in (".arrow", ".feather", ".ipc") and head.startswith(b"\xff\xff\xff\xff")
    return head.startswith(FILE) or stream


PARQUET = Reader(
    "Parquet",
    _load_parquet,
    (".parquet", ".pq"),
    recognises=lambda path, head: head.startswith(b"PAR1"),
    keys=_keys_parquet,
)
ARROW = Reader("Arrow", _load_arrow, (".feather", ".arrow", ".ipc"), recognises=_is_arrow, keys=_keys_arrow)
