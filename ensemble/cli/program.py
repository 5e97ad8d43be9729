"""A command from its parser to its exit status, and what it says when it cannot go on."""

import argparse
import os
import shutil
import signal
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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


class Terminated(KeyboardInterrupt):
    """Somebody wants the process to end, as with Ctrl-C: what is half done is cleaned up on the way out."""


def parser(command: str, description: str | None = None, epilog: str = "") -> argparse.ArgumentParser:
    """The parser of ``python -m COMMAND``.

    description: the module's docstring, shown as it is written.
    epilog:      a paragraph below the options, filled to the width of the terminal.
    """
    return Parser(
        prog=f"python -m {command}",
        description=description,
        epilog=textwrap.fill(epilog, shutil.get_terminal_size().columns - 2),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def main(command: Callable[[Sequence[str] | None], int]) -> None:
    """Run a command line: what the user can mend becomes lines on stderr and exit status 2, not a traceback."""
    before = signal.signal(signal.SIGTERM, partial(_terminate, os.getpid()))
    try:
        with terminal.plain(), _machine_in_a_line():
            load_plugins()
            status = command(None)
            sys.stdout.flush()
    except InputError as error:
        status = _refused(error.problems)
    except BadVariable as error:
        status = _refused([str(error)])
    except BrokenPipeError:  # whoever reads our output has seen enough
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
    sys.exit(status)


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
        print(f"  {printable(problem, most=len(problem))}", file=sys.stderr)
    return REFUSED
