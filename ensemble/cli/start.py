"""One program for all commands: ``reid-ensemble COMMAND``, or ``python -m ensemble COMMAND``.

A command's module is imported when it is called, and for help nothing but this package: both are there at once.
"""

import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from textwrap import TextWrapper

from ensemble import __version__
from ensemble.cli import listing
from ensemble.cli.listing import Command

OTHERS = "others"  # what stands below the commands of no task


def start(program: str, words: Sequence[str]) -> None:
    """Run what the words behind ``program`` ask for, and end the process with its exit status."""
    first = words[0] if words else "--help"
    if first in ("-h", "--help"):
        _say("\n".join(text(program, shutil.get_terminal_size().columns)))
    elif first in ("-V", "--version"):
        _say(f"reid-ensemble {__version__}")
    elif command := listing.find(first.replace("-", "_")):
        _run(program, command, words[1:])
    else:
        _refuse(program, first)


def text(program: str, columns: int) -> Iterator[str]:
    """The help: every command under its task, with what it does and an example."""
    yield f"usage: {program} COMMAND [OPTION ...]"
    yield ""
    for line in ("COMMAND --help   what a command takes", "--version        which version this is"):
        yield f"    {program} {line}"
    known = everything()
    for task in (*listing.TASKS, OTHERS):
        found = [command for command in known if (command.task or OTHERS) == task]
        if found:
            yield from ("", task)
        for command in found:
            yield from _lines(program, command, columns)


def everything() -> list[Command]:
    """The commands of all packages, by name."""
    found = {
        command.name: command for package in reversed(listing.PACKAGES) for command in listing.commands(package)
    }
    return [found[name] for name in sorted(found)]


def _lines(program: str, command: Command, columns: int) -> Iterator[str]:
    wide = TextWrapper(
        width=max(60, columns - 1), initial_indent=f"  {command.name:<14} ", subsequent_indent=" " * 17
    )
    yield from wide.wrap(command.about)
    if command.example:
        yield f"{' ' * 17}$ {command.example.replace(f'python -m {command.module}', f'{program} {command.name}')}"


def _say(words: str) -> None:
    try:
        print(words, flush=True)
    except BrokenPipeError:  # whoever reads our output has seen enough
        sys.stderr.close()


def _run(program: str, command: Command, words: Sequence[str]) -> None:
    try:
        from ensemble.cli import program as commands  # half a second, which help does not need

        called = import_module(command.start).main
    except KeyboardInterrupt:  # while it is loaded: nothing has begun
        sys.exit(130)
    commands.main(called, words, program)


def _refuse(program: str, word: str) -> None:
    from ensemble.base.errors import InputError, near, printable
    from ensemble.cli import program as commands

    names = [command.name for command in everything()]
    if word.startswith("-"):
        problem = f"{printable(word)}: wanted a command before it, found none"
    else:
        problem = f"{printable(word)}: wanted a command of {program}, found another{near(word, names)}"

    def refused(arguments: object) -> int:
        raise InputError([problem if problem.endswith("?") else f"{problem}; see {program} --help"])

    commands.main(refused, (), program)


def main() -> None:
    """The program ``reid-ensemble``."""
    start("reid-ensemble", sys.argv[1:])
