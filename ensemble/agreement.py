"""Do the models of a folder see the same? Labels are not needed.

    python -m ensemble.agreement --features DIR --k 10

Models that agree in everything add little to each other; one that agrees with nobody is worse than the others, or
broken, or was extracted from other images. Measures between every two models, on their rankings by cosine:

top1      share of the queries whose nearest gallery image is the same
overlap   mean share of the k nearest that are the same
rbo       rank-biased overlap of the lists, where place i + 1 weighs p times place i
cosine    mean cosine distance between the two features of the same query, where both have as many values: 0 for
          copies, about 1 for models trained apart; for an old and a new version of one model
ap        Spearman correlation of the average precision of the queries, where there are labels

Source: gggcy/AIC2020_ReID ``compute_dist.py`` (cosine); Webber, Moffat and Zobel, "A Similarity Measure for
Indefinite Rankings", ACM TOIS 2010 (rbo, equation 32 for lists of one length).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import postproc
from ensemble import io
from ensemble.base.errors import InputError, printable, refuse_if_any
from ensemble.cli import files, machine, notes, outputs, program
from ensemble.cli.numbers import too_small
from ensemble.scores.agreement import MEASURES, Floats, known_to_all, matrices

TASK = "score"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    _check(options)
    outputs.refuse_unwritable(options.csv)
    folder = io.scan(options.features, query_names=options.query_names, gallery_names=options.gallery_names)
    sets = io.read(folder, missing="keep")
    notes.say((*folder.notes, *sets[0].notes), aside=options.json)
    if len(sets) < 2:
        raise InputError([f"{folder.path}: wanted two models or more to compare, found {len(sets)}"])
    with postproc.using(threads=options.threads, progress=not options.quiet):
        shared = known_to_all(sets)
        found = matrices(shared, k=options.k, p=options.p)
    names = [features.model for features in shared]
    if options.csv:
        _write_csv(options.csv, names, found)
    sizes = {"queries": len(shared[0].query), "gallery": len(shared[0].gallery)}
    if options.k >= sizes["gallery"]:
        said = f"k {options.k} takes all {sizes['gallery']} gallery images: overlap is 1 whatever the models see"
        notes.say([said], aside=options.json)
    if options.json:
        about = {"models": names, "k": options.k, "p": options.p, **sizes}
        print(json.dumps(about | {name: _plain(matrix) for name, matrix in found.items()}, allow_nan=False))
    else:
        print(f"{sizes['queries']} queries, {sizes['gallery']} gallery images, k {options.k}, p {options.p:g}")
        print("\n".join(text(names, found)))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.agreement", __doc__)
    files.add_features(p)
    files.add_name_lists(p)
    p.add_argument("--k", type=int, default=10, metavar="N", help="nearest images compared (default: %(default)s)")
    p.add_argument("--p", type=float, default=0.9, help="of rbo, above 0 and below 1 (default: %(default)s)")
    outputs.add_csv(p, "write one line for every two models")
    outputs.add_json(p, "the matrices")
    machine.add_threads(p)
    return p


def _check(options: argparse.Namespace) -> None:
    problems = files.wanted(options) + too_small(options, k=1, threads=1)
    if not 0 < options.p < 1:
        problems.append(f"--p: wanted a number above 0 and below 1, found {options.p}")
    refuse_if_any(problems)


def text(names: Sequence[str], found: Mapping[str, Floats]) -> list[str]:
    """The matrices for a terminal, models numbered in the heading."""
    wide = max(len(printable(name)) for name in names) + 4
    lines = []
    for measure, matrix in found.items():
        lines.append(f"\n{measure}: {MEASURES[measure]}")
        lines.append(" " * wide + "".join(f"{number:8}" for number in range(1, len(names) + 1)))
        for number, (name, row) in enumerate(zip(names, matrix, strict=True), 1):
            values = "".join("       -" if np.isnan(value) else f"{value:8.3f}" for value in row)
            lines.append(f"{f'{number:>2}  {printable(name)}':<{wide}}{values}")
    return lines


def _plain(matrix: Floats) -> list[list[float | None]]:
    """A matrix for JSON, None for NaN."""
    return [[None if np.isnan(value) else value for value in row] for row in matrix.tolist()]


def _write_csv(path: Path, names: Sequence[str], found: Mapping[str, Floats]) -> None:
    rows: list[tuple[Any, ...]] = []
    for j, second in enumerate(names):
        for i, first in enumerate(names[:j]):
            values = [matrix[i, j] for matrix in found.values()]
            rows.append((first, second, *("" if np.isnan(value) else value for value in values)))
    io.write_csv(path, ("first", "second", *found), rows)


if __name__ == "__main__":
    program.main(main)
