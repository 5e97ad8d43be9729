"""What one process does, from the files of the work folder to another file there.

A process does one task at a time, whatever the number of threads that its engine gives it: the threads are those of
the task. So it holds two blocks of features and two lists, and no more.
"""

import os
import resource
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import postproc
from ensemble.neighbours import files, plan
from ensemble.neighbours.plan import Part, Plan
from postproc.pairs import parted
from postproc.pairs.parted import Cut, Known, KnownTiles, Pieces
from postproc.pairs.tiles import Lists

_one_at_a_time = threading.Lock()
PARTS_OF_LISTS = ("rows", "values", "largest")


@dataclass(frozen=True)
class Done:
    """A task: what it was about, its seconds, the most bytes that its process has held, and who did it.

    ``damaged``: files that it could not use, each in a sentence; then it has written nothing.
    """

    number: tuple[int, ...]
    seconds: float
    peak: int
    process: int
    damaged: tuple[str, ...] = ()


def pair_file(folder: Path, i: int, j: int) -> Path:
    """What the task (i, j) writes."""
    return folder / "pairs" / f"{i:05}-{j:05}.npz"


def list_file(folder: Path, i: int) -> Path:
    """The lists of part i."""
    return folder / "lists" / f"{i:05}.npz"


def pair(folder: str, key: str, i: int, j: int, threads: int | None = None) -> Done:
    """The k nearest of part i among part j, and of j among i, into a file of their own."""
    with _one_at_a_time, postproc.using(threads=threads):
        started = time.perf_counter()
        where = Path(folder)
        made = _plan(where, key)
        numbers = (i,) if i == j else (i, j)
        parts = [plan.part_of(where, made, number) for number in numbers]
        tiles = _tiles(where, made, parts)
        counts = [len(part.blocks) for part in parts]
        second = range(counts[0]) if i == j else range(counts[0], sum(counts))
        found = parted.of_pair(tiles, range(counts[0]), second, made.k)
        del tiles
        arrays = {}
        for number, lists in zip(numbers, found, strict=False):
            arrays |= {f"{name}-{number}": getattr(lists, name) for name in PARTS_OF_LISTS}
        files.write(pair_file(where, i, j), key, arrays)
        return _done((i, j), started)


def merge(folder: str, key: str, i: int, threads: int | None = None) -> Done:
    """The lists of part i among all, from the pairs that it stands in."""
    with _one_at_a_time, postproc.using(threads=threads):
        started = time.perf_counter()
        where = Path(folder)
        made = _plan(where, key)
        whole: Lists | None = None
        damaged = []
        for j in range(len(made.parts)):
            try:
                path = pair_file(where, min(i, j), max(i, j))
                found = Lists(*files.read(path, key, *(f"{name}-{i}" for name in PARTS_OF_LISTS)))
            except files.Damaged as error:
                damaged.append(str(error))
                continue
            if not damaged:
                whole = found if whole is None else parted.joined(whole, found, made.k)
        if damaged or whole is None:
            return _done((i,), started, damaged)
        files.write(list_file(where, i), key, {name: getattr(whole, name) for name in PARTS_OF_LISTS})
        return _done((i,), started)


def _plan(folder: Path, key: str) -> Plan:
    """The plan that the task was given out for. Raises ValueError where the folder is another process's by now."""
    made = plan.read(folder)
    if made.key != key:
        raise files.Damaged(f"{folder / plan.NAME}: wanted the plan that this run began with, found another")
    return made


def _tiles(folder: Path, made: Plan, parts: Sequence[Part]) -> KnownTiles:
    """The tiles of one or two parts, with their rows in memory, blocks numbered one part after the other."""
    pieces = []
    for part in parts:
        start = part.start
        for stop in part.blocks.tolist():
            pieces.append(slice(start, stop))
            start = stop
    none = np.empty(0, np.int32)
    layout = Cut(*made.sizes, none, none, one_set=made.one_set, pieces=tuple(pieces))
    rows = [(part.start, _rows(folder, made, part)) for part in parts]
    norms = [(part.start, part.norms) for part in parts]
    known = Known(layout, part.norms, part.centre, made.near)
    return KnownTiles(known, Pieces(rows), Pieces(norms), made.width)


def _rows(folder: Path, made: Plan, part: Part) -> np.ndarray:
    """The features of a part's classes, read into memory: what is mapped would stay after the task."""
    images = np.arange(part.start, part.start + len(part.norms)) if part.first is None else part.first
    sides = plan.sides_of(folder, made)
    kind = np.float16 if made.bytes_each == 2 else np.float32
    out = np.empty((len(images), made.width), kind)
    start = 0
    for side in sides:
        here = slice(*np.searchsorted(images, (start, start + len(side))).tolist())
        wanted = images[here] - start
        if len(wanted) and wanted[-1] - wanted[0] + 1 == len(wanted):
            out[here] = side[wanted[0] : wanted[-1] + 1]
        else:
            out[here] = side[wanted]
        start += len(side)
    return out


def _done(number: tuple[int, ...], started: float, damaged: Sequence[str] = ()) -> Done:
    return Done(number, time.perf_counter() - started, peak(), os.getpid(), tuple(damaged))


def peak() -> int:
    """The most bytes that this process has held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
