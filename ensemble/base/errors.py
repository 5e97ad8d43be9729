"""Bad input ends in one message that lists every problem, each as *where: wanted, found, what to do*."""

from collections.abc import Sequence

from postproc.base.nearby import near

__all__ = ["InputError", "examples", "near", "printable", "refuse_if_any"]


class InputError(ValueError):
    """What the user gave cannot be used. ``problems`` holds one line for each thing to fix."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


def refuse_if_any(problems: Sequence[str]) -> None:
    """Raise one :class:`InputError` with all of ``problems``, each once, or do nothing when there are none."""
    if problems:
        raise InputError([*dict.fromkeys(problems)])


def examples(names: Sequence[object], most: int = 3) -> str:
    """``a, b, c and 7 more``: enough to recognise the problem, short enough to read."""
    shown = ", ".join(printable(str(name)) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def printable(text: str, most: int = 300) -> str:
    """Text from a file as it may go to a terminal: on one line, without control characters, not endless."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
