"""What there is to know about one format of feature files."""

import math
import mmap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

Wanted = Callable[[str], bool]
HEAD = 16  # bytes that tell what a file is


class Unknown(Exception):
    """A sound file of another kind than those that are read; the text says what it is and what to do with it."""


class Stored(NamedTuple):
    """An array of a file before it is read: its shape, the bytes of a value, and whether it stays in the file."""

    shape: tuple[int, ...]
    item: int
    mapped: bool = False

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return math.prod(self.shape) * self.item


@dataclass(frozen=True)
class Reader:
    """A format of feature files.

    name:       for the eye.
    load:       the content of a file: a dictionary of entries, of which only the ``wanted`` keys are needed, or
                one array; what a broken file makes it raise becomes a sentence.
    suffixes:   what its files end in, in small letters with the dot: files that a folder is searched for.
    recognises: whether a file is of this format, by its path and its first bytes; None: by its suffix.
    keys:       the keys of a file without its arrays; None, or None as its answer, where that costs as much as
                loading them.
    stored:     the arrays of a file by their keys ("" where there are none) without reading them, for who wants to
                know what memory it takes; None: nobody knows before.
    raw:        without ``stored``: a file is little else than its values, and its size tells how many there are.
    copies:     how often what is stored is in memory while it is read, beside what comes back.
    holds:      "side" a file holds one side, ``query_MODEL`` with ``gallery_MODEL``; "model" it holds a whole
                model, keys like the vocabulary; "either".
    words:      the first texts in a file whose keys nobody knows, among them those of labels if there are any.
    folder:     it reads folders, as one file an image; ``recognises`` says which.
    stems:      the names of the images are those of files, without a suffix, which pictures have.
    strict:     a whole model without query and gallery in it is a mistake, not something else that lies there.
    """

    name: str
    load: Callable[[Path, Wanted], Any]
    suffixes: tuple[str, ...] = ()
    recognises: Callable[[Path, bytes], bool] | None = None
    keys: Callable[[Path], tuple[str, ...] | None] | None = None
    stored: Callable[[Path], Mapping[str, Stored]] | None = None
    raw: bool = False
    copies: float = 1.0
    holds: Literal["side", "model", "either"] = "either"
    words: Callable[[Path], Iterable[str]] | None = None
    folder: bool = False
    stems: bool = False
    strict: bool = False

    def reads(self, path: Path, head: bytes) -> bool:
        """Whether a file with these first bytes is of this format."""
        if self.recognises is None:
            return path.suffix.lower() in self.suffixes
        return self.recognises(path, head)


def mapped(path: Path, read: Callable[[mmap.mmap, int], Any]) -> Any:
    """``read`` of the file's bytes and their number, without a copy of them in memory."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as source:
        return read(source, len(source))
