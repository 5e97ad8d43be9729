"""NumPy's files: one array in ``.npy``, arrays under names in ``.npz``; object arrays are left unread."""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from ensemble.io import bounds
from ensemble.io.matlab5 import Unread
from ensemble.io.readers.reader import Reader, Stored, Wanted


def _load_npy(path: Path, wanted: Wanted) -> np.ndarray:
    with path.open("rb") as file:
        return _load_array(file, path.stat().st_size)


def _load_array(file: IO[bytes], size: int) -> Any:
    """One ``.npy`` stream, after a look at its header: an object array is left unread."""
    shape, dtype = _header(file)
    if dtype.hasobject:
        return Unread(shape, "object")
    bounds.refuse_size(shape, dtype.itemsize, size)
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    return shape, dtype


def _stored_npy(path: Path) -> dict[str, Stored]:
    with path.open("rb") as file:
        shape, dtype = _header(file)
    return {"": Stored(shape, dtype.itemsize)}


def _stored_npz(path: Path) -> dict[str, Stored]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for key in _members(archive):
            with archive.open(f"{key}.npy") as file:
                shape, dtype = _header(file)
            found[key] = Stored(shape, dtype.itemsize)
    return found


def _load_npz(path: Path, wanted: Wanted) -> dict[str, Any]:
    entries = {}
    size = path.stat().st_size
    budget = bounds.Budget(size)
    with zipfile.ZipFile(path) as archive:
        keys = _members(archive)
        bounds.refuse_size((sum(info.compress_size for info in archive.infolist()),), 1, size)  # shared members
        for key in keys:
            if wanted(key):
                info = archive.getinfo(f"{key}.npy")
                budget.spend(info.file_size, key)
                with archive.open(info) as file:
                    entries[key] = _load_array(file, info.file_size)
    return entries


def _members(archive: zipfile.ZipFile) -> tuple[str, ...]:
    members = archive.namelist()
    if len(set(members)) != len(members) or any(not name.endswith(".npy") for name in members):
        raise ValueError("an archive of something else than NumPy arrays, each once")
    return tuple(name.removesuffix(".npy") for name in members)


def _keys(path: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(path) as archive:
        return _members(archive)


NPY = Reader(
    "NumPy array",
    _load_npy,
    (".npy",),
    recognises=lambda path, head: head.startswith(b"\x93NUMPY"),
    stored=_stored_npy,
    copies=0,
    holds="side",
)
NPZ = Reader(
    "NumPy archive",
    _load_npz,
    (".npz",),
    recognises=lambda path, head: head.startswith(b"PK\x03\x04"),
    keys=_keys,
    stored=_stored_npz,
    copies=0,
    holds="model",
    strict=True,
)
