"""Splits of the identities on the command line: which, and a run of the recipe on each."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.cli import files, machine, notes, planning
from ensemble.pipeline import advice, official
from ensemble.pipeline.images import Images
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.run import Run
from ensemble.scores import identity_splits
from ensemble.scores.values import Scores


def add_options(p: argparse.ArgumentParser) -> None:
    """``--splits`` and ``--split-seed``."""
    p.add_argument(
        "--splits",
        metavar="N|FILE",
        help="score half of the identities N times, drawn at random, or the splits of a file (.json; .txt "
        "with the identities of a split a line): means and standard deviations over them",
    )
    p.add_argument("--split-seed", type=int, default=0, metavar="N", help="draws the splits (default: 0)")


def scored(options: argparse.Namespace, checked: Plan, sets: Mapping[str, ModelSet]) -> Scores:
    """The recipe on every split, a line a split, and the means. What it learns, it learns from ``train``."""
    sets = official.taking_part(checked.folder, planning.protocol(options, checked.recipe), sets)
    first = next(iter(sets.values()))
    splits, about = _chosen(options, first)
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    notes.say(checked.notes)
    found = []
    with machine.using(options):
        for at, split in enumerate(splits, start=1):
            run = Run(
                checked,
                lambda line: None,
                protocol=planning.protocol(options, checked.recipe),
                memory=machine.memory(options),
                sets={model: identity_splits.take(features, split) for model, features in sets.items()},
                every_step=False,
                begun=(lambda images: _say(checked, images)) if at == 1 else None,
                device=machine.device(options),
            )
            result = run()
            if result.scores is None:
                raise InputError([f"--splits, split {at}: no scores: {result.unscored}"])
            found.append(result.scores)
            sizes = f"{len(split.query)} queries, {len(split.gallery)} gallery images"
            print(f"split {at}: {sizes}: {result.scores.text(options.ranks)}", flush=True)
    return identity_splits.mean(found, splits, len(first.query_table), about)


def _say(checked: Plan, images: Images) -> None:
    """What there is to say of a split before it runs."""
    notes.say(images.notes)
    for warning in advice.warnings(checked.recipe, advice.positives(images.known)):
        print(warning, file=sys.stderr)


def _chosen(options: argparse.Namespace, features: ModelSet) -> tuple[list[identity_splits.Split], str]:
    """The splits, and what they are in words."""
    if files.is_file(options.splits):
        splits = identity_splits.read(Path(options.splits), features)
        return splits, f"means over {len(splits)} splits of {options.splits}"
    count = int(options.splits)
    if count < 1 or options.split_seed < 0:
        raise InputError(
            [f"--splits, --split-seed: wanted 1 or more and 0 or more, found {count} and {options.split_seed}"]
        )
    about = f"means over {count} splits, half of the identities each, drawn at random, seed {options.split_seed}"
    return identity_splits.drawn(features, count, options.split_seed), about
