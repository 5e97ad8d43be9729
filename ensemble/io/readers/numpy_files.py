"""NumPy's files: one array in ``.npy``, arrays under names in ``.npz``.

Large matrices of numbers with a fraction stay where they are, in an archive if they are not compressed: they are
read where somebody looks at them. Arrays of Python objects, as ``np.save`` of a dictionary makes one, are pickles,
and are rebuilt as such.
"""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from ensemble.io import bounds
from ensemble.io.readers.pickles import BEGINNING, words
from ensemble.io.readers.reader import Reader, Stored, Unknown, Wanted
from ensemble.io.torch_stream import storage_in
from ensemble.io.unpickle import unpickle
from postproc.base import temporary

MAGIC = b"\x93NUMPY"
LOCAL = 30  # bytes of what stands before a member of an archive, without its name
LOOK = 1 << 12  # bytes of a checksum that are one row of progress


def _load_npy(path: Path, wanted: Wanted) -> np.ndarray:
    with path.open("rb") as file:
        if _stays(*_layout(file)):
            return np.asarray(mapped(path))
        file.seek(0)
        return load_array(file, path.stat().st_size)


def load_array(file: IO[bytes], size: int) -> Any:
    """One ``.npy`` stream, after a look at its header."""
    shape, dtype = _header(file)
    if dtype.hasobject:
        return _objects(file.read(size), shape, dtype)
    bounds.refuse_size(shape, dtype.itemsize, size)
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _layout(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, whether columns come first, and type, from the header at the beginning."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    found: tuple[tuple[int, ...], bool, np.dtype] = header(file)
    return found


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    shape, _, dtype = _layout(file)
    return shape, dtype


def _stays(shape: tuple[int, ...], columns_first: bool, dtype: np.dtype) -> bool:
    """Whether an array stays in its file: rows of numbers with a fraction, one after the other, and large."""
    rows = len(shape) > 1 and dtype.kind == "f" and dtype.itemsize <= 8 and dtype.isnative and not columns_first
    return rows and temporary.is_large(*shape)


def dtype_of(path: Path) -> np.dtype:
    """What the values of an ``.npy`` file are, from its header."""
    with path.open("rb") as file:
        return _header(file)[1]


def mapped(path: Path) -> np.ndarray:
    """The array of an ``.npy`` file as it lies on the disk, read where somebody looks at it."""
    with path.open("rb") as file:
        shape, dtype = _header(file)
    bounds.refuse_size(shape, dtype.itemsize, path.stat().st_size)
    found: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _objects(pickled: bytes, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    content = unpickle(io.BytesIO(pickled), len(pickled), storage=storage_in)
    if dtype.names or not isinstance(content, np.ndarray) or content.shape != shape:
        raise ValueError(f"objects of shape {shape} that are none")
    return content


def _keys_npy(path: Path) -> tuple[str, ...] | None:
    """None for objects, which may be a dictionary."""
    with path.open("rb") as file:
        _, dtype = _header(file)
    return None if dtype.hasobject else ()


def _words(path: Path) -> list[str]:
    with path.open("rb") as file:
        _header(file)
        return words(file.read(BEGINNING))


def _stored_npy(path: Path) -> dict[str, Stored]:
    with path.open("rb") as file:
        layout = _layout(file)
    shape, _, dtype = layout
    return {} if dtype.hasobject else {"": Stored(shape, dtype.itemsize, _stays(*layout))}


def _stored_npz(path: Path) -> dict[str, Stored]:
    found = {}
    with zipfile.ZipFile(path) as archive:
        for key in _members(archive):
            with archive.open(f"{key}.npy") as file:
                layout = _layout(file)
            plain = archive.getinfo(f"{key}.npy").compress_type == zipfile.ZIP_STORED
            found[key] = Stored(layout[0], layout[2].itemsize, plain and _stays(*layout))
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
                    layout, start = _layout(file), file.tell()
                if info.compress_type == zipfile.ZIP_STORED and _stays(*layout):
                    entries[key] = _member(path, info, layout[0], layout[2], start)
                    continue
                with archive.open(info) as file:
                    entries[key] = load_array(file, info.file_size)
    return entries


def _member(path: Path, info: zipfile.ZipInfo, shape: tuple[int, ...], dtype: np.dtype, start: int) -> np.ndarray:
    """An array of an archive as it lies on the disk, if its checksum is right; ``start``: behind its header."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(LOCAL)
        name, extra = struct.unpack_from("<HH", head, LOCAL - 4)
    first = info.header_offset + LOCAL + name + extra
    bounds.refuse_size(shape, dtype.itemsize, min(info.file_size, path.stat().st_size - first) - start)
    whole = np.memmap(path, np.uint8, mode="r", offset=first, shape=(info.file_size,))
    found = 0
    for part in temporary.blocks((info.file_size // LOOK + 1, LOOK), "read"):
        found = zlib.crc32(whole[part.start * LOOK : part.stop * LOOK].data, found)
    if found != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for {info.filename!r}")
    values = np.memmap(path, dtype, mode="r", offset=first + start, shape=shape)
    return np.asarray(values)


def _members(archive: zipfile.ZipFile) -> tuple[str, ...]:
    members = archive.namelist()
    if len(set(members)) != len(members) or any(not name.endswith(".npy") for name in members):
        raise Unknown(f"an archive of {len(members)} members that are no NumPy arrays, each once; unpack it")
    return tuple(name.removesuffix(".npy") for name in members)


def _keys(path: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(path) as archive:
        return _members(archive)


NPY = Reader(
    "NumPy array",
    _load_npy,
    (".npy",),
    recognises=lambda path, head: head.startswith(MAGIC),
    keys=_keys_npy,
    words=_words,
    stored=_stored_npy,
    copies=0,
)
NPZ = Reader(
    "NumPy archive",
    _load_npz,
    (".npz",),
    recognises=lambda path, head: head.startswith(b"PK\x03\x04"),
    keys=_keys,
    stored=_stored_npz,
    copies=0,
    strict=True,
)
