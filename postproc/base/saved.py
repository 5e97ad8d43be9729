"""Values in folders: arrays as ``.npy`` that can be memory-mapped, and a JSON that says what they are.

The JSON comes last and at once. Whoever is killed while a value is written leaves the old one whole, and whoever
reads meanwhile keeps it: newer arrays have names of their own, ``rows-2.npy``.
"""

import json
import os
import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from postproc.base import arrays

FORMAT = 1
DESCRIPTION = "{}.json"


def save(folder: Path, kind: str, parts: Mapping[str, Any], said: Mapping[str, Any]) -> None:
    """Write ``parts`` as NAME.npy and what is ``said`` of them as KIND.json.

    Raises OSError where the disk refuses, FileExistsError where the folder holds something else.
    """
    path = folder / DESCRIPTION.format(kind)
    if path.exists():
        number = _number(path) + 1
        place, ending = folder, f"-{number}"
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder}: wanted a new folder or one with {kind}, found something else there")
    else:
        number, ending = 1, ""
        place = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        place.mkdir(parents=True)
    written: list[Path] = []
    try:
        heads = {}
        for name, array in parts.items():
            array = np.ascontiguousarray(arrays.host(array))
            written.append(place / f"{name}{ending}.npy")
            np.save(written[-1], array, allow_pickle=False)
            heads[name] = {"file": written[-1].name, **_head(array)}
        text = {"format": FORMAT, "kind": kind, "number": number, **said, "arrays": heads}
        written.append(place / f"{path.name}.part")
        written[-1].write_text(json.dumps(text, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        written[-1].replace(place / path.name)
        if place != folder:
            place.rename(folder)
    except BaseException:
        for part in written:
            part.unlink(missing_ok=True)
        if place != folder:
            shutil.rmtree(place, ignore_errors=True)
        raise
    for old in folder.glob("*.npy"):
        if old.name not in {head["file"] for head in heads.values()}:
            old.unlink()


def load(
    folder: Path, kind: str, names: Sequence[str], *, in_memory: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays, memory-mapped unless ``in_memory``, and what is said of them.

    Raises FileNotFoundError where there is none, ValueError for another kind, another format or a damaged file.
    """
    path = folder / DESCRIPTION.format(kind)
    if not path.exists():
        raise FileNotFoundError(f"{folder}: wanted a folder with {path.name}, found none")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        heads = said.pop("arrays")
        found = said.pop("kind"), said.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError):
        raise ValueError(f"{path}: wanted what was saved as {kind}, found another or a damaged file") from None
    if found != (kind, FORMAT):
        raise ValueError(f"{path}: wanted {kind} of format {FORMAT}, found {found[0]} of format {found[1]}")
    if missing := [name for name in names if name not in heads]:
        raise ValueError(f"{path}: wanted {', '.join(names)}, found nothing of {', '.join(missing)}")
    parts = {name: _array(folder, heads[name], in_memory) for name in names}
    return parts, said


def _array(folder: Path, head: Mapping[str, Any], in_memory: bool) -> np.ndarray:
    path = folder / Path(head["file"]).name
    try:
        array: np.ndarray = np.load(path, mmap_mode=None if in_memory else "r", allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"{path}: wanted the array that belongs to the others here, found none") from None
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: wanted a whole .npy file, found a damaged one ({error})") from None
    if any(head[name] != value for name, value in _head(array).items()):
        raise ValueError(f"{path}: wanted the array that belongs to the others here, found a damaged one")
    return array


def _head(array: np.ndarray) -> dict[str, Any]:
    """What tells an array from others."""
    return {"shape": list(array.shape), "dtype": array.dtype.str, "check": _check(array)}


def _check(array: np.ndarray) -> int:
    """A number that changes when bytes do: of all of a short array, of a thousand stretches of a long one.

    Not all of it, because a folder is opened in the time of a query, whatever its size.
    """
    flat = array.reshape(-1).view(np.uint8) if array.size else np.empty(0, np.uint8)
    if flat.size <= 1 << 22:
        return zlib.crc32(np.ascontiguousarray(flat).data)
    found = 0
    for start in np.linspace(0, flat.size - 4096, 1000).astype(np.int64):
        found = zlib.crc32(np.ascontiguousarray(flat[start : start + 4096]).data, found)
    return found


def _number(path: Path) -> int:
    """Which writing of a value is there; 0 where that cannot be read any more."""
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["number"])
    except (ValueError, KeyError, TypeError):
        return 0
