"""Read identities, cameras, tracks and frames out of the names of images, and write them as tables of labels.

    python -m ensemble.names PATH --parser market1501                  what would be read, and what looks odd
    python -m ensemble.names PATH --guess                              which parsers fit
    python -m ensemble.names PATH --parser market1501 --out DIR        query.csv, gallery.csv, train.csv

PATH is a folder of images, a list of names, a list file of the data set, a feature file or a folder of features.
Exit status 0: all names fit; 1: some do not (none of them was written); 2: it could not be done.
"""

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path

from ensemble import io
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import SIDES
from ensemble.cli import files, outputs, program
from ensemble.io.lists import read_lines
from ensemble.names import labels, report
from ensemble.names.source import read_source
from ensemble.parsers.choosing import choose, guess, version
from ensemble.parsers.parser import Parser
from ensemble.parsers.sequences import LENGTHS
from ensemble.parsers.sets import PARSERS

TASK = "begin"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = parser().parse_args(arguments)
    if given.list_parsers:
        list_parsers()
        return program.FINE
    if given.path is None:
        raise InputError(["PATH: wanted a folder, a list or features, found nothing; see --help"])
    return _guess(given) if given.guess else _read(given)


def list_parsers() -> None:
    """Every data set with an example of its names."""
    for known in PARSERS.values():
        print(f"{known.name}: {known.title}; {known.example or 'any name'}")
        if known.note:
            print(f"    {known.note}")


def _read(given: argparse.Namespace) -> int:
    """What the names say, and the tables where ``--out`` names a place for them."""
    parser = _chosen(given)
    source = read_source(given.path, parser, given.side)
    parsed = labels.read(given.path, source, parser, given.labels, cumulative=given.cumulative_frames)
    versions = [version(parser, str(given.path.absolute()), paths) for paths in source.paths.values()]
    told = ", ".join(dict.fromkeys(found for found in versions if found)) or None
    made = report.make(str(given.path), source, parser, told, parsed)
    tables = {}
    if given.out is not None:
        tables = labels.tables(source, parsed, given.out, base_names=given.base_names)
    if not given.dry_run:
        outputs.refuse_unwritable(*tables)
    write = bool(tables) and not given.dry_run and (not made.failed or given.unknown)
    if write:
        with io.all_together() as place:
            for path, table in tables.items():
                labels.write(place(path), table)
    if given.json:
        print(json.dumps({**report.as_json(made), "written": [str(path) for path in tables] if write else []}))
    else:
        print(report.text(made))
        for path, table in tables.items():
            print(f"{path}: {len(table.names)} images{'' if write else ', not written'}")
        if tables and made.failed and not write and not given.dry_run:
            print("nothing was written; --unknown writes names that do not fit with -1")
    return program.FAULTY if made.failed and not (write and given.unknown) else program.FINE


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
    refuse_if_any(problems)
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
    return program.FINE if ranks and ranks[0][1] == len(names) else program.FAULTY


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser(
        "ensemble.names",
        __doc__,
        epilog="A pattern is matched from the beginning of the base name, at most 200 characters of it.",
    )
    p.add_argument("path", nargs="?", type=Path, metavar="PATH", help="images, a list, or features")
    files.add_meaning(p, "--parser")
    files.add_labels(p)
    p.add_argument("--side", choices=SIDES, help="whose names these are, where their place does not tell")
    p.add_argument(
        "--cumulative-frames",
        nargs="?",
        const="streid",
        choices=LENGTHS,
        help="number frames through Market-1501's sequences: by a released table, or by the largest frame seen",
    )
    outputs.add_out(p, "where to write the tables", metavar="DIR|FILE.csv")
    p.add_argument("--base-names", action="store_true", help="write base names instead of paths")
    p.add_argument("--unknown", action="store_true", help="write names that do not fit as well, with -1")
    outputs.add_dry_run(p, "write nothing, even with --out")
    p.add_argument("--guess", action="store_true", help="say which parsers fit")
    p.add_argument("--list-parsers", action="store_true", help="the data sets, with examples")
    outputs.add_json(p)
    return p


if __name__ == "__main__":
    program.main(main)
