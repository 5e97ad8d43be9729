"""Who belongs together: every image of one set gets a cluster, as a file to hand in, with scores and a page.

    python -m ensemble.cluster --features DIR --fit ami
    python -m ensemble.cluster --features DIR --recipe default --method average --threshold 0.6 --report
    python -m ensemble.cluster --features DIR --by dataset --threshold lynx=0.85 turtle=0.25 --sample sample.csv
    python -m ensemble.cluster --features DIR --method union --threshold 0.5 --links links.csv
    python -m ensemble.cluster --rankings DIR --method components --threshold 0.4

The set is a folder with one side, or the gallery of one with two; of --rankings square matrices and tables of
pairs of one set. Writes submission.csv and clusters.json, and with --report clusters.html, a page that asks about
the pairs most in doubt and gives the answers back as links.csv.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ensemble import io
from ensemble.cli import machine, notes, outputs, pictures, program
from ensemble.cluster import options as known
from ensemble.cluster import told
from ensemble.cluster.function import clustered, prepared
from ensemble.clusters.answers import Answers
from ensemble.submissions.clusters import Form

TASK = "people and clusters"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    out: Path = options.out or Path("runs") / "clusters"
    rules = known.rules(options)
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        checked, how, rules, said = prepared(options, rules)
        outputs.refuse_unwritable(*(out / name for name in told.names(report=options.report)))
        print(f"{checked.recipe.name}: {checked.recipe.about}")
        notes.say(said)
        with machine.using(options):
            found, form, order, said = clustered(
                options, checked, how, rules, lambda line: print(line, flush=True)
            )
            notes.say(said)
            content = told.record(found, checked, said)
            with io.together(out) as stage:
                told.write(stage, found, form, order, content)
                if options.report:
                    _page(options, stage, found, form, content)
        print(*told.text(found), sep="\n")
        for name in told.names(report=options.report):
            print(out / name)
    if options.json:
        print(json.dumps(content))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    return known.parser(__doc__)


def _page(
    options: argparse.Namespace, stage: Path, found: Answers, form: Form, content: Mapping[str, Any]
) -> None:
    from ensemble.report import clusters as page

    called, album = told.values(found, form), page.album(options.images)
    said = page.write(
        stage / told.PAGE,
        found,
        content,
        called,
        album=album,
        size=pictures.size(options),
        data_folder=str(options.features or ""),
    )
    for note in said:
        print(f"report: {note}")


if __name__ == "__main__":
    program.main(main)
