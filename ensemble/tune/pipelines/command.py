"""``python -m ensemble.tune --pipelines``: worlds, search, verdict, files."""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.distances import ModelSet
from ensemble.cli import machine, notes, outputs, planning, program
from ensemble.pipeline import memory, plan
from ensemble.pipeline import sets as models_of
from ensemble.pipeline.recipe import Recipe
from ensemble.scores import folds
from ensemble.tune import task, trials
from ensemble.tune.pipelines import candidate as value
from ensemble.tune.pipelines import outcome, space, study, unlabelled, verdict, worlds
from ensemble.tune.pipelines.bench import Bench, Measured
from ensemble.tune.pipelines.budget import Budget
from ensemble.tune.pipelines.search import Search
from ensemble.tune.pipelines.study import Tried
from ensemble.tune.pipelines.worlds import HELD, SAMPLE, SEARCH
from postproc.base import runtime

FOLDS, MINUTES = 6, 10.0


def search(options: argparse.Namespace, checked: plan.Plan) -> int:
    """Search, judge, write."""
    budget = Budget(options.minutes or MINUTES, options.trials)
    objective, source = trials.objective(options.objective), options.on or "train"
    parts, seed = options.folds or FOLDS, options.seed
    out = options.out or Path("runs") / space.NAME
    path = options.study or out / "pipelines.db"
    outputs.refuse_unwritable(*(out / name for name in outcome.FILES), path)
    if old := [name for name in outcome.FILES if (out / name).exists()]:
        print(f"{out}: there already, and will be replaced: {', '.join(old)}", file=sys.stderr)
    if not options.unlabelled:
        task.refuse_without_labels(checked, source)
    sets = _read(checked)
    notes.say((*checked.notes, *dict.fromkeys(note for found in sets.values() for note in found.notes)))
    about: dict[str, Any] = {"data": task.fingerprint(sets), "on": source, "objective": objective.name}
    if options.unlabelled:
        sets, clustered = unlabelled.as_train(sets, seed=seed, threads=options.threads)
        about["on"] = "clusters, no labels"
        notes.say((clustered, unlabelled.WARNING))
    of_train = source == "train"
    made = worlds.of_train(sets, parts=parts, seed=seed) if of_train else worlds.of_test(sets, seed=seed)
    folder = folds.columns(checked.folder, made.each[0].sets, of_train=of_train)
    choices = space.read(checked.recipe, checked.folder.joined, [folder, checked.folder])
    protocol = planning.protocol(options, checked.recipe)
    if objective.top_k is not None:
        protocol = replace(protocol, top_k=objective.top_k)
    bench = Bench(folder, made, protocol, objective, options.threads, _kept(options), machine.device(options))
    bench.times = max(1.0, _gallery(sets) / _gallery(made.each[0].sets))
    pids = {kind: made.pid(kind) for kind in (SAMPLE, SEARCH, HELD)}
    about |= {
        "protocol": protocol.describe(cameras="query_cam" in folder.columns),
        "folds": parts,
        "seed": seed,
        "held back": f"{len(pids[HELD])} queries of {len(np.unique(pids[HELD]))} identities of {about['on']} "
        "held back",
    }
    print(f"{made.about}\nobjective {about['objective']}: {about['protocol']}")
    whose = about["on"] if options.unlabelled else task.ON[source][1]
    print(f"{len(choices.rows)} families of steps, {len(choices.models)} models; tuned on {whose}")
    sizes = {kind: len(pid) for kind, pid in pids.items()}
    with study.opened(path, about, sizes) as kept, _Bar(options) as tell:
        measure = _measured(budget, bench, choices.recipe)
        others = verdict.references(checked.recipe)
        starts = choices.known(others.values(), folder)
        walk = Search(choices.rows, choices.models, measure, kept, pids[SEARCH], budget.spent, tell, starts)
        best = walk()
        tried = [one for one in kept.tried if (one.kind, one.candidate) in walk.used]
    full = [one.scores for _, one in walk.full.values() if one.scores is not None]
    cross = verdict.crossed(full, made.part(SEARCH), pids[SEARCH])
    judged = verdict.judge(choices.recipe(best), cross, others, bench, pids)
    notes.say(judged.notes)
    found = outcome.judged(tried, best, judged, checked.folder, about)
    print("\n".join(outcome.lines(found)))
    for written in outcome.write(out, found):
        print(written)
    return program.FINE


def _read(checked: plan.Plan) -> dict[str, ModelSet]:
    """All models of the folder, those beside them that the recipe looks at too."""
    wanted = value.recipe(value.plain(tuple(checked.folder.joined)), {}, space.NAME)
    return dict(models_of.read(checked)) | dict(models_of.read(plan.check(wanted, checked.folder)))


def _gallery(sets: Mapping[str, ModelSet]) -> int:
    return max(len(found.gallery_table) for found in sets.values())


def _kept(options: argparse.Namespace) -> int:
    limit = machine.memory(options)
    return trials.KEPT if limit is None else min(trials.KEPT, limit // 2)


def _measured(
    budget: Budget, bench: Bench, recipe: Callable[[value.Candidate], Recipe]
) -> Callable[[value.Candidate, str], Measured]:
    """How a candidate is scored: not at all where it would take too much of the time."""
    sizes = memory.of_sets(bench.worlds.each[0].sets)
    threads = bench.threads or runtime.current().threads

    def measure(candidate: value.Candidate, kind: str) -> Measured:
        made = recipe(candidate)
        if kind != HELD:
            checked = plan.check(made, bench.folder)
            count = len(bench.worlds.each)
            budget.refuse_too_long(checked, sizes, bench.protocol, worlds=count, threads=threads)
        return bench(made, kind)

    return measure


class _Bar:
    """A bar of what is tried, with the best score so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        from tqdm import tqdm

        self.bar = tqdm(total=options.trials, desc="tried", disable=options.quiet or None, leave=False)
        self.best = 0.0

    def __enter__(self) -> Callable[[Tried], None]:
        return self.tell

    def __exit__(self, *of: object) -> None:
        self.bar.close()

    def tell(self, tried: Tried) -> None:
        """One more."""
        self.bar.update()
        if tried.kind == SEARCH and tried.mean > self.best:
            self.best = tried.mean
            self.bar.set_postfix_str(f"{tried.what} {tried.mean:.4f}")
