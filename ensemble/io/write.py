"""Files that are whole or not there, and the project's own format."""

import csv
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.features import COLUMNS, FeatureSet
from ensemble.io.codes import LENGTHS, packed

LEFT_OVER = re.compile(r".+\.[0-9]+\.part")  # what :func:`beside` leaves where its process was killed


class Unwritable(InputError):
    """The disk refuses what is to be written; no other format of it helps."""


def unwritable(path: Path, error: OSError) -> Unwritable:
    """That ``path`` cannot be written, and why."""
    reason = error.strerror or error
    return Unwritable([f"{path}: wanted to write it, but {reason}; choose another place or make room"])


@contextmanager
def beside(path: Path, mode: Literal["w", "wb"] = "w") -> Iterator[IO[Any]]:
    """Write to a file beside ``path`` that takes its place when all is written, and vanishes when not.

    Text is UTF-8 with LF. Folders on the way are made. A device or a pipe is written to as it is.
    Raises InputError where the disk refuses.
    """
    path = Path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open(mode, **text) as file:  # type: ignore[call-overload]
                yield file
            return
        temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open(mode, **text) as file:  # type: ignore[call-overload]
                yield file
            os.replace(temporary, path)
        finally:
            with suppress(OSError):  # gone already, or never made
                temporary.unlink()
    except OSError as error:
        raise unwritable(path, error) from None
    except UnicodeEncodeError as error:
        raise Unwritable(
            [
                f"{path}: wanted text that UTF-8 can hold, found {error.object[error.start : error.end]!a}; "
                "rename the files whose names have it"
            ]
        ) from None


def write_csv(
    path: Path, header: Iterable[object], rows: Iterable[Iterable[object]], *, data: bool = False
) -> None:
    """Write a table: the header, then a line a row; None is an empty cell.

    data: somebody reads it back, so that texts stay as they are; else none of them is a formula to a spreadsheet.
    """
    shown = list if data else _harmless
    with beside(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(shown(header))
        table.writerows(map(shown, rows))


def _harmless(cells: Iterable[object]) -> list[object]:
    return [harmless(cell) for cell in cells]


def harmless(cell: object) -> object:
    """A cell as it is; text that a spreadsheet takes for a formula begins with an apostrophe.

    >>> harmless("=cmd|' /C calc'!A0"), harmless("-0.5"), harmless("0001.jpg")
    ("'=cmd|' /C calc'!A0", '-0.5', '0001.jpg')
    """
    text = str(cell) if isinstance(cell, (str, Path)) else ""
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return cell


def write_npz(path: Path, feature_set: FeatureSet) -> None:
    """Write one model as ``MODEL.npz``: the vocabulary as keys, names as text, the same bytes for the same set.

    Keys: ``query``, ``gallery``, ``train`` (where there is one) in float32; for each side ``SIDE_name`` and the
    columns of its table in int64, or as text; of one set the gallery alone. Uncompressed: features do not shrink.
    Codes: eight bits a byte, with ``code_lengths``.
    """
    entries: dict[str, np.ndarray] = {}
    codes = feature_set.codes
    if codes:
        entries[LENGTHS] = np.array(codes, np.int64)
    for side in feature_set.sides:
        rows, table = getattr(feature_set, side), getattr(feature_set, f"{side}_table")
        if rows is None:
            continue
        bits = packed(rows, codes) if codes else None
        entries[side] = rows if bits is None else bits
        entries[f"{side}_name"] = np.array(table["name"].tolist(), np.str_)
        for column in COLUMNS:
            if column in table.columns:
                values = table[column].to_numpy()
                kind = np.str_ if values.dtype == object else np.int64
                entries[f"{side}_{column}"] = values.astype(kind)
    with beside(path, "wb") as file:
        np.savez(file, **entries)  # type: ignore[arg-type]
