"""Identities as images come in: each gets that of the most similar one before it, or a new one.

    python -m ensemble.build_gallery --features DIR --out identities.csv
    python -m ensemble.build_gallery --features DIR --of query gallery --by frame --threshold 0.5 0.6 0.7

An image is of a known identity where the cosine to the most similar image before it is above the threshold; of
several models the mean of their cosines. Images come in the order of their rows, or of a column. The table has the
name, and as pid the place (from 0) of the identity's first image; of several thresholds a column each. Where there
are labels, it is said how many of the pairs that are put together are right (precision), and how many of the right
ones are put together (recall).

Source: femalegeekinsv/Pytorch-Person-REID-Baseline-Bag-of-Tricks, inference_buildgallery (cosine above 0.6).
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

import postproc
from ensemble import io
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.base.features import SIDES, FeatureSet
from ensemble.base.kinds import Array, Ints
from ensemble.cli import files, machine, notes, outputs, program
from ensemble.cli.numbers import too_small

TASK = "people and clusters"  # of reid-ensemble --help

THRESHOLD = 0.6
ORDERS = ("frame", "order", "track")  # columns that say when an image came


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    _check(options)
    outputs.refuse_unwritable(options.out)
    options.rankings = None
    folder = files.scan(options)
    sets = io.read(folder)
    notes.say((*folder.notes, *sets[0].notes), aside=options.json)
    sides = tuple(dict.fromkeys(options.of))
    order = _order(options, sets[0], sides)
    with postproc.using(threads=options.threads, progress=not options.quiet):
        rows = np.concatenate([_joined(sets, side) for side in sides])[order]
        pids = [postproc.build_gallery(rows, threshold=value).astype(np.int64) for value in options.threshold]
    found = dict(zip(options.threshold, pids, strict=True))
    names = [(side, name) for side in sides for name in getattr(sets[0], f"{side}_table")["name"]]
    came = [names[row] for row in order]
    if options.out:
        _write(options, came, found, several=len(sides) > 1)
    told = [_told(value, pid, _labels(sets[0], sides, order)) for value, pid in found.items()]
    print(json.dumps({"images": len(came), "thresholds": told}) if options.json else "\n".join(map(_text, told)))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.build_gallery", __doc__)
    files.add_features(p)
    files.add_name_lists(p)
    files.add_meaning(p)
    files.add_keys(p)
    files.add_tracks(p)
    outputs.add_out(p, "write the table of identities", metavar="FILE")
    add = p.add_argument
    add("--threshold", type=float, nargs="+", default=[THRESHOLD], metavar="COSINE",
        help=f"from -1 to 1, one or more (default: {THRESHOLD})")  # fmt: skip
    add("--of", nargs="+", choices=SIDES, default=["gallery"], metavar="SIDE",
        help="whose images come, one side after the other (default: gallery)")  # fmt: skip
    add("--by", choices=ORDERS, help="the column by whose numbers they come (default: the order of the rows)")
    outputs.add_json(p)
    machine.add_threads(p)
    return p


def _check(options: argparse.Namespace) -> None:
    problems = files.wanted(options) + machine.thread_problems(options) + too_small(options, threads=1)
    problems += [
        f"--threshold: wanted -1 to 1, found {value:g}" for value in options.threshold if not -1 <= value <= 1
    ]
    refuse_if_any(problems)


def _order(options: argparse.Namespace, first: FeatureSet, sides: Sequence[str]) -> Ints:
    """The rows of the sides, one after the other, in the order in which the images came; ties by row."""
    if first.one_set and "query" in sides:
        raise InputError(["--of: wanted gallery for one set of images, found query too; each image counts once"])
    lacking = [side for side in sides if getattr(first, side) is None]
    if lacking:
        raise InputError([f"--of: wanted images of {' and '.join(lacking)}, found none"])
    tables = [getattr(first, f"{side}_table") for side in sides]
    if options.by is None:
        return np.arange(sum(map(len, tables)))
    without = [side for side, table in zip(sides, tables, strict=True) if options.by not in table]
    if without:
        raise InputError([f"--by: wanted the column {options.by} of {' and '.join(without)}, found none"])
    when = np.concatenate([table[options.by].to_numpy() for table in tables])
    if when.dtype == object:
        raise InputError([f"--by: wanted numbers in the column {options.by}, found text; choose another"])
    return np.argsort(when, kind="stable")


def _joined(sets: Sequence[FeatureSet], side: str) -> Array:
    """Features whose cosine is the mean of the models' cosines."""
    return np.hstack([postproc.l2_normalize(getattr(features, side)) for features in sets])


def _labels(first: FeatureSet, sides: Sequence[str], order: Ints) -> Ints | None:
    """Who the images really are; None where some side does not say."""
    data = first.data()
    if not all(f"{side}_pid" in data for side in sides):
        return None
    return np.concatenate([data[f"{side}_pid"] for side in sides])[order]


def _told(threshold: float, pid: Ints, truth: Ints | None) -> dict[str, Any]:
    sizes = np.unique(pid, return_counts=True)[1]
    found = {"threshold": threshold, "identities": len(sizes), "alone": int((sizes == 1).sum())}
    if truth is None:
        return found
    known = truth >= 0
    pair = np.stack([pid, truth])[:, known]
    both, put, right = (_pairs(part) for part in (pair, pair[:1], pair[1:]))
    return {**found, "precision": both / put if put else None, "recall": both / right if right else None}


def _pairs(labels: Array) -> int:
    """How many pairs of columns are alike."""
    counts = np.unique(labels, axis=1, return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def _text(told: dict[str, Any]) -> str:
    rates = [f"{name} {told[name]:.4f}" for name in ("precision", "recall") if told.get(name) is not None]
    return "  ".join(
        [f"threshold {told['threshold']:g}: {told['identities']} identities, {told['alone']} of one image", *rates]
    )


def _write(
    options: argparse.Namespace, came: Sequence[tuple[str, str]], found: dict[float, Ints], *, several: bool
) -> None:
    titles = ["pid"] if len(found) == 1 else [f"pid_{value:g}" for value in found]
    rows = (
        ((side,) if several else ()) + (name, *(pid[row] for pid in found.values()))
        for row, (side, name) in enumerate(came)
    )
    io.write_csv(options.out, (*(("side",) if several else ()), "name", *titles), rows, data=True)


if __name__ == "__main__":
    program.main(main)
