"""The options of the command, and what they mean."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.cli import intervals, outputs, planning, program
from ensemble.cli.numbers import too_small
from ensemble.identify import forms
from ensemble.identities.answers import SIDES
from ensemble.identities.asking import How
from ensemble.identities.thresholds import Wanted, wanted
from ensemble.report import refuse_without_packages
from postproc.identities.by_identity import RULES, Rule


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.identify", description)
    planning.add_options(p, otherwise="baseline")
    options: dict[str, tuple[dict[str, Any], str]] = {
        "rule": (
            {"default": "nearest", "metavar": "RULE"},
            "how far an identity is: nearest; mean=M of its M nearest images; vote=M or sum=M of the M nearest of "
            "all (default: nearest)",
        ),
        "edge": (
            {"type": float, "metavar": "D"},
            "sum: from this distance on an image counts nothing (default: the largest of all lists)",
        ),
        "depth": (
            {"type": int, "default": 500, "metavar": "N"},
            "images of every query that are looked at, 0: all (default: %(default)s)",
        ),
        "unknown": (
            {"metavar": "RULE"},
            "from where on it is somebody new: none; distance=D; share=S of the queries; chance=P of being right "
            "(0.5); balanced, geometric or map: best on the gallery (default: geometric; none where the format "
            "has no word for it)",
        ),
        "expected": (
            {"type": float, "metavar": "S"},
            "map, chance: the share of unknown queries (default: of gallery images that are the only one of their "
            "identity)",
        ),
        "folds": (
            {"type": int, "default": 5, "metavar": "N"},
            "parts of the identities, each held out once (default: %(default)s)",
        ),
        "fit-on": (
            {"choices": SIDES, "default": "gallery"},
            "whose images tell the threshold (default: %(default)s)",
        ),
        "apart": (
            {"metavar": "COLUMN"},
            "a column, as cam or encounter: for the threshold images of the same one do not answer each other",
        ),
        "by": (
            {"metavar": "COLUMN"},
            "a column of query.csv and gallery.csv that names the data set: each is asked by itself and has a "
            "threshold of its own",
        ),
        "report": ({"action": "store_true"}, "write identities.html and open_set.svg too"),
        "pairs": (
            {"type": Path, "metavar": "FILE"},
            "in the place of identities: similarities of these pairs (row_id, query_image, gallery_image)",
        ),
    }
    for name, (kind, use) in options.items():
        p.add_argument(f"--{name}", help=use, **kind)
    forms.add_options(p)
    intervals.add_options(p)
    outputs.add_out(p, "where results go (default: runs/identify)")
    outputs.add_json(p, "the record")
    return p


def checked(options: argparse.Namespace) -> tuple[How, Wanted]:
    """How identities are found; every problem of the options in one error."""
    problems = too_small(options, depth=0, folds=2, places=1)
    how, unknown = How(), Wanted("none")
    with collecting(problems):
        intervals.settings(options)
    with collecting(problems):
        how = _rule(options.rule)
    if options.edge is not None and how.rule != "sum":
        problems.append(f"--edge: wanted --rule sum=M, found {options.rule}; leave it out")
    if options.expected is not None and not 0 <= options.expected <= 1:
        problems.append(f"--expected: wanted a share of 0 to 1, found {options.expected}")
    with collecting(problems):
        form = forms.chosen(options)
        how = replace(how, places=form.places, edge=options.edge, depth=options.depth or None)
        unknown = wanted(options.unknown or ("geometric" if form.word else "none"))
        if unknown.name != "none" and not form.word:
            problems.append(
                f"--unknown: wanted none, since {form.name} has no word for it, found {unknown}; give --word"
            )
    if options.pairs:
        how = replace(how, depth=None)
    if options.report:
        with collecting(problems):
            refuse_without_packages()
    refuse_if_any(problems)
    return how, unknown


def _rule(text: str) -> How:
    name, equals, number = text.partition("=")
    if (
        name not in RULES
        or (name == "nearest") == bool(equals)
        or (equals and not (number.isdecimal() and int(number)))
    ):
        raise InputError([f"--rule: wanted nearest, mean=M, vote=M or sum=M with M from 1, found {text!r}"])
    rule: Rule = next(known for known in RULES if known == name)
    return How(rule, int(number) if number else 1)
