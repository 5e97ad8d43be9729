"""Run a recipe from the command line: what runs where, a line a step, and warnings."""

import argparse
import sys
from collections.abc import Mapping

from ensemble.base.features import FeatureSet
from ensemble.cli import machine, planning
from ensemble.pipeline import advice, joins, plan, recipe, steps
from ensemble.pipeline import run as pipeline
from ensemble.pipeline.devices import Device


def walk(
    options: argparse.Namespace,
    checked: plan.Plan,
    sets: Mapping[str, FeatureSet] | None = None,
    watch: pipeline.Watch | None = None,
) -> pipeline.Result:
    """Run the plan under the options' threads and memory, printing a line a step; on ``sets`` if given."""
    device = machine.device(options)
    print(f"{checked.recipe.name}: {checked.recipe.about}")
    if device.is_cuda:
        print(device_text(device, checked.recipe))
    print(pipeline.heading(planning.labelled(checked)))

    def show(line: pipeline.Line) -> None:
        print(pipeline.text(line), flush=True)
        if line.step == "read":  # labels are known, and nothing has been computed yet
            for warning in advice.warnings(checked.recipe, advice.positives(run.columns | run.labels)):
                print(warning, file=sys.stderr)

    with machine.using(options):
        run = pipeline.Run(
            checked,
            show,
            protocol=planning.protocol(options, checked.recipe),
            memory=machine.memory(options),
            sets=sets,
            watch=watch,
            device=device,
        )
        return run()


def device_text(device: Device, used: recipe.Recipe) -> str:
    """Where the recipe runs, and which of its steps and joins do not."""
    functions = {name: step.function for name, step in steps.catalogue().items()}
    functions |= {name: joins.function(name) for name in joins.names()}
    names = dict.fromkeys(use.name for use in used.uses())
    others = [name for name in names if not device.runs(functions[name])]
    return f"on {device.describe()}" + (
        f"; on the CPU, for want of a CUDA version: {', '.join(others)}" if others else ""
    )
