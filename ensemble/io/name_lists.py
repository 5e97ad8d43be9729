"""Lists of the names of images: which files of a folder are some, and what they hold.

``name_query.txt`` and ``name_test.txt`` are AI City's; ``query.txt``, ``query_names.npy``, ``names_query.json``
and their like are everybody's. Text files hold a name a line; arrays, pickles, torch files and JSON an array or
list of names; a table its names. A list called like a feature file, with or without ``_names`` behind, is that
file's own.
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ensemble.base import spellings
from ensemble.base.broken import BROKEN, reason
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import SIDES
from ensemble.io import containers
from ensemble.io.arrays import texts, what
from ensemble.io.keys import ONE_SET, side_called
from ensemble.io.lists import TABLES, read_entries, read_labels, repeated
from ensemble.parsers.parser import SUFFIXES

CITY = {"query": "name_query.txt", "gallery": "name_test.txt"}
TEXT = (".txt", ".lst", ".list")
PACKED = (".npy", ".json", ".pkl", ".pickle", ".pt", ".pth")
# In front of a word for names, or behind it.
_SIDES = {**{side: side for side in SIDES}, "test": "gallery", ONE_SET: "gallery"}
_PICTURE = "|".join(map(re.escape, SUFFIXES))
_LABELLED = re.compile(rf"(?:[^\s,;]+(?:{_PICTURE})|[0-9]+)(?:[\s,;]+-?[0-9]+)+", re.IGNORECASE)  # a.jpg 7 3
_OWN = re.compile(r"(.+?)_(?:names?|paths?|files?|filenames?)", re.IGNORECASE | re.DOTALL)


def read_names(path: Path) -> list[str]:
    """The names of a list; blank lines at its end are none.

    Raises InputError for other blank lines, names given twice, and what is no list of names.
    """
    suffix = path.suffix.lower()
    if suffix in TABLES:
        table = read_labels(path)
        if table.nameless:
            raise InputError([f"{path}: wanted a column name, found none; add the names of the images"])
        return table.names
    if suffix in PACKED:
        names = _packed(path)
        if names is None or not names:
            raise InputError([f"{path}: wanted a list of names, found {what(_content(path))}; write texts"])
        return _checked(path, names, [])
    lines = read_entries(path)
    blank = [number for number, line in enumerate(lines, 1) if not line]
    found = f"line {examples(blank)} empty"
    problems = [f"{path}: wanted no empty lines, found {found}; remove them"] if blank else []
    if all(map(_LABELLED.fullmatch, lines)):
        problems.append(
            f"{path}: wanted one name a line, found numbers behind the names ({examples(lines)}); write a table, "
            "SIDE.csv with the titles name,pid or name,pid,cam in the place of SIDE.txt"
        )
    return _checked(path, lines, problems)


def _checked(path: Path, names: list[str], problems: list[str]) -> list[str]:
    again = repeated(name for name in names if name)
    if again:
        problems.append(f"{path}: wanted every name once, found again {examples(again)}; remove the copies")
    refuse_if_any(problems)
    return names


def lists(files: Iterable[Path]) -> dict[str, list[Path]]:
    """The files that list the names of a side, by side, AI City's first; what may be features is looked at."""
    found: dict[str, list[Path]] = {}
    for file in sorted(files, key=lambda file: (file.name not in CITY.values(), file.name)):
        side = _side(file)
        if side and (file.suffix.lower() in TEXT or _is_list(file)):
            found.setdefault(side, []).append(file)
    return found


def own(files: Iterable[Path]) -> dict[str, Path]:
    """The lists that belong to one feature file, by the stem of that file."""
    found: dict[str, Path] = {}
    for file in files:
        suffix, match = file.suffix.lower(), _OWN.fullmatch(file.stem)
        if side_called(file.stem.partition("_")[0]) not in SIDES:
            continue
        if suffix in TEXT:
            found.setdefault(file.stem, file)
        if match and (suffix in TEXT or (suffix in PACKED and _is_list(file))):
            found[match[1]] = file
    return found


def only_one(side: str, files: Sequence[Path]) -> list[str]:
    """A problem where several lists of a side do not say the same."""
    first, *others = [(file, read_names(file)) for file in files]
    differ = [file.name for file, names in others if names != first[1]]
    if not differ:
        return []
    found = f"{first[0].name} and {examples(differ)}, which differ"
    return [
        f"{first[0].parent}: wanted one list of the {side} names, found {found}; leave one, or name it with "
        f"--{side}-names" * (side != "train")
    ]


def _side(file: Path) -> str:
    """The side whose names a file lists, by what it is called; empty for other files."""
    suffix = file.suffix.lower()
    if suffix not in (*TEXT, *PACKED):
        return ""
    stem = re.sub(r"[\W_]", "", file.stem.casefold())
    if side_called(stem) in SIDES and suffix in TEXT:
        return side_called(stem)
    words = {
        **{stem.removeprefix(side): side for side in _SIDES if stem.startswith(side)},
        **{stem.removesuffix(side): side for side in _SIDES if stem.endswith(side)},
    }
    for word, side in words.items():
        if (word in ("list", "lists") and suffix in TEXT) or spellings.meant(word) == "name":
            return _SIDES[side]
    return ""


def _is_list(path: Path) -> bool:
    """Whether a file that may be features holds names; False where it cannot be read."""
    try:
        return _packed(path) is not None
    except InputError:
        return False


def _packed(path: Path) -> list[str] | None:
    """The names in an array, a pickle, a torch file or JSON; None for anything else."""
    return texts(_content(path))


def _content(path: Path) -> Any:
    if path.suffix.lower() != ".json":
        content = containers.load(path)
        return list(content) if isinstance(content, tuple) else content
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except BROKEN as error:
        raise InputError([f"{path}: wanted a list of names in JSON, found none ({reason(error)})"]) from None
