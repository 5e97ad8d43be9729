"""Bad input ends in one message that lists every problem, each as *where: wanted, found, what to do*."""

import sys
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches


class InputError(ValueError):
    """What the user gave cannot be used. ``problems`` holds one line for each thing to fix."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def refuse_if_any(problems: Sequence[str]) -> None:
    """Raise one :class:`InputError` with all of ``problems``, or do nothing when there are none."""
    if problems:
        raise InputError(problems)


def examples(names: Sequence[object], most: int = 3) -> str:
    """``a, b, c and 7 more``: enough to recognise the problem, short enough to read."""
    shown = ", ".join(printable(str(name)) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def near(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the known word that is most like one that is not known, or nothing."""
    close = get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def printable(text: str, most: int = 300) -> str:
    """Text from a file as it may go to a terminal: on one line, without control characters, not endless."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])


def main(command: Callable[[Sequence[str] | None], int]) -> None:
    """Run a command line: what the user can mend becomes lines on stderr and exit status 2, not a traceback."""
    try:
        status = command(None)
    except InputError as error:
        status = _tell(error.problems)
    except BrokenPipeError:  # whoever reads our output has seen enough
        sys.stderr.close()
        status = 0
    except OSError as error:
        where = error.filename or "file"
        status = _tell([f"{where}: wanted to read or write it, found: {error.strerror or error}; check the path"])
    except MemoryError as error:
        status = _tell(
            [f"memory: wanted more than there is ({error}); use fewer models, or --memory to know before"]
        )
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _tell(problems: Sequence[str]) -> int:
    count = len(problems)
    print(f"error: {count} problem{'s' if count != 1 else ''}", file=sys.stderr)
    for problem in problems:
        print(f"  {problem}", file=sys.stderr)
    return 2
