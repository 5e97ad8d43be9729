"""Files of arrays that are whole or not there, and that say so when they are damaged or of another plan."""

import os
import uuid
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

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


def digest(array: np.ndarray) -> int:
    """A checksum of all bytes."""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return zlib.crc32(flat.data) if flat.size else 0
