"""What tuning found: the recipe, the record and the trials as files, and the scores in words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ensemble import io
from ensemble.pipeline import plan, results
from ensemble.tune import honest
from ensemble.tune.study import Trial
from ensemble.tune.task import Task

FILES = RECIPE, RECORD, TRIALS = "recipe.toml", "tuning.json", "trials.csv"


@dataclass(frozen=True, eq=False)
class Outcome:
    """All trials of a task, what they are worth, and the recipe to take as a checked plan."""

    task: Task
    trials: Sequence[Trial]
    verdict: honest.Verdict
    final: plan.Plan

    @property
    def best(self) -> Trial:
        """The trial to take."""
        return self.trials[self.verdict.best]

    @property
    def before(self) -> np.ndarray:
        """The recipe's scores as it was, fold by fold."""
        return np.array(self.trials[0].scores)

    @property
    def gain(self) -> np.ndarray:
        """What tuning gained on the fold that did not choose."""
        return self.verdict.held_out - self.before


def judged(checked: plan.Plan, task: Task, trials: Sequence[Trial]) -> Outcome:
    """Judge the trials, and write what the scores are into the chosen recipe's ``about``."""
    missing = [float("nan")] * len(task.parts)
    verdict = honest.judge([trial.scores or missing for trial in trials])
    where = f"{len(task.parts)} held-out folds of {task.source}"
    score = f"{task.about['objective']} {spread(verdict.held_out)} on {where}"
    chosen = task.space.recipe(trials[verdict.best].candidate)
    chosen = replace(chosen, about=f"{checked.recipe.about} (tuned: {score})".strip())
    return Outcome(task, trials, verdict, plan.check(chosen, checked.folder))


def spread(values: ArrayLike, sign: str = "") -> str:
    """``0.5120 ± 0.0310``: mean and standard deviation; ``sign`` "+" shows that of the mean."""
    mean, deviation = honest.spread(values)
    return f"{mean:{sign}.4f} ± {deviation:.4f}"


def write(out: Path, found: Outcome) -> list[Path]:
    """The recipe, the record, the trials: all of them or none."""
    with io.together(out) as stage:
        write_recipe(stage / RECIPE, found.final)
        with io.beside(stage / RECORD) as stream:
            stream.write(json.dumps(_record(found), indent=1) + "\n")
        _write_trials(stage / TRIALS, found)
    return [out / name for name in FILES]


def write_recipe(path: Path, checked: plan.Plan) -> None:
    """A recipe as TOML."""
    with io.beside(path) as stream:
        stream.write(results.recipe_text(checked))


def _record(found: Outcome) -> dict[str, Any]:
    return {
        **found.task.about,
        "labels": found.task.source,
        "trials": len(found.trials),
        "recipe_as_it_is": _numbers(found.before),
        "held_out": _numbers(found.verdict.held_out) | {"trial_of_fold": found.verdict.chosen.tolist()},
        "gain": _numbers(found.gain),
        "chosen": {"trial": found.verdict.best, **found.best.candidate},
        "on_the_folds_that_chose_it": found.best.mean,
        "identities": [fold.pids.tolist() for fold in found.task.parts],
    }


def _numbers(values: np.ndarray) -> dict[str, Any]:
    mean, deviation = honest.spread(values)
    return {"mean": mean, "sd": deviation, "folds": values.tolist()}


def _write_trials(path: Path, found: Outcome) -> None:
    """A line a trial: its scores, its settings, models and weights."""
    settings = [setting.name for setting in found.task.space.settings]
    folded = [f"fold_{number}" for number in range(1, len(found.task.parts) + 1)]
    rows: list[list[Any]] = []
    for number, trial in enumerate(found.trials):
        scores = [repr(score) for score in trial.scores or ()] or [""] * len(folded)
        mean = "" if trial.scores is None else repr(trial.mean)
        values = [trial.candidate["settings"][name] for name in settings]
        sides = [json.dumps(trial.candidate[side]) for side in ("models", "weights")]
        rows.append([number, trial.kind, mean, *scores, *values, *sides, trial.refused])
    io.write_csv(path, ["trial", "kind", "mean", *folded, *settings, "models", "weights", "refused"], rows)
