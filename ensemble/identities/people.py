"""Identities at the border: people write labels, the library counts with numbers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.base import labels, spellings
from ensemble.base.errors import InputError, examples
from ensemble.base.kinds import Ints
from ensemble.io import Folder
from ensemble.io.lists import read_table
from postproc.identities.by_identity import NONE
from postproc.identities.with_unknown import UNKNOWN

_ZEROS = re.compile(r"0+[0-9]+")


@dataclass(frozen=True)
class People:
    """Identities of gallery images (ng,) and of queries (nq,; None: nobody labelled them), -1 unknown.

    ``called``: what the user calls each number.
    """

    gallery: Ints
    query: Ints | None
    called: dict[int, str]

    @property
    def tellable(self) -> list[str]:
        """What those are called who can be told, each once, in the order of the alphabet."""
        return sorted({self.called[number] for number in np.unique(self.gallery).tolist() if number >= 0})

    def text(self, told: np.ndarray, word: str) -> list[list[str]]:
        """Answers in the user's words, ``word`` for the unknown; a row ends where nothing is left to say."""
        names = {**self.called, UNKNOWN: word}
        return [[names[number] for number in row if number != NONE] for row in told.tolist()]


def people(folder: Folder, query_table: Any, gallery_table: Any, notes: list[str]) -> People:
    """The identities of the tables of a folder; InputError where the gallery has none.

    Numbers with zeros in front keep them in ``called``. ``notes`` takes what two spellings of one number are.
    """
    if "pid" not in gallery_table:
        raise InputError(
            [f"{folder.path}: wanted identities of the gallery, found none; write a column pid into gallery.csv"]
        )
    tables = {"gallery": gallery_table, "query": query_table}
    given = {side: labels.of_values(table["pid"].to_numpy()) for side, table in tables.items() if "pid" in table}
    wrong = [side for side, values in given.items() if values is None]
    if wrong:
        raise InputError([f"{folder.path}: wanted labels in pid of {' and '.join(wrong)}, found something else"])
    found = {side: values for side, values in given.items() if values is not None}
    numbers = labels.numbered(found)
    if not (numbers["gallery"] >= 0).any():
        raise InputError(
            [f"{folder.path}: wanted identities of the gallery, found only unknown ones; label images"]
        )
    called: dict[int, str] = {}
    for side in found:
        for number, label in zip(numbers[side].tolist(), found[side].tolist(), strict=True):
            called.setdefault(number, str(label))
    zeros = _with_zeros(folder, notes) if "pid" not in folder.keys else {}
    called |= {number: text for number, text in zeros.items() if called.get(number) == str(number)}
    return People(numbers["gallery"], numbers.get("query"), called)


def _with_zeros(folder: Folder, notes: list[str]) -> dict[int, str]:
    """The spelling of numbers that are written with zeros in front, as ``0012``."""
    if "gallery" not in folder.tables:
        return {}
    path = folder.tables["gallery"]
    header, rows, _ = read_table(path)
    places, _, _ = spellings.columns(header, folder.wanted)
    if "pid" not in places:
        return {}
    written = dict.fromkeys(row[places["pid"]].strip() for row in rows)
    found: dict[int, str] = {}
    for text in written:
        if _ZEROS.fullmatch(text) and len(text) < 19:
            found.setdefault(int(text), text)
    several = [f"{text} and {int(text)}" for text in found.values() if str(int(text)) in written and text != "0"]
    if several:
        notes.append(f"{path}: {examples(several)} are one identity each, which is called by the zeros here")
    return found


def groups(tables: Sequence[Any], column: str | None) -> list[tuple[str, list[np.ndarray]]]:
    """The data sets that a column names: what each is called, and the rows of it in every table.

    Without a column all images are one set, called "". InputError where a row has no data set.
    """
    if column is None:
        return [("", [np.arange(len(table)) for table in tables])]
    texts = []
    problems = []
    for side, table in zip(("query", "gallery"), tables, strict=True):
        if column not in table:
            problems.append(f"--by: wanted the column {column} of the {side}, found none; add it to {side}.csv")
            continue
        values = table[column].to_numpy()
        text = ["" if value in ("", -1) else str(value) for value in values.tolist()]
        if "" in text:
            lacking = [name for name, value in zip(table["name"], text, strict=True) if not value]
            problems.append(
                f"--by: wanted {column} of every image, found none for {len(lacking)} of the {side} "
                f"({examples(lacking)}); fill it in"
            )
        texts.append(np.array(text, object))
    if problems:
        raise InputError(problems)
    return [(name, [np.flatnonzero(text == name) for text in texts]) for name in sorted({*texts[0], *texts[1]})]


def labels_of_column(table: Any, column: str | None, of: str) -> Ints | None:
    """A column of a table as numbers, -1 unknown; None without one. InputError where it lacks or has no labels."""
    if column is None:
        return None
    values = labels.of_values(table[column].to_numpy()) if column in table else None
    if values is None:
        found = "something else" if column in table else "none"
        raise InputError(
            [f"--apart: wanted labels in the column {column} of the {of}, found {found}; add it to {of}.csv"]
        )
    return labels.numbered({column: values})[column]
