"""MATLAB's files: version 5 by our own code (:mod:`ensemble.io.matlab5`), version 7.3, which is HDF5, by h5py."""

from pathlib import Path
from typing import Any

from ensemble.io import bounds, matlab5
from ensemble.io.matlab5 import Unread
from ensemble.io.readers.reader import Reader, Stored, Wanted

SUFFIXES = (".mat", ".msat")


def _load_5(path: Path, wanted: Wanted) -> dict[str, Any]:
    return matlab5.load(path.read_bytes(), wanted)


def _keys_5(path: Path) -> tuple[str, ...]:
    return matlab5.keys(path.read_bytes())


def _load_73(path: Path, wanted: Wanted) -> dict[str, Any]:
    """The arrays at the top of the file, turned round: MATLAB stores columns first, HDF5 rows first."""
    import h5py

    entries: dict[str, Any] = {}
    budget = bounds.Budget(path.stat().st_size)
    with h5py.File(path, "r") as file:
        for key in _hard_links(file):
            item = file[key]
            if not wanted(key) or not isinstance(item, h5py.Dataset):
                continue
            empty = item.attrs.get("MATLAB_empty", 0)
            if item.dtype.kind not in "biufc" or item.shape is None or empty or item.external or item.is_virtual:
                entries[key] = Unread(item.shape or (), "empty" if empty else str(item.dtype))
                continue
            budget.spend(item.nbytes, key)
            bounds.refuse_size(item.shape, item.dtype.itemsize, item.nbytes)
            entries[key] = item[()].T
    return entries


def _keys_73(path: Path) -> tuple[str, ...]:
    import h5py

    with h5py.File(path, "r") as file:
        return tuple(_hard_links(file))


def _stored_73(path: Path) -> dict[str, Stored]:
    import h5py

    with h5py.File(path, "r") as file:
        items = {key: file[key] for key in _hard_links(file)}
        return {
            key: Stored((item.shape or ())[::-1], item.dtype.itemsize)
            for key, item in items.items()
            if isinstance(item, h5py.Dataset)
        }


def _hard_links(file: Any) -> list[str]:
    """Names that lead to data inside this file; links to other files are not followed."""
    import h5py

    links = ((name, file.get(name, getlink=True)) for name in file)
    return [name for name, link in links if isinstance(link, h5py.HardLink) and not name.startswith("#")]


MATLAB5 = Reader(
    "MATLAB 5",
    _load_5,
    SUFFIXES,
    recognises=lambda path, head: head.startswith(b"MATLAB 5.0"),
    keys=_keys_5,
    holds="model",
)
MATLAB73 = Reader(
    "MATLAB 7.3",
    _load_73,
    SUFFIXES,
    recognises=lambda path, head: head.startswith((b"MATLAB 7.3", b"\x89HDF")),
    keys=_keys_73,
    stored=_stored_73,
    holds="model",
)
