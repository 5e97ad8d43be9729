"""Labels in files of their own, in the order of the rows: ``query_pid.npy``, ``gallery_camids.txt``."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ensemble.base import spellings
from ensemble.base.errors import InputError
from ensemble.base.features import COLUMNS, SIDES
from ensemble.base.kinds import Array
from ensemble.base.labels import LABELS, of_cells
from ensemble.base.labels import read as read_column
from ensemble.io import containers
from ensemble.io.arrays import what, whole_numbers
from ensemble.io.keys import ONE_SET, side_called
from ensemble.io.lists import Labels, read_lines
from ensemble.io.name_lists import PACKED, TEXT

_CALLED = re.compile(rf"({'|'.join((*SIDES, ONE_SET))})[_-](.+)", re.DOTALL)


def find(files: Iterable[Path], problems: list[str]) -> dict[str, dict[str, Path]]:
    """The files that hold a column, by side and column; what may be features is looked at."""
    found: dict[str, dict[str, Path]] = {}
    for file in files:
        match = _CALLED.fullmatch(file.stem)
        column = spellings.meant(match[2]) if match else None
        if match and column in COLUMNS and file.suffix.lower() in (*TEXT, *PACKED) and _is_column(file):
            side = side_called(match[1])
            first = found.setdefault(side, {}).setdefault(column, file)
            if first != file:
                problems.append(
                    f"{file.parent}: wanted one file for {side}_{column}, found {first.name} and {file.name}; "
                    "leave one"
                )
    return found


def read(path: Path, column: str, names: Sequence[str], source: str) -> Labels:
    """One column for the images of ``source``, row by row. InputError where it is none, or of other images."""
    values: Array | None
    if path.suffix.lower() in TEXT:
        values = of_cells(read_lines(path), zeros=column == "pid")
        if column not in LABELS and values.dtype == object:
            values = None
    else:
        content = containers.load(path)
        values = read_column(column, content) if column in LABELS else whole_numbers(content)
        if values is None:
            raise InputError(
                [f"{path}: wanted {column} of {len(names)} images, found {what(content)}; write labels"]
            )
    if values is None or len(values) != len(names):
        found = "text" if values is None else f"{len(values)} for {len(names)}"
        wanted = f"a {column} for each of the {len(names)} images of {source}"
        raise InputError([f"{path}: wanted {wanted}, found {found}; write it again"])
    return Labels(str(path), list(names), {column: values})


def _is_column(path: Path) -> bool:
    if path.suffix.lower() in TEXT:
        return True
    try:
        content = containers.load(path)
    except InputError:
        return False
    if isinstance(content, np.ndarray):
        return content.size == max(content.shape, default=0) and content.dtype.kind != "O"
    return isinstance(content, (list, tuple)) and all(isinstance(value, (int, float, str)) for value in content)
