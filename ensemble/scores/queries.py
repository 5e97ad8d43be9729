"""``queries.csv``: how every query of a run fared, so that two runs can be compared."""

import csv
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, printable, refuse_if_any
from ensemble.base.kinds import Array, Floats, Ints
from ensemble.base.labels import numbered, of_cells
from ensemble.io import beside
from ensemble.scores import Scores

NAME = "queries.csv"
COLUMNS = ("query", "pid", "ap", "inp", "first_hit")


@dataclass(frozen=True, eq=False)
class Queries:
    """Names (unique), ``ap`` (n,) with NaN for a query without a match, ``label`` (n,), the identities, or None.

    Labels are as :mod:`ensemble.base.labels` has them.
    """

    names: list[str]
    ap: Floats
    label: Array | None

    @property
    def pid(self) -> Ints | None:
        """(n,) the identities as numbers, -1 unknown."""
        return None if self.label is None else numbered({"pid": self.label})["pid"]


def write(path: Path, names: Sequence[str], scores: Scores, pid: Sequence[object] | None) -> None:
    """Write one line a query: name, pid (empty: unknown), AP, INP (empty: no match), rank of the first hit from 1.

    Numbers are written in full, so that reading gives back the same bits.
    """
    pids = [""] * len(names) if pid is None else list(pid)
    with beside(path) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        lines = zip(names, pids, scores.ap.tolist(), scores.inp.tolist(), scores.first_hit.tolist(), strict=True)
        for name, label, ap, inp, hit in lines:
            table.writerow((name, label, _number(ap), _number(inp), hit + 1 if hit >= 0 else ""))


def read(path: Path) -> Queries:
    """Read what :func:`write` wrote, or any table with the columns ``query`` and ``ap`` (0 to 1, empty: no match).

    ``pid`` may be missing or empty. Raises InputError with every problem.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError([f"{path}: wanted a table of queries as text, found {error}; write it again"]) from None
    header = rows[0] if rows else []
    missing = [name for name in ("query", "ap") if header.count(name) != 1]
    if missing or len(rows) < 2:
        what = f"the columns {examples(header, 8)}" if missing and header else "nothing"
        raise InputError(
            [f"{path}: wanted the columns query and ap and a line a query, found {what}; write it with a run"]
        )
    where = {name: header.index(name) for name in CELLS if name in header}
    problems: list[str] = []
    found: dict[str, list[Any]] = {name: [] for name in where}
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(header):
            problems.append(f"{path}, line {number}: wanted {len(header)} values, found {len(row)}")
            continue
        for name, column in where.items():
            parse, wanted = CELLS[name]
            try:
                found[name].append(parse(row[column]))
            except ValueError:
                problems.append(
                    f"{path}, line {number}, {name}: wanted {wanted}, found {printable(row[column], 40)!r}"
                )
    times = Counter(found["query"])
    twice = [name for name, count in times.items() if count > 1]
    if twice:
        problems.append(f"{path}: wanted every query once, found again {examples(twice)}; remove the copies")
    if found["ap"] and np.isnan(found["ap"]).all():
        problems.append(f"{path}: wanted a query with a match, found every ap empty; were there labels?")
    if len(problems) > 10:
        problems = [*problems[:10], f"{path}: {len(problems) - 10} more problems like these"]
    refuse_if_any(problems)
    label = of_cells(found.get("pid", [""]))
    known = (label != "") if label.dtype == object else (label >= 0)
    return Queries(found["query"], np.array(found["ap"], np.float64), label if known.any() else None)


def _ap(text: str) -> float:
    value = float(text or "nan")
    if text and not 0 <= value <= 1:
        raise ValueError
    return value


CELLS: dict[str, tuple[Callable[[str], Any], str]] = {  # what is read, by column
    "query": (str, "a name"),
    "pid": (str, "a label, or nothing"),
    "ap": (_ap, "0 to 1, or nothing where the query has no match"),
}


def _number(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
