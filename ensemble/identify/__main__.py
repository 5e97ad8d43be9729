"""Who is it: identities for every query, with the unknown in its place, as a file to hand in.

    python -m ensemble.identify --features DIR --format happywhale --unknown share=0.165
    python -m ensemble.identify --features DIR --recipe default --sample sample_submission.csv --by dataset
    python -m ensemble.identify --features DIR --pairs test.csv

The folder's gallery are images of known identities (pid in gallery.csv), its queries ask. Writes submission.csv,
identities.csv (how far each identity is), identities.txt (who can be told) and identify.json.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

from ensemble import io
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.cli import intervals, machine, notes, outputs, planning, program
from ensemble.cli.numbers import too_small
from ensemble.identify import forms, told
from ensemble.identities.answers import SIDES, Answers, Fit, answers, question
from ensemble.identities.asking import Asker, How, deep
from ensemble.identities.pairs import similarities
from ensemble.identities.thresholds import Wanted, wanted
from ensemble.pipeline import lines
from ensemble.report import identities as report
from ensemble.report import refuse_without_packages
from ensemble.scores.identities import IdentityScores, score_identities
from ensemble.scores.protocol import Protocol
from ensemble.submissions.similarities import read_pairs, write_similarities
from postproc.identities.by_identity import RULES, Rule

RANKING = Protocol(junk="self", average="identities")  # how the images' rankings are scored


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    out: Path = options.out or Path("runs") / "identify"
    how, unknown = _checked(options)
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        checked = planning.prepare(options, rules=RANKING, wanted=[*filter(None, [options.by, options.apart])])
        outputs.refuse_unwritable(*(out / name for name in told.names(report=options.report)))
        ask = Asker(deep(checked, how.depth), machine.device(options))
        print(f"{checked.recipe.name}: {checked.recipe.about}")
        notes.say(checked.notes)
        with machine.using(options):
            if options.pairs:
                return _pairs(options, ask, out)
            return _identities(options, ask, how, unknown, out)


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.identify", __doc__)
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


def _checked(options: argparse.Namespace) -> tuple[How, Wanted]:
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


def _show(line: lines.Line) -> None:
    print(lines.text(line), flush=True)


def _identities(options: argparse.Namespace, ask: Asker, how: How, unknown: Wanted, out: Path) -> int:
    """Answer, judge, write."""
    form = forms.chosen(options)
    asked = question(ask)
    problems = form.refuse(list(asked.people.called.values()))
    said: list[str] = []
    order = None
    with collecting(problems):
        order = forms.order(options, asked.images.query_names, said)
    refuse_if_any(problems)
    print(lines.heading(asked.images.labels is not None))
    protocol = planning.protocols.chosen(options, RANKING)
    fit = Fit(options.folds, options.seed, options.expected, options.fit_on, options.apart)
    found = answers(asked, how, unknown, by=options.by, fit=fit, protocol=protocol, show=_show)
    notes.say((*found.notes, *said))
    scores = _scores(options, found, how)
    content = told.record(found, scores, how, unknown, ask.plan)
    with io.together(out) as stage:
        told.write(stage, found, form, order, content)
        if options.report:
            report.write(stage, content, report.curves(found))
    print(*told.text(found, scores), sep="\n")
    for name in told.names(report=options.report):
        print(out / name)
    if options.json:
        print(json.dumps(content), file=sys.__stdout__)
    return program.FINE


def _scores(options: argparse.Namespace, found: Answers, how: How) -> IdentityScores | None:
    """Where queries have labels."""
    pid = found.people.query
    if pid is None or not (pid >= 0).any():
        return None
    used = {**intervals.settings(options), "independent": options.independent}
    return score_identities(found.told, pid, found.there, found.sets, places=how.places, **used)


def _pairs(options: argparse.Namespace, ask: Asker, out: Path) -> int:
    pairs = read_pairs(options.pairs)
    found = similarities(ask, pairs, _show, **intervals.settings(options))
    notes.say(found.notes)
    with io.together(out) as stage:
        write_similarities(stage / told.FILE, pairs.row_ids, found.values)
    if found.scores is not None:
        print(found.scores.text())
    print(out / told.FILE)
    return program.FINE


if __name__ == "__main__":
    program.main(main)
