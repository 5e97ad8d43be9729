"""Names and lists of labels to columns, side by side, and the tables that they become."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ensemble import io
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.labels import numbered
from ensemble.names.listings import Listing, read_listing
from ensemble.names.source import Source, sides_of_labels
from ensemble.parsers.parser import COLUMNS, Numbers, Parsed, Parser, parse
from ensemble.parsers.sequences import LENGTHS
from postproc import cumulative_frames


def read(
    path: Path, source: Source, parser: Parser, lists: Sequence[Path] = (), *, cumulative: str | None = None
) -> dict[str, Parsed]:
    """Every side of the ``source`` at ``path`` parsed, with the labels of list files.

    lists:      of the data set, with labels; where they say otherwise than the names, they count.
    cumulative: one of :data:`LENGTHS`: frames run on through the sequences of a camera. None: as the names say.
    Raises:     InputError with everything that is wrong with the lists.
    """
    problems: list[str] = []
    listings: list[Listing] = []
    for file in lists:
        with collecting(problems):
            listings.append(_listing(file, path, source, parser, problems))
    labels: dict[str, list[Numbers | None] | None] = dict.fromkeys(source.paths)
    if source.listing is not None:
        labels = {side: list(source.listing.labels) for side in source.paths}
    for listing in listings:
        with collecting(problems):
            for side, paths in source.paths.items():
                if not side or side in sides_of_labels(listing.path.stem, parser):
                    labels[side] = _joined(labels[side], listing.look_up(paths))
    refuse_if_any(problems)
    parsed = {side: parse(paths, parser, labels[side]) for side, paths in source.paths.items()}
    return _cumulative(cumulative, parsed) if cumulative else parsed


def tables(source: Source, parsed: Mapping[str, Parsed], out: Path, *, base_names: bool) -> dict[Path, Parsed]:
    """Which table goes where, called as ``ensemble.io`` expects.

    out:        a folder, or a file called ``.csv`` for one side alone.
    base_names: the tables have base names in the place of paths.
    Raises:     InputError where it is not clear what goes where, or names do not fit into a table.
    """
    single = out.suffix.lower() == ".csv"
    if single and len(parsed) > 1:
        sides = ", ".join(side or "unknown" for side in parsed)
        raise InputError([f"--out: wanted a folder for several sides ({sides}), found {out}; name a folder"])
    if not single and "" in parsed and len(parsed) == 1:
        raise InputError(
            ["--side: wanted query, gallery or train, found nothing that tells it; give it, or --out FILE.csv"]
        )
    files = {}
    problems: list[str] = []
    for side, found in parsed.items():
        if not side and not single:
            continue
        path = out if single else out / f"{side}.csv"
        names = [name.replace("\\", "/").rpartition("/")[2] for name in source.names[side]]
        names = names if base_names else source.names[side]
        problems += _unfit(path, names, base_names)
        files[path] = replace(found, names=names)
    refuse_if_any(problems)
    return files


def write(path: Path, table: Parsed) -> None:
    """A line a name: the name and its columns."""
    columns = {column: table.columns[column].tolist() for column in COLUMNS if column in table.columns}
    io.write_csv(path, ["name", *columns], zip(table.names, *columns.values(), strict=True), data=True)


def _listing(file: Path, path: Path, source: Source, parser: Parser, problems: list[str]) -> Listing:
    """A list of labels, with a problem where it has none, or is about another side."""
    listing = read_listing(file, parser)
    about = sides_of_labels(file.stem, parser)
    if not any(listing.labels):
        problems.append(f"{file}: wanted labels for names, found only names; give another list")
    elif not {side for side in source.paths if not side or side in about}:
        found = f"{', '.join(source.paths)} in {path} and {', '.join(sorted(about))} in the list"
        problems.append(f"{file}: wanted labels of the same side, found {found}; give its list, or --side")
    return listing


def _joined(first: list[Numbers | None] | None, second: list[Numbers | None]) -> list[Numbers | None]:
    """What either of two lists says about each name; the later one counts, and both may have to be there."""
    if first is None:
        return second
    return [{**(a or {}), **(b or {})} or None for a, b in zip(first, second, strict=True)]


def _cumulative(table: str, parsed: dict[str, Parsed]) -> dict[str, Parsed]:
    """Frames that run on through the sequences of a camera, over all sides together."""
    with_frames = [side for side, found in parsed.items() if {"cam", "frame"} <= set(found.columns)]
    if not with_frames:
        return parsed
    parts = [parsed[side] for side in with_frames]
    cams = numbered({str(at): found.columns["cam"] for at, found in enumerate(parts)})
    cam, frame = np.concatenate(list(cams.values())), np.concatenate([found.columns["frame"] for found in parts])
    sequence = np.concatenate([found.sequence for found in parts])
    known = frame >= 0
    through = frame.copy()
    through[known] = cumulative_frames(cam[known], sequence[known], frame[known], lengths=LENGTHS[table])
    ends = np.cumsum([len(found.names) for found in parts])[:-1]
    out = dict(parsed)
    for side, frames in zip(with_frames, np.split(through, ends), strict=True):
        out[side] = replace(parsed[side], columns={**parsed[side].columns, "frame": frames})
    return out


def _unfit(path: Path, names: Sequence[str], base_names: bool) -> list[str]:
    """What is wrong with names as the first column of a table."""
    problems = []
    seen: set[str] = set()
    again = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
    if again:
        hint = "leave out --base-names" if base_names else "remove the copies"
        problems.append(f"{path}: wanted every name once, found again {examples(again)}; {hint}")
    broken = [name for name in names if name != name.strip() or not name.isprintable()]
    if broken:
        problems.append(f"{path}: wanted names that fit into a table, found {examples(broken)}; rename them")
    return problems
