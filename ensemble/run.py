"""A folder of feature files in; submission, resolved recipe and record out.

    python -m ensemble.run --features DIR --recipe default --out runs/mine

Everything is checked before a feature is read; ``--dry-run`` ends there, and says what the run would take.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from ensemble.base.errors import InputError, examples
from ensemble.cli import machine, notes, outputs, pictures, planning, program, running, shortlists, workers
from ensemble.cli.walk import walk
from ensemble.pipeline import guide, plan, recipe, results
from ensemble.pipeline.neighbours import Made
from ensemble.pipeline.nodes import ARRAYS, Maker
from ensemble.pipeline.run import Result
from ensemble.report import NAME, refuse_without_packages
from postproc import ApproximateNeighbours
from postproc.base import runtime

if TYPE_CHECKING:
    from ensemble.report.recorder import Recorder

TASK = "rank"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    options.typed = program.command_line("ensemble.run", arguments)
    if options.neighbours:
        options.otherwise = "kreciprocal"  # who has lists wants a recipe that takes them
    if options.list_steps:
        list_steps()
    elif options.list_recipes:
        list_recipes()
    else:
        checked, out, budget = _prepared(options)
        files = _files(options, checked, out)
        outputs.refuse_unwritable(*files, shortlists.wanted(options, checked.recipe, files))
        replaced = results.in_the_way(out)
        if replaced:
            print(replaced, file=sys.stderr)
        if not options.dry_run:
            return execute(options, checked, out, budget)
        describe(checked)
        expected = planning.forecast_of(options, checked, always=True)
        if expected is not None:
            print(*expected.text(), sep="\n")
        fits = expected is None or expected.fits
        print(f"{'everything fits; ' if fits else ''}nothing was read or written")
        return program.REFUSED if expected and planning.is_refused(options, expected) else program.FINE
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    return running.parser(__doc__)


def _prepared(options: argparse.Namespace) -> tuple[plan.Plan, Path, int]:
    """What would run, the folder of its results, and the bytes that a worker may hold: 0 where there are none."""
    if not workers.wanted(options):
        checked = planning.prepare(options)
        return checked, _out(options, checked), 0
    from ensemble.neighbours import running as in_tasks

    budget = in_tasks.checked(options)
    checked = planning.prepare(options)
    out = _out(options, checked)
    in_tasks.refuse_other_recipes(checked)
    outputs.refuse_unwritable(*in_tasks.files_of(out))
    return checked, out, budget


def _out(options: argparse.Namespace, checked: plan.Plan) -> Path:
    out: Path = options.out or Path("runs") / checked.recipe.name
    return out


def _files(options: argparse.Namespace, checked: plan.Plan, out: Path) -> list[Path]:
    """What is written into the folder of the results."""
    names = [*results.names(checked.recipe)]
    if options.report:
        from ensemble.report.history import FILE

        names += [FILE, NAME]
    return [out / name for name in names]


def execute(options: argparse.Namespace, checked: plan.Plan, out: Path, budget: int = 0) -> int:
    """Run and write into ``out``; nothing is written before everything is computed.

    budget: bytes that a worker may hold, where there are some.
    Returns the exit status: 1 where the ranking could not be written in the format that was asked for.
    """
    if options.images and not options.report:
        raise InputError(["--images: wanted --report too, found none; pictures are shown in the report alone"])
    recorder = _recorder(options) if options.report else None
    made = Made(options.neighbours) if options.neighbours else None
    with warnings.catch_warnings(), _maker(options, out, budget) as make:
        warnings.simplefilter("ignore", ApproximateNeighbours)  # a note says so already
        result = walk(options, checked, watch=recorder, made=made, make=make)
    threads, device = options.threads or runtime.current().threads, machine.device(options)
    with shortlists.beside(options, out, result) as also:
        how = {"threads": threads, "device": device, "typed": options.typed}
        written = results.write(out, checked, result, also=also, **how)
    print(results.score_text(result))
    if recorder:
        written += _write_report(options, out, recorder, checked, result)
    for path in written:
        print(path)
    if options.pairs_out:
        print(shortlists.about(options, result))
    missed = results.in_its_place(checked.recipe, written[0])
    if missed:
        print(missed)
    return program.FAULTY if missed else program.FINE


def _maker(options: argparse.Namespace, out: Path, budget: int) -> AbstractContextManager[Maker]:
    """What makes arrays: this process, or for a re-ranking the workers."""
    if not workers.wanted(options):
        return nullcontext(ARRAYS)
    from ensemble.neighbours import running as in_tasks

    return in_tasks.maker(options, out, budget)


def _recorder(options: argparse.Namespace) -> "Recorder":
    """What watches the run for its report; InputError where that could not be written."""
    from ensemble.report.recorder import Recorder

    refuse_without_packages()
    pictures.size(options)
    pictures.refuse_missing(options)
    return Recorder()


def _write_report(
    options: argparse.Namespace, out: Path, recorder: "Recorder", checked: plan.Plan, result: Result
) -> list[Path]:
    """The report beside the results, and what there is to say of it."""
    from ensemble.report import runs

    with machine.using(options):
        paths, notes = runs.write(
            out,
            recorder,
            checked,
            result,
            planning.protocol(options, checked.recipe),
            images=options.images,
            size=pictures.size(options),
            bounded=options.memory is not None,
            device=machine.device(options),
        )
    for note in notes:
        print(f"report: {note}")
    return paths


def describe(checked: plan.Plan) -> None:
    """Say what would run."""
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    for branch, models in zip(checked.recipe.branches, checked.models, strict=True):
        names = [use.name for use in (*branch.each, *([branch.join] if branch.join else []), *branch.steps)]
        print(f"  {examples(models, 8)}: {' -> '.join(names) or 'nothing'}")
    tail = [use.name for use in (*([checked.recipe.join] if checked.recipe.join else []), *checked.recipe.steps)]
    if tail:
        print(f"  then {' -> '.join(tail)}")
    notes.say(checked.notes)
    print(f"  provided: {', '.join(sorted(checked.folder.columns))}")


def list_steps() -> None:
    """Every step and every join: what it does, what it needs, its settings with range and meaning."""
    for line in (*guide.steps_text(), *guide.joins_text()):
        print(line)


def list_recipes() -> None:
    """Every recipe of the package with its description."""
    for name in recipe.available():
        print(f"{name}: {recipe.load(name).about}")


if __name__ == "__main__":
    program.main(main)
