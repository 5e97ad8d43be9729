"""One thing that was looked at."""

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["fine", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What was found, and what to do where that is not well.

    name:   what was looked at.
    said:   what was found, in words.
    value:  the same as a number, a text or a list of them, for programs.
    status: "note": it works, and could be better; "wrong": something will not work.
    todo:   what would help; "" where nothing has to.
    """

    name: str
    said: str
    value: Any = None
    status: Status = "fine"
    todo: str = ""

    def line(self) -> str:
        """As it is shown."""
        mark = {"fine": "", "note": "note: ", "wrong": "WRONG: "}[self.status]
        return f"{mark}{self.said}{f'; {self.todo}' if self.todo else ''}"


def size(count: int) -> str:
    """Bytes as people read them.

    >>> size(3_200_000_000), size(12_300_000), size(900)
    ('3.2 GB', '12.3 MB', '0.9 kB')
    """
    for unit, bytes_of in (("GB", 1e9), ("MB", 1e6)):
        if count >= bytes_of:
            return f"{count / bytes_of:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"
