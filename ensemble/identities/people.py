"""Identities at the border: people write labels, the library counts with numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensemble.base import labels
from ensemble.base.errors import InputError, examples
from ensemble.base.kinds import Array, Ints
from ensemble.io import Folder
from postproc.identities.by_identity import NONE
from postproc.identities.with_unknown import UNKNOWN


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
    columns = {side: table["pid"].to_numpy() for side, table in tables.items() if "pid" in table}
    given = {side: labels.read("pid", values) for side, values in columns.items()}
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
    zeros = {number: text for number, text in _spelt(numbers, found, "gallery") if labels.has_zeros(text)}
    plain = {number for number, text in _spelt(numbers, found, "gallery") if not labels.has_zeros(text)}
    if several := [f"{text} and {number}" for number, text in zeros.items() if number in plain]:
        where = folder.tables.get("gallery", folder.path)
        notes.append(f"{where}: {examples(several)} are one identity each, which is called by the zeros here")
    called |= zeros
    return People(numbers["gallery"], numbers.get("query"), called)


def _spelt(numbers: Mapping[str, Ints], found: Mapping[str, Array], side: str) -> list[tuple[int, str]]:
    """The number of each label of a side with each of its spellings, from the last to the first."""
    pairs = zip(numbers[side].tolist(), map(str, found[side].tolist()), strict=True)
    return [*dict.fromkeys(pairs)][::-1]


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
