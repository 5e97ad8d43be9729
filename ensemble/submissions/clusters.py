"""Clusters as a table: a row an image, its name and what its cluster is called (AnimalCLEF 2026 and others)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.base.alike import alike
from ensemble.base.errors import InputError, examples, printable, refuse_if_any
from ensemble.base.kinds import Ints
from ensemble.io import write_csv
from ensemble.io.lists import read_table, repeated

COLUMNS = ("image_id", "cluster")
VALUE, OF_SETS = "cluster_{n}", "cluster_{dataset}_{n}"


@dataclass(frozen=True)
class Form:
    """Titles of the two columns, and what a cluster is called: ``{n}`` its number, ``{dataset}`` its data set."""

    columns: tuple[str, str] = COLUMNS
    value: str = VALUE

    def called(self, number: int, dataset: str = "") -> str:
        """The name of a cluster."""
        return self.value.replace("{n}", str(number)).replace("{dataset}", dataset)


def form(columns: str | None, value: str | None, *, sets: bool) -> Form:
    """The form of ``--columns`` and ``--value``; ``sets``: there are several data sets, to be told apart."""
    problems = []
    titles = COLUMNS if columns is None else tuple(columns.split(","))
    if len(titles) != 2 or not all(titles) or titles[0] == titles[1]:
        problems.append(f"--columns: wanted IMAGE,CLUSTER, two titles, found {columns!r}")
    shown = (OF_SETS if sets else VALUE) if value is None else value
    wanted = ["{n}", *(["{dataset}"] if sets else [])]
    lacking = [word for word in wanted if word not in shown]
    if lacking:
        problems.append(f"--value: wanted {' and '.join(wanted)} in it, found {shown!r}")
    refuse_if_any(problems)
    return Form((titles[0], titles[1]), shown)


def write(path: Path, form: Form, names: Sequence[str], values: Sequence[str]) -> None:
    """Write a row an image."""
    write_csv(path, form.columns, zip(names, values, strict=True))


def order(path: Path, names: Sequence[str], columns: str | None, notes: list[str]) -> tuple[Ints, tuple[str, str]]:
    """The image of every row of a sample file, and its titles; ``notes`` takes what names differ by.

    columns: the titles that it has to have, as ``IMAGE,CLUSTER``; None: whatever it has. Raises InputError with
    names that lack on either side, and those that come twice.
    """
    header, rows, problems = read_table(path)
    if len(header) != 2:
        problems.append(
            f"{path}: wanted two columns, the image and its cluster, found {printable(', '.join(header))}"
        )
    elif columns is not None and ",".join(header) != columns:
        problems.append(f"{path}: wanted the columns {columns}, found {printable(','.join(header))}")
    refuse_if_any(problems)
    mine = [row[0].strip() for row in rows]
    again = repeated(mine)
    if again:
        raise InputError([f"{path}: wanted every image once, found again {examples(again)}; remove the copies"])
    like = alike(mine, names)
    if like and like.renamed:
        notes.append(f"{path}: its names differ from those of the images {like}: joined without that")
        mine = [like.renamed.get(name, name) for name in mine]
    place = {name: row for row, name in enumerate(names)}
    missing, extra = [name for name in mine if name not in place], sorted(set(names).difference(mine))
    if missing:
        problems.append(
            f"{path}: wanted rows of the set's images, found {len(missing)} of none ({examples(missing)})"
            + (like.hint() if like else "; describe these images too, or take another sample")
        )
    if extra:
        problems.append(
            f"{path}: wanted a row for every image, found none for {len(extra)} ({examples(extra)}); leave these "
            "images out, or take another sample"
        )
    refuse_if_any(problems)
    return np.array([place[name] for name in mine], np.int64), (header[0], header[1])
