"""What goes to a terminal: names and texts of strangers must neither steer it nor end the program."""

import codecs
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO, cast

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # all but tab and new line
PLAIN = {"±": "+-", "×": "x", "…": "...", "–": "-", "−": "-", "“": '"', "”": '"', "‘": "'", "’": "'"}


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What a terminal cannot show: the nearest it can, or the code of the letter."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(PLAIN.get(c) or c.encode("unicode_escape").decode() for c in letters), error.end


codecs.register_error("ensemble-plain", _plain)


class Shown:
    """A stream that shows control characters instead of obeying them; the rest is the stream's own.

    ``kept`` are those that it obeys: a bar of progress goes back to the beginning of its line.
    """

    def __init__(self, stream: TextIO, kept: str = "") -> None:
        self._stream, self._kept = stream, kept

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._stream.write(CONTROL.sub(self._shown, text))
        return len(text)

    def _shown(self, found: re.Match[str]) -> str:
        return found[0] if found[0] in self._kept else found[0].encode("unicode_escape").decode()


@contextmanager
def plain() -> Iterator[None]:
    """Inside, what is printed is shown on any terminal, in ASCII too, and no name can steer it."""
    _fill_closed()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        streams = [stream or nowhere for stream in (sys.stdout, sys.stderr)]  # None where it was closed
        for stream in streams:
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="ensemble-plain")
        out, err = cast(TextIO, Shown(streams[0])), cast(TextIO, Shown(streams[1], kept="\r"))
        with redirect_stdout(out), redirect_stderr(err):
            yield


def _fill_closed() -> None:
    """Keep our files off the numbers of standard streams that were closed: libraries print to these numbers."""
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)
