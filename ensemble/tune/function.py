"""Settings, weights and models chosen on labelled data, from Python; and what command and function share."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ensemble.base import tabled
from ensemble.base.errors import InputError
from ensemble.cli import machine, planning
from ensemble.interface import arguments
from ensemble.interface.arguments import Common, Data, FilePath
from ensemble.interface.recipes import Recipe, RecipeGiven, recipe_of
from ensemble.pipeline import plan
from ensemble.tune import outcome, task, trials
from ensemble.tune.options import FOLDS, TRIALS, parser, refuse_wrong
from ensemble.tune.outcome import Outcome, spread
from ensemble.tune.study import Search, Trial
from ensemble.tune.task import Task

if TYPE_CHECKING:
    import pandas as pd

OF_THE_COMMAND = ("pipelines", "minutes", "unlabelled", "images_per_identity", "tracks_per_identity")


def tune(
    features: Data,
    recipe: RecipeGiven = None,
    *,
    on: str | None = None,
    objective: str | None = None,
    search: "str | Sequence[str] | None" = None,
    all_models: bool | None = None,
    trials: int | None = None,
    folds: int | None = None,
    seed: int | None = None,
    study: "FilePath | None" = None,
    **keywords: Unpack[Common],
) -> "Tuned":
    """Choose settings, weights and models of a recipe on labelled images, and judge the choice on others.

    features, recipe, keywords: as for :func:`ensemble.rank`. Labels are those of ``train``, or ``on="test"``.
    objective: ``mAP``, ``rank1``, ``mINP``, or one of them with ``@K``.
    search:    what may vary, as ``["rerank.k1=4..60", "concat.weights"]``; None: distance steps and weights.
    trials:    candidates in all; 100. folds: parts of the identities; 5. seed: of both; 0.
    study:     an SQLite file that keeps the trials, to go on with later; None: they are kept in memory alone.
    Raises:    InputError without labels. A search over steps: ``python -m ensemble.tune --pipelines``.
    """
    own = {
        **{"on": on, "objective": objective, "search": search, "all_models": all_models, "trials": trials},
        **{"folds": folds, "seed": seed, "study": study},
    }
    with arguments.in_python():
        options = arguments.asked(
            parser(), features, lambda: recipe_of(recipe), {**own, **keywords}, lacks=OF_THE_COMMAND
        )
        checked = planned(options)
        with arguments.using(options):
            prepared = prepare(options, checked)
            found = outcome.judged(checked, prepared, tried(options, prepared, options.study))
        notes = [arguments.spoken(note) for note in (*checked.notes, *prepared.notes, *prepared.warnings)]
        return Tuned(found, notes)


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """What :func:`tune` returns; ``outcome`` has every trial, ``notes`` what to know of data and recipe."""

    outcome: Outcome
    notes: Sequence[str]

    @property
    def recipe(self) -> Recipe:
        """The recipe to take."""
        return Recipe(self.outcome.final.recipe)

    @property
    def gain(self) -> tuple[float, float]:
        """What tuning gained on the folds that did not choose: mean and standard deviation."""
        gain = self.outcome.gain
        return float(gain.mean()), float(gain.std(ddof=1))

    def to_frame(self) -> "pd.DataFrame":
        """A row a trial: where it comes from, its mean over the folds, its settings."""
        import pandas as pd

        rows = [
            {"kind": trial.kind, "mean": trial.mean, **trial.candidate["settings"], "refused": trial.refused}
            for trial in self.outcome.trials
        ]
        return pd.DataFrame(rows)

    def write(self, folder: FilePath) -> list[Path]:
        """Write recipe, record and trials, as the command leaves them; the paths."""
        with arguments.in_python():
            return outcome.write(Path(folder), self.outcome)

    def __repr__(self) -> str:
        return "\n".join(f"{name:<24}{value}" for name, value in self._facts())

    def _repr_html_(self) -> str:
        return tabled.page(f"Tuned: {self.recipe.name}", self._facts(), list(self.notes))

    def _facts(self) -> list[tuple[str, str]]:
        found = self.outcome
        return [
            ("objective", str(found.task.about["objective"])),
            ("the recipe as it is", spread(found.before)),
            ("tuned, held out", spread(found.verdict.held_out)),
            (
                "gain",
                f"{spread(found.gain, '+')}, {int((found.gain > 0).sum())} of {len(found.gain)} folds better",
            ),
            ("trials", str(len(found.trials))),
        ]


def planned(options: argparse.Namespace) -> plan.Plan:
    """The plan that is asked for; every problem in one error."""
    refuse_wrong(options)
    checked = planning.prepare(options)
    if "distances" in checked.folder.columns:
        raise InputError(
            ["--rankings: wanted features or a matrix of distances, found rank lists alone; give their weights"]
        )
    planning.refuse_without_room_for_features(options, checked)
    if not options.pipelines:
        options.trials, options.folds = options.trials or TRIALS, options.folds or FOLDS
    return checked


def prepare(options: argparse.Namespace, checked: plan.Plan) -> Task:
    """What is tuned, and on which folds."""
    prepared = task.prepare(
        checked,
        planning.protocol(options, checked.recipe),
        trials.objective(options.objective),
        search=options.search,
        parts=options.folds,
        seed=options.seed,
        on=options.on or "train",
        all_models=options.all_models,
        threads=options.threads,
        memory=machine.memory(options),
        device=machine.device(options),
    )
    on_folds = plan.check(checked.recipe, prepared.bench.folder)
    planning.refuse_without_room(options, on_folds, prepared.bench.parts[0])
    return prepared


def tried(
    options: argparse.Namespace,
    prepared: Task,
    study: Path | None,
    tell: Callable[[Trial], None] = lambda trial: None,
) -> list[Trial]:
    """All trials, those of the study first."""
    walk = Search(
        prepared.space,
        lambda candidate: prepared.bench(prepared.space.recipe(candidate)),
        seed=options.seed,
        trials=options.trials,
        select=not options.all_models,
        tell=tell,
    )
    return walk(study, prepared.about)
