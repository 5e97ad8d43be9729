"""A command from its parser to its exit status, and what it says when it cannot go on."""

import argparse
import os
import re
import shlex
import shutil
import signal
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib.metadata import entry_points
from typing import Any

from ensemble.base.errors import InputError, printable
from ensemble.cli import terminal
from ensemble.cli.parser import Parser
from postproc.base.machine import BadVariable, MachineWarning
from postproc.base.one_set import TwiceTheSame
from postproc.base.temporary import NoRoom

FINE = 0
FAULTY = 1  # it was done, and the result is not all that was asked for
REFUSED = 2  # it could not be done
INTERRUPTED = 130
TERMINATED = 143
_PROGRAM: ContextVar[str] = ContextVar("program", default="")  # that has called a command; "": python -m


class Terminated(KeyboardInterrupt):
    """Somebody wants the process to end, as with Ctrl-C: what is half done is cleaned up on the way out."""


def parser(command: str, description: str | None = None, epilog: str = "") -> argparse.ArgumentParser:
    """The parser of ``python -m COMMAND``, or of ``reid-ensemble NAME`` where it was called so.

    description: the module's docstring, shown as it is written.
    epilog:      a paragraph below the options, filled to the width of the terminal.
    """
    return Parser(
        prog=as_called(f"python -m {command}"),
        description=as_called(description or ""),
        epilog=textwrap.fill(as_called(epilog), columns() - 2),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def columns() -> int:
    """How wide the terminal is."""
    return shutil.get_terminal_size().columns


def as_called(text: str) -> str:
    """A text that names commands, as somebody types them who has called this one.

    >>> with called_by("reid-ensemble"):
    ...     as_called("python -m ensemble.names --guess")
    'reid-ensemble names --guess'
    """
    program = _PROGRAM.get()
    return re.sub(r"python -m (?:ensemble|extractors)\.(\w+)", rf"{program} \1", text) if program else text


def command_line(command: str, arguments: Sequence[str] | None) -> str:
    """What was typed to call ``python -m COMMAND``, as a shell takes it; ``arguments`` None: those of the process.

    >>> command_line("ensemble.run", ["--features", "my models"])
    "python -m ensemble.run --features 'my models'"
    """
    words = sys.argv[1:] if arguments is None else arguments
    return " ".join([as_called(f"python -m {command}"), shlex.join(map(str, words))]).strip()


@contextmanager
def called_by(program: str) -> Iterator[None]:
    """Inside, commands are those of a program, ``reid-ensemble`` say; "": each is ``python -m`` its module."""
    token = _PROGRAM.set(program)
    try:
        yield
    finally:
        _PROGRAM.reset(token)


def main(
    command: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None = None, program: str = ""
) -> None:
    """Run a command line: what the user can mend becomes lines on stderr and exit status 2, not a traceback.

    arguments: those of the command; None: those of the process. program: what has called it, if not ``python -m``.
    """
    with called_by(program):
        sys.exit(_status(command, arguments))


def _status(command: Callable[[Sequence[str] | None], int], arguments: Sequence[str] | None) -> int:
    before = signal.signal(signal.SIGTERM, partial(_terminate, os.getpid()))
    try:
        with terminal.plain(), _machine_in_a_line():
            load_plugins()
            status = command(arguments)
            sys.stdout.flush()
    except InputError as error:
        status = _refused(error.problems)
    except BadVariable as error:
        status = _refused([str(error)])
    except BrokenPipeError:  # whoever reads our output has seen enough
        if sys.stderr is not None:
            sys.stderr.close()
        status = FINE
    except NoRoom as error:
        status = _refused([str(error)])
    except OSError as error:
        where = error.filename or "file"
        _leave_stdout()
        status = _refused(
            [f"{where}: wanted to read or write it, found: {error.strerror or error}; check the path"]
        )
    except MemoryError as error:
        status = _refused(
            [f"memory: wanted more than there is ({error}); use fewer models, or --memory to know before"]
        )
    except Terminated:
        status = TERMINATED
    except KeyboardInterrupt:
        status = INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    return status


@contextmanager
def _machine_in_a_line() -> Iterator[None]:
    """What the machine lacks is a note to the user, and no line of ours."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *place: Any, **rest: Any) -> None:
        if issubclass(category, MachineWarning):
            print(f"note: {message}", file=sys.stderr)
        elif not issubclass(category, TwiceTheSame):  # that is said where the files are read
            before(message, category, *place, **rest)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _terminate(process: int, *ignored: object) -> None:
    """Unwind this process; one that was forked from it ends at once."""
    if os.getpid() != process:
        os._exit(TERMINATED)
    raise Terminated


def _leave_stdout() -> None:
    """What could not be printed is given up, so that Python does not try again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load_plugins() -> None:
    """Those of installed packages; where there are none, nothing heavy is imported for them."""
    found = entry_points()
    if any(found.select(group=f"reid_ensemble.{kind}") for kind in ("steps", "joins", "readers", "submissions")):
        from ensemble.pipeline import plugins

        plugins.load_installed()


def _refused(problems: Sequence[str]) -> int:
    count = len(problems)
    print(f"error: {count} problem{'s' if count != 1 else ''}", file=sys.stderr)
    for problem in problems:
        print(f"  {printable(as_called(problem), most=len(problem))}", file=sys.stderr)
    return REFUSED
