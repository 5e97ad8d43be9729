"""Files of arrays that are whole or not there, and that say so when they are damaged or of another plan."""

import errno
import mmap
import os
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

KEY = "key"
BROKEN = (
    *(OSError, ValueError, KeyError, EOFError, TypeError, AttributeError),  # no archive, or not ours
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError),  # a header that lies
)


class Damaged(ValueError):
    """A file is not what was written, or belongs to another plan: it has to be made again."""

    def __init__(self, path: Path, found: str) -> None:
        self.path = path
        super().__init__(f"{path}: wanted what a task has written, found {found}")


def write(path: Path, key: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to ``path``, whole or not at all. ``key``: of the plan. Raises OSError."""
    with beside(path) as file:
        np.savez(file, **{KEY: np.array(key)}, **arrays)  # type: ignore[arg-type]


@contextmanager
def beside(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` when all is written; many processes may write one. Raises OSError.

    As :func:`ensemble.io.beside`, which every worker would import all readers for.
    """
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:  # which of many, although a full disk does not say
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path, key: str, *names: str) -> list[np.ndarray]:
    """Some of the arrays, in memory; the archive has a checksum of each. Raises Damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = str(archive[KEY])
            if found == key:
                return [archive[name] for name in names]
    except BROKEN as error:
        raise Damaged(path, f"a damaged file ({error})") from None
    raise Damaged(path, "a file of another plan")


def lengths(path: Path, key: str, *names: str) -> list[int]:
    """How long some of the arrays are, by what stands before them. Raises Damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_length(archive, name) for name in names]
    except BROKEN as error:
        raise Damaged(path, f"a damaged file ({error})") from None


def _length(archive: zipfile.ZipFile, name: str) -> int:
    with archive.open(f"{name}.npy") as file:
        np.lib.format.read_magic(file)
        shape, _, _ = np.lib.format.read_array_header_1_0(file)
        return int(shape[0])


def digest(array: np.ndarray) -> int:
    """A checksum of all bytes."""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return zlib.crc32(flat.data) if flat.size else 0


def room(path: Path, kind: Any, shape: tuple[int, ...]) -> np.memmap:
    """An array of a new ``.npy`` file, mapped, to be written to. Raises OSError where the disk has no room for it.

    The room is taken at once: who writes to a mapped file without any is ended by the system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            dtype = np.dtype(kind)
            head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, head)
            file.flush()
            size = file.tell() + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            _take_room(file.fileno(), size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None
    found: np.memmap = np.load(path, mmap_mode="r+", allow_pickle=False)
    return found


def _take_room(file: int, size: int) -> None:
    try:
        os.posix_fallocate(file, 0, size)
    except (AttributeError, OSError) as error:  # not of this system, or not of this storage
        if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            raise
        os.ftruncate(file, size)


class Maps:
    """Arrays of ``.npy`` files, mapped while a task looks at them here and there.

    :meth:`release` gives the pages back that a process has looked at, so that it does not grow by what it has
    seen; the system keeps them while it has room.
    """

    def __init__(self) -> None:
        self._open: list[mmap.mmap] = []

    def array(self, path: Path) -> np.ndarray:
        """The array. Raises FileNotFoundError, and Damaged where it is none."""
        with path.open("rb") as file:
            try:
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                count = int(np.prod(shape, dtype=np.int64))
                if not count:
                    return np.empty(shape, dtype)
                # pages of its own if it wrote, which nobody does: so kernels need no other code for it
                whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
                found = np.frombuffer(whole, dtype, count, file.tell()).reshape(shape)
            except ValueError as error:
                raise Damaged(path, f"a damaged file ({error})") from None
        self._open.append(whole)
        return found

    def release(self) -> None:
        """Let go of all pages that were looked at."""
        for whole in self._open:
            if hasattr(whole, "madvise"):
                whole.madvise(mmap.MADV_DONTNEED)
