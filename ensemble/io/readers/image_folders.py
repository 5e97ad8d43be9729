"""Folders with one file an image: ``NAME.npy`` (or ``.pt``), in folders in it too, of one side or of all."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.broken import BROKEN, reason
from ensemble.io.arrays import vector, what
from ensemble.io.keys import side_named, slot
from ensemble.io.layouts import opened
from ensemble.io.readers.numpy_files import NPY
from ensemble.io.readers.reader import Reader, Wanted
from ensemble.io.readers.torch_files import TORCH_ZIP

READERS = {".npy": NPY, ".pt": TORCH_ZIP}


def _is_folder(path: Path, head: bytes) -> bool:
    return bool(_sides(path)) or (_is_side(path) and next(_found(path), None) is not None)


def _is_side(path: Path) -> bool:
    """Whether a folder is called like a side; many are called train: one of queries is beside it."""
    side, _, rest = path.name.partition("_")
    if side == "train":
        return path.with_name(f"query_{rest}" if rest else "query").is_dir()
    return slot(path.name) is not None or side_named(side) is not None


def _sides(path: Path) -> dict[str, Path]:
    """The folders inside that are sides, where query and gallery both are."""
    inner = {side: part for part in sorted(path.iterdir()) if (side := side_named(part.name)) and part.is_dir()}
    found = {side: part for side, part in inner.items() if next(_found(part), None) is not None}
    return found if {"query", "gallery"} <= found.keys() else {}


def _found(path: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            if os.path.splitext(name)[1].lower() in READERS and not name.startswith("."):
                yield Path(folder, name)


def _vectors(path: Path, wanted: Wanted) -> dict[str, np.ndarray]:
    found = {}
    for file in _found(path):
        name = file.relative_to(path).with_suffix("").as_posix()
        try:
            value = opened(READERS[file.suffix.lower()].load(file, wanted))
        except BROKEN as error:
            raise ValueError(f"{file.name}: {reason(error)}") from None
        row = vector(value)
        if row is None:
            raise ValueError(f"{file.name}: {what(value)} in the place of one vector")
        if name in found:
            raise ValueError(f"{name} twice, in two formats")
        found[name] = row
    return found


def _load(path: Path, wanted: Wanted) -> dict[str, Any]:
    sides = _sides(path)
    return {side: _vectors(folder, wanted) for side, folder in sides.items()} if sides else _vectors(path, wanted)


IMAGES = Reader(
    "folder with a file an image",
    _load,
    recognises=_is_folder,
    keys=lambda path: tuple(_sides(path)),
    folder=True,
    stems=True,
)
