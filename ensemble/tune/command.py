"""``python -m ensemble.tune``: settings, weights and models chosen on some identities and judged on others.

Identities are split into folds; every candidate is scored on every fold; the score reported for a fold is that of
the candidate which the other folds like best. Without labels, ``--unlabelled`` proposes k1 and k2 to start from.
"""

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import io
from ensemble.base import errors
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.cli import inputs
from ensemble.pipeline import advice, joins, plan, results, steps
from ensemble.scores import folds
from ensemble.tune import honest, space, trials, unlabelled
from ensemble.tune.study import Search, Trial
from postproc.pairs import remembered

LABELLED = ("query_pid", "gallery_pid")
TRIALS, FOLDS = 100, 5


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    if options.rankings is not None:
        raise InputError(
            ["--rankings: wanted --features, since folds need features, found rank lists; give their weights"]
        )
    _refuse_numbers(options)
    checked = inputs.prepare(options)
    return guess(options, checked) if options.unlabelled else search(options, checked)


def parser() -> argparse.ArgumentParser:
    """The options, most of them shared with ``ensemble.run``."""
    p = argparse.ArgumentParser(prog="python -m ensemble.tune", description=__doc__)
    inputs.add_options(p)
    p.add_argument("--objective", default="mAP", metavar="NAME[@K]",
                   help=f"what to raise: {', '.join(trials.OBJECTIVES)}, mAP@100 (default: mAP)")  # fmt: skip
    p.add_argument("--search", nargs="+", action="extend", default=[], metavar="STEP[.SETTING[=VALUES]]",
                   help="what may vary, as rerank, rerank.k1=4..60, rerank.power=2,4, concat.weights "
                        "(default: the distance steps' settings and all weights)")  # fmt: skip
    p.add_argument("--all-models", action="store_true", help="leave no model out")
    p.add_argument("--trials", type=int, default=TRIALS, metavar="N",
                   help="candidates in all, a continued study's included (default: %(default)s)")  # fmt: skip
    p.add_argument("--folds", type=int, default=FOLDS, metavar="N", help="parts of the identities (default: 5)")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of folds and search (default: 0)")
    p.add_argument("--study", type=Path, metavar="FILE", help="SQLite file of the trials (default: OUT/study.db)")
    p.add_argument("--out", type=Path, metavar="DIR", help="where results go (default: runs/RECIPE_tuned)")
    p.add_argument("--unlabelled", action="store_true", help="no search: propose k1 and k2 by a rule of thumb")
    p.add_argument("--images-per-identity", type=float, metavar="N", help="for --unlabelled, as far as you know")
    p.add_argument("--tracks-per-identity", type=float, metavar="N", help="for --unlabelled, as far as you know")
    return p


def guess(options: argparse.Namespace, checked: plan.Plan) -> int:
    """``--unlabelled``: write the recipe with k1 and k2 by a rule of thumb, and say that it is one."""
    sets = _read(checked)
    first = next(iter(sets.values()))
    found = unlabelled.guess(
        first.data(),
        len(first.query),
        len(first.gallery),
        images=options.images_per_identity,
        tracks=options.tracks_per_identity,
    )
    changed, changes = unlabelled.changed(checked.recipe, unlabelled.propose(found))
    changed = replace(changed, about=f"{checked.recipe.about} (k1, k2 by a rule of thumb)".strip())
    out = _out(options, checked)
    out.mkdir(parents=True, exist_ok=True)
    with io.beside(out / "recipe.toml", "w") as stream:
        stream.write(results.recipe_text(plan.check(changed, checked.folder)))
    tracks = "" if found.tracks is None else f" in {found.tracks:.3g} tracks"
    print(f"expected of an identity in the gallery: {found.images:.3g} images{tracks} ({found.why})")
    print(f"proposed: {', '.join(changes)}")
    print("this is a heuristic and only a start point: nothing was measured; label a part, and tune on that")
    print(out / "recipe.toml")
    return 0


@dataclass(frozen=True)
class Task:
    """What is tuned: the space over a checked recipe, the folds, and how a candidate is scored on them."""

    space: space.Space
    parts: list[folds.Fold]
    bench: trials.Bench
    source: str
    about: dict[str, Any]


