"""The stream that ``torch.save`` wrote before torch 1.6, and in which tensors stand in a plain pickle to this day.

Four pickles (magic number, protocol, system, data), a list of storage keys, and for each key its length and its
bytes.
"""

import io
from collections.abc import Callable

from ensemble.io.allowed import Refused, Storage, StorageType
from ensemble.io.unpickle import Source, unpickle


def storage_in(raw: bytes) -> Storage:
    """The storage of a tensor that ``pickle.dump`` wrote: a stream of its own, in which no other may stand.

    Raises Refused for anything else than one storage.
    """
    found = load_stream(io.BytesIO(raw), len(raw))
    if not isinstance(found, Storage):
        raise Refused(f"a torch storage that is {type(found).__name__}")
    return found


def load_stream(source: Source, size: int) -> object:
    """What a stream holds, tensors as NumPy arrays.

    The storages come last, so the data is unpickled a second time with them.
    """
    unpickle(source, size), unpickle(source, size)
    system = unpickle(source, size)
    order = ">" if isinstance(system, dict) and system.get("little_endian") is False else "<"
    start = source.tell()
    declared: dict[str, tuple[StorageType, int]] = {}
    left = size

    def declare(pid: object) -> Storage:
        nonlocal left
        kind, key, length = storage_id(pid)
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
    return lambda pid: storages[storage_id(pid)[1]]


def storage_id(pid: object) -> tuple[StorageType, str, int]:
    """``("storage", type, key, device, length[, None])``, checked."""
    if not isinstance(pid, tuple) or len(pid) not in (5, 6) or pid[0] != "storage" or any(pid[5:]):
        raise Refused("a torch object that is not a tensor")
    kind, key, length = pid[1], pid[2], pid[4]
    if not isinstance(kind, StorageType) or not isinstance(key, str) or type(length) is not int or length < 0:
        raise Refused("a torch storage in an unknown form")
    return kind, key, length
