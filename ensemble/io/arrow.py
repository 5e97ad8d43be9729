"""Tables in Parquet and Feather (Arrow) files, as text, cell by cell; they need pyarrow."""

import importlib.util
from pathlib import Path
from typing import Any

from ensemble.base.broken import told
from ensemble.base.errors import InputError
from ensemble.io.bounds import Budget, TooLarge

SUFFIXES = (".parquet", ".pq", ".feather", ".arrow")
MISSING = "wanted pyarrow to read it, found it is not installed; pip install 'reid-ensemble[parquet]'"


def read(path: Path) -> tuple[list[str], list[list[str]]]:
    """Titles and rows of cells; what is unknown is an empty cell, and so are lists and structures.

    Raises InputError for a file that cannot be read, also where pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise InputError([f"{path}: {MISSING}"])
    with told(f"{path}: wanted a table in Parquet or Feather", "write it again", TooLarge):
        table = _table(path)
        columns = [_cells(column) for column in table.columns]
        return list(table.column_names), [list(row) for row in zip(*columns, strict=True)]


def _table(path: Path) -> Any:
    """The table, whose columns may become no larger than a file of this size can hold."""
    import pyarrow.feather as feather
    import pyarrow.parquet as parquet
    from pyarrow import types

    budget = Budget(path.stat().st_size)
    if path.suffix.lower() in (".parquet", ".pq"):
        file = parquet.ParquetFile(path)
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
        flat = [field.name for field in file.schema_arrow if not types.is_nested(field.type)]
        budget.spend(sum(group.total_byte_size for group in groups), "its rows")
        budget.spend(8 * file.metadata.num_rows * len(flat), "its rows")
        table = file.read(columns=flat, use_threads=False)
    else:
        table = feather.read_table(path, use_threads=False, memory_map=False)
        table = table.select([field.name for field in table.schema if not types.is_nested(field.type)])
        budget.spend(8 * table.num_rows * table.num_columns, "its rows")
    budget.spend(table.nbytes, "its columns")
    return table


def _cells(column: Any) -> list[str]:
    return ["" if value is None or value != value else _text(value) for value in column.to_pylist()]


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
