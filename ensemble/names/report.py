"""What parsed names add up to, and what about them is suspicious."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ensemble.base.errors import examples, printable
from ensemble.base.labels import LABELS, numbered
from ensemble.names.source import Source
from ensemble.parsers.parser import Parsed, Parser, in_part, looks_like_pid_cam, tail

SHOWN = 5  # failures in a text
Called = dict[str, dict[int, str]]  # by column, what the number of a text stands for


@dataclass(frozen=True)
class Report:
    """Everything that a dry run shows. ``facts`` are suspicious, not wrong; ``failed`` holds name and reason."""

    parser: Parser
    version: str | None
    kind: str
    path: str
    sides: dict[str, dict[str, Any]]
    failed: list[tuple[str, str]]
    facts: list[str]


def make(path: str, source: Source, parser: Parser, version: str | None, parsed: Mapping[str, Parsed]) -> Report:
    """The report of all sides of one source."""
    numbers, called = _numbered(parsed)
    sides = {side: _counts(parser, found, called) for side, found in numbers.items()}
    failed = [
        (source.shown(found.names[row]), reason)
        for found in parsed.values()
        for row, reason in found.failed.items()
    ]
    return Report(parser, version, source.kind, path, sides, failed, _facts(source, parser, numbers, called))


def _numbered(parsed: Mapping[str, Parsed]) -> tuple[dict[str, Parsed], Called]:
    """Labels as numbers, the same on all sides, and what each number stands for where they are text."""
    out, called = dict(parsed), Called()
    for column in LABELS:
        given = {side: found.columns[column] for side, found in parsed.items() if column in found.columns}
        for side, numbers in numbered(given).items():
            out[side] = replace(out[side], columns={**out[side].columns, column: numbers})
            if given[side].dtype == object:
                called.setdefault(column, {}).update(zip(numbers.tolist(), given[side].tolist(), strict=True))
    return out, called


def _name(called: Called, column: str, number: int) -> Any:
    return called.get(column, {}).get(number, number)


def _counts(parser: Parser, parsed: Parsed, called: Called) -> dict[str, Any]:
    out: dict[str, Any] = {"names": len(parsed.names), "failed": len(parsed.failed)}
    pid, cam, frame = (parsed.columns.get(column) for column in ("pid", "cam", "frame"))
    known = np.ones(len(parsed.names), bool)
    known[list(parsed.failed)] = False
    if pid is not None:
        distractor = np.isin(pid, list(parser.distractors))
        out["identities"] = len(np.unique(pid[(pid >= 0) & ~distractor]))
        out["junk"] = int((known & (pid == -1)).sum())
        out["distractors"] = int(distractor.sum())
    if cam is not None:
        numbers, counts = np.unique(cam[cam >= 0], return_counts=True)
        names = [_name(called, "cam", number) for number in numbers.tolist()]
        out["cameras"] = dict(zip(names, counts.tolist(), strict=True))
        out["camera_unknown"] = int((known & (cam == -1)).sum())
    if "track" in parsed.columns:
        track = parsed.columns["track"]
        out["tracks"] = len(np.unique(track[track >= 0]))
    if frame is not None and (frame >= 0).any():
        out["frames"] = [int(frame[frame >= 0].min()), int(frame.max())]
    return out


def _facts(source: Source, parser: Parser, parsed: Mapping[str, Parsed], called: Called) -> list[str]:
    facts = []
    if source.left:
        facts.append(f"{len(source.left)} files are no images and were left out: {examples(source.left)}")
    names = [path for paths in source.paths.values() for path in paths]
    if "" in source.paths and len(source.paths) > 1:
        homeless = sorted({source.shown(name.rpartition("/")[0]) for name in source.paths[""]})
        facts.append(f"{len(source.paths[''])} names belong to no side, so no table: {examples(homeless)}")
    folders = sorted({name.replace("\\", "/").rpartition("/")[0] for name in names})
    alike = [source.shown(folder) for folder in folders if looks_like_pid_cam(folder)]
    if alike:
        facts.append(
            f"{len(alike)} folders look like identity and camera ({examples(alike)}); only base names are matched"
        )
    for side, paths in source.paths.items():
        again = _again([tail(path) for path in paths])
        if again:
            facts.append(f"{_of(side)}{len(again)} base names are there more than once: {examples(again)}")
    for side, found in parsed.items():
        if found.cut:
            shown = [source.shown(found.names[row]) for row in found.cut]
            facts.append(f"{_of(side)}{in_part(shown)}")
        if found.changed:
            shown = [source.shown(found.names[row]) for row in found.changed]
            facts.append(
                f"{_of(side)}{len(shown)} names say otherwise than the list of labels ({examples(shown)}); "
                "the list was taken"
            )
        facts += [_of(side) + fact for fact in _odd_numbers(parser, found, called)]
    together = [side for side in parsed if side != "train"]  # training identities may have the same numbers
    for group in (["train"] if "train" in parsed else [], together):
        where = " and ".join(side or "the rest" for side in group) if len(parsed) > 1 else ""
        facts += [_of(where) + fact for fact in _single_camera(parser, [parsed[s] for s in group], called)]
    return facts


def _odd_numbers(parser: Parser, found: Parsed, called: Called) -> list[str]:
    facts = []
    pid, cam, track = (found.columns.get(column) for column in ("pid", "cam", "track"))
    if cam is not None and parser.cameras is not None:
        strange = sorted({int(number) for number in np.unique(cam)} - set(parser.cameras) - {-1})
        if strange:
            known = f"{parser.cameras[0]} to {parser.cameras[-1]}"
            facts.append(f"cameras {examples(strange)} are none of {parser.title} ({known}); another parser?")
    for what, numbers in (("identity", pid), ("camera", cam)):
        if what == "camera" and parser.cameras is not None and len(parser.cameras) < 3:
            continue  # a side may well be one camera
        if numbers is not None and len(numbers) > 2 and len(set(numbers.tolist())) == 1:
            only = _name(called, {"identity": "pid", "camera": "cam"}[what], int(numbers[0]))
            facts.append(f"all names have the same {what}, {only}: made up, or cut off by the pattern?")
    if track is not None:
        for what, numbers in (("identity", pid), ("camera", cam)):
            if numbers is None:
                continue
            pairs = np.unique(np.stack([track, numbers], axis=1)[track >= 0], axis=0)[:, 0]
            mixed = [_name(called, "track", n) for n in np.unique(pairs[1:][pairs[1:] == pairs[:-1]]).tolist()]
            if mixed:
                facts.append(f"{len(mixed)} tracks have more than one {what}: {examples(mixed)}")
    return facts


def _single_camera(parser: Parser, group: list[Parsed], called: Called) -> list[str]:
    """Identities that only one camera sees, which no query of another camera can find."""
    tables = [found.columns for found in group if {"pid", "cam"} <= set(found.columns)]
    if not tables:
        return []
    pid, cam = (np.concatenate([table[column] for table in tables]) for column in ("pid", "cam"))
    real = (pid >= 0) & (cam >= 0) & ~np.isin(pid, list(parser.distractors))
    people = np.unique(np.stack([pid, cam], axis=1)[real], axis=0)[:, 0]
    who, cameras = np.unique(people, return_counts=True)
    alone = [_name(called, "pid", number) for number in who[cameras == 1].tolist()]
    if not alone:
        return []
    return [f"{len(alone)} of {len(who)} identities are seen by one camera only: {examples(alone)}"]


def _of(side: str) -> str:
    return f"{side}: " if side else ""


def _again(values: list[str]) -> list[str]:
    seen: set[str] = set()
    return list(dict.fromkeys(value for value in values if value in seen or seen.add(value)))  # type: ignore


def text(report: Report) -> str:
    """The dry run as a table."""
    parser = report.parser
    lines = [f"{report.path}: {report.kind}, read as {parser.name} ({parser.title})"]
    if report.version:
        lines.append(f"version: {report.version}")
    for side, counts in report.sides.items():
        parsed = counts["names"] - counts["failed"]
        lines.append(f"{side or 'names'}: {counts['names']} names, {parsed} parsed, {counts['failed']} failed")
        if "identities" in counts:
            lines.append(
                f"  pid    {counts['identities']} identities, {counts['junk']} images of junk or unknown (-1), "
                f"{counts['distractors']} distractors"
            )
        if "cameras" in counts:
            shown = [f"{number}: {count}" for number, count in counts["cameras"].items()]
            unknown = f", unknown: {counts['camera_unknown']}" if counts["camera_unknown"] else ""
            lines.append(f"  cam    {len(shown)} cameras, images of each {examples(shown, 20) or 'none'}{unknown}")
        if "tracks" in counts:
            lines.append(f"  track  {counts['tracks']} tracks")
        if "frames" in counts:
            lines.append(f"  frame  {counts['frames'][0]} to {counts['frames'][1]}")
        if len(counts) == 2 and parsed:
            lines.append("  the names say nothing about identity or camera; give lists of labels with --labels")
    if report.failed:
        lines.append("failed:")
        lines += [f"  {printable(name)}: {reason}" for name, reason in report.failed[:SHOWN]]
        if len(report.failed) > SHOWN:
            lines.append(f"  and {len(report.failed) - SHOWN} more")
    if report.facts:
        lines.append("suspicious:")
        lines += [f"  {fact}" for fact in report.facts]
    if parser.note:
        lines.append(f"note: {parser.note}")
    return "\n".join(lines)


def as_json(report: Report) -> dict[str, Any]:
    """The dry run as a value for JSON."""
    return {
        "path": report.path,
        "kind": report.kind,
        "parser": report.parser.name,
        "data_set": report.parser.title,
        "version": report.version,
        "pattern": report.parser.pattern.pattern,
        "sides": {
            side or "unknown": {
                key: ({str(k): v for k, v in value.items()} if key == "cameras" else value)
                for key, value in counts.items()
            }
            for side, counts in report.sides.items()
        },
        "failed": [{"name": name, "reason": reason} for name, reason in report.failed],
        "suspicious": report.facts,
        "note": report.parser.note,
    }
