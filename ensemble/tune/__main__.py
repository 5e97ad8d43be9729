"""Settings, weights and models chosen on some identities and judged on others.

Identities of train are split into folds; every candidate is scored on every fold; the score reported for a fold is
that of the candidate which the other folds like best. ``--on test`` does the same with query and gallery. Without
labels, ``--unlabelled`` proposes k1 and k2 to start from.

    python -m ensemble.tune --features DIR --pipelines --minutes 10

``--pipelines`` looks for the steps too: transforms, re-ranking, fusion, within so many minutes.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ensemble.base.errors import InputError
from ensemble.cli import notes, outputs, program
from ensemble.pipeline import plan, sets
from ensemble.tune import options as known
from ensemble.tune import outcome, task, trials, unlabelled
from ensemble.tune.function import planned, prepare, tried
from ensemble.tune.outcome import Outcome, spread
from ensemble.tune.pipelines import command as pipelines
from ensemble.tune.space import Space
from ensemble.tune.study import Trial
from ensemble.tune.task import Task

TASK = "tune"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    checked = planned(options)
    if options.pipelines:
        return pipelines.search(options, checked)
    return guess(options, checked) if options.unlabelled else search(options, checked)


def parser() -> argparse.ArgumentParser:
    """The options."""
    return known.parser(__doc__)


def guess(options: argparse.Namespace, checked: plan.Plan) -> int:
    """``--unlabelled``: write the recipe with k1 and k2 by a rule of thumb, and say that it is one."""
    first = next(iter(sets.read(checked).values()))
    notes.say((*checked.notes, *first.notes))
    found = unlabelled.guess(
        first.data(),
        len(first.query_table),
        len(first.gallery_table),
        images=options.images_per_identity,
        tracks=options.tracks_per_identity,
    )
    changed, changes = unlabelled.changed(checked.recipe, unlabelled.propose(found))
    changed = replace(changed, about=f"{checked.recipe.about} (k1, k2 by a rule of thumb)".strip())
    path = _out(options, checked) / outcome.RECIPE
    if path.with_name(outcome.RECORD).exists():
        raise InputError(
            [f"{path}: wanted a place for a guess, found a recipe that was tuned; give another --out, or move it"]
        )
    outcome.write_recipe(path, plan.check(changed, checked.folder))
    tracks = "" if found.tracks is None else f" in {found.tracks:.3g} tracks"
    print(f"expected of an identity in the gallery: {found.images:.3g} images{tracks} ({found.why})")
    print(f"proposed: {', '.join(changes)}")
    print("this is a heuristic and only a start point: nothing was measured; label a part, and tune on that")
    print(path)
    return program.FINE


def search(options: argparse.Namespace, checked: plan.Plan) -> int:
    """Run the trials, judge them, write what was chosen."""
    trials.objective(options.objective)
    out = _out(options, checked)
    study = options.study or out / "study.db"
    outputs.refuse_unwritable(*(out / name for name in outcome.FILES), study)
    old = [name for name in outcome.FILES if (out / name).exists()]
    if old:
        print(f"{out}: there already, and will be replaced: {', '.join(old)}", file=sys.stderr)
    prepared = prepare(options, checked)
    notes.say((*checked.notes, *prepared.notes))
    for line in prepared.warnings:
        print(line, file=sys.stderr)
    _describe(prepared)
    found = outcome.judged(checked, prepared, _tried(options, prepared, study))
    _report(found)
    for path in outcome.write(out, found):
        print(path)
    return program.FINE


def _tried(options: argparse.Namespace, prepared: Task, study: Path) -> list[Trial]:
    """All trials of the study, with a bar while they run."""
    from tqdm import tqdm

    with ExitStack() as stack:
        bar = stack.enter_context(
            tqdm(total=options.trials, desc="trials", disable=options.quiet or None, leave=False)
        )

        def tell(trial: Trial) -> None:
            bar.update()
            if trial.scores is not None:
                bar.set_postfix_str(f"{trial.kind} {trial.mean:.4f}")

        return tried(options, prepared, study, tell)


def _describe(prepared: Task) -> None:
    parts, about = prepared.parts, prepared.about
    queries, images = sum(len(fold.query) for fold in parts), [len(fold.gallery) for fold in parts]
    people = [len(fold.pids) for fold in parts]
    print(
        f"{len(parts)} folds of {min(people)} to {max(people)} identities, {queries} queries in all, "
        f"{min(images)} to {max(images)} gallery images each"
    )
    print(f"tuned on {task.ON[prepared.source][1]}")
    print(f"objective {about['objective']}: {about['protocol']}")
    for line in about["search"]:
        print(f"  {line}")


def _report(found: Outcome) -> None:
    name, best, gain = found.task.about["objective"], found.best, found.gain
    refused = sum(trial.scores is None for trial in found.trials)
    print(f"{len(found.trials)} trials" + (f", of which {refused} were refused by a step" if refused else ""))
    print(f"{'the recipe as it is':<24}{name} {spread(found.before)}")
    print(f"{f'tuned, held-out {found.task.source}':<24}{name} {spread(found.verdict.held_out)}")
    print(f"{'gain':<24}{name} {spread(gain, '+')}, {int((gain > 0).sum())} of {len(gain)} folds better")
    print(f"{'chosen':<24}trial {found.verdict.best}: {_choice(found.task.space, best)}")
    print(
        f"{'':<24}({name} {best.mean:.4f} on the folds that chose it: too good, do not report; a fold's gallery "
        "is smaller than the whole, so these scores compare with each other only)"
    )
    if gain.mean() <= 0:
        print("nothing was found that holds on identities not seen: keep the recipe as it is")


def _choice(searched: Space, trial: Trial) -> str:
    """A candidate in words."""
    texts = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
             for name, value in trial.candidate["settings"].items()]  # fmt: skip
    for join in searched.joins:
        parts = join.parts if join.place == "top" else trial.candidate["models"][join.place]
        pairs = zip(parts, trial.candidate["weights"][join.place], strict=True)
        texts.append(" + ".join(part if weight == 1 else f"{weight:g} {part}" for part, weight in pairs))
    return ", ".join(texts) or "nothing varies"


def _out(options: argparse.Namespace, checked: plan.Plan) -> Path:
    return options.out or Path("runs") / f"{checked.recipe.name}_tuned"


if __name__ == "__main__":
    program.main(main)
