"""What was tried, in a SQLite file: one row a candidate and kind of queries, written as soon as it is known.

A study that is continued replays what it holds: which candidate comes next depends on the scores before it
alone, so that the search goes on as if it had never stopped. Nothing in the file is executed.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.broken import told
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.base.kinds import Floats

TABLES = (
    "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS tried (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, candidate TEXT NOT NULL, "
    "what TEXT NOT NULL, seconds REAL NOT NULL, scores BLOB, refused TEXT NOT NULL, UNIQUE (kind, candidate))",
)
COLUMNS = "kind, candidate, what, seconds, scores, refused"


@dataclass(frozen=True, eq=False)
class Tried:
    """A candidate on queries of a kind: what each of them got, None where a step refused, and why.

    ``candidate``: its key; ``what``: where it comes from; ``seconds``: of the pipeline on one world.
    """

    kind: str
    candidate: str
    what: str
    seconds: float
    scores: Floats | None
    refused: str = ""

    @property
    def mean(self) -> float:
        """Over the queries with a match; what was refused is worse than anything."""
        return -np.inf if self.scores is None else float(np.nanmean(self.scores))


@dataclass(eq=False)
class Study:
    """All that was tried, in order; ``file`` keeps it, None: only memory does."""

    file: sqlite3.Connection | None = None
    path: Path | None = None
    tried: list[Tried] = field(default_factory=list)
    known: dict[tuple[str, str], Tried] = field(default_factory=dict)

    def get(self, kind: str, candidate: str) -> Tried | None:
        """What is known of a candidate."""
        return self.known.get((kind, candidate))

    def add(self, found: Tried) -> None:
        """Keep what was found, in the file at once."""
        if self.file is not None:
            scores = None if found.scores is None else found.scores.astype("<f8").tobytes()
            row = (found.kind, found.candidate, found.what, found.seconds, scores, found.refused)
            with _readable(self.path), self.file:
                self.file.execute(f"INSERT INTO tried ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)
        self._keep(found)

    def _keep(self, found: Tried) -> None:
        self.tried.append(found)
        self.known[found.kind, found.candidate] = found


@contextmanager
def opened(path: Path | None, about: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[Study]:
    """The study in a file, made if there is none. ``about``: what it is of; a file of something else is refused.

    sizes: how many queries there are of every kind.
    """
    if path is None:
        yield Study()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with _readable(path):
        file = sqlite3.connect(path)
    try:
        with _readable(path):
            study = _read(file, path, about, sizes)
        yield study
    finally:
        file.close()


def _read(file: sqlite3.Connection, path: Path, about: Mapping[str, Any], sizes: Mapping[str, int]) -> Study:
    there = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if there and not {"about", "tried"} <= there:
        raise InputError([f"{path}: wanted a study of pipelines, found another database; give another --study"])
    with file:
        for statement in TABLES:
            file.execute(statement)
        found = {name: json.loads(value) for name, value in file.execute("SELECT name, value FROM about")}
        if found:
            wanted = json.loads(json.dumps(dict(about)))
            refuse_if_any(
                [
                    f"{path}: wanted a study of {name} {wanted[name]!r}, found one of {found.get(name)!r}; "
                    "give another --study, or what it was made with"
                    for name in wanted
                    if found.get(name) != wanted[name]
                ]
            )
        rows = [(name, json.dumps(value)) for name, value in about.items()]
        file.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows)
    study = Study(file, path)
    for kind, candidate, what, seconds, scores, refused in file.execute(
        f"SELECT {COLUMNS} FROM tried ORDER BY number"
    ):
        values = None if scores is None else np.frombuffer(scores, "<f8").astype(np.float64)
        if values is not None and len(values) != sizes[kind]:
            raise ValueError(f"{len(values)} scores of {sizes[kind]} queries")
        if values is None and not refused:
            raise ValueError("a candidate without scores and without a reason")
        study._keep(Tried(kind, candidate, str(what), float(seconds), values, str(refused)))
    return study


@contextmanager
def _readable(path: Path | None) -> Iterator[None]:
    """What goes wrong inside is the fault of the file, and becomes a sentence."""
    wanted = f"{path}: wanted a study that can be read and written, or no such file yet"
    with told(wanted, "give another --study", sqlite3.Error):
        yield
