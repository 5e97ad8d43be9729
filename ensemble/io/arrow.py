"""Tables in Parquet and Feather (Arrow) files, as text, cell by cell; they need pyarrow."""

from pathlib import Path
from typing import Any

from ensemble.base.broken import told
from ensemble.io.bounds import Budget, TooLarge
from ensemble.io.readers import arrow_files

PARQUET = (".parquet", ".pq")
SUFFIXES = (*PARQUET, ".feather", ".arrow")


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of cells; what is unknown is an empty cell, and so are lists and structures.

    Raises InputError for a file that cannot be read, also where pyarrow is not installed.
    """
    arrow_files.needs_pyarrow(path)
    with told(f"{path}: wanted a table in Parquet or Feather", "write it again", TooLarge):
        titles, table = _table(path)
        columns = [_cells(table.column(t)) if t in table.column_names else [""] * table.num_rows for t in titles]
        return titles, [list(row) for row in zip(*columns, strict=True)]


def _table(path: Path) -> tuple[list[str], Any]:
    """All titles, and the columns without structure, which may become no larger than such a file can hold."""
    budget = Budget(path.stat().st_size)
    if path.suffix.lower() in PARQUET:
        schema, table = arrow_files.read_parquet(path, _flat, budget)
    else:
        table = arrow_files.load_stream(path, budget)
        schema = table.schema
        table = table.select(_flat(schema))
    budget.spend(8 * table.num_rows * len(schema), "its rows")
    for title, column in zip(table.column_names, table.columns, strict=True):
        budget.spend(_bytes(column), title)
    return list(schema.names), table


def _flat(schema: Any) -> list[str]:
    from pyarrow import types

    return [field.name for field in schema if not types.is_nested(field.type)]


def _bytes(column: Any) -> int:
    """What a column takes at most when every cell stands alone: a text may be there once for all of them."""
    from pyarrow import compute, types

    if not types.is_dictionary(column.type):
        return int(column.nbytes)
    longest = 0
    for chunk in column.chunks:
        words = chunk.dictionary
        if types.is_string(words.type) or types.is_large_string(words.type) or types.is_binary(words.type):
            longest = max(longest, compute.max(compute.binary_length(words)).as_py() or 0)
    return int(column.nbytes) + longest * len(column)


def _cells(column: Any) -> list[str]:
    return ["" if value is None or value != value else _text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
