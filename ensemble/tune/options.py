"""The options of the command, which are the keywords of the function."""

import argparse
from pathlib import Path

from ensemble.base.errors import refuse_if_any
from ensemble.cli import outputs, planning, program
from ensemble.cli.numbers import too_small
from ensemble.tune import task, trials
from ensemble.tune.pipelines import command as pipelines

TRIALS, FOLDS = 100, 5


def parser(description: str | None = None) -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.tune", description)
    planning.add_options(p)
    p.add_argument("--on", choices=task.ON, help="whose labels choose: train, or test, which is query and gallery "
                   "and whose scores are no fair ones afterwards (default: train)")  # fmt: skip
    p.add_argument("--objective", default="mAP", metavar="NAME[@K]",
                   help=f"what to raise: {', '.join(trials.OBJECTIVES)}, mAP@100 (default: mAP)")  # fmt: skip
    p.add_argument("--search", nargs="+", action="extend", default=[], metavar="STEP[.SETTING[=VALUES]]",
                   help="what may vary, as rerank, rerank.k1=4..60, rerank.power=2,4, concat.weights "
                        "(default: the distance steps' settings and all weights)")  # fmt: skip
    p.add_argument("--all-models", action="store_true", help="leave no model out")
    p.add_argument("--pipelines", action="store_true",
                   help="search over steps, not only over the settings of one recipe")  # fmt: skip
    p.add_argument("--minutes", type=float, metavar="N",
                   help=f"for --pipelines: how long it may take (default: {pipelines.MINUTES:g})")  # fmt: skip
    p.add_argument("--trials", type=int, metavar="N", help=f"candidates in all, a continued study's included "
                   f"(default: {TRIALS}; of --pipelines: as many as there is time for)")  # fmt: skip
    p.add_argument("--folds", type=int, metavar="N",
                   help=f"parts of the identities (default: {FOLDS}; --pipelines: {pipelines.FOLDS})")  # fmt: skip
    p.add_argument("--seed", type=int, default=0, metavar="N", help="of folds and search (default: 0)")
    p.add_argument(
        "--study",
        type=Path,
        metavar="FILE",
        help="SQLite file of the trials (default: OUT/study.db, of --pipelines OUT/pipelines.db)",
    )
    outputs.add_out(p, "where results go (default: runs/RECIPE_tuned, runs/pipelines)")
    p.add_argument(
        "--unlabelled",
        action="store_true",
        help="no labels: propose k1 and k2 by a rule of thumb; with --pipelines clusters stand for identities",
    )
    p.add_argument("--images-per-identity", type=float, metavar="N", help="for --unlabelled, as far as you know")
    p.add_argument("--tracks-per-identity", type=float, metavar="N", help="for --unlabelled, as far as you know")
    return p


def refuse_wrong(options: argparse.Namespace) -> None:
    """Raise InputError with all that is wrong with the options."""
    problems = too_small(options, trials=1, folds=2, seed=0)
    if options.minutes is not None and not options.pipelines:
        problems.append("--minutes: is for --pipelines, which is not there; add it, or set --trials")
    if options.minutes is not None and not 0 < options.minutes < float("inf"):
        problems.append(f"--minutes: wanted a number above 0, found {options.minutes}")
    if options.pipelines and options.search:
        problems.append("--search: is for the settings of one recipe, found --pipelines; leave one of them out")
    if options.pipelines and options.all_models:
        problems.append("--all-models: is for one recipe, found --pipelines; leave one of them out")
    for name in ("images_per_identity", "tracks_per_identity"):
        value = getattr(options, name)
        if value is not None and not 1 <= value < float("inf"):
            problems.append(f"--{name.replace('_', '-')}: wanted 1 or more, found {value}")
        if value is not None and not options.unlabelled:
            problems.append(f"--{name.replace('_', '-')}: is for --unlabelled, which is not there; add it")
    if options.unlabelled and options.on:
        problems.append(
            "--on: is for a search, found --unlabelled, which looks at no labels; leave one of them out"
        )
    refuse_if_any(problems)
