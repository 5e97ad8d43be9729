"""Pickles and joblib's files, rebuilt by :mod:`ensemble.io.unpickle`; old ones are known by their suffix."""

import pickletools
from functools import partial
from pathlib import Path

from ensemble.base.broken import BROKEN
from ensemble.io.readers.reader import Reader, mapped
from ensemble.io.torch_stream import storage_in
from ensemble.io.unpickle import unpickle

SUFFIXES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
BEGINNING = 1 << 16  # bytes in which labels, if there are any, begin
MOST = 64  # texts to look at


def words(beginning: bytes) -> list[str]:
    """The first texts in pickles one behind the other."""
    found: list[str] = []
    rest = beginning
    try:
        while rest and len(found) < MOST:
            last = 0
            for opcode, argument, place in pickletools.genops(rest):
                last = place or 0
                if isinstance(argument, str) and opcode.name != "GLOBAL" and len(found) < MOST:
                    found.append(argument)
            rest = rest[last + 1 :]
    except BROKEN:  # it goes on behind its beginning
        pass
    return found


def _words(path: Path) -> list[str]:
    with path.open("rb") as file:
        return words(file.read(BEGINNING))


PICKLE = Reader(
    "pickle",
    lambda path, wanted: mapped(path, partial(unpickle, storage=storage_in)),
    SUFFIXES,
    recognises=lambda path, head: path.suffix.lower() in (*SUFFIXES, ".data"),
    words=_words,
    raw=True,
)
