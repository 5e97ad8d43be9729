"""How answers to "who is it?" are written: a known form, or one's own columns, words and separators."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError, refuse_if_any
from ensemble.submissions import identities
from ensemble.submissions.identities import FORMS, Form, Sample, read_sample

SEPARATORS = {"tab": "\t", "space": " "}


def add_options(p: argparse.ArgumentParser) -> None:
    """``--format``, ``--sample``, ``--columns``, ``--places``, ``--word``, ``--between`` and ``--comma``."""
    p.add_argument(
        "--format",
        choices=tuple(FORMS),
        help="of submission.csv (default: what the sample's titles say, else table)",
    )
    p.add_argument(
        "--sample", type=Path, metavar="FILE", help="a sample submission: its titles, and its rows in their order"
    )
    p.add_argument("--columns", metavar="QUERY,ANSWER", help="titles of your own")
    p.add_argument(
        "--places",
        type=int,
        metavar="K",
        help="identities a query, the unknown among them (default: the format's: 5, of animalclef 1)",
    )
    p.add_argument("--word", metavar="TEXT", help=f"for the unknown (default: {identities.NEW})")
    p.add_argument("--between", metavar="TEXT", help="between identities (default: space)")
    p.add_argument("--comma", metavar="CHAR", help="between columns: any letter, or tab (default: a comma)")


def chosen(options: argparse.Namespace) -> Form:
    """The form that was asked for; InputError with all that is wrong with it."""
    problems = []
    columns = tuple(options.columns.split(",")) if options.columns is not None else ()
    if options.columns is not None and (len(columns) != 2 or not all(columns) or columns[0] == columns[1]):
        problems.append(f"--columns: wanted QUERY,ANSWER, two titles, found {options.columns!r}")
        columns = ()
    between, comma = (SEPARATORS.get(text, text) for text in (options.between, options.comma))
    if comma is not None and (len(comma) != 1 or comma in '"\r\n'):
        problems.append(f"--comma: wanted one letter, or tab, found {options.comma!r}")
    if between == "":
        problems.append("--between: wanted text that separates identities, found none")
    refuse_if_any(problems)
    form = FORMS[options.format] if options.format else FORMS["table"]
    if options.sample is not None:
        sample = _sample(options, form, columns)
        form = form if options.format else sample.form
    given = {
        "columns": columns or None,
        "places": options.places,
        "word": options.word,
        "between": between,
        "comma": comma,
    }
    form = replace(form, **{name: value for name, value in given.items() if value is not None})
    if form.comma == form.between and form.places > 1:
        raise InputError([f"--comma, --between: wanted two separators, found {form.comma!r} twice; change one"])
    return form


def order(options: argparse.Namespace, names: Sequence[str], notes: list[str]) -> np.ndarray | None:
    """The queries in the order of ``--sample``; None without one. InputError where they are others."""
    if options.sample is None:
        return None
    form = chosen(options)
    return read_sample(options.sample, form.columns).order(names, notes)


def _sample(options: argparse.Namespace, form: Form, columns: Sequence[str]) -> Sample:
    wanted = columns or (form.columns if options.format else ())
    return read_sample(options.sample, wanted)
