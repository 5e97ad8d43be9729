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
from functools import partial
from pathlib import Path
from typing import Any

from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.cli import intervals, machine, notes, outputs, planning, program, protocols
from ensemble.identify import forms, told, words
from ensemble.identify import options as known
from ensemble.identities.answers import Answers, Fit, answers, question
from ensemble.identities.asking import Asker, How, deep
from ensemble.identities.pairs import similarities
from ensemble.identities.thresholds import Wanted
from ensemble.pipeline import lines
from ensemble.report import identities as report
from ensemble.scores.identities import IdentityScores, score_identities
from ensemble.scores.protocol import Protocol
from ensemble.submissions.similarities import read_pairs

TASK = "people and clusters"  # of reid-ensemble --help

RANKING = Protocol(junk="self", average="identities")  # how the images' rankings are scored


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    out: Path = options.out or Path("runs") / "identify"
    how, unknown = known.checked(options)
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        plan = planning.prepare(options, rules=RANKING, wanted=[*filter(None, [options.by, options.apart])])
        outputs.refuse_unwritable(*(out / name for name in told.names(report=options.report)))
        ask = Asker(deep(plan, how.depth), machine.device(options))
        print(f"{plan.recipe.name}: {plan.recipe.about}")
        notes.say(plan.notes)
        with machine.using(options):
            answer = (
                partial(_pairs, options, ask)
                if options.pairs
                else partial(_identities, options, ask, how, unknown)
            )
            content = answer(out)
    if options.json:
        print(json.dumps(content))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    return known.parser(__doc__)


def _show(line: lines.Line) -> None:
    print(lines.text(line), flush=True)


def _identities(options: argparse.Namespace, ask: Asker, how: How, unknown: Wanted, out: Path) -> dict[str, Any]:
    """Answer, judge, write; the record."""
    form = forms.chosen(options)
    protocol = protocols.chosen(options, RANKING)
    asked = question(ask, protocol)
    problems = form.refuse(asked.people.tellable)
    said: list[str] = []
    order = None
    with collecting(problems):
        order = forms.order(options, asked.images.query_names, said)
    refuse_if_any(problems)
    print(lines.heading(asked.images.labels is not None))
    fit = Fit(options.folds, options.seed, options.expected, options.fit_on, options.apart)
    found = answers(asked, how, unknown, by=options.by, fit=fit, protocol=protocol, show=_show)
    notes.say((*found.notes, *said))
    scores = _scores(options, found, how)
    content = told.record(found, scores, how, unknown, ask.plan, said)
    with told.written(out) as stage:
        told.write(stage, found, form, order, content)
        if options.report:
            report.write(stage, content, report.curves(found))
    print(*words.text(found, scores), sep="\n")
    told.say(out)
    return content


def _scores(options: argparse.Namespace, found: Answers, how: How) -> IdentityScores | None:
    """Where queries have labels."""
    pid = found.people.query
    if pid is None or not (pid >= 0).any():
        return None
    used = {**intervals.settings(options), "independent": options.independent}
    return score_identities(found.told, pid, found.there, found.sets, places=how.places, **used)


def _pairs(options: argparse.Namespace, ask: Asker, out: Path) -> dict[str, Any]:
    """Similarities of the pairs that are asked for; the record."""
    pairs = read_pairs(options.pairs)
    print(lines.heading(planning.labelled(ask.plan)))
    found = similarities(ask, pairs, _show, **intervals.settings(options))
    notes.say(found.notes)
    content = told.record_of_pairs(found, ask.plan)
    with told.written(out) as stage:
        told.write_pairs(stage, pairs, found, content)
    if found.scores is not None:
        print(found.scores.text())
    told.say(out)
    return content


if __name__ == "__main__":
    program.main(main)
