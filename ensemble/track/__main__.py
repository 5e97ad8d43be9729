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
from ensemble.boxes import reading, scores, tables, track1
from ensemble.cli import files, machine, notes, outputs, program
from ensemble.cli.numbers import too_small
from ensemble.parsers import choose
from ensemble.pipeline import results
from ensemble.report import timelines
from ensemble.track import given, recipe, result
from ensemble.track.given import Asked, Given
from ensemble.track.recipe import Recipe
from ensemble.track.result import Result

TASK = "people and clusters"  # of reid-ensemble --help

OTHERWISE = "default"  # the recipe where none is asked for


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
    p = program.parser("ensemble.track", __doc__)
    add = p.add_argument
    files.add_features(p)
    add("--tracks", type=Path, nargs="+", metavar="PATH", help="track files, or folders of them")
    add("--cameras", type=Path, metavar="FILE", help="table of cameras: cam,offset,fps")
    add("--windows", type=Path, metavar="FILE", help="table of travel windows: from,to,min,max (and out,in)")
    add("--zones", type=Path, metavar="FILE", help="table of zones: cam,zone,x1,y1,x2,y2")
    add("--learn-from", type=Path, nargs="+", default=[], metavar="PATH",
        help="tracks of these cameras whose ids are identities: travel windows are learned from them")  # fmt: skip
    add("--truth", type=Path, nargs="+", default=[], metavar="PATH",
        help="tracks whose ids are identities: scores are computed")  # fmt: skip
    add("--recipe", metavar="NAME|FILE", help=f"see --list-recipes (default: {OTHERWISE})")
    add("--set", action="append", default=[], metavar="NAME.SETTING=VALUE",
        help="change a setting, as union.threshold=0.4")  # fmt: skip
    add("--form", choices=track1.FORMS, default="2022", help="of track1.txt (default: %(default)s)")
    add("--tracks-form", choices=reading.FORMS, help="of --tracks (default: mot where there are commas)")
    add("--fps", type=float, default=tables.FPS, metavar="RATE",
        help="frames a second of cameras without one (default: %(default)s)")  # fmt: skip
    add("--first-frame", type=int, choices=(0, 1), help="what the first frame is called in --tracks "
        "(default: 0 where there is a frame 0, else 1)")  # fmt: skip
    files.add_meaning(p)
    outputs.add_out(p, "default: runs/track_RECIPE")
    outputs.add_dry_run(p, "read and check everything, match nothing")
    add("--report", action="store_true", help=f"write {timelines.NAME}: everybody's way over the cameras")
    add(
        "--submission", type=Path, metavar="FILE", help="in the place of all that: score this file against --truth"
    )
    add("--list-recipes", action="store_true", help="print the recipes")
    machine.add_threads(p)
    p.set_defaults(otherwise=OTHERWISE)
    return p


def _run(options: argparse.Namespace) -> None:
    problems = files.wanted(options) + too_small(options, threads=1) + (scores.lacking() if options.truth else [])
    if not options.tracks:
        problems.append("--tracks: wanted track files, found nothing; see --help")
    if not 0 < options.fps < float("inf"):
        problems.append(f"--fps: wanted a number above 0, found {options.fps:g}")
    refuse_if_any(problems)
    used = parsed = None
    with collecting(problems):
        used = recipe.changed(recipe.load(options.recipe or options.otherwise), options.set)
    with collecting(problems):
        parsed = choose(options.names, options.pattern)
    names = ("features", "tracks", "cameras", "windows", "zones", "learn_from", "truth", "fps", "first_frame")
    asked = Asked(
        **{name: getattr(options, name) for name in names}, parser=parsed, tracks_form=options.tracks_form
    )
    with postproc.using(threads=options.threads, progress=not options.quiet):
        world = given.read(asked, used, problems)
        assert used is not None
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
    found = _matched(world, used)
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


def _matched(world: Given, used: Recipe) -> Result:
    group = given.associated(world.world, used)
    identity = result.identities(world.world.tracklets, group)
    boxes = result.boxes_of(world.world.tracklets, identity)
    judged = scores.score(world.truth, boxes) if world.truth is not None else None
    return Result(identity, boxes, judged)


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
