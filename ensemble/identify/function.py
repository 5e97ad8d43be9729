"""Who is it, from Python; and what command and function have in common."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ensemble.base import tabled
from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.cli import intervals, machine, planning, protocols
from ensemble.identify import forms, words
from ensemble.identify import options as known
from ensemble.identities.answers import Answers, Fit, Question, answers, question
from ensemble.identities.asking import Asker, How, deep
from ensemble.identities.thresholds import Wanted
from ensemble.interface import arguments
from ensemble.interface.arguments import Common, Data, FilePath
from ensemble.interface.recipes import RecipeGiven, recipe_of
from ensemble.pipeline.lines import Line
from ensemble.pipeline.plan import Plan
from ensemble.scores.identities import IdentityScores, score_identities
from ensemble.scores.protocol import Protocol
from ensemble.submissions import identities
from ensemble.submissions.identities import Form

if TYPE_CHECKING:
    import pandas as pd

RANKING = Protocol(junk="self", average="identities")  # how the images' rankings are scored
OF_THE_COMMAND = ("pairs", "sample")


def identify(
    features: Data,
    recipe: RecipeGiven = None,
    *,
    rule: str | None = None,
    unknown: str | None = None,
    expected: float | None = None,
    edge: float | None = None,
    depth: int | None = None,
    folds: int | None = None,
    fit_on: str | None = None,
    apart: str | None = None,
    by: str | None = None,
    places: int | None = None,
    word: str | None = None,
    format: str | None = None,
    **keywords: Unpack[Common],
) -> "Identified":
    """Who is each query: identities of the gallery, the unknown among them.

    features, recipe, keywords: as for :func:`ensemble.rank`; recipe None: ``baseline``. The gallery needs ``pid``.
    rule:    how far an identity is: ``nearest``, ``mean=M``, ``vote=M``, ``sum=M``.
    unknown: from where on it is somebody new: ``none``, ``distance=D``, ``share=S``, ``chance=P``, ``balanced``,
             ``geometric`` (None), ``map``.
    The others are the options of ``python -m ensemble.identify`` with underscores.
    """
    own = {
        **{"rule": rule, "unknown": unknown, "expected": expected, "edge": edge, "depth": depth, "folds": folds},
        **{"fit_on": fit_on, "apart": apart, "by": by, "places": places, "word": word, "format": format},
    }
    with arguments.in_python():
        options = arguments.asked(
            known.parser(None), features, lambda: recipe_of(recipe), {**own, **keywords}, lacks=OF_THE_COMMAND
        )
        how, wanted = known.checked(options)
        form = forms.chosen(options)
        plan = planned(options)
        with arguments.using(options):
            asked, _, _ = asked_by(options, Asker(deep(plan, how.depth), machine.device(options)), form)
            found, scores = answered(options, asked, how, wanted)
        return Identified(found, scores, form, plan)


@dataclass(frozen=True, eq=False, repr=False)
class Identified:
    """What :func:`identify` returns. ``answers`` has every number; ``scores`` where queries have labels."""

    answers: Answers
    scores: IdentityScores | None
    form: Form
    plan: Plan

    @property
    def query_names(self) -> list[str]:
        """What the queries are called."""
        return self.answers.names

    @property
    def identities(self) -> list[list[str]]:
        """The identities of every query as the labels call them, nearest first, the unknown by its word."""
        return self.answers.people.text(self.answers.told, self.form.word)

    @property
    def thresholds(self) -> dict[str, float]:
        """The distance beyond which somebody is new, by data set."""
        return {name: threshold.distance for name, threshold in self.answers.thresholds.items()}

    @property
    def notes(self) -> list[str]:
        """What to know of data and recipe."""
        return [arguments.spoken(note) for note in (*self.plan.notes, *self.answers.notes)]

    def to_frame(self) -> "pd.DataFrame":
        """A row an answer: query, place (from 1), identity."""
        import pandas as pd

        rows: list[tuple[str, int, str]] = [
            (query, place, who)
            for query, told in zip(self.query_names, self.identities, strict=True)
            for place, who in enumerate(told, 1)
        ]
        return pd.DataFrame(rows, columns=["query", "place", "identity"])

    def to_submission(self, path: FilePath) -> Path:
        """Write the answers in the form that was asked for."""
        with arguments.in_python():
            refuse_if_any(self.form.refuse(self.answers.people.tellable))
            far = self.answers.identities.distances[:, 0]
            identities.write(Path(path), self.form, self.query_names, self.identities, far)
        return Path(path)

    def __repr__(self) -> str:
        return "\n".join([f"Identified: {len(self.query_names)} queries", *words.text(self.answers, self.scores)])

    def _repr_html_(self) -> str:
        rows: list[tuple[str, Any]] = [
            (f"unknown beyond {name}".strip(), far) for name, far in self.thresholds.items()
        ]
        shown = rows + ([] if self.scores is None else list(self.scores.values.items()))
        return tabled.page(f"Identities of {len(self.query_names)} queries", shown, self.notes)


def planned(options: argparse.Namespace) -> Plan:
    """The plan that is asked for."""
    return planning.prepare(options, rules=RANKING, wanted=[*filter(None, [options.by, options.apart])])


def asked_by(options: argparse.Namespace, ask: Asker, form: Form) -> tuple[Question, np.ndarray | None, list[str]]:
    """What is read, the order of the queries that a sample wants, and what there is to say of that."""
    asked = question(ask, protocols.chosen(options, RANKING))
    problems = form.refuse(asked.people.tellable)
    said: list[str] = []
    order = None
    with collecting(problems):
        order = forms.order(options, asked.images.query_names, said)
    refuse_if_any(problems)
    return asked, order, said


def answered(
    options: argparse.Namespace,
    asked: Question,
    how: How,
    unknown: Wanted,
    *,
    show: Callable[[Line], None] = lambda line: None,
) -> tuple[Answers, IdentityScores | None]:
    """The answers, and their scores where queries have labels."""
    fit = Fit(options.folds, options.seed, options.expected, options.fit_on, options.apart)
    rules = protocols.chosen(options, RANKING)
    found = answers(asked, how, unknown, by=options.by, fit=fit, protocol=rules, show=show)
    pid = found.people.query
    if pid is None or not (pid >= 0).any():
        return found, None
    used = {**intervals.settings(options), "independent": options.independent}
    return found, score_identities(found.told, pid, found.there, found.sets, places=how.places, **used)
