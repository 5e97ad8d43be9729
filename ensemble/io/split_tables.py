"""A table that says of all images who is query, gallery and training, beside features that do not.

open-metric-learning's data set is such a table (``path``, ``label``, ``split``, ``is_query``, ``is_gallery``), and
what it keeps of features is one tensor, a row an image of the table, or of those that are not for training.
Source: OML-Team/open-metric-learning, oml/inference/flat.py.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ensemble.base import spellings
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.io import containers
from ensemble.io.catalogue import Catalogue
from ensemble.io.divided import rows_of_sides
from ensemble.io.keys import Split, column_of, side_named, split_of
from ensemble.io.lists import TABLES, Keys, read_labels, read_table
from ensemble.io.readers.table import FEATURES


def find(files: Iterable[Path], wanted: Sequence[str], keys: Keys) -> Catalogue | None:
    """The table among these files; None where none is one. InputError with all that is wrong with it."""
    found = {file: split for file in files if file.suffix.lower() in TABLES and (split := _split(file))}
    if len(found) > 1:
        names = examples([file.name for file in found])
        raise InputError([f"{next(iter(found)).parent}: wanted one table with a split, found {names}; leave one"])
    return next((_read(file, split, wanted, keys) for file, split in found.items()), None)


def _split(file: Path) -> Split | None:
    """What divides the images of a table of names without features."""
    try:
        titles = containers.keys(file) or ()
        split = split_of((*titles, FEATURES))
        columns = set(map(column_of, titles))
        if split is None or split.count or "" in columns or "name" not in columns:
            return None
        header, rows, _ = read_table(file)
    except InputError:
        return None
    words = {row[header.index(split.word)] for row in rows} if split.word else set()
    return split if split.asked or all(map(side_named, words)) else None


def _read(path: Path, split: Split, wanted: Sequence[str], keys: Keys) -> Catalogue:
    header, rows, problems = read_table(path)
    refuse_if_any(problems)
    labels = read_labels(path, wanted, keys)
    cells = {title: [row[header.index(title)] for row in rows] for title in split.titles}
    of = rows_of_sides(str(path), split, cells)
    empty = [side for side in ("query", "gallery") if side not in of]
    if empty:
        raise InputError([f"{path}: wanted images of {' and '.join(empty)}, found none; add them"])
    names = np.array(labels.names, object)
    trains = of.get("train", np.empty(0, np.int64))
    tested = np.delete(names, trains).tolist()
    _, left, _ = spellings.columns([title for title in header if title not in split.titles], wanted)
    return Catalogue(
        path,
        labels,
        {side: names[some].tolist() for side, some in of.items()},
        (path,),
        notes=(f"{path}: columns that are not used: {examples(left, 20)}",) if left else (),
        folders=True,
        orders=(labels.names, tested) if len(trains) else (labels.names,),
    )
