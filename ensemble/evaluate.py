"""Scores of a folder of labelled features under a recipe, and nothing else.

    python -m ensemble.evaluate --features DIR --recipe default

Queries and gallery need labels, in tables, in the files or in their names.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from ensemble.base.errors import InputError
from ensemble.cli import outputs, planning, program, protocols, splits
from ensemble.cli.walk import walk
from ensemble.pipeline import multi_query, results, scoring
from ensemble.pipeline import sets as models_of
from ensemble.scores.protocols import PROTOCOLS
from ensemble.scores.values import RANKS

TASK = "score"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    if options.list_protocols:
        list_protocols()
        return program.FINE
    if min(options.ranks) < 1:
        raise InputError([f"--ranks: wanted places from 1, found {min(options.ranks)}"])
    checked = planning.prepare(options)
    if not planning.labelled(checked):
        why = scoring.no_labels(one_set=checked.folder.one_set)
        raise InputError([f"{checked.folder.path}: no scores: {why}"])
    if options.splits and "distances" in checked.folder.columns:
        problem = (
            "--splits: wanted features or matrices, since every split ranks its own gallery, found rank lists"
        )
        raise InputError([problem])
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        sets, asked = multi_query.read(checked) if options.multi_query else (None, "")
        if options.splits:
            scores = splits.scored(options, checked, sets or models_of.read(checked))
            text, content = f"{scores.text(options.ranks)}\n{scores.describe()}", scores.as_json()
            said = list(checked.notes)
        else:
            result = walk(options, checked, sets)
            if result.scores is None:
                raise InputError([results.score_text(result)])
            scores, text = result.scores, results.score_text(result, options.ranks)
            content, said = results.scores_json(result) or {}, results.notes(checked, result)
    if options.json:
        ranks = {str(k): scores.rank(k) for k in options.ranks}
        about = {"ranks": ranks, "multi_query": options.multi_query, "notes": [*said, *filter(None, [asked])]}
        print(json.dumps({**content, **about}))
    else:
        print("\n".join(filter(None, [text, asked])))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.evaluate", __doc__)
    planning.add_options(p, otherwise="baseline")
    p.add_argument(
        "--ranks",
        type=int,
        nargs="+",
        default=list(RANKS),
        metavar="K",
        help=f"places of the CMC to print (default: {' '.join(map(str, RANKS))})",
    )
    p.add_argument(
        "--multi-query",
        action="store_true",
        help="every query asks with the mean of the images of its identity and camera in multi_query.mat; without "
        "that file, queries of one identity and camera become one, the mean of their features",
    )
    splits.add_options(p)
    p.add_argument(
        "--list-protocols", action="store_true", help="every protocol, its rules and where it comes from"
    )
    outputs.add_json(p, "the scores")
    return p


def list_protocols() -> None:
    """Every protocol: its rules and its source."""
    for name in PROTOCOLS:
        print(*protocols.described(name), sep="\n")


if __name__ == "__main__":
    program.main(main)
