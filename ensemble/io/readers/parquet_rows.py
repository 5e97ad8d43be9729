"""Features of large Parquet files: some rows at a time into a file without a name, never all in memory."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, printable
from ensemble.io import bounds
from ensemble.io.readers import arrow_columns, table
from ensemble.io.readers.reader import Stored
from postproc.base import temporary

BATCH = 4096  # rows that are unpacked at a time


def stored(path: Path) -> dict[str, Stored]:
    """The matrices of a Parquet file, of columns with a value each and of columns of lists, by their keys."""
    return {key: size for key, (size, _) in _matrices(path).items()}


def large(path: Path) -> dict[str, list[str]]:
    """The columns that make each matrix which is left on disk, by its key."""
    return {key: columns for key, (size, columns) in _matrices(path).items() if size.mapped}


def _matrices(path: Path) -> dict[str, tuple[Stored, list[str]]]:
    from pyarrow import parquet, types

    with parquet.ParquetFile(path) as file:
        schema, metadata = file.schema_arrow, file.metadata
    rows, found = metadata.num_rows, {}
    places = table.values(path, schema.names)
    if places and rows:
        columns = [schema.names[place] for place in places]
        kinds = {str(schema.field(place).type) for place in places}
        item = 4 if kinds <= arrow_columns.SINGLE else 8
        size = Stored((rows, len(places)), item, temporary.is_large(rows, len(places)))
        found[table.FEATURES] = size, columns
    counts = _counts(metadata)
    for part in schema:
        kind = part.type.value_type if arrow_columns.is_list(part.type) else None
        if kind is not None and types.is_floating(kind) and rows:
            width = counts.get(part.name, 0) // rows
            size = Stored((rows, width), kind.bit_width // 8, temporary.is_large(rows, width))
            found[part.name] = size, [part.name]
    return found


def _counts(metadata: Any) -> dict[str, int]:
    """How many values there are in each column of lists."""
    found: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for number in range(rows.num_columns):
            column = rows.column(number)
            name = column.path_in_schema.partition(".")[0]
            found[name] = found.get(name, 0) + column.num_values
    return found


def spooled(path: Path, wanted: Mapping[str, list[str]], count: int) -> dict[str, np.ndarray]:
    """The matrices (``count``, d) of some columns, each mapped from a file without a name, by their keys.

    Raises InputError where rows have several widths, and OSError where there is no room for the file.
    """
    return {key: _spooled(path, key, columns, count) for key, columns in wanted.items()}


def _spooled(path: Path, key: str, columns: list[str], count: int) -> np.ndarray:
    batches = _batches(path, key, columns)
    first = next(batches)
    rows = _Rows(path, key, batches, first)
    return temporary.written((count, *first.shape[1:]), rows.take, "read", first.dtype)


def _batches(path: Path, key: str, columns: list[str]) -> Iterator[np.ndarray]:
    import pyarrow
    from pyarrow import parquet

    budget, first = bounds.Budget(path.stat().st_size), 0
    with parquet.ParquetFile(path, memory_map=True) as file:
        for batch in file.iter_batches(BATCH, columns=columns, use_threads=False):
            found = pyarrow.Table.from_batches([batch])
            found.validate(full=True)
            yield arrow_columns.columns(path, found, budget, first=first)[key]
            first += len(batch)


class _Rows:
    """Rows that come in batches, handed out as many as somebody wants."""

    def __init__(self, path: Path, key: str, batches: Iterator[np.ndarray], first: np.ndarray) -> None:
        self.path, self.key, self.batches, self.left = path, key, batches, first

    def take(self, part: slice) -> np.ndarray:
        """The next rows, as many as the slice has."""
        found, wanted, done = [], part.stop - part.start, 0
        while done < wanted:
            if not len(self.left):
                self.left = self._next(part.start + done)
            found.append(self.left[: wanted - done])
            self.left = self.left[wanted - done :]
            done += len(found[-1])
        return np.concatenate(found)

    def _next(self, row: int) -> np.ndarray:
        batch = next(self.batches)
        if batch.shape[1:] != self.left.shape[1:]:
            raise InputError(
                [
                    f"{self.path}: wanted {self.left.shape[1]} values in every row of {printable(self.key, 40)}, "
                    f"found another number in row {row}; extract them again"
                ]
            )
        return batch
