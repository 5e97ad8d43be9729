"""The page of one run, or of two side by side, from what a run has kept.

    python -m ensemble.run --features DIR --recipe default --out runs/a --report
    python -m ensemble.report runs/a --images pictures
    python -m ensemble.report runs/a runs/b --out compared.html
    python -m ensemble.report --submission track2.txt --images AIC20_ReID
    python -m ensemble.report runs/a --images pictures --strips strips --figure figures --export tables
    python -m ensemble.report runs/a --images pictures --strips strips --query 000012.jpg --query 000044.jpg

The page needs nothing but itself: no network, no other file. It is written unless only strips, figures, tables or
a TensorBoard log are asked for; ``--out`` asks for it as well.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble import io, report
from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.cli import files, notes, outputs, pictures, program
from ensemble.cli.numbers import too_small

TASK = "look"  # of reid-ensemble --help

# What draws needs packages that may not be there: it is imported when they have been looked for.
if TYPE_CHECKING:
    from ensemble.report.history import History
    from ensemble.report.pictures import Album

EXTRAS = ("strips", "figure", "export", "tensorboard")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    report.refuse_without_packages()
    _check(options)
    from ensemble.report import history
    from ensemble.report.pictures import Album

    out: Path | None = options.out
    if out is None and not any(getattr(options, name) for name in EXTRAS):
        out = options.runs[-1] / report.NAME if options.runs else Path(report.NAME)
    folders = [getattr(options, name) / "file" for name in EXTRAS if getattr(options, name)]
    kepts = _kepts(options)
    outputs.refuse_unwritable(out, *folders)
    album = Album(options.images) if options.images else None
    for kept, folder in zip(kepts, options.runs, strict=False):
        notes.say(notes.of_record(kept.record), of=folder)
    with history.understood(" and ".join(map(str, options.runs)) or options.submission):
        written = _written(options, out, kepts, album)
    for path in written:
        print(path)
    return program.FINE


def _written(
    options: argparse.Namespace, out: Path | None, kepts: "list[History]", album: "Album | None"
) -> list[Path]:
    """The page, and what is written beside it; the paths."""
    from ensemble.report import page

    written: list[Path] = []
    lines: list[str] = []
    with io.all_together() as place:
        if out:
            lines += page.write(place(out), kepts, album=album, size=pictures.size(options), places=options.places)
            written.append(out)
        for folder, paths, notes in _extras(options, kepts, album, place):
            lines += notes
            written += [folder / path.relative_to(_staged(folder, place)) for path in paths]
    for line in lines:
        print(line)
    return written


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.report", __doc__)
    p.add_argument(
        "runs", nargs="*", type=Path, metavar="RUN", help="folder of a run with --report, or two of them"
    )
    p.add_argument("--submission", type=Path, metavar="FILE", help="in its place: rank lists in any format, alone")
    files.add_name_lists(p, of=" of the submission")
    outputs.add_out(p, "the page (default: report.html in the last run, of a submission here)", metavar="FILE")
    pictures.add_options(p)
    p.add_argument(
        "--places", type=int, default=20, metavar="K", help="shown of every list (default: %(default)s)"
    )
    p.add_argument("--strips", type=Path, metavar="DIR", help="write a strip of pictures a query as PNG")
    p.add_argument("--query", action="append", default=[], metavar="NAME", help="strips: of this query, and of "
                   "others where it is given again (default: all)")  # fmt: skip
    p.add_argument("--mode", choices=("inter", "intra", "all"), default="inter", help="strips: inter: "
                   "junk left out, intra: only the query's camera, all: all images (default: inter)")  # fmt: skip
    p.add_argument("--only", choices=("all", "right", "wrong"), default="all", help="strips: images of which kind "
                   "(default: all)")  # fmt: skip
    p.add_argument("--distances", action="store_true", help="strips: write the distance on every image")
    p.add_argument("--figure", type=Path, metavar="DIR", help="write the figures as SVG and PNG")
    p.add_argument("--export", type=Path, metavar="DIR", help="write CSV, JSON, Markdown and LaTeX")
    p.add_argument("--tensorboard", type=Path, metavar="DIR", help="write a log for TensorBoard")
    return p


def _check(options: argparse.Namespace) -> None:
    problems = []
    if bool(options.runs) == (options.submission is not None):
        found = "both" if options.runs else "neither"
        problems.append(f"RUN or --submission: wanted one of them, found {found}; see --help")
    if len(options.runs) > 2:
        problems.append(f"RUN: wanted one or two, found {len(options.runs)}; compare two at a time")
    problems += too_small(options, places=1)
    if options.strips and not options.images:
        problems.append("--strips: wanted --images too, found none; name the folder with the pictures")
    if options.query and not options.strips:
        problems.append("--query: wanted --strips too, found none; it chooses the queries that have strips")
    with collecting(problems):
        pictures.size(options)
    refuse_if_any(problems)


def _kepts(options: argparse.Namespace) -> "list[History]":
    from ensemble.report import runs
    from ensemble.report.submission import from_file, matched

    if options.submission:
        return [from_file(options.submission, options.query_names, options.gallery_names)]
    return matched(runs.read(options.runs))


def _extras(
    options: argparse.Namespace, kepts: "list[History]", album: "Album | None", place: Callable[[Path], Path]
) -> Iterator[tuple[Path, list[Path], list[str]]]:
    """What is written beside the page, as far as it was asked for: folder, paths, what there is to say."""
    from ensemble.report import figures, strips, tables, tensorboard

    if options.strips and album is not None:
        where = _staged(options.strips, place)
        how = {name: getattr(options, name) for name in ("places", "mode", "only", "distances")}
        made, notes = strips.write(where, kepts[-1], album, queries=options.query, **how)
        yield options.strips, [where] if made else [], notes
    if options.figure:
        yield options.figure, figures.write(_staged(options.figure, place), kepts), []
    if options.export:
        yield options.export, tables.write(_staged(options.export, place), kepts, places=options.places), []
    if options.tensorboard:
        yield options.tensorboard, tensorboard.write(_staged(options.tensorboard, place), kepts), []


def _staged(folder: Path, place: Callable[[Path], Path]) -> Path:
    """Where the files of a folder are written."""
    return place(folder / "file").parent


if __name__ == "__main__":
    program.main(main)
