"""The report of a run: written after it, found again in its folder."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ensemble import io, report
from ensemble.base.broken import BROKEN
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.run import Result
from ensemble.report import contributions, history, searched
from ensemble.report.history import History
from ensemble.report.recorder import Recorder
from ensemble.scores.protocol import Protocol


def write(
    out: Path,
    recorder: Recorder,
    checked: Plan,
    result: Result,
    protocol: Protocol,
    *,
    images: Sequence[Path],
    size: int,
    bounded: bool,
    device: Device = CPU,
) -> tuple[list[Path], list[str]]:
    """Write ``report.npz`` and ``report.html`` beside what a run has left in ``out``; the paths, and what to note.

    images:  folders with pictures, perhaps none. size: bytes that the page may have.
    bounded: the run had a limit of memory. device: where it ran.
    """
    from ensemble.report import page
    from ensemble.report.pictures import Album

    record = json.loads((out / "run.json").read_text("utf-8"))
    rows = contributions.found(out, record)
    seen = with_contributions(
        recorder.history(result, record), checked, result, protocol, bounded=bounded, device=device, otherwise=rows
    )
    seen = replace(seen, extras={**seen.extras, **searched.found(out, record)})
    album = Album(images) if images else None
    with io.together(out) as stage:
        history.write(stage / history.FILE, seen)
        notes = page.write(stage / report.NAME, [seen], album=album, size=size)
    return [out / history.FILE, out / report.NAME], list(notes)


def with_contributions(
    seen: History,
    checked: Plan,
    result: Result,
    protocol: Protocol,
    *,
    bounded: bool,
    device: Device = CPU,
    otherwise: contributions.Rows = (),
) -> History:
    """What a run has kept, with its worth without each model: measured where that is quick, else ``otherwise``.

    bounded: the run had a limit of memory. device: where it ran.
    """
    rows, note = contributions.measured(checked, protocol, result, bounded=bounded, device=device)
    rows = rows or otherwise
    return replace(seen, leave_out=rows, note="" if rows else note)


def read(folders: Sequence[Path]) -> list[History]:
    """What the runs in these folders have kept, with titles that tell them apart.

    Raises: InputError with what is wrong with any of them.
    """
    problems: list[str] = []
    found: list[History] = []
    for folder in folders:
        with collecting(problems):
            found.append(_read(folder))
    refuse_if_any(problems)
    return _titled(found, folders)


def _read(folder: Path) -> History:
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
    except BROKEN:
        record = found.record  # the report has a copy
    if record != found.record:
        raise InputError(
            [f"{path}: wanted the report of the run beside it, found that of an earlier one; run it with --report"]
        )
    if "searched_scores" not in found.extras:
        found = replace(found, extras={**found.extras, **searched.found(folder, record)})
    if not found.leave_out:
        rows = contributions.found(folder, record)
        found = replace(found, leave_out=rows, note="" if rows else found.note)
    return found


def _titled(found: list[History], folders: Sequence[Path]) -> list[History]:
    """Runs by their recipes, or by their folders where these are the same."""
    if len({one.title for one in found}) == len(found):
        return found
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [replace(one, title=name) for one, name in zip(found, names, strict=True)]
