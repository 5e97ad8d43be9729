"""Pairs that somebody else has chosen, and how alike they are: ``row_id,similarity``, 0 to 1 (Jaguar Re-ID 2026).

The pairs come as ``row_id,query_image,gallery_image``; the answer has their rows in their order.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ensemble.base.alike import alike
from ensemble.base.errors import examples, near, printable, refuse_if_any
from ensemble.io import beside
from ensemble.io.lists import read_table, repeated
from ensemble.submissions.tables import cell

FILE = "submission.csv"
ASKED = ("row_id", "query_image", "gallery_image")
TITLES = ("row_id", "similarity")


class Pairs(NamedTuple):
    """The pairs of a file: what their rows are called, and the names of both images."""

    path: Path
    row_ids: list[str]
    query: list[str]
    gallery: list[str]

    def rows(self, query_names: Sequence[str], gallery_names: Sequence[str], notes: list[str]) -> np.ndarray:
        """(pairs, 2) rows of queries and of gallery images. ``notes`` takes what names differ by.

        Raises: InputError with all names that nobody has.
        """
        sides = (("query", self.query, query_names), ("gallery", self.gallery, gallery_names))
        problems: list[str] = []
        found = []
        for side, asked, names in sides:
            unique = list(dict.fromkeys(asked))
            like = alike(unique, names)
            renamed = like.renamed if like else {}
            if like and renamed:
                notes.append(f"{self.path}: its names differ from those of the {side} {like}: joined without that")
            place = {name: row for row, name in enumerate(names)}
            missing = [name for name in unique if renamed.get(name, name) not in place]
            if missing:
                problems.append(
                    f"{self.path}: wanted {side} images in {side}_image, found {len(missing)} others "
                    f"({examples(missing)}{near(missing[0], names)})" + (like.hint() if like else "")
                )
            found.append(np.array([place.get(renamed.get(name, name), -1) for name in asked], np.int64))
        refuse_if_any(problems)
        return np.stack(found, axis=1)


def read_pairs(path: Path) -> Pairs:
    """The pairs that are asked for. Raises InputError with everything that is wrong with the file."""
    header, rows, problems = read_table(path)
    missing = [title for title in ASKED if title not in header]
    if missing:
        found = printable(", ".join(header))
        problems.append(f"{path}: wanted the columns {', '.join(ASKED)}, found {found}; name them so")
        refuse_if_any(problems)
    row_ids, query, gallery = ([row[header.index(title)].strip() for row in rows] for title in ASKED)
    for title, values in zip(ASKED, (row_ids, query, gallery), strict=True):
        if blank := [number for number, value in enumerate(values, 2) if not value]:
            problems.append(
                f"{path}: wanted a {title} in every row, found none in row {examples(blank)}; fill it in"
            )
    if again := repeated(row_ids):
        problems.append(f"{path}: wanted every row_id once, found again {examples(again)}; number them anew")
    refuse_if_any(problems)
    return Pairs(path, row_ids, query, gallery)


def write_similarities(path: Path, row_ids: Sequence[str], similarity: np.ndarray) -> None:
    """Write the similarities, 0 to 1, in as few digits as tell them apart."""
    with beside(path, "w") as stream:
        stream.write(",".join(TITLES) + "\n")
        for row, value in zip(row_ids, similarity.tolist(), strict=True):
            stream.write(f"{cell(row)},{value + 0.0!r}\n")


def similarity_faults(path: Path, pairs: Pairs) -> list[str]:
    """Everything that is wrong with a file of similarities, one line for each kind; empty when nothing is."""
    header, rows, problems = read_table(path)
    if tuple(header) != TITLES:
        return [*problems, f"{path}: wanted {','.join(TITLES)} as first line, found {printable(','.join(header))}"]
    row_ids = [row[0].strip() for row in rows]
    wrong = [f"{row}: {text}" for row, text in rows if not 0 <= _number(text) <= 1]
    if wrong:
        problems.append(f"{path}: wanted similarities of 0 to 1, found {len(wrong)} others ({examples(wrong)})")
    if again := repeated(row_ids):
        problems.append(f"{path}: wanted every row_id once, found again {examples(again)}; remove the copies")
    lacking, strange = set(pairs.row_ids).difference(row_ids), set(row_ids).difference(pairs.row_ids)
    if lacking or strange:
        problems.append(
            f"{path}: wanted the rows of {pairs.path}, found {len(lacking)} missing "
            f"({examples(sorted(lacking)) or 'none'}) and {len(strange)} that it lacks "
            f"({examples(sorted(strange)) or 'none'})"
        )
    elif row_ids != pairs.row_ids and not again:
        problems.append(f"{path}: wanted the rows in the order of {pairs.path}, found another; sort them")
    return problems


def _number(text: str) -> float:
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan
