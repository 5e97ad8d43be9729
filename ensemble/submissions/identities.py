"""Answers to "who is it?" as tables: a row a query, its name and the identities, best first, in one cell.

``happywhale``  ``image,predictions``: five with spaces between, ``new_individual`` among them (Happywhale 2022)
``hotel``       ``image,hotels``: five with spaces between (Hotel-ID 2021)
``animalclef``  ``image_id,identity``: one, or ``new_individual`` (AnimalCLEF 2025)
``recognition`` ``id,landmarks``: one and how sure it is, ``1 - distance`` (Google Landmark Recognition)

They are read back as rank lists whose images are identities. :class:`Form` holds what of all that may be one's
own.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.base.alike import alike
from ensemble.base.errors import InputError, examples, near, printable, refuse_if_any
from ensemble.io import beside
from ensemble.io.lists import read_table, repeated
from ensemble.submissions.format import Format, Head
from ensemble.submissions.ranklist import EMPTY, RankList, from_lists
from ensemble.submissions.tables import cell
from ensemble.submissions.text import read_text

NEW = "new_individual"
_BLANK = re.compile(r"\s")


@dataclass(frozen=True)
class Form:
    """How answers are written.

    name:     what it is called.
    columns:  titles of the query's and of the answer's column.
    places:   identities a query, the unknown among them.
    word:     what stands for the unknown; empty: there is none.
    between:  what separates identities in their cell.
    comma:    what separates the columns.
    sure:     a space and how sure the identity is stand behind it; nothing where nobody is told.
    """

    name: str
    columns: tuple[str, str]
    places: int = 5
    word: str = NEW
    between: str = " "
    comma: str = ","
    sure: bool = False

    def refuse(self, identities: Sequence[str]) -> list[str]:
        """A problem for every kind of identity that this form cannot hold, or that is the word for the unknown."""
        problems = []
        if self.word in identities:
            problems.append(
                f"--word: wanted a word for the unknown that is no identity, found {self.word!r} among those of "
                "the gallery; choose another"
            )
        splits = [text for text in identities if (self.places > 1 or self.sure) and self._splits(text)]
        if splits:
            problems.append(
                f"{self.name}: wanted identities without {self.between!r}, which separates them, found "
                f"{examples(splits)}; choose another --between, or one place"
            )
        return problems

    def _splits(self, text: str) -> bool:
        return bool(_BLANK.search(text)) if self.between == " " else self.between in text


FORMS = {
    form.name: form
    for form in (
        Form("happywhale", ("image", "predictions")),
        Form("hotel", ("image", "hotels"), word=""),
        Form("animalclef", ("image_id", "identity"), places=1),
        Form("recognition", ("id", "landmarks"), places=1, word="", sure=True),
        Form("table", ("query", "identities")),
    )
}


def write(
    path: Path,
    form: Form,
    names: Sequence[str],
    answers: Sequence[Sequence[str]],
    distances: Sequence[float] | np.ndarray = (),
) -> None:
    """Write a row a query: its name, and what is answered; of a form that says how sure with its ``distances``."""
    told = [form.between.join(answer) for answer in answers]
    if form.sure:
        pairs = zip(told, distances, strict=True)
        told = [f"{answer} {1 - float(distance):.6f}" if answer else "" for answer, distance in pairs]
    with beside(path, "w") as stream:
        for row in (form.columns, *zip(names, told, strict=True)):
            stream.write(form.comma.join(cell(text, form.comma) for text in row) + "\n")


@dataclass(frozen=True)
class Sample:
    """A sample submission: the names of its rows, in their order, and the form that its titles mean."""

    path: Path
    names: list[str]
    form: Form

    def order(self, names: Sequence[str], notes: list[str]) -> np.ndarray:
        """(rows,) the query of each row. ``notes`` takes what names differ by.

        Raises: InputError with the names that lack on either side, and those that come twice.
        """
        mine = self.names
        like = alike(mine, names)
        if like and like.renamed:
            notes.append(f"{self.path}: its names differ from those of the queries {like}: joined without that")
            mine = [like.renamed.get(name, name) for name in mine]
        place = {name: row for row, name in enumerate(names)}
        missing, extra = [name for name in mine if name not in place], set(names).difference(mine)
        problems = []
        if again := repeated(mine):
            problems.append(
                f"{self.path}: wanted every query once, found again {examples(again)}; remove the copies"
            )
        if missing:
            problems.append(
                f"{self.path}: wanted rows of the queries, found {len(missing)} of other images "
                f"({examples(missing)})"
                + (like.hint() if like else "; describe these images too, or take another sample")
            )
        if extra:
            problems.append(
                f"{self.path}: wanted a row for every query, found none for {len(extra)} "
                f"({examples(sorted(extra))}); "
                "leave these queries out, or take another sample"
            )
        refuse_if_any(problems)
        return np.array([place[name] for name in mine], np.int64)


def read_sample(path: Path, columns: Sequence[str] = ()) -> Sample:
    """A sample submission, or any table whose first column names the queries.

    columns: the titles that it has to have; else those of a known form give that form, others a form of their own.
    """
    header, rows, problems = read_table(path)
    if len(header) != 2 or (columns and tuple(header) != tuple(columns)):
        wanted = " and ".join(columns) or "two: the query and its answer"
        problems.append(f"{path}: wanted the columns {wanted}, found {printable(', '.join(header))}")
    names = [row[0].strip() for row in rows]
    if not all(names):
        problems.append(f"{path}: wanted a name in every row, found {names.count('')} without; fill them in")
    refuse_if_any(problems)
    known = next((form for form in FORMS.values() if list(form.columns) == header), None)
    return Sample(path, names, known or Form("table", (header[0], header[1])))


def named(name: str) -> Form:
    """The form of that name. Raises InputError for another."""
    if name not in FORMS:
        raise InputError([f"--format: wanted one of {', '.join(FORMS)}, found {name}{near(name, FORMS)}"])
    return FORMS[name]


def parse(path: Path, form: Form) -> tuple[RankList, list[str]]:
    """What a file of this form says, and what is wrong with it."""
    text, problems = read_text(path)
    if text is None:
        return EMPTY, problems
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=form.comma) if row]
    except (csv.Error, ValueError) as error:
        return EMPTY, [*problems, f"{path}: wanted a table, found a line that is none ({error})"]
    if tuple(header) != form.columns:
        found = printable(form.comma.join(header))
        return EMPTY, [*problems, f"{path}: wanted {form.comma.join(form.columns)} as first line, found {found}"]
    ragged = [number for number, row in enumerate(rows, 2) if len(row) != 2]
    nameless = [
        number
        for number, row in enumerate(rows, 2)
        if len(row) == 2 and not (row[0] and (form.sure or row[1].strip()))
    ]
    if ragged:
        problems.append(
            f"{path}: wanted two values a row, found another number in row {examples(ragged)}; mend them"
        )
    if nameless:
        problems.append(f"{path}: wanted a query and its answer, found an empty cell in row {examples(nameless)}")
    whole = [row for row in rows if len(row) == 2]
    return from_lists((query, _told(form, answer), None) for query, answer in whole), problems


def _told(form: Form, answer: str) -> list[str]:
    if form.sure:
        return answer.split()[:1]
    if form.places == 1:
        return [answer] if answer else []
    return [text for text in answer.split(None if form.between == " " else form.between) if text]


def _format(form: Form) -> Format:
    def recognises(head: Head) -> bool:
        return bool(head.lines) and [title.strip().strip('"') for title in head.lines[0].split(",")] == [
            *form.columns
        ]

    return Format(
        form.name,
        "submission.csv",
        lambda path, similarity=False: parse(path, form),
        top_k=form.places,
        recognises=recognises,
        also=(form.word,) if form.word else (),
    )


HAPPYWHALE, HOTEL, ANIMALCLEF, RECOGNITION = (
    _format(FORMS[name]) for name in ("happywhale", "hotel", "animalclef", "recognition")
)
