"""Is everything there, and does it work: versions, machine, places, variables, and a trial of ten seconds.

    python -m ensemble.doctor
    python -m ensemble.doctor --json > doctor.json

Whoever asks for help with a problem sends this along. The trial re-ranks a few images, compares them with the
definition, and goes from feature files to a submission; kernels that are not kept yet are compiled first, which
takes a minute. Exit status 0: all of it works, and notes say what could be better; 1: something
does not, marked WRONG.
"""

import argparse
import json
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from ensemble.cli import outputs, program
from ensemble.doctor import machine, places, software, trial, variables
from ensemble.doctor.finding import Finding

TASK = "begin"  # of reid-ensemble --help
PARTS: dict[str, Callable[[], Iterable[Finding]]] = {
    "software": software.found,
    "machine": machine.found,
    "places": places.found,
    "environment": variables.found,
    "trial": trial.found,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    found: dict[str, list[Finding]] = {}
    for name, look in PARTS.items():
        if name == "trial" and options.no_trial:
            continue
        found[name] = []
        if not options.json:
            print(
                "trial, which compiles kernels first" if name == "trial" and places.are_new() else name, flush=True
            )
        for one in look():
            found[name].append(one)
            if not options.json:
                print(_shown(one), flush=True)
    wrong = [one for of in found.values() for one in of if one.status == "wrong"]
    if options.json:
        parts = {name: [asdict(one) for one in of] for name, of in found.items()}
        print(json.dumps({"works": not wrong, **parts}, indent=1, default=str))
    else:
        print(f"{len(wrong)} wrong: {', '.join(one.name for one in wrong)}" if wrong else "everything works")
    return program.FAULTY if wrong else program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.doctor", __doc__)
    p.add_argument("--no-trial", action="store_true", help="only look, compute nothing")
    outputs.add_json(p)
    return p


def _shown(one: Finding) -> str:
    """A finding on a line, or on some that are indented."""
    return textwrap.fill(
        f"{one.name:<22} {one.line()}",
        program.columns(),
        initial_indent="  ",
        subsequent_indent=" " * 25,
        break_long_words=False,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    program.main(main)
