"""A command from its parser to its exit status, and what it says when it cannot go on."""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

from ensemble.base.errors import InputError

FINE = 0
FAULTY = 1  # it was done, and the result is not all that was asked for
REFUSED = 2  # it could not be done
INTERRUPTED = 130


def parser(command: str, description: str | None, epilog: str = "") -> argparse.ArgumentParser:
    """The parser of ``python -m COMMAND``.

    description: the module's docstring, shown as it is written.
    epilog:      a paragraph below the options, filled to the width of the terminal.
    """
    return argparse.ArgumentParser(
        prog=f"python -m {command}",
        description=description,
        epilog=textwrap.fill(epilog, shutil.get_terminal_size().columns - 2),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def main(command: Callable[[Sequence[str] | None], int]) -> None:
    """Run a command line: what the user can mend becomes lines on stderr and exit status 2, not a traceback."""
    try:
        _load_plugins()
        status = command(None)
    except InputError as error:
        status = _refused(error.problems)
    except BrokenPipeError:  # whoever reads our output has seen enough
        sys.stderr.close()
        status = FINE
    except OSError as error:
        where = error.filename or "file"
        status = _refused(
            [f"{where}: wanted to read or write it, found: {error.strerror or error}; check the path"]
        )
    except MemoryError as error:
        status = _refused(
            [f"memory: wanted more than there is ({error}); use fewer models, or --memory to know before"]
        )
    except KeyboardInterrupt:
        status = INTERRUPTED
    sys.exit(status)


def _load_plugins() -> None:
    """Those of installed packages; where there are none, nothing heavy is imported for them."""
    found = entry_points()
    if any(found.select(group=f"reid_ensemble.{kind}") for kind in ("steps", "joins", "readers", "submissions")):
        from ensemble.pipeline import plugins

        plugins.load_installed()


def _refused(problems: Sequence[str]) -> int:
    count = len(problems)
    print(f"error: {count} problem{'s' if count != 1 else ''}", file=sys.stderr)
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    return REFUSED
