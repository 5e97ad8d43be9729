"""HDF5, as h5py and others write it, and MATLAB's version 7.3, which is HDF5 with columns first.

Only what MATLAB wrote is turned round: its arrays carry ``MATLAB_class``, its files begin with its name. Groups
become dictionaries, texts lists.
"""

from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.io import bounds
from ensemble.io.matlab5 import Unread
from ensemble.io.readers.reader import Reader, Stored, Wanted

SIGNATURE, MATLAB = b"\x89HDF\r\n\x1a\n", b"MATLAB 7.3"
DEEP = 8  # groups in groups
NODE = 256  # bytes that an entry takes in a file, at least; links may go round in circles


def load(path: Path, wanted: Wanted) -> dict[str, Any]:
    """The arrays and texts of the file, in dictionaries as they are in groups."""
    import h5py

    with path.open("rb") as raw:
        of_matlab = raw.read(len(MATLAB)) == MATLAB
    budget = bounds.Budget(path.stat().st_size)
    with h5py.File(path, "r") as file:
        return _group(path, file, wanted, budget, of_matlab, "")


def keys(path: Path) -> tuple[str, ...]:
    """The names at the top of the file, and those one group below as ``group/name``."""
    import h5py

    found = []
    with h5py.File(path, "r") as file:
        for name in _hard_links(file):
            item = file[name]
            found += [f"{name}/{inner}" for inner in _hard_links(item)] if isinstance(item, h5py.Group) else [name]
    return tuple(found)


def stored(path: Path) -> dict[str, Stored]:
    """The arrays of the names that :func:`keys` gives."""
    import h5py

    with path.open("rb") as raw:
        of_matlab = raw.read(len(MATLAB)) == MATLAB
    found = {}
    names = keys(path)
    with h5py.File(path, "r") as file:
        for name in names:
            item = file[name]
            if isinstance(item, h5py.Dataset) and item.shape is not None:
                turned = of_matlab or "MATLAB_class" in item.attrs
                found[name] = Stored(item.shape[::-1] if turned else item.shape, item.dtype.itemsize)
    return found


def _group(
    path: Path, group: Any, wanted: Wanted, budget: bounds.Budget, of_matlab: bool, before: str
) -> dict[str, Any]:
    import h5py

    if "pandas_type" in group.attrs:
        raise InputError(
            [
                f"{path}: wanted arrays, found a table that pandas stored (to_hdf); write it as Parquet: "
                f"pandas.read_hdf({path.name!r}).to_parquet({path.stem + '.parquet'!r})"
            ]
        )
    entries: dict[str, Any] = {}
    for key in _hard_links(group):
        name = f"{before}{key}"
        if not wanted(name) and not before:
            continue
        budget.spend(NODE, name)
        item = group[key]
        if isinstance(item, h5py.Dataset):
            entries[key] = _values(item, name, budget, of_matlab)
        elif isinstance(item, h5py.Group) and not of_matlab and name.count("/") < DEEP:
            entries[key] = _group(path, item, wanted, budget, of_matlab, f"{name}/")
    return entries


def _values(item: Any, name: str, budget: bounds.Budget, of_matlab: bool) -> Any:
    import h5py

    empty = item.attrs.get("MATLAB_empty", 0)
    if item.shape is None or empty or item.external or item.is_virtual:
        return Unread(item.shape or (), "empty" if empty else str(item.dtype))
    if h5py.check_string_dtype(item.dtype) is not None and item.dtype.kind == "O" and item.ndim == 1:
        return _texts(item, name, budget)
    if item.dtype.kind not in "biufcS":
        return Unread(item.shape, str(item.dtype))
    budget.spend(item.nbytes, name)
    bounds.refuse_size(item.shape, item.dtype.itemsize, item.nbytes)
    values = np.asarray(item[()])
    return values.T if of_matlab or "MATLAB_class" in item.attrs else values


def _texts(item: Any, name: str, budget: bounds.Budget) -> list[bytes]:
    """Texts of any length. Many may be the same one of the file, so that only a few are fetched unseen."""
    bounds.refuse_size(item.shape, 16, budget.most)
    few = max(1, min(4096, bounds.FREE // max(1, item.file.id.get_filesize())))
    found: list[bytes] = []
    for start in range(0, len(item), few):
        texts = item[start : start + few].tolist()
        budget.spend(sum(map(len, texts)), name)
        found += texts
    return found


def _hard_links(group: Any) -> list[str]:
    """Names that lead to data inside this file; links to other files are not followed."""
    import h5py

    links = ((name, group.get(name, getlink=True)) for name in group)
    return [name for name, link in links if isinstance(link, h5py.HardLink) and not name.startswith("#")]


def _is_hdf5(path: Path, head: bytes) -> bool:
    """Whether HDF5 begins here, or behind a block of somebody's own."""
    if head.startswith(SIGNATURE):
        return True
    size = path.stat().st_size
    with path.open("rb") as file:
        for place in (512, 1024, 2048, 4096):
            file.seek(place)
            if place < size and file.read(len(SIGNATURE)) == SIGNATURE:
                return True
    return False


HDF5 = Reader("HDF5", load, (".h5", ".hdf5", ".hdf"), recognises=_is_hdf5, keys=keys, stored=stored)
