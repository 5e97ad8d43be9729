"""Run a recipe from the command line: what runs where, a line a step, and warnings."""

import argparse
import sys
from collections.abc import Callable, Mapping

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.cli import machine, notes, planning
from ensemble.pipeline import advice, joins, lines, plan, recipe, steps
from ensemble.pipeline.devices import Device
from ensemble.pipeline.forecast import LONG
from ensemble.pipeline.images import Images
from ensemble.pipeline.lines import Line
from ensemble.pipeline.neighbours import Made
from ensemble.pipeline.nodes import ARRAYS, Maker
from ensemble.pipeline.run import Result, Run, Seen
from postproc.base.progress import Progress


def walk(
    options: argparse.Namespace,
    checked: plan.Plan,
    sets: Mapping[str, ModelSet] | None = None,
    watch: Callable[[Seen], None] | None = None,
    made: Made | None = None,
    make: Maker = ARRAYS,
) -> Result:
    """Run the plan under the options' threads and memory, printing a line a step; on ``sets`` if given.

    ``made``: neighbour lists for the steps that take them. ``make``: what computes, where it is not this process.
    What takes longer says first how long, and how much memory it needs. Raises InputError where that is more than
    is free, unless the models are there already, in memory that is not free any more.
    """
    device = machine.device(options)
    expected = planning.forecast_of(options, checked, sets)
    if expected and (expected.seconds >= LONG or not expected.fits):
        print(expected.line(), flush=True)
    if expected and not expected.fits:
        if sets is None and planning.is_refused(options, expected):
            raise InputError([expected.remedy()])
        notes.say([expected.remedy()], aside=True)
    progress = Progress(expected.stages if expected else ())
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    if device.is_cuda:
        print(device_text(device, checked.recipe))
    notes.say(checked.notes)
    said = set(checked.notes)

    def show(line: Line) -> None:
        progress.next_stage()
        print(lines.text(line), flush=True)

    def begun(images: Images) -> None:
        progress.clear()
        notes.say(images.notes)
        said.update(images.notes)
        print(lines.heading(planning.labelled(checked)))
        for warning in advice.warnings(checked.recipe, advice.positives(images.known)):
            print(warning, file=sys.stderr)

    with machine.using(options, progress):
        run = Run(
            checked,
            show,
            begun=begun,
            protocol=planning.protocol(options, checked.recipe),
            memory=machine.memory(options),
            sets=sets,
            watch=watch,
            device=device,
            made=made,
            make=make,
        )
        result = run()
    notes.say(note for note in result.notes if note not in said)  # what steps had to say of the data
    return result


def device_text(device: Device, used: recipe.Recipe) -> str:
    """Where the recipe runs, and which of its steps and joins do not."""
    functions = {name: step.function for name, step in steps.catalogue().items()}
    functions |= {name: joins.function(name) for name in joins.names()}
    names = dict.fromkeys(use.name for use in used.uses())
    others = [name for name in names if not device.runs(functions[name])]
    return f"on {device.describe()}" + (
        f"; on the CPU, for want of a CUDA version: {', '.join(others)}" if others else ""
    )
