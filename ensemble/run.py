"""``python -m ensemble.run``: a folder of feature files in; submission, resolved recipe and record out."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import postproc
from ensemble.base import errors
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.cli import inputs
from ensemble.pipeline import advice, joins, lines, plan, recipe, results, steps
from ensemble.pipeline import run as pipeline
from ensemble.pipeline.devices import Device
from ensemble.pipeline.images import Images
from ensemble.report import command
from ensemble.report.recorder import Recorder
from postproc.base import runtime


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    if options.list_steps:
        list_steps()
        return 0
    if options.list_recipes:
        list_recipes()
        return 0
    checked = inputs.prepare(options)
    if options.dry_run:
        describe(checked)
        return 0
    return execute(options, checked)


def parser() -> argparse.ArgumentParser:
    """The options, most of them shared with ``ensemble.evaluate``."""
    p = argparse.ArgumentParser(prog="python -m ensemble.run", description=__doc__)
    inputs.add_options(p)
    p.add_argument("--out", type=Path, metavar="DIR", help="where results go (default: runs/RECIPE)")
    p.add_argument("--report", action="store_true", help="write report.html too: see ensemble.report")
    command.add_options(p)
    p.add_argument("--dry-run", action="store_true", help="check everything, read no feature, write nothing")
    p.add_argument("--list-steps", action="store_true", help="what a recipe can use, with settings")
    p.add_argument("--list-recipes", action="store_true", help="the recipes that come with the package")
    return p


def walk(
    options: argparse.Namespace,
    checked: plan.Plan,
    sets: Mapping[str, FeatureSet] | None = None,
    watch: Callable[[pipeline.Seen], None] | None = None,
) -> pipeline.Result:
    """Run the plan under the options' threads and memory, printing a line a step; on ``sets`` if given."""
    limit = inputs.memory_limit(options)
    scored = {"query_pid", "gallery_pid"} <= checked.folder.columns
    device = inputs.device(options)
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    if device.is_cuda:
        print(device_text(device, checked.recipe))
    print(lines.heading(scored))

    def show(line: lines.Line) -> None:
        print(lines.text(line), flush=True)

    def warn(images: Images) -> None:
        for warning in advice.warnings(checked.recipe, advice.positives(images.known)):
            print(warning, file=sys.stderr)

    with postproc.using(threads=options.threads, memory=limit):
        run = pipeline.Run(
            checked,
            show,
            begun=warn,
            protocol=inputs.protocol(options, checked.recipe),
            memory=limit,
            sets=sets,
            watch=watch,
            device=device,
        )
        return run()


def execute(options: argparse.Namespace, checked: plan.Plan) -> int:
    """Run and write; nothing is written before everything is computed.

    Returns the exit status: 1 where the ranking could not be written in the format that was asked for.
    """
    recorder = None
    if options.images and not options.report:
        raise InputError(["--images: wanted --report too, found none; pictures are shown in the report alone"])
    if options.report:
        command.check_options(options)
        recorder = Recorder()
    result = walk(options, checked, watch=recorder)
    out = options.out or Path("runs") / checked.recipe.name
    threads = options.threads or runtime.current().threads
    written = results.write(out, checked, result, threads=threads, device=inputs.device(options))
    print(results.score_text(result))
    if recorder:
        with postproc.using(threads=options.threads, memory=inputs.memory_limit(options)):
            written += command.write_run(
                out, recorder, checked, result, inputs.protocol(options, checked.recipe), options
            )
    for path in written:
        print(path)
    missed = results.in_its_place(checked.recipe, written[0])
    if missed:
        print(missed)
    return 1 if missed else 0


def device_text(device: Device, used: recipe.Recipe) -> str:
    """Where the recipe runs, and which of its steps and joins do not."""
    functions = {name: step.function for name, step in steps.catalogue().items()}
    functions |= {name: joins.function(name) for name in joins.names()}
    names = dict.fromkeys(use.name for use in used.uses())
    others = [name for name in names if not device.runs(functions[name])]
    return f"on {device.describe()}" + (
        f"; on the CPU, for want of a CUDA version: {', '.join(others)}" if others else ""
    )


def describe(checked: plan.Plan) -> None:
    """Say what would run."""
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    for branch, models in zip(checked.recipe.branches, checked.models, strict=True):
        names = [use.name for use in (*branch.each, *([branch.join] if branch.join else []), *branch.steps)]
        print(f"  {errors.examples(models, 8)}: {' -> '.join(names) or 'nothing'}")
    tail = [use.name for use in (*([checked.recipe.join] if checked.recipe.join else []), *checked.recipe.steps)]
    if tail:
        print(f"  then {' -> '.join(tail)}")
    print(f"  provided: {', '.join(sorted(checked.folder.columns))}")
    print("everything fits; nothing was read or written")


def list_steps() -> None:
    """Every step: what it does, what it needs, its settings and their defaults."""
    for step in steps.catalogue().values():
        print(f"{step.name}: {step.summary}")
        print(f"    needs {', '.join(step.needs)}; gives {', '.join(step.gives)}")
        if step.may_use:
            print(f"    may use {', '.join(step.may_use)}")
        for name, default in step.settings.items():
            print(f"    {name} = {json.dumps(default) if default is not None else '(none)'}")


def list_recipes() -> None:
    """Every recipe of the package with its description."""
    for name in recipe.available():
        print(f"{name}: {recipe.load(name).about}")


if __name__ == "__main__":
    errors.main(main)
