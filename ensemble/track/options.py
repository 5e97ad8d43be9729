"""The options of the command, which are the keywords of the function."""

import argparse
from pathlib import Path

from ensemble.boxes import reading, tables, track1
from ensemble.cli import files, machine, outputs, program
from ensemble.report import timelines

OTHERWISE = "default"  # the recipe where none is asked for


def parser(description: str | None = None) -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.track", description)
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
