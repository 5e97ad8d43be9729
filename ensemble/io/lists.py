"""Text beside the features: lists of names, tables of labels, and the tracks of the AI City Challenge."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from ensemble.base import spellings
from ensemble.base.alike import alike
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, near, printable, refuse_if_any
from ensemble.base.features import COLUMNS
from ensemble.base.kinds import Array
from ensemble.base.labels import LABELS, UNKNOWN, composed, of_cells
from ensemble.io import arrow

TABLES = (".csv", ".tsv", *arrow.SUFFIXES)  # suffixes of tables
Keys = Mapping[str, Sequence[str]]  # labels that are made of several columns of a table, by what they are called
_NUMBER = re.compile(r"[0-9]{1,18}")
IN_ONE_TRACK = "image in one track"
SEPARATORS = (",", ";", "\t")  # of the cells of a table; the first where none is there
_WHOLE = re.compile(r"\s*([+-]?[0-9]{1,18})(?:\.0*)?\s*")


@dataclass(frozen=True)
class Labels:
    """What one source says about images: for each name a whole number in every column; labels may be text."""

    where: str
    names: list[str]
    columns: dict[str, np.ndarray]
    unused: tuple[str, ...] = ()  # columns of a table that nobody looks at, with the nearest name
    nameless: bool = False  # a table without names, whose rows are called by their numbers, from 0
    paths: tuple[str, ...] = ()  # what a table of ids of images calls them besides


def read_labels(path: Path, wanted: Sequence[str] = (), keys: Keys | None = None) -> Labels:
    """A table with the column ``name`` and any of the columns of a FeatureSet, in any of their usual spellings.

    keys: labels that several columns make together, as ``{"pid": ["species", "name"]}``.

    Names stay text, so ``0001`` keeps its zeros. An empty cell, or NaN, is unknown. Columns that are not used are
    listed in the result; those that are ``wanted`` beside a FeatureSet's are labels. Without names the rows are
    called 0, 1, ….
    Raises InputError with all faults of the table.
    """
    header, rows, problems = read_table(path)
    titles = [title for titles in (keys or {}).values() for title in titles]
    places, unused, twice = spellings.columns(header, wanted, titles)
    if not (places or keys) or len({*header}) != len(header):
        found = ",".join(header)
        wanted = f"name and any of {', '.join(COLUMNS)} as first line"
        raise InputError([f"{path}: wanted {wanted}, found {printable(found)}"])
    problems += [f"{path}: {problem}" for problem in twice]
    table = {column: [row[place] for row in rows] for column, place in places.items()}
    nameless = "name" not in places
    names = [str(row) for row in range(len(rows))] if nameless else [name.strip() for name in table["name"]]
    if not all(names):
        problems.append(f"{path}: wanted a name in every line, found {names.count('')} without; fill them in")
    problems += _twice(path, "name once", names)
    paths = _paths(header, rows, places)
    columns = {}
    for column in (*COLUMNS, *wanted):
        if keys and column in keys:
            with collecting(problems):
                columns[column] = _composed(path, column, keys[column], header, rows)
        elif column in table and (column in LABELS or column not in COLUMNS):
            columns[column] = of_cells(table[column], zeros=column == "pid")
        elif column in table:
            columns[column] = _numbers(path, column, names, table[column], problems)
    refuse_if_any(problems)
    return Labels(str(path), names, columns, tuple(unused), nameless, paths)


def _paths(header: list[str], rows: list[list[str]], places: Mapping[str, int]) -> tuple[str, ...]:
    """The names in another column of names, where there is one and each is there once."""
    others = [
        at for at, title in enumerate(header) if spellings.meant(title) == "name" and at != places.get("name", at)
    ]
    names = [row[at].strip() for at in others[:1] for row in rows]
    return tuple(names) if len(others) == 1 and all(names) and len({*names}) == len(names) else ()


def _numbers(path: Path, column: str, names: list[str], cells: list[str], problems: list[str]) -> np.ndarray:
    matches = [_WHOLE.fullmatch("-1" if text.strip().lower() in UNKNOWN else text) for text in cells]
    wrong = [f"{name}: {text!r}" for name, text, match in zip(names, cells, matches, strict=True) if not match]
    if wrong:
        problems.append(f"{path}: wanted whole numbers in {column}, found {examples(wrong)}; write -1 for unknown")
    return np.array([int(match[1]) if match else -1 for match in matches], np.int64)


def _composed(path: Path, column: str, titles: Sequence[str], header: list[str], rows: list[list[str]]) -> Array:
    """A label out of several columns of a table."""
    missing = [f"{title}{near(title, header)}" for title in titles if title not in header]
    if missing:
        wanted = f"the columns {', '.join(titles)} for {column}"
        raise InputError([f"{path}: wanted {wanted}, as --key says, found no {examples(missing)}"])
    zeros = column == "pid" and len(titles) == 1
    parts = [of_cells((row[header.index(title)] for row in rows), zeros=zeros) for title in titles]
    return parts[0] if len(parts) == 1 else composed(parts)


def read_table(path: Path) -> tuple[list[str], list[list[str]], list[str]]:
    """First line, complete lines and what is wrong with the others of a file with commas, semicolons or tabs.

    Lines without a word in any cell, as spreadsheets leave them, are no lines. Parquet and Feather have cells too.
    """
    if path.suffix.lower() in arrow.SUFFIXES:
        titles, rows = arrow.read(path)
        return titles, rows, [] if rows else [f"{path}: wanted at least one image, found none; write it again"]
    text = _text(path)
    separator = separator_of(text)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        numbered = [(lines.line_num, row) for row in lines if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError([f"{path}: wanted a table with commas, found a line that is none ({error})"]) from None
    if not numbered:
        raise InputError([f"{path}: wanted one image a line, found an empty file; write it again"])
    header, rows = numbered[0][1], [row for _, row in numbered[1:]]
    problems = []
    ragged = [number for number, row in numbered[1:] if len(row) != len(header)]
    if ragged:
        found = f"another number in line {examples(ragged)}"
        problems.append(f"{path}: wanted {len(header)} values a line, found {found}; complete or remove them")
    if not rows:
        problems.append(f"{path}: wanted at least one image, found only the first line; write it again")
    return [title.strip() for title in header], [row for row in rows if len(row) == len(header)], problems


def separator_of(text: str) -> str:
    """What separates the cells of a table, by its first line."""
    return max(SEPARATORS, key=text.lstrip("\r\n").split("\n", 1)[0].count)


def read_tracks(
    path: Path, names: Sequence[str], positional: bool = False, *, notes: list[str] | None = None
) -> Labels:
    """Tracks, one a line, as the columns ``track`` (line, from 0) and ``order`` (place in the line) of ``names``.

    A line holds names, or ids, separated by spaces; a space at the end of a line changes nothing. An id is the
    number in the image's name (``000012.jpg`` is 12); where the names are not all numbers, or stand for positions
    (``positional``), it is the place in ``names``, from 1, which ``notes`` takes. An image in no track gets -1 in
    both columns.
    Raises InputError with all faults of the file.
    """
    lines = read_lines(path)
    problems = _blank(path, lines)
    tracks = [line.split() for line in lines]
    tokens = [token for track in tracks for token in track]
    numbers = [token for token in tokens if _NUMBER.fullmatch(token)]
    texts = [token for token in tokens if not _NUMBER.fullmatch(token)]
    if numbers and texts:
        found = f"both ({numbers[0]} and {texts[0]})"
        problems.append(f"{path}: wanted only ids or only names, found {found}; use one form")
        raise InputError(problems + _twice(path, IN_ONE_TRACK, [*map(int, numbers), *texts]))
    notes = [] if notes is None else notes
    if texts and (like := alike(texts, names)) and like.renamed:
        notes.append(f"{path}: its names differ from those of the gallery {like}: joined without that")
        texts = [like.renamed.get(text, text) for text in texts]
    place = _places(path, names, positional, notes) if numbers else {name: row for row, name in enumerate(names)}
    keys: list = [int(token) for token in numbers] or texts
    unknown = list(dict.fromkeys(key for key in keys if key not in place))
    if unknown:
        found = f"{len(unknown)} unknown ({examples(unknown)})"
        problems.append(f"{path}: wanted images of the gallery, found {found}; give the list of this gallery")
    problems += _twice(path, IN_ONE_TRACK, keys)
    refuse_if_any(problems)
    columns = {column: np.full(len(names), -1, np.int64) for column in ("track", "order")}
    rows = [place[key] for key in keys]
    columns["track"][rows] = [line for line, track in enumerate(tracks) for _ in track]
    columns["order"][rows] = [order for track in tracks for order in range(len(track))]
    return Labels(str(path), list(names), columns)


def _places(path: Path, names: Sequence[str], positional: bool, notes: list[str]) -> dict:
    """Which row an id means."""
    stems = [PurePath(name).stem for name in names]
    if not positional and not all(map(_NUMBER.fullmatch, stems)):
        notes.append(
            f"{path}: joined by position: its ids count the gallery's images from 1, in their order, since their "
            f"names ({examples(names, 1)}) are no numbers"
        )
    if positional or not all(map(_NUMBER.fullmatch, stems)):
        return {row + 1: row for row in range(len(names))}
    places = {int(stem): row for row, stem in enumerate(stems)}
    if len(places) != len(names):
        found = f"several images with number {examples(repeated(map(int, stems)))}"
        raise InputError([f"{path}: wanted ids that mean one image each, found {found}; list names instead"])
    return places


def read_lines(path: Path) -> list[str]:
    """The lines of a text file without blanks around them; at least one."""
    lines = [line.strip() for line in _text(path).split("\n")]
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise InputError([f"{path}: wanted one image a line, found an empty file; write it again"])
    return lines


def read_entries(path: Path) -> list[str]:
    """The lines up to the last in which something stands: what is empty behind it is no entry. At least one."""
    lines = read_lines(path)
    last = max((number for number, line in enumerate(lines, 1) if line), default=len(lines))
    return lines[:last]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError([f"{path}: wanted a text file, found none ({error.strerror}); check the path"]) from None
    except UnicodeDecodeError as error:
        raise InputError(
            [f"{path}: wanted UTF-8 text, found another byte at {error.start}; save it again"]
        ) from None


def repeated(values: Iterable) -> list:
    """The values that come again, each once, in the order of their second coming."""
    seen: set = set()
    again: dict = {}
    for value in values:
        if value in seen:
            again[value] = True
        seen.add(value)
    return list(again)


def _blank(path: Path, lines: list[str]) -> list[str]:
    numbers = [number for number, line in enumerate(lines, 1) if not line]
    return [f"{path}: wanted no empty lines, found line {examples(numbers)} empty; remove them"] if numbers else []


def _twice(path: Path, wanted: str, values: Iterable) -> list[str]:
    again = repeated(values)
    return [f"{path}: wanted every {wanted}, found again {examples(again)}; remove the copies"] if again else []
