"""Groups of arrays that all tasks map: what one stage has found in parts, put together for the next.

A group is a folder of ``.npy`` files and a JSON, written last, with a checksum of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ensemble.neighbours import files
from ensemble.neighbours.files import Damaged, Maps
from postproc.base import runtime

SEAL = "group.json"


def arrays(maps: Maps, folder: Path, name: str) -> dict[str, np.ndarray]:
    """The arrays of a group, mapped. Raises Damaged."""
    return {each: maps.array(folder / name / f"{each}.npy") for each in _checks(folder / name)}


def problem(folder: Path, name: str, key: str) -> str | None:
    """What is wrong with a group in a sentence, "" where it is just not there; None: it is whole.

    Reads all of it.
    """
    place = folder / name
    if not (place / SEAL).exists():
        return ""
    try:
        said = _said(place)
        if said["key"] != key:
            return f"{place}: wanted what tasks have written, found work of another plan"
        for each, check in said["checks"].items():
            path = place / f"{each}.npy"
            if files.digest(Maps().array(path)) != check:
                return f"{path}: wanted what was written there, found a damaged file"
    except FileNotFoundError as error:
        return f"{error.filename}: wanted what was written there, found no file"
    except Damaged as error:
        return str(error)
    return None


def drop(folder: Path, name: str) -> None:
    """Let a group be made again."""
    (folder / name / SEAL).unlink(missing_ok=True)


def seal(folder: Path, name: str, key: str, found: Mapping[str, np.ndarray]) -> None:
    """Write arrays as a group. Raises OSError."""
    for each, array in found.items():
        with files.beside(folder / name / f"{each}.npy") as file:
            np.save(file, array, allow_pickle=False)
    _seal(folder, name, key, {each: files.digest(array) for each, array in found.items()})


def join(folder: Path, name: str, key: str, parts: Mapping[tuple[str, ...], Sequence[Path]]) -> None:
    """Make a group of what tasks have written: the arrays so named, of these files one after the other.

    ``sizes`` become offsets. Raises Damaged, OSError. Memory: one file.
    """
    checks: dict[str, int] = {}
    with runtime.counted("putting together", sum(map(len, parts.values()))) as step_on:
        for names, paths in parts.items():
            checks |= _joined(folder / name, key, paths, names, step_on)
    _seal(folder, name, key, checks)


def _joined(
    place: Path, key: str, parts: Sequence[Path], wanted: Sequence[str], step_on: Callable[[], None]
) -> dict[str, int]:
    """Some arrays of a group, with their checksums."""
    totals = [0] * len(wanted)
    for path in parts:
        lengths = files.lengths(path, key, *wanted)
        totals = [total + length for total, length in zip(totals, lengths, strict=True)]
    room: dict[str, np.memmap] = {}
    ends = dict.fromkeys(wanted, 0)
    offset = 0
    for path in parts:
        for each, total, array in zip(wanted, totals, files.read(path, key, *wanted), strict=True):
            if each not in room:
                first = each == "sizes"
                file = place / f"{'offsets' if first else each}.npy"
                room[each] = files.room(file, array.dtype, (total + first, *array.shape[1:]))
                if first:
                    room[each][0] = 0
            begin, end = ends[each], ends[each] + len(array)
            if each == "sizes":
                np.cumsum(array, out=room[each][begin + 1 : end + 1])
                room[each][begin + 1 : end + 1] += offset
                offset = int(room[each][end])
            else:
                room[each][begin:end] = array
            ends[each] = end
        step_on()
    for array in room.values():
        array.flush()
    return {("offsets" if each == "sizes" else each): files.digest(array) for each, array in room.items()}


def _seal(folder: Path, name: str, key: str, checks: Mapping[str, int]) -> None:
    with files.beside(folder / name / SEAL) as file:
        file.write(json.dumps({"key": key, "checks": dict(checks)}).encode())


def _said(place: Path) -> dict[str, dict[str, int]]:
    try:
        said: dict[str, dict[str, int]] = json.loads((place / SEAL).read_text("utf-8"))
        said["checks"].items(), said["key"]
    except FileNotFoundError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Damaged(place / SEAL, "a damaged file") from None
    return said


def _checks(place: Path) -> Iterator[str]:
    yield from _said(place)["checks"]
