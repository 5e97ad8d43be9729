"""Files of ``torch.save``, read without torch: a pickle for the structure, raw storages for the numbers.

Two layouts. Since torch 1.6 a zip archive: ``NAME/data.pkl``, one member ``NAME/data/KEY`` a storage,
``NAME/byteorder``. Before, one stream: four pickles (magic number, protocol, system, data), a list of storage
keys, and for each key its length and its bytes.
"""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from ensemble.io.allowed import Refused, Storage, StorageType
from ensemble.io.readers.pickles import BEGINNING, words
from ensemble.io.readers.reader import HEAD, Reader, mapped
from ensemble.io.unpickle import Source, unpickle

SUFFIXES = (".pt", ".pth", ".pkl", ".pickle")
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickle of torch's magic number


def data_member(archive: zipfile.ZipFile) -> str | None:
    """The name of the pickle inside a torch archive; ``None`` when it is another kind of archive."""
    found = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    return found[0] if found else None


def load_zip(path: Path) -> object:
    """What ``torch.save`` wrote into an archive, tensors as NumPy arrays (bfloat16 as float32)."""
    with zipfile.ZipFile(path) as archive:
        member = data_member(archive)
        if member is None:
            raise ValueError("an archive without data.pkl")
        folder = member.removesuffix("data.pkl")
        left = path.stat().st_size  # members may overlap, but not more than the file holds is handed out

        def read(name: str) -> bytes:
            nonlocal left
            info = archive.getinfo(folder + name)
            left -= info.file_size
            if info.compress_type != zipfile.ZIP_STORED or left < 0:
                raise Refused("an archive that unpacks to more than it holds")
            return archive.read(info)

        order = ">" if f"{folder}byteorder" in archive.namelist() and read("byteorder") == b"big" else "<"
        storages: dict[str, Storage] = {}

        def persistent(pid: object) -> Storage:
            kind, key, length = _storage_id(pid)
            if key not in storages:
                raw = read(f"data/{key}")
                if len(raw) != length * kind.itemsize:
                    raise Refused(f"a torch storage of {length} values in {len(raw)} bytes")
                storages[key] = Storage(kind.values(raw, order))
            return storages[key]

        pickled = read("data.pkl")
        return unpickle(io.BytesIO(pickled), len(pickled), persistent)


def load_legacy(source: Source, size: int) -> object:
    """The same for the stream layout. The storages come last, so the data is unpickled a second time with them."""
    unpickle(source, size), unpickle(source, size)
    system = unpickle(source, size)
    order = ">" if isinstance(system, dict) and system.get("little_endian") is False else "<"
    start = source.tell()
    declared: dict[str, tuple[StorageType, int]] = {}
    left = size

    def declare(pid: object) -> Storage:
        nonlocal left
        kind, key, length = _storage_id(pid)
        if declared.setdefault(key, (kind, length)) != (kind, length):
            raise Refused("a torch storage that is described twice")
        left -= length * kind.itemsize
        if left < 0:
            raise EOFError("torch storages that are larger than the file")
        return Storage(kind.values(bytes(length * kind.itemsize), order))

    result = unpickle(source, size, declare)
    keys = unpickle(source, size)
    if not declared:
        return result
    storages = _read_storages(source, keys, declared, order)
    source.seek(start)
    return unpickle(source, size, _known(storages))


def _read_storages(
    source: Source, keys: object, declared: dict[str, tuple[StorageType, int]], order: str
) -> dict[str, Storage]:
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != set(declared):
        raise Refused("torch storages that do not match their list")
    storages = {}
    for key in keys:
        kind, length = declared[key]
        stored = int.from_bytes(source.read(8), "little" if order == "<" else "big")
        raw = source.read(length * kind.itemsize)
        if stored != length or len(raw) != length * kind.itemsize:
            raise EOFError("a torch storage ends early")
        storages[key] = Storage(kind.values(raw, order))
    return storages


def _known(storages: dict[str, Storage]) -> Callable[[object], Storage]:
    return lambda pid: storages[_storage_id(pid)[1]]


def _storage_id(pid: object) -> tuple[StorageType, str, int]:
    """``("storage", type, key, device, length[, None])``, checked."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or any(pid[5:]):
        raise Refused("a torch object that is not a tensor")
    kind, key, length = pid[1], pid[2], pid[4]
    if not isinstance(kind, StorageType) or not isinstance(key, str) or type(length) is not int or length < 0:
        raise Refused("a torch storage in an unknown form")
    return kind, key, length


def _is_archive(path: Path, head: bytes) -> bool:
    if not head.startswith(b"PK\x03\x04"):
        return False
    with zipfile.ZipFile(path) as archive:
        return data_member(archive) is not None


def _words_zip(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive, archive.open(data_member(archive) or "data.pkl") as file:
        return words(file.read(BEGINNING))


def _words_legacy(path: Path) -> list[str]:
    with path.open("rb") as file:
        return words(file.read(BEGINNING))


TORCH_ZIP = Reader(
    "torch archive",
    lambda path, wanted: load_zip(path),
    SUFFIXES,
    recognises=_is_archive,
    words=_words_zip,
    raw=True,
    copies=0,
)
TORCH_LEGACY = Reader(
    "torch stream",
    lambda path, wanted: mapped(path, load_legacy),
    SUFFIXES,
    recognises=lambda path, head: head.startswith(LEGACY_MAGIC[:HEAD]),
    words=_words_legacy,
    raw=True,
)
