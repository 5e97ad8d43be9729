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

from ensemble.cli import intervals, machine, notes, outputs, planning, program
from ensemble.identify import forms, told, words
from ensemble.identify import options as known
from ensemble.identify.function import answered, asked_by, planned
from ensemble.identities.asking import Asker, How, deep
from ensemble.identities.pairs import similarities
from ensemble.identities.thresholds import Wanted
from ensemble.pipeline import lines
from ensemble.report import identities as report
from ensemble.submissions.similarities import read_pairs

TASK = "people and clusters"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    out: Path = options.out or Path("runs") / "identify"
    how, unknown = known.checked(options)
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        plan = planned(options)
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
    asked, order, said = asked_by(options, ask, form)
    print(lines.heading(asked.images.labels is not None))
    found, scores = answered(options, asked, how, unknown, show=_show)
    notes.say((*found.notes, *said))
    content = told.record(found, scores, how, unknown, ask.plan, said)
    with told.written(out) as stage:
        told.write(stage, found, form, order, content)
        if options.report:
            report.write(stage, content, report.curves(found), str(options.features or ""))
    print(*words.text(found, scores), sep="\n")
    told.say(out)
    return content


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