def prepare(options: argparse.Namespace, checked: plan.Plan) -> Task:
    """Read, split, and say what is to be searched; every refusal comes before the first trial."""
    wanted = trials.objective(options.objective)
    columns = checked.folder.columns
    labelled, by_train = set(LABELLED) <= columns, {"train", "train_pid"} <= columns
    if not labelled and not by_train:
        raise InputError(
            [
                f"{checked.folder.path}: wanted labels to tune on, a pid column in query.csv and gallery.csv or "
                "in train.csv, found none; give them, or --unlabelled for a rule of thumb"
            ]
        )
    sets = _read(checked)
    data = _fingerprint(sets)
    if not labelled:
        learns = any(name.startswith("train") for use in checked.recipe.uses() for name in _data_of(use.name))
        sets = folds.from_train(sets, learn=learns, seed=options.seed)
    folder = trials.columns(checked.folder, sets)
    searched = space.read(options.search, plan.check(checked.recipe, folder))
    first = next(iter(sets.values())).data()
    split = folds.split(first["query_pid"], first["gallery_pid"], folds=options.folds, seed=options.seed)
    for line in advice.warnings(checked.recipe, advice.positives(first)):
        print(line, file=sys.stderr)
    protocol = inputs.protocol(options, checked.recipe)
    if wanted.top_k is not None:
        protocol = replace(protocol, top_k=wanted.top_k)
    about = {
        "recipe": _digest(checked.recipe.as_toml()),
        "data": data,
        "objective": wanted.name,
        "protocol": protocol.describe(cameras="query_cam" in first),
        "folds": options.folds,
        "seed": options.seed,
        "search": [setting.text() for setting in searched.settings]
        + [f"{join.name}.weights times {join.low:g} to {join.high:g}" for join in searched.joins if join.low],
        "models": "all" if options.all_models else "greedy selection",
    }
    limit = inputs.memory_limit(options)
    bench = trials.Bench(
        folder,
        trials.parts(sets, split),
        protocol,
        wanted.score,
        threads=options.threads,
        kept=trials.KEPT if limit is None else min(trials.KEPT, limit // 2),
        device=inputs.device(options),
    )
    return Task(searched, split, bench, "query and gallery" if labelled else "train", about)


def search(options: argparse.Namespace, checked: plan.Plan) -> int:
    """Run the trials, judge them, write what was chosen."""
    from tqdm import tqdm

    task = prepare(options, checked)
    out = _out(options, checked)
    _describe(task)
    with ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=options.trials, desc="trials", disable=None, leave=False))

        def tell(trial: Trial) -> None:
            bar.update()
            if trial.scores is not None:
                bar.set_postfix_str(f"{trial.kind} {trial.mean:.4f}")

        walk = Search(
            task.space,
            lambda candidate: task.bench(task.space.recipe(candidate)),
            seed=options.seed,
            trials=options.trials,
            select=not options.all_models,
            tell=tell,
        )
        done = walk(options.study or out / "study.db", task.about)
    missing = [float("nan")] * len(task.parts)
    verdict = honest.judge([trial.scores or missing for trial in done])
    chosen = replace(task.space.recipe(done[verdict.best].candidate), about=_about(checked, task, verdict))
    final = plan.check(chosen, checked.folder)
    _report(task, done, verdict)
    for path in _write(out, final, task, done, verdict):
        print(path)
    return 0


def _describe(task: Task) -> None:
    queries, images = sum(len(f.query) for f in task.parts), [len(f.gallery) for f in task.parts]
    people = [len(f.pids) for f in task.parts]
    print(
        f"{len(task.parts)} folds of {min(people)} to {max(people)} identities, {queries} queries in all, "
        f"{min(images)} to {max(images)} gallery images each, from {task.source}"
    )
    print(f"objective {task.about['objective']}: {task.about['protocol']}")
    for line in task.about["search"]:
        print(f"  {line}")


def _report(task: Task, done: Sequence[Trial], verdict: honest.Verdict) -> None:
    name, before = task.about["objective"], np.array(done[0].scores)
    best = done[verdict.best]
    gain = verdict.held_out - before
    refused = sum(trial.scores is None for trial in done)
    print(f"{len(done)} trials" + (f", of which {refused} were refused by a step" if refused else ""))
    print(f"{'the recipe as it is':<24}{name} {_spread(before)}")
    print(f"{'tuned, held-out folds':<24}{name} {_spread(verdict.held_out)}")
    print(f"{'gain':<24}{name} {_spread(gain, '+')}, {int((gain > 0).sum())} of {len(gain)} folds better")
    print(f"{'chosen':<24}trial {verdict.best}: {_choice(task.space, best)}")
    print(
        f"{'':<24}({name} {best.mean:.4f} on the folds that chose it: too good, do not report; a fold's gallery "
        "is smaller than the whole, so these scores compare with each other only)"
    )
    if gain.mean() <= 0:
        print("nothing was found that holds on identities not seen: keep the recipe as it is")


def _spread(values: Any, sign: str = "") -> str:
    mean, deviation = honest.spread(values)
    return f"{mean:{sign}.4f} ± {deviation:.4f}"


