"""What a command reads: the folder, the lists of names beside it, and what the names mean."""

import argparse
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from ensemble import io
from ensemble.base.errors import examples, near, refuse_if_any
from ensemble.base.labels import LABELS
from ensemble.io import Folder
from ensemble.parsers import choose

Options = argparse._ActionsContainer  # a parser, or a group of its options


def add_features(p: argparse.ArgumentParser, *, required: bool = False) -> None:
    """``--features``."""
    p.add_argument(
        "--features", type=Path, required=required, metavar="DIR", help="folder with the models' feature files"
    )


def add_rankings(p: argparse.ArgumentParser, *, shown: bool = True) -> None:
    """``--rankings``, in the place of ``--features`` or beside it, and ``--similarity``; hidden where refused."""
    use = "folder with rank lists, tables of pairs or distance matrices, in its place or beside it"
    p.add_argument("--rankings", type=Path, metavar="DIR", help=use if shown else argparse.SUPPRESS)
    p.add_argument(
        "--similarity",
        action="append",
        default=[],
        metavar="NAME",
        help="a list or matrix whose numbers are larger for nearer images" if shown else argparse.SUPPRESS,
    )


def similarity_problems(options: argparse.Namespace, lists: Sequence[str]) -> list[str]:
    """A problem for every ``--similarity`` that names none of the lists; without ``--rankings`` there are none."""
    if options.similarity and options.rankings is None:
        return [
            "--similarity: wanted --rankings too, since features have no similarities, found none; leave it out"
        ]
    return [
        f"--similarity: wanted one of {examples(lists, 20)}, found {name!r}{near(name, lists)}"
        for name in options.similarity
        if not fnmatch.filter(lists, name)
    ]


def add_name_lists(p: argparse.ArgumentParser, of: str = "") -> None:
    """``--query-names`` and ``--gallery-names``; ``of`` says whose names, where it is not the folder's."""
    for side in ("query", "gallery"):
        p.add_argument(f"--{side}-names", type=Path, metavar="FILE", help=f"list of {side} names{of}, one a line")


def add_meaning(p: Options, option: str = "--names") -> None:
    """What the names of images tell: the data set (``--names``, elsewhere ``--parser``), or ``--pattern``."""
    p.add_argument(
        option,
        metavar="SET",
        help="the data set whose names tell identities and cameras, see reid-ensemble names --list-parsers",
    )
    p.add_argument(
        "--pattern", metavar="REGEX", help="a pattern of your own that does, with (?P<pid>…), (?P<cam>…), …"
    )


def add_keys(p: Options) -> None:
    """``--key``: labels that several columns of the tables make together."""
    p.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="LABEL=COLUMN,COLUMN",
        help="a label that columns of the tables make together, as pid=species,name",
    )


def keys(options: argparse.Namespace) -> dict[str, list[str]]:
    """What ``--key`` asks for; InputError with all that is wrong with it."""
    found: dict[str, list[str]] = {}
    problems = []
    for text in options.key:
        label, _, titles = text.partition("=")
        found[label] = [title.strip() for title in titles.split(",")]
        if label not in LABELS:
            hint = near(label, LABELS)
            problems.append(f"--key: wanted one of {', '.join(LABELS)} before the =, found {label!r}{hint}")
        elif not all(found[label]):
            problems.append(f"--key: wanted {label}=COLUMN,COLUMN, found {text!r}; name the columns of the tables")
    refuse_if_any(problems)
    return found


def add_labels(p: Options) -> None:
    """``--folders`` and ``--labels``: where names alone do not tell."""
    p.add_argument("--folders", type=int, metavar="N", help="folders that the pattern sees before the base name")
    p.add_argument(
        "--labels", action="append", default=[], type=Path, metavar="FILE", help="a list of the set with labels"
    )


def add_tracks(p: argparse.ArgumentParser, use: str = "gallery tracks, one a line, ids or names") -> None:
    """``--tracks``; ``use`` says what it is for."""
    p.add_argument("--tracks", type=Path, metavar="FILE", help=use)


def wanted(options: argparse.Namespace) -> list[str]:
    """A problem where ``--features`` was not given."""
    if options.features is not None:
        return []
    return ["--features: wanted a folder with feature files, found nothing; see --help"]


def is_file(splits: str | None) -> bool:
    """Whether ``--splits`` is a file of splits, not a number of them."""
    return splits is not None and not splits.isdecimal()


def scan(options: argparse.Namespace, wanted: Sequence[str] = (), *, of_one_set: bool = False) -> Folder:
    """Look at the folder of features or of rank lists, with all options of this module.

    ``wanted``: columns of the tables that somebody looks at beside the usual ones. ``of_one_set``: what is
    no feature is wanted as matrices of one set.
    """
    return io.scan(
        options.features or options.rankings,
        query_names=options.query_names,
        gallery_names=options.gallery_names,
        tracks=options.tracks,
        rankings=options.features is None,
        beside=options.rankings if options.features else None,
        parser=choose(options.names, options.pattern),
        keys=keys(options),
        wanted=wanted,
        of_one_set=of_one_set,
        split=None if is_file(getattr(options, "splits", None)) else 0,
    )
