"""The protocols by which rankings are scored, one line each: whose they are; of a name, all its rules.

    python -m ensemble.protocols
    python -m ensemble.protocols market1501 aicity

``evaluate --protocol NAME`` and every other command that scores take one; a .toml file may hold one of your own.
"""

import argparse
from collections.abc import Sequence

from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.cli import program, protocols

TASK = "begin"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    problems: list[str] = []
    lines = [] if options.protocols else protocols.listed()
    for name in options.protocols:
        with collecting(problems):
            lines += protocols.described(name)
    refuse_if_any(problems)
    print(*lines, sep="\n")
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.protocols", __doc__)
    p.add_argument("protocols", nargs="*", metavar="PROTOCOL", help="say the rules of these")
    return p


if __name__ == "__main__":
    program.main(main)
