"""Tracks of single cameras in; identities over all cameras, track1.txt and scores out.

    python -m ensemble.track --features DIR --tracks DIR --cameras cameras.csv --recipe default --out DIR
    python -m ensemble.track --submission track1.txt --truth DIR

Tracks: MOT files, one a camera (frame,id,x,y,w,h,conf), or AI City's (cam id frame x y w h xw yw). Features:
images called cCAM_TRACK or cCAM_TRACK_FRAME, or columns cam, track, frame of a table. See docs/tracking.md.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import postproc
from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.boxes import reading, scores
from ensemble.cli import notes, outputs, program
from ensemble.pipeline import results
from ensemble.report import timelines
from ensemble.track import given, recipe, result
from ensemble.track import options as known
from ensemble.track.function import matched, read
from ensemble.track.given import Given
from ensemble.track.recipe import Recipe
from ensemble.track.result import Result

TASK = "people and clusters"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    if options.list_recipes:
        for name in recipe.available():
            print(f"{name}: {recipe.load(name).about}")
    elif options.submission is not None:
        _score_alone(options)
    else:
        _run(options)
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    return known.parser(__doc__)


def _run(options: argparse.Namespace) -> None:
    used, world = read(options)
    with postproc.using(threads=options.threads, progress=not options.quiet):
        _write(options, used, world)


def _write(options: argparse.Namespace, used: Recipe, world: Given) -> None:
    """Match, and leave the files; nothing is written before everything is computed."""
    out = options.out or Path("runs") / f"track_{used.name}"
    outputs.refuse_unwritable(*(out / name for name in result.files(timelines.NAME if options.report else None)))
    print(f"{used.name}: {used.about}")
    if options.dry_run:
        notes.say(world.notes)
        print("everything fits; nothing was matched or written")
        return
    replaced = results.in_the_way(out)
    if replaced:
        print(replaced, file=sys.stderr)
    found = matched(world, used)
    notes.say(world.notes)
    more = [(timelines.NAME, _report(world, used, found))] if options.report else []
    old = results.leftovers(out)
    paths = result.written(out, world, used, found, options.form, more)
    for name in old:
        if out / name not in paths:
            (out / name).unlink(missing_ok=True)
    print(result.text(world, found))
    if found.scores:
        print(found.scores.text())
    print(*paths, sep="\n")


def _report(world: Given, used: Recipe, found: Result) -> str:
    tracklets = world.world.tracklets
    bars = [
        timelines.Bar(int(who), int(cam), float(start), float(end), f"track {track}, {count} boxes")
        for who, cam, start, end, track, count in zip(
            found.identity, tracklets.cam, tracklets.start, tracklets.end, tracklets.track, tracklets.counts,
            strict=True,
        )
        if who > 0
    ]  # fmt: skip
    said = [result.text(world, found), *([found.scores.text()] if found.scores else []), *world.notes]
    return timelines.page(f"Tracks across cameras: {used.name}", used.about, bars, said)


def _score_alone(options: argparse.Namespace) -> None:
    """Scores of a file that is there already."""
    problems = (
        [] if options.truth else ["--truth: wanted the truth that --submission is scored against, found none"]
    )
    problems += scores.lacking()
    found = truth = None
    with collecting(problems):
        found = reading.read([options.submission])
    with collecting(problems):
        truth = reading.read(options.truth, ignored=True) if options.truth else None
    refuse_if_any(problems)
    assert found is not None
    assert truth is not None
    said: list[str] = []
    first = 0 if (found.frame == 0).any() else 1
    judged = scores.score(given.counted_alike(truth, first, said), found)
    notes.say(said)
    print(judged.text())


if __name__ == "__main__":
    program.main(main)
