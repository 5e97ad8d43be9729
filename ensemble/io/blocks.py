"""From what a file holds to blocks: the features and labels of one side of one model, in the file's order.

Three layouts lead to the same blocks. One file a side, ``query_MODEL.pkl`` with ``gallery_MODEL.pkl``: a
dictionary of name and vector, or one array. One file a model: a dictionary whose keys are the vocabulary in one
of the spellings below. A text file of the same name (``query_MODEL.txt`` beside ``query_MODEL.npy``) lists the
names of the rows of that very file.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base import spellings
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import COLUMNS, SIDES
from ensemble.base.labels import LABELS, of_values
from ensemble.io import containers, name_lists
from ensemble.io.arrays import matrix, texts, vectors, what, whole_numbers
from ensemble.io.lists import repeated

_PAIR = re.compile(rf"({'|'.join(SIDES)})_(.+)", re.DOTALL)
_SLOT = re.compile(rf"({'|'.join(SIDES)})(?:_(\w+))?")
_PIXELS = ("image", "images", "img")  # in a table these are names; as keys of a file they may be pictures
_FEATURES = ("", "f", "feat", "feats", "feature", "features")  # besides the columns of the tables


@dataclass(frozen=True)
class Block:
    """One side of one model as one file holds it: ``rows`` (n, d) float32 and whole numbers in ``columns``.

    ``names`` is ``None`` where the format has none; ``ordered`` says that somebody chose the order of the rows;
    ``named_by`` is the list that names rows without names, by position.
    """

    where: str
    rows: np.ndarray
    names: list[str] | None = None
    ordered: bool = True
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    named_by: str = ""


def half(path: Path) -> tuple[str, str] | None:
    """Side and model of a file that holds one side, ``None`` for a file that holds a whole model."""
    match = _PAIR.fullmatch(path.stem) if path.suffix.lower() in containers.suffixes("side", "either") else None
    return (match[1], match[2]) if match else None


def slot(key: object) -> tuple[str, str] | None:
    """``query_label`` -> ``("query", "pid")``, ``gallery_f`` -> ``("gallery", "")``; ``None`` for other keys."""
    match = _SLOT.fullmatch(key) if isinstance(key, str) else None
    if match is None or match[2] in _PIXELS:
        return None
    column = "" if (match[2] or "") in _FEATURES else spellings.meant(match[2])
    return None if column is None else (match[1], column)


def unused(keys: Sequence[str]) -> list[str]:
    """The keys of a whole model that nobody looks at, with the nearest name that is not there."""
    there = {place for place in map(slot, keys) if place}
    left = []
    for key in keys:
        if slot(key) is not None:
            continue
        side, _, title = key.partition("_") if key.startswith(SIDES) else ("query", "", key)
        near = spellings.nearest(title, {column for of, column in there if of == side})
        left.append(spellings.unused(key, near and f"{side}_{near}"))
    return left


def read_blocks(paths: Sequence[Path], problems: list[str]) -> dict[str, Block]:
    """The sides of one model, as far as they can be read; what is wrong is added to ``problems``."""
    blocks: dict[str, Block] = {}
    lists = name_lists.own(paths)
    for path in paths:
        if path in lists.values():
            continue
        with collecting(problems):
            pair = half(path)
            if pair is None:
                content = containers.load(path, lambda key: slot(key) is not None)
                blocks |= _whole(str(path), content, problems)
            else:
                blocks[pair[0]] = _half(str(path), containers.load(path), lists.get(path.stem))
    return blocks


def named(block: Block, names: list[str], source: str, remedy: str = "") -> Block:
    """The block with the names of a list that belongs to it, line i for row i."""
    if len(names) != len(block.rows):
        found = f"{len(block.rows)} rows for {len(names)} names"
        raise InputError(
            [
                f"{block.where}: wanted a row for each name of {source}, since its rows have none, found {found}; "
                f"give the list that was written with it{f' ({remedy})' if remedy else ''}"
            ]
        )
    return replace(block, names=names, named_by=source)


def _half(where: str, content: Any, names: Path | None) -> Block:
    if isinstance(content, dict):  # its order is nobody's choice
        keys, rows = vectors(where, content)
        return Block(where, rows, keys, ordered=False)
    block = Block(where, matrix(where, content))
    return block if names is None else named(block, name_lists.read_names(names), str(names))


def _whole(where: str, content: Any, problems: list[str]) -> dict[str, Block]:
    """A dictionary with the vocabulary as keys: features, and whatever labels there are beside them."""
    if not isinstance(content, dict):
        raise InputError([f"{where}: wanted a dictionary with query and gallery, found {what(content)}"])
    slots: dict[tuple[str, str], Any] = {}
    for key, value in content.items():
        place = slot(key)
        if place in slots:
            problems.append(f"{where}: wanted every entry once, found {key} again; leave one of the spellings")
        if place is not None:
            slots[place] = value
    blocks = {}
    for side in SIDES:
        with collecting(problems):
            if (side, "") in slots:
                blocks[side] = _side(f"{where}, {side}", side, slots)
            elif side != "train":
                raise InputError([f"{where}: wanted the features of the {side}, found none; add {side}"])
    return blocks


def _side(where: str, side: str, slots: dict[tuple[str, str], Any]) -> Block:
    problems: list[str] = []
    columns: dict[str, Any] = {}
    rows = np.empty((0, 0), np.float32)
    with collecting(problems):
        rows = matrix(where, slots[side, ""])
    for column in ("name", *COLUMNS):
        if (side, column) not in slots or problems:
            continue
        value = slots[side, column]
        read = texts if column == "name" else of_values if column in LABELS else whole_numbers
        columns[column] = read(value)
        if columns[column] is None or len(columns[column]) != len(rows):
            is_text = isinstance(columns[column], np.ndarray) and columns[column].dtype == object
            wanted = "texts" if column == "name" else "labels" if is_text else "whole numbers"
            problems.append(
                f"{where}_{column}: wanted {len(rows)} {wanted}, found {what(value)}; write them again"
            )
    names = columns.pop("name", None)
    twice = repeated(names or ())
    if twice:
        problems.append(f"{where}_name: wanted every name once, found again {examples(twice)}; remove the copies")
    refuse_if_any(problems)
    return Block(where, rows, names, columns=columns)
