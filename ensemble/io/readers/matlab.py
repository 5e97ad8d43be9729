"""MATLAB's files: version 5 by our own code (:mod:`ensemble.io.matlab5`), version 7.3, which is HDF5."""

from pathlib import Path
from typing import Any

from ensemble.io import matlab5
from ensemble.io.readers import hdf5
from ensemble.io.readers.reader import Reader, Wanted

SUFFIXES = (".mat", ".msat")


def _load_5(path: Path, wanted: Wanted) -> dict[str, Any]:
    return matlab5.load(path.read_bytes(), wanted)


def _keys_5(path: Path) -> tuple[str, ...]:
    return matlab5.keys(path.read_bytes())


MATLAB5 = Reader(
    "MATLAB 5",
    _load_5,
    SUFFIXES,
    recognises=lambda path, head: head.startswith(b"MATLAB 5.0"),
    keys=_keys_5,
    raw=True,
)
MATLAB73 = Reader(
    "MATLAB 7.3",
    hdf5.load,
    SUFFIXES,
    recognises=lambda path, head: head.startswith(hdf5.MATLAB),
    keys=hdf5.keys,
    stored=hdf5.stored,
)
