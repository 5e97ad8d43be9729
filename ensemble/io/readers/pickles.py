"""Pickles, rebuilt by :mod:`ensemble.io.unpickle`. Old ones have no mark; they are known by their suffix."""

from ensemble.io.readers.reader import Reader, mapped
from ensemble.io.unpickle import unpickle

SUFFIXES = (".pkl", ".pickle", ".pt", ".pth")

PICKLE = Reader(
    "pickle",
    lambda path, wanted: mapped(path, unpickle),
    SUFFIXES,
    recognises=lambda path, head: path.suffix.lower() in (*SUFFIXES, ".data"),
)
