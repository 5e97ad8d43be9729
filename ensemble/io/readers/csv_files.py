"""Tables in text, with commas, semicolons or tabs: a column a value, or one of lists, beside names and labels.

Without a first line of titles every line is a row of numbers, a name before them if there is one.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.base.broken import reason
from ensemble.base.errors import InputError, examples, printable
from ensemble.io.keys import column_of
from ensemble.io.lists import separator_of
from ensemble.io.readers import table
from ensemble.io.readers.reader import Reader, Wanted

if TYPE_CHECKING:
    import pandas as pd

FIRST = 4 << 20  # bytes of the first line, at most
NAME = "name"
THOUSANDS = re.compile(r"\s*-?[1-9][0-9]{0,2}(,[0-9]{3})+\s*")
_LIST = re.compile(r"\s*[\[(].*[\])]\s*", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"(?<=[0-9]),(?=[0-9])")
_NO_DECIMAL = re.compile(r"\.|,[^,;\s]*,")  # a point, or a number between two commas
_OTHERS = re.compile(r";|(?<![,;\s])\s+(?![,;\s])")  # what separates values beside commas


def parse(where: Path, content: bytes) -> dict[str, Any]:
    """The columns of a table in UTF-8: values as one float matrix, everything else as texts."""
    import pandas as pd

    titles, separator, headed = _first(where, content)
    places = table.values(where, titles)
    names = [str(place) for place in range(len(titles))]
    chosen = {names[place] for place in places}

    def frame_of(values: type | str, **decimal: Any) -> "pd.DataFrame":
        return pd.read_csv(
            io.BytesIO(content.removeprefix(b"\xef\xbb\xbf")),
            sep=separator,
            header=0 if headed else None,
            names=names,
            index_col=False,
            dtype={name: values if name in chosen else str for name in names},
            keep_default_na=False,
            na_values={name: ["", "nan", "NaN"] for name in chosen},
            **decimal,
        )

    try:
        try:
            frame = frame_of(np.float64, float_precision="round_trip")
        except ValueError:
            if separator == ",":
                raise
            _refuse_thousands(where, frame_of(str)[sorted(chosen)])
            frame = frame_of(np.float64, decimal=",", float_precision="high")
    except pd.errors.ParserError as error:
        raise InputError(
            [f"{where}: wanted {len(titles)} cells a line, found {reason(error)}; complete it"]
        ) from None
    except InputError:
        raise
    except ValueError as error:
        said = f"found a cell that is none ({reason(error)})"
        raise InputError([f"{where}: wanted numbers in {table.keys(where, titles)[0]}, {said}"]) from None
    columns: dict[str, Any] = {
        title: [cell.strip() for cell in frame[name].tolist()]
        for title, name in zip(titles, names, strict=True)
        if name not in chosen
    }
    if places:
        return {table.FEATURES: frame[[names[place] for place in places]].to_numpy(np.float64), **columns}
    return {title: _lists(where, title, cells) for title, cells in columns.items()}


def _refuse_thousands(where: object, cells: "pd.DataFrame") -> None:
    """Refuse commas that may stand between thousands."""
    commas = [cell for cell in cells.to_numpy().ravel().tolist() if "," in str(cell)]
    if commas and all(map(THOUSANDS.fullmatch, commas)):
        raise InputError(
            [
                f"{where}: wanted numbers with a decimal point or comma, found commas that may stand between "
                f"thousands ({examples(commas)}); write a decimal point"
            ]
        )


def _first(where: object, content: bytes) -> tuple[list[str], str, bool]:
    """The titles, the separator, and whether the file itself has them."""
    line = content[:FIRST].decode("utf-8-sig", "strict" if len(content) < FIRST else "ignore").lstrip("\r\n")
    separator = separator_of(line)
    row = next(csv.reader(io.StringIO(line, newline=""), delimiter=separator), [])
    cells = [cell.strip() for cell in row]
    numbers = [cell for cell in cells[1:] if _is_number(cell)]
    if len(cells) < 2 or len(numbers) < len(cells) - 1 or not _are_values(cells[1:]):
        return cells, separator, True
    width = len(cells) if _is_number(cells[0]) else len(cells) - 1
    titles = [f"f{place}" for place in range(width)]
    return [NAME, *titles] if width < len(cells) else titles, separator, False


def _are_values(cells: Sequence[str]) -> bool:
    """Whether numbers are values and no titles, which count up from 0 or 1."""
    return any(not cell.isdecimal() for cell in cells) or [*map(int, cells)] not in (
        [*range(len(cells))],
        [*range(1, len(cells) + 1)],
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _lists(where: object, title: str, cells: list[str]) -> Any:
    """A column of features as vectors, where its cells are lists."""
    if not cells or not all(map(_LIST.fullmatch, cells)):
        return cells
    if column_of(title) is None and not title:
        return cells
    short = [place for place, cell in enumerate(cells) if "..." in cell]
    if short:
        raise InputError(
            [
                f"{where}: wanted all values in {printable(title, 40)}, found '...' in line {examples(short)}: "
                "NumPy left values out when it was printed; write the features again, as .npy or Parquet"
            ]
        )
    inner = [cell.strip().strip("[]()").strip(" ,;\n") for cell in cells]
    if not any(map(_NO_DECIMAL.search, inner)) and all(map(_OTHERS.search, inner)):
        inner = [_DECIMAL_COMMA.sub(".", cell) for cell in inner]  # commas separate nothing there
    return [np.array(re.split(r"[\s,;]+", cell), np.float64) for cell in inner]


def _load(path: Path, wanted: Wanted) -> dict[str, Any]:
    return parse(path, path.read_bytes())


def keys(path: Path) -> tuple[str, ...]:
    """The titles, those of values as one."""
    with path.open("rb") as file:
        titles, _, _ = _first(path, file.read(FIRST))
    return table.keys(path, titles)


def _is_text(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in (".csv", ".tsv")


CSV = Reader("table", _load, (".csv", ".tsv"), recognises=_is_text, keys=keys)