def _choice(searched: space.Space, trial: Trial) -> str:
    """A candidate in words."""
    texts = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
             for name, value in trial.candidate["settings"].items()]  # fmt: skip
    for join in searched.joins:
        parts = join.parts if join.place == "top" else trial.candidate["models"][join.place]
        pairs = zip(parts, trial.candidate["weights"][join.place], strict=True)
        texts.append(" + ".join(part if weight == 1 else f"{weight:g} {part}" for part, weight in pairs))
    return ", ".join(texts) or "nothing varies"


def _about(checked: plan.Plan, task: Task, verdict: honest.Verdict) -> str:
    score = f"{task.about['objective']} {_spread(verdict.held_out)} on {len(task.parts)} held-out folds"
    return f"{checked.recipe.about} (tuned: {score})".strip()


def _write(out: Path, final: plan.Plan, task: Task, done: Sequence[Trial], verdict: honest.Verdict) -> list[Path]:
    """The recipe, the record, the trials; each complete or not at all."""
    out.mkdir(parents=True, exist_ok=True)
    before = np.array(done[0].scores)
    record = {
        **task.about,
        "labels": task.source,
        "trials": len(done),
        "recipe_as_it_is": _numbers(before),
        "held_out": _numbers(verdict.held_out) | {"trial_of_fold": verdict.chosen.tolist()},
        "gain": _numbers(verdict.held_out - before),
        "chosen": {"trial": verdict.best, **done[verdict.best].candidate},
        "on_the_folds_that_chose_it": done[verdict.best].mean,
        "identities": [fold.pids.tolist() for fold in task.parts],
    }
    names = ("recipe.toml", "tuning.json", "trials.csv")
    with io.beside(out / names[0], "w") as stream:
        stream.write(results.recipe_text(final))
    with io.beside(out / names[1], "w") as stream:
        stream.write(json.dumps(record, indent=1) + "\n")
    with io.beside(out / names[2], "w") as stream:
        settings = [setting.name for setting in task.space.settings]
        folded = [f"fold_{number}" for number in range(1, len(task.parts) + 1)]
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["trial", "kind", "mean", *folded, *settings, "models", "weights", "refused"])
        for number, trial in enumerate(done):
            scores = [repr(score) for score in trial.scores or ()] or [""] * len(folded)
            mean = "" if trial.scores is None else repr(trial.mean)
            values = [trial.candidate["settings"][name] for name in settings]
            sides = [json.dumps(trial.candidate[side]) for side in ("models", "weights")]
            table.writerow([number, trial.kind, mean, *scores, *values, *sides, trial.refused])
    return [out / name for name in names]


def _numbers(values: Any) -> dict[str, Any]:
    mean, deviation = honest.spread(values)
    return {"mean": mean, "sd": deviation, "folds": np.asarray(values).tolist()}


def _read(checked: plan.Plan) -> dict[str, FeatureSet]:
    models = list(checked.all_models)
    return {found.model: found for found in io.read(checked.folder, models, missing=checked.recipe.missing)}


def _data_of(name: str) -> tuple[str, ...]:
    """What data a step or join takes."""
    known = steps.catalogue()
    return (*known[name].needs, *known[name].may_use) if name in known else joins.needs(name)


def _fingerprint(sets: Mapping[str, FeatureSet]) -> str:
    """16 hexadecimal digits for the features, names and columns of all models."""
    arrays: list[np.ndarray] = []
    for model, found in sorted(sets.items()):
        names = [model, *found.query_table["name"], *found.gallery_table["name"]]
        arrays += [np.frombuffer("\n".join(names).encode(), np.uint8), *found.data().values()]
    return remembered.fingerprint(arrays).hex()[:16]


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in content.items() if k != "about"}, sort_keys=True).encode()
    return remembered.fingerprint([np.frombuffer(text, np.uint8)]).hex()[:16]


def _out(options: argparse.Namespace, checked: plan.Plan) -> Path:
    return options.out or Path("runs") / f"{checked.recipe.name}_tuned"


def _refuse_numbers(options: argparse.Namespace) -> None:
    problems = [
        f"--{name}: wanted {least} or more, found {value}"
        for name, least in (("trials", 1), ("folds", 2), ("seed", 0))
        if (value := getattr(options, name)) < least
    ]
    for name in ("images_per_identity", "tracks_per_identity"):
        value = getattr(options, name)
        if value is not None and not 1 <= value < float("inf"):
            problems.append(f"--{name.replace('_', '-')}: wanted 1 or more, found {value}")
        if value is not None and not options.unlabelled:
            problems.append(f"--{name.replace('_', '-')}: is for --unlabelled, which is not there; add it")
    errors.refuse_if_any(problems)
