"""A reader of feature files: ``name value value …``, an image a line."""

from pathlib import Path

import numpy as np

from ensemble.io.readers.reader import Reader, Wanted


def _load(path: Path, wanted: Wanted) -> dict[str, np.ndarray]:
    entries = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, *values = line.split()
        entries[name] = np.array(values, np.float32)
    return entries


LINES = Reader("lines of numbers", _load, (".vec",), holds="side")
