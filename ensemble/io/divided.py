"""Rows of all sides in one table: which of them are queries, gallery and training images."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import SIDES
from ensemble.base.kinds import Bools, Ints
from ensemble.io.arrays import what
from ensemble.io.keys import Split, side_named, yes_or_no


def rows_of_sides(where: str, split: Split, content: Mapping[Any, Any]) -> dict[str, Ints]:
    """The rows of each side that has any. A row may be a query and of the gallery.

    content: the columns that ``split`` names, each a list of a cell a row.
    Raises InputError for rows of no side, and for cells that say none.
    """
    for title in split.titles:
        if not isinstance(content[title], list):
            found = what(content[title])
            raise InputError(
                [f"{where}: wanted a side an image in {title}, found {found}; write query or gallery"]
            )
    of = (_by_flags if split.asked else _by_words)(where, split, content)
    return {side: np.flatnonzero(of[side]) for side in SIDES if of[side].any()}


def first_rows(where: str, key: str, value: Any, count: int) -> dict[str, Ints]:
    """The rows of both sides, of which the first are queries, as many as ``value`` says.

    Raises InputError where that is no whole number that leaves an image to each side.
    """
    number = np.asarray(value)
    if number.size != 1 or number.dtype.kind not in "iuf" or number.item() not in range(1, count):
        found = number.item() if number.size == 1 else what(value)
        raise InputError(
            [f"{where}: wanted the number of queries in {key}, 1 to {count - 1}, found {found}; correct it"]
        )
    queries = int(number.item())
    return {"query": np.arange(queries), "gallery": np.arange(queries, count)}


def _by_words(where: str, split: Split, content: Mapping[Any, Any]) -> dict[str, Bools]:
    of = [side_named(value) for value in content[split.word]]
    unknown = _others(content[split.word], lambda value: side_named(value) is None)
    if unknown:
        raise InputError(
            [f"{where}: wanted query, gallery or train in {split.word}, found {examples(unknown)}; rename them"]
        )
    return {side: np.array([own == side for own in of], bool) for side in SIDES}


def _by_flags(where: str, split: Split, content: Mapping[Any, Any]) -> dict[str, Bools]:
    count = len(content[split.asked])
    words = content[split.word] if split.word else [""] * count
    train = np.array([side_named(word) == "train" for word in words], bool)
    tested = np.flatnonzero(~train).tolist()
    problems = []
    found = {"train": train}
    for side, title in (("query", split.asked), ("gallery", split.searched)):
        if not title:
            found[side] = ~found["query"] & ~train
            continue
        cells = [content[title][row] for row in tested]
        unknown = _others(cells, lambda value: yes_or_no(value) is None)
        if unknown:
            problems.append(
                f"{where}: wanted true or false in {title} of all images that are not for training, found "
                f"{examples(unknown)}; write which it is"
            )
        found[side] = np.zeros(count, bool)
        found[side][tested] = [yes_or_no(value) is True for value in cells]
    several = _others([words[row] for row in tested], lambda value: True)
    if len(several) > 1:
        problems.append(
            f"{where}: wanted one set beside train in {split.word}, found {examples(several)}; leave one of them"
        )
    nobody = np.flatnonzero(~(found["query"] | found["gallery"] | train)).tolist()
    if nobody and not problems:
        problems.append(
            f"{where}: wanted every image among queries, gallery or train, found {len(nobody)} that are none (row "
            f"{examples(nobody)}); leave them out"
        )
    refuse_if_any(problems)
    return found


def _others(cells: list[Any], odd: Callable[[Any], bool]) -> list[str]:
    """The cells that are odd, each once."""
    return list(dict.fromkeys(str(cell) for cell in cells if odd(cell)))
