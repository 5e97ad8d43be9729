"""Commands, options and their values by the Tab key: prints the script that a shell wants for that.

    python -m ensemble.completion bash > ~/.local/share/bash-completion/completions/reid-ensemble
    python -m ensemble.completion zsh > ~/.zfunc/_reid-ensemble
    python -m ensemble.completion fish > ~/.config/fish/completions/reid-ensemble.fish

A new shell has it; of zsh, where ``fpath+=~/.zfunc`` stands before ``compinit`` in ~/.zshrc. The script holds all
names, so that nothing is started while one types: make it anew with a new version. Needs the extra completion.
"""

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ensemble.base.errors import InputError
from ensemble.cli import program
from ensemble.cli.start import everything
from ensemble.parsers.sets import PARSERS
from ensemble.pipeline import recipe
from ensemble.scores.protocols import PROTOCOLS
from ensemble.track import recipe as of_tracks
from postproc.base.extras import install

TASK = "begin"  # of reid-ensemble --help
SHELLS = ("bash", "zsh", "fish")
NAMES = {"--protocol": PROTOCOLS, "--names": PARSERS, "--parser": PARSERS, "PROTOCOL": PROTOCOLS}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    if find_spec("shtab") is None:
        raise InputError([f"completion: wanted the package shtab, found none; {install('completion')}"])
    import shtab

    print(shtab.complete(whole(), shell=options.shell))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.completion", __doc__)
    p.add_argument("shell", choices=SHELLS, help="for which one")
    return p


def whole() -> argparse.ArgumentParser:
    """All commands as those of one parser, every value with what it may be."""
    top = argparse.ArgumentParser("reid-ensemble")
    top.add_argument("--version", action="store_true", help="which version this is")
    inside = top.add_subparsers()
    for command in everything():
        its = import_module(command.start).parser()
        names: Mapping[str, Any] = of_tracks.available() if command.name == "track" else recipe.available()
        for action in its._actions:
            _tell(action, {**NAMES, "--recipe": names, "RECIPE": names})
        inside.add_parser(command.name, parents=[its], add_help=False, help=command.about)
    return top


def _tell(action: Any, names: Mapping[str, Mapping[str, Any]]) -> None:
    """Say what a value may be: one of some names, a folder, a file."""
    import shtab

    kind = next((word for word in (*action.option_strings, action.metavar) if word in names), None)
    if kind is not None:
        action.choices = list(names[kind])
    elif action.metavar == "DIR":
        action.complete = shtab.DIRECTORY
    elif action.type is Path:
        action.complete = shtab.FILE


if __name__ == "__main__":
    program.main(main)
