"""``python -m ensemble.report RUN [RUN]``: the page of one run, or of two side by side, from what a run has kept.

    python -m ensemble.run --features DIR --recipe default --out runs/a --report
    python -m ensemble.report runs/a --images pictures
    python -m ensemble.report runs/a runs/b --out compared.html
    python -m ensemble.report --submission track2.txt --images AIC20_ReID
    python -m ensemble.report runs/a --images pictures --strips strips --figure figures --export tables

The page needs nothing but itself: no network, no other file. It is written unless only strips, figures, tables or
a TensorBoard log are asked for; ``--out`` asks for it as well.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensemble import report
from ensemble.base import errors
from ensemble.base.errors import InputError
from ensemble.cli import inputs

if TYPE_CHECKING:
    from ensemble.pipeline.plan import Plan
    from ensemble.pipeline.run import Result
    from ensemble.report.history import History
    from ensemble.report.recorder import Recorder
    from ensemble.scores.protocols import Protocol

EXTRAS = ("strips", "figure", "export", "tensorboard")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    report.refuse_without_packages()
    _check(options)
    from ensemble.report import page
    from ensemble.report.pictures import Album

    kepts = _kepts(options)
    album = Album(options.images) if options.images else None
    written: list[Path] = []
    if options.out or not any(getattr(options, name) for name in EXTRAS):
        out = options.out or (options.runs[-1] / report.NAME if options.runs else Path(report.NAME))
        notes = page.write(out, kepts, album=album, size=_size(options), places=options.places)
        print("\n".join(notes))
        written.append(out)
    for path in [*written, *_extras(options, kepts, album)]:
        print(path)
    return 0


def add_options(p: argparse.ArgumentParser) -> None:
    """The options that ``ensemble.run --report`` shares."""
    p.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="pictures, found below by their names",
    )
    p.add_argument(
        "--report-size", metavar="SIZE", default="20MB", help="at most that large (default: %(default)s)"
    )


def check_options(options: argparse.Namespace) -> None:
    """Refuse what :func:`write_run` would refuse, before a run."""
    report.refuse_without_packages()
    _size(options)
    from ensemble.report.pictures import Album

    Album([])
    missing = [str(path) for path in options.images if not path.is_dir()]
    errors.refuse_if_any([f"--images: wanted a folder with images, found none at {path}" for path in missing])


def write_run(
    out: Path,
    recorder: "Recorder",
    checked: "Plan",
    result: "Result",
    protocol: "Protocol",
    options: argparse.Namespace,
) -> list[Path]:
    """Write ``report.npz`` and ``report.html`` beside what a run has left in ``out``; the paths."""
    from dataclasses import replace

    from ensemble.report import contributions, history, page
    from ensemble.report.pictures import Album

    record = json.loads((out / "run.json").read_text("utf-8"))
    bounded = options.memory is not None
    rows, note = contributions.measured(checked, protocol, result, bounded=bounded, device=inputs.device(options))
    if not rows:
        rows = contributions.found(out, record)
    seen = replace(recorder.history(result, record), leave_out=rows, note="" if rows else note)
    history.write(out / history.FILE, seen)
    album = Album(options.images) if options.images else None
    notes = page.write(out / report.NAME, [seen], album=album, size=_size(options))
    for line in notes:
        print(f"report: {line}")
    return [out / history.FILE, out / report.NAME]


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m ensemble.report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument(
        "runs", nargs="*", type=Path, metavar="RUN", help="folder of a run with --report, or two of them"
    )
    p.add_argument("--submission", type=Path, metavar="FILE", help="in its place: rank lists in any format, alone")
    p.add_argument(
        "--query-names", type=Path, metavar="FILE", help="names of the submission's queries, one a line"
    )
    p.add_argument("--gallery-names", type=Path, metavar="FILE", help="and of its gallery")
    p.add_argument("--out", type=Path, metavar="FILE", help="the page (default: report.html in the last run)")
    add_options(p)
    p.add_argument(
        "--places", type=int, default=20, metavar="K", help="shown of every list (default: %(default)s)"
    )
    p.add_argument("--strips", type=Path, metavar="DIR", help="write a strip of pictures a query as PNG")
    p.add_argument("--mode", choices=("inter", "intra", "all"), default="inter", help="strips: junk left out "
                   "(default), only the query's camera, or all images")  # fmt: skip
    p.add_argument("--only", choices=("all", "right", "wrong"), default="all", help="strips: images of which kind")
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
    if options.places < 1:
        problems.append(f"--places: wanted 1 or more, found {options.places}")
    if options.strips and not options.images:
        problems.append("--strips: wanted --images too, found none; name the folder with the pictures")
    try:
        _size(options)
    except InputError as error:
        problems += error.problems
    errors.refuse_if_any(problems)


def _size(options: argparse.Namespace) -> int:
    return inputs.bytes_of("--report-size", options.report_size)


def _kepts(options: argparse.Namespace) -> "list[History]":
    from ensemble.base.collecting import collecting
    from ensemble.report.submission import from_file, matched

    if options.submission:
        return [from_file(options.submission, options.query_names, options.gallery_names)]
    problems: list[str] = []
    found: list[History] = []
    for folder in options.runs:
        with collecting(problems):
            found.append(_of_run(folder))
    errors.refuse_if_any(problems)
    return matched(_titled(found, options.runs))


def _of_run(folder: Path) -> "History":
    from dataclasses import replace

    from ensemble.report import contributions, history

    path = folder / history.FILE
    if not folder.is_dir():
        raise InputError([f"{folder}: wanted the folder of a run, found no such folder; check the path"])
    if not path.is_file() and not (folder / "run.json").is_file():
        raise InputError([f"{folder}: wanted the folder of a run, found no run.json; give what --out named"])
    if not path.is_file():
        raise InputError(
            [f"{folder}: wanted {history.FILE}, found a run that kept none; run it again with --report, or show "
             "its ranking alone with --submission"]
        )  # fmt: skip
    found = history.read(path)
    try:
        record: Any = json.loads((folder / "run.json").read_text("utf-8"))
    except (OSError, ValueError):
        record = found.record  # the report has a copy
    if record != found.record:
        raise InputError(
            [f"{path}: wanted the report of the run beside it, found that of an earlier one; run it with --report"]
        )
    if not found.leave_out:
        rows = contributions.found(folder, record)
        found = replace(found, leave_out=rows, note="" if rows else found.note)
    return found


def _titled(kepts: "list[History]", folders: Sequence[Path]) -> "list[History]":
    """Runs by their recipes, or by their folders where these are the same."""
    from dataclasses import replace

    if len({kept.title for kept in kepts}) == len(kepts):
        return kepts
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [replace(kept, title=name) for kept, name in zip(kepts, names, strict=True)]


def _extras(options: argparse.Namespace, kepts: "list[History]", album: Any) -> list[Path]:
    from ensemble.report import figures, strips, tables, tensorboard

    written = []
    if options.strips:
        made, notes = strips.write(
            options.strips,
            kepts[-1],
            album,
            places=options.places,
            mode=options.mode,
            only=options.only,
            distances=options.distances,
        )
        for note in notes:
            print(note)
        written += [options.strips] if made else []
    if options.figure:
        written += figures.write(options.figure, kepts)
    if options.export:
        written += tables.write(options.export, kepts, places=options.places)
    if options.tensorboard:
        written += tensorboard.write(options.tensorboard, kepts)
    return written
