"""Parquet, and Arrow's own files (Feather, the streams of ``datasets``): a column a value, or one of lists."""

import os
import struct
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ensemble.base.errors import InputError
from ensemble.io import bounds
from ensemble.io.keys import column_of
from ensemble.io.matlab5 import Unread
from ensemble.io.readers import arrow_columns, parquet_rows, table
from ensemble.io.readers.reader import Reader, Stored, Wanted
from postproc.base.extras import install

FILE = b"ARROW1\x00\x00"  # before the stream that a file is
END = b"ARROW1"  # of such a file
DICTIONARY, BATCH = 2, 3  # kinds of messages that have values


def needs_pyarrow(path: Path) -> Any:
    """pyarrow. Raises InputError where it is not installed."""
    if find_spec("pyarrow") is None:
        raise InputError([f"{path}: wanted the package pyarrow, which reads it, found none; {install('parquet')}"])
    import pyarrow

    return pyarrow


def load_stream(path: Path, budget: bounds.Budget) -> Any:
    """The table in an Arrow file or stream, checked against what it may become."""
    pyarrow = needs_pyarrow(path)
    with pyarrow.memory_map(os.fspath(path)) as source:
        start = len(FILE) if source.read(len(FILE)) == FILE else 0
        source.seek(max(0, source.size() - len(END)))
        if start and source.read(len(END)) != END:
            raise ValueError("a file whose end is missing")
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


def keys_of(where: Path, schema: Any) -> tuple[str, ...]:
    """The titles, those of values as one; the only column of lists is features, whatever it is called."""
    import pyarrow.types as types

    titles = table.keys(where, schema.names)
    if any(column_of(title) == "" for title in titles):
        return titles
    lists = [
        part.name
        for part in schema
        if arrow_columns.is_list(part.type) and types.is_floating(part.type.value_type)
    ]
    return (table.FEATURES, *titles) if len(lists) == 1 else titles


def _load_arrow(path: Path, wanted: Wanted) -> dict[str, Any]:
    budget = bounds.Budget(path.stat().st_size)
    return arrow_columns.columns(path, load_stream(path, budget), budget)


def _keys_arrow(path: Path) -> tuple[str, ...]:
    return keys_of(path, schema_of(path))


def schema_of(path: Path) -> Any:
    """The columns of an Arrow file or stream."""
    pyarrow = needs_pyarrow(path)
    with pyarrow.memory_map(os.fspath(path)) as source:
        source.seek(len(FILE) if source.read(len(FILE)) == FILE else 0)
        with pyarrow.ipc.open_stream(source) as stream:
            return stream.schema


def read_parquet(path: Path, chosen: Callable[[Any], list[str]], budget: bounds.Budget) -> tuple[Any, Any]:
    """The schema of a Parquet file, and the table of the columns that are ``chosen`` from it."""
    needs_pyarrow(path)
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        schema = file.schema_arrow
        _refuse_large(file.metadata, budget)
    texts = [part.name for part in schema if arrow_columns.is_text(part.type)]
    with parquet.ParquetFile(path, read_dictionary=texts) as file:
        found = file.read(columns=chosen(schema), use_threads=False)
    found.validate(full=True)
    return schema, found


def _load_parquet(path: Path, wanted: Wanted) -> dict[str, Any]:
    pyarrow = needs_pyarrow(path)

    def nested(schema: Any) -> list[str]:
        of = pyarrow.types.is_nested
        return [part.name for part in schema if of(part.type) and not arrow_columns.is_numeric(part.type)]

    def flat(schema: Any) -> list[str]:
        left = nested(schema)
        return [name for name in schema.names if name not in left]

    budget = bounds.Budget(path.stat().st_size)
    large = parquet_rows.large(path)
    left = {column for of in large.values() for column in of}
    schema, found = read_parquet(path, lambda schema: [name for name in flat(schema) if name not in left], budget)
    entries = arrow_columns.columns(path, found, budget, together=not large)
    entries = {**parquet_rows.spooled(path, large, found.num_rows), **entries}
    return {**entries, **{name: Unread((found.num_rows,), "a record") for name in nested(schema)}}


def _refuse_large(metadata: Any, budget: bounds.Budget) -> None:
    """Values are counted before they are unpacked: what repeats takes next to nothing in the file."""
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for number in range(rows.num_columns):
            column = rows.column(number)
            size = {"DOUBLE": 8, "INT64": 8, "BOOLEAN": 1}.get(column.physical_type, 4)
            budget.spend(max(column.num_values * size, column.total_uncompressed_size), column.path_in_schema)


def _stored_parquet(path: Path) -> dict[str, Stored]:
    needs_pyarrow(path)
    return parquet_rows.stored(path)


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
    stored=_stored_parquet,
    copies=3,
)
ARROW = Reader("Arrow", _load_arrow, (".feather", ".arrow", ".ipc"), recognises=_is_arrow, keys=_keys_arrow)
