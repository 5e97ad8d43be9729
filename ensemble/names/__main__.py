"""Read identities, cameras, tracks and frames out of the names of images, and write them as tables of labels.

    python -m ensemble.names PATH --parser market1501                  what would be read, and what looks odd
    python -m ensemble.names PATH --guess                              which parsers fit
    python -m ensemble.names PATH --parser market1501 --out DIR        query.csv, gallery.csv, train.csv

PATH is a folder of images, a list of names, a list file of the data set, a feature file or a folder of features.
Exit status 0: all names fit; 1: some do not (none of them was written); 2: it could not be done.
"""

import argparse
import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ensemble.base import errors
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples
from ensemble.base.features import SIDES
from ensemble.io import beside
from ensemble.io.lists import read_lines
from ensemble.names import report
from ensemble.names.listings import Listing, read_listing
from ensemble.names.source import Source, read_source, sides_of_labels
from ensemble.parsers.parser import COLUMNS, Numbers, Parsed, Parser, parse
from ensemble.parsers.sets import PARSERS, choose, guess, version
from postproc import cumulative_frames
from postproc.constraints.prior import MARKET_1501

LENGTHS = {  # frames of every sequence of Market-1501, as two released codes have them
    "streid": MARKET_1501,
    "fgreid": MARKET_1501 | {(1, 4): 74761, (2, 2): 164727, (4, 1): 72707, (4, 2): 72473},
    "seen": None,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = _parser().parse_args(arguments)
    if given.list_parsers:
        for known in PARSERS.values():
            print(f"{known.name}: {known.title}; {known.example or 'any name'}")
            if known.note:
                print(f"    {known.note}")
        return 0
    if given.path is None:
        raise InputError(["PATH: wanted a folder, a list or features, found nothing; see --help"])
    if given.guess:
        return _guess(given)
    parser = _chosen(given)
    source = read_source(given.path, parser, given.side)
    parsed = _parse(given, source, parser)
    versions = [version(parser, str(given.path.absolute()), paths) for paths in source.paths.values()]
    told = ", ".join(dict.fromkeys(found for found in versions if found)) or None
    made = report.make(str(given.path), source, parser, told, parsed)
    files = {} if given.out is None else _files(given, source, parsed)
    write = bool(files) and not given.dry_run and (not made.failed or given.unknown)
    if write:
        for path, found in files.items():
            _write(path, found)
    if given.json:
        print(json.dumps({**report.as_json(made), "written": [str(path) for path in files] if write else []}))
    else:
        print(report.text(made))
        for path, found in files.items():
            print(f"{path}: {len(found.names)} images{'' if write else ', not written'}")
        if files and made.failed and not write and not given.dry_run:
            print("nothing was written; --unknown writes names that do not fit with -1")
    return 1 if made.failed and not (write and given.unknown) else 0


def _chosen(given: argparse.Namespace) -> Parser:
    problems: list[str] = []
    if given.parser is None and given.pattern is None:
        problems.append("--parser: wanted it or --pattern, found neither; --guess says which parsers fit")
    if given.parser is None and given.cumulative_frames and "sequence" not in (given.pattern or ""):
        problems.append("--cumulative-frames: wanted (?P<sequence>…) in the pattern, found none; add it")
    if given.parser and given.folders is not None:
        problems.append("--folders: wanted only with --pattern, found it with --parser; leave it out")
    chosen = None
    with collecting(problems):
        chosen = choose(given.parser, given.pattern, given.folders or 0)
    if chosen and given.cumulative_frames and given.parser and "sequence" not in chosen.pattern.groupindex:
        wanted = examples([known.name for known in PARSERS.values() if "sequence" in known.pattern.groupindex])
        problems.append(f"--cumulative-frames: wanted names with sequences ({wanted}), found {chosen.name}")
    errors.refuse_if_any(problems)
    assert chosen is not None
    return chosen


def _guess(given: argparse.Namespace) -> int:
    """Which parsers fit the names, best first; status 1 if none fits them all."""
    if given.path.suffix.lower() in (".txt", ".lst", ".list") and given.path.is_file():
        kind, names = "list", [re.split(r"[\s,;:]", line)[0] for line in read_lines(given.path)]
        shown = names
    else:
        source = read_source(given.path, PARSERS["aicity"], given.side)
        kind, names = source.kind, [name for paths in source.paths.values() for name in paths]
        shown = [source.shown(name) for name in names]
    ranks = guess(names)
    if given.json:
        ranked = [{"parser": parser.name, "data_set": parser.title, "names": fit} for parser, fit in ranks]
        print(json.dumps({"path": str(given.path), "names": len(names), "fit": ranked}))
    else:
        print(f"{given.path}: {kind}, {len(names)} names")
        for parser, fit in ranks:
            share = "all names" if fit == len(names) else f"{fit} names"
            print(f"  {parser.name}: {share} ({parser.title}, {parser.example})")
        if not ranks:
            print(f"  no parser fits ({examples(shown)}); write a --pattern")
    return 0 if ranks and ranks[0][1] == len(names) else 1


def _parse(given: argparse.Namespace, source: Source, parser: Parser) -> dict[str, Parsed]:
    """Every side parsed, with the labels of list files, and frames numbered through if that was asked for."""
    problems: list[str] = []
    listings: list[Listing] = []
    for path in given.labels:
        with collecting(problems):
            listing = read_listing(path, parser)
            about = sides_of_labels(path.stem, parser)
            if not any(listing.labels):
                problems.append(f"{path}: wanted labels for names, found only names; give another list")
            elif not {side for side in source.paths if not side or side in about}:
                found = f"{', '.join(source.paths)} in {given.path} and {', '.join(sorted(about))} in the list"
                problems.append(f"{path}: wanted labels of the same side, found {found}; give its list, or --side")
            listings.append(listing)
    labels: dict[str, list[Numbers | None] | None] = dict.fromkeys(source.paths)
    if source.listing is not None:
        labels = {side: list(source.listing.labels) for side in source.paths}
    for listing in listings:
        with collecting(problems):
            for side, paths in source.paths.items():
                if not side or side in sides_of_labels(listing.path.stem, parser):
                    labels[side] = _joined(labels[side], listing.look_up(paths))
    errors.refuse_if_any(problems)
    parsed = {side: parse(paths, parser, labels[side]) for side, paths in source.paths.items()}
    return _cumulative(given.cumulative_frames, parsed) if given.cumulative_frames else parsed


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
    cam, frame = (np.concatenate([found.columns[column] for found in parts]) for column in ("cam", "frame"))
    sequence = np.concatenate([found.sequence for found in parts])
    known = frame >= 0
    through = frame.copy()
    through[known] = cumulative_frames(cam[known], sequence[known], frame[known], lengths=LENGTHS[table])
    ends = np.cumsum([len(found.names) for found in parts])[:-1]
    out = dict(parsed)
    for side, frames in zip(with_frames, np.split(through, ends), strict=True):
        out[side] = replace(parsed[side], columns={**parsed[side].columns, "frame": frames})
    return out


def _files(given: argparse.Namespace, source: Source, parsed: dict[str, Parsed]) -> dict[Path, Parsed]:
    """Which table goes where, called as ``ensemble.io`` expects. Raises InputError where that is not clear."""
    single = given.out.suffix.lower() == ".csv"
    if single and len(parsed) > 1:
        sides = ", ".join(side or "unknown" for side in parsed)
        raise InputError([f"--out: wanted a folder for several sides ({sides}), found {given.out}; name a folder"])
    if not single and "" in parsed and len(parsed) == 1:
        raise InputError(
            ["--side: wanted query, gallery or train, found nothing that tells it; give it, or --out FILE.csv"]
        )
    files = {}
    problems = []
    for side, found in parsed.items():
        if not side and not single:
            continue
        path = given.out if single else given.out / f"{side}.csv"
        names = [name.replace("\\", "/").rpartition("/")[2] for name in source.names[side]]
        names = names if given.base_names else source.names[side]
        seen: set[str] = set()
        again = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
        if again:
            hint = "leave out --base-names" if given.base_names else "remove the copies"
            problems.append(f"{path}: wanted every name once, found again {examples(again)}; {hint}")
        broken = [name for name in names if name != name.strip() or not name.isprintable()]
        if broken:
            problems.append(f"{path}: wanted names that fit into a table, found {examples(broken)}; rename them")
        files[path] = replace(found, names=names)
    errors.refuse_if_any(problems)
    return files


def _write(path: Path, parsed: Parsed) -> None:
    table = {column: parsed.columns[column].tolist() for column in COLUMNS if column in parsed.columns}
    with beside(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", *table])
        writer.writerows(zip(parsed.names, *table.values(), strict=True))


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m ensemble.names",
        description=__doc__.partition("\n")[0],
        epilog="A pattern is matched from the beginning of the base name, at most 200 characters of it.",
    )
    p.add_argument("path", nargs="?", type=Path, metavar="PATH", help="images, a list, or features")
    p.add_argument("--parser", metavar="NAME", help="the data set, see --list-parsers")
    p.add_argument("--pattern", metavar="REGEX", help="one of yours with (?P<pid>…), (?P<cam>…), …")
    p.add_argument("--folders", type=int, metavar="N", help="folders that the pattern sees before the base name")
    p.add_argument(
        "--labels", action="append", default=[], type=Path, metavar="FILE", help="a list of the set with labels"
    )
    p.add_argument("--side", choices=SIDES, help="whose names these are, where their place does not tell")
    p.add_argument(
        "--cumulative-frames",
        nargs="?",
        const="streid",
        choices=LENGTHS,
        help="number frames through Market-1501's sequences: by a released table, or by the largest frame seen",
    )
    p.add_argument("--out", type=Path, metavar="DIR|FILE.csv", help="where to write the tables")
    p.add_argument("--base-names", action="store_true", help="write base names instead of paths")
    p.add_argument("--unknown", action="store_true", help="write names that do not fit as well, with -1")
    p.add_argument("--dry-run", action="store_true", help="write nothing, even with --out")
    p.add_argument("--guess", action="store_true", help="say which parsers fit")
    p.add_argument("--list-parsers", action="store_true", help="the data sets, with examples")
    p.add_argument("--json", action="store_true", help="print one JSON document")
    return p


if __name__ == "__main__":
    errors.main(main)
