"""Find the nearest neighbours of every image, on one machine or many, into a folder that runs take.

    python -m ensemble.neighbours --features DIR --out GRAPH --k 100 --workers 2
    python -m ensemble.neighbours --features DIR --out GRAPH --recipe kreciprocal --scheduler tcp://10.0.0.1:8786
    python -m ensemble.run --features DIR --recipe kreciprocal --neighbours GRAPH

The lists are those of the features that the recipe compares, to the bit, whatever the workers. A run
that was ended goes on where it was.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ensemble.base.errors import refuse_if_any
from ensemble.cli import files, machine, notes, outputs, planning, program
from ensemble.neighbours import lists, running, source, told
from ensemble.neighbours import options as known
from ensemble.neighbours.plan import CELLS

TASK = "large data"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    budget = known.checked(options)
    if options.model is not None:
        refuse_if_any(source.unknown_model(options.model, list(files.scan(options).models)))
    checked = planning.prepare(options, change=source.of_model(options.model))
    out: Path = options.out
    outputs.refuse_unwritable(out / "neighbours.json", lists.work_of(out) / "plan.json")
    planning.refuse_without_room_for_features(options, checked, source.compared(checked)[0])
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    notes.say(checked.notes)
    started = time.perf_counter()
    with machine.using(options), running.engine(options) as engine:
        found = source.source(checked)
        notes.say(found.notes)
        watch = told.Watch(engine, budget)
        k = options.k or source.enough(found.sides, checked.recipe.top_k)
        print(watch.begun(found, k), flush=True)
        made = lists.on(
            engine, found.sides, out, k=k, memory=budget, say=told.say, seen=watch.seen,
            seed=options.seed if options.approximate else None, probes=options.probes,
            index=options.approximate or CELLS,
        )  # fmt: skip
    print(watch.ended(time.perf_counter() - started))
    print(f"{out}: {told.text(made)}")
    if warning := told.warning(made):
        print(f"warning: {warning}", file=sys.stderr)
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    return known.parser(__doc__)


if __name__ == "__main__":
    program.main(main)
