"""What one process does, from the files of the work folder to another file there.

A process does one task at a time, whatever the number of threads that its engine gives it: the threads are those
of the task. So it holds two blocks of features and two lists, and no more.
"""

import functools
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import postproc
from ensemble.neighbours import approximate, files, images, plan, shards
from ensemble.neighbours.images import Part
from ensemble.neighbours.plan import Plan
from postproc.base import runtime
from postproc.pairs import parted
from postproc.pairs.stored import Cut, Known, KnownTiles, Pieces
from postproc.pairs.tiles import Lists

_one_at_a_time = threading.Lock()
PARTS_OF_LISTS = ("rows", "values", "largest")


@dataclass(frozen=True)
class Done:
    """A task: what it was about, its seconds, the most bytes that its process has held, and who did it.

    ``damaged``: files that it could not use, each with a sentence; then it has written nothing.
    """

    number: tuple[int, ...]
    seconds: float
    peak: int
    process: int
    damaged: tuple[tuple[str, str], ...] = ()


def pair_file(folder: Path, i: int, j: int) -> Path:
    """What the task (i, j) writes."""
    return folder / "pairs" / f"{i:05}-{j:05}.npz"


def list_file(folder: Path, i: int) -> Path:
    """The lists of part i."""
    return folder / "lists" / f"{i:05}.npz"


def sample_file(folder: Path, i: int) -> Path:
    """The exact neighbours of a sample among part i."""
    return folder / approximate.SAMPLES / f"{i:05}.npz"


def task_of(
    read: Callable[[Path], Any],
) -> Callable[[Callable[..., list[files.Damaged] | None]], Callable[..., Done]]:
    """Tasks ``(folder, key, *number)`` of functions of the folder, its plan (that is ``read``), the number."""

    def task(work: Callable[..., list[files.Damaged] | None]) -> Callable[..., Done]:
        @functools.wraps(work)
        def run(folder: str, key: str, *number: int, threads: int | None = None) -> Done:
            with _one_at_a_time, postproc.using(threads=threads, progress=False):
                started = time.perf_counter()
                where = Path(folder)
                try:
                    made = read(where)
                    if made.key != key:
                        raise files.Damaged(where / plan.NAME, "the plan of another run")
                    damaged = work(where, made, *number) or []
                except files.Damaged as error:
                    damaged = [error]
                seconds = time.perf_counter() - started
                said = tuple((str(one.path), str(one)) for one in damaged)
                return Done(number, seconds, peak(), os.getpid(), said)

        return run

    return task


_task = task_of(plan.read)


@_task
def pair(folder: Path, made: Plan, i: int, j: int) -> None:
    """The k nearest of part i among part j, and of j among i, into a file of their own.

    By whole numbers: of either among both.
    """
    numbers = (i,) if i == j else (i, j)
    parts = [images.part_of(folder, made, number) for number in numbers]
    if made.whole:
        rows = [(part.start, images.rows_of(folder, made, part).astype(np.float32, copy=False)) for part in parts]
        _write_pair(folder, made, numbers, parted.of_both(rows, made.k))
        return
    tiles = _tiles(folder, made, parts)
    counts = [len(part.blocks) for part in parts]
    second = range(counts[0]) if i == j else range(counts[0], sum(counts))
    found = parted.of_pair(tiles, range(counts[0]), second, made.k)
    del tiles
    _write_pair(folder, made, numbers, found)


@_task
def merge(folder: Path, made: Plan, i: int) -> list[files.Damaged]:
    """The lists of part i among all, from the pairs that it stands in; or which of those are damaged."""
    whole, damaged = _of_pairs(folder, made, i, made.k)
    if whole is not None:
        files.write(list_file(folder, i), made.key, _arrays(whole))
    return damaged


@_task
def settle(folder: Path, made: Plan, i: int) -> list[files.Damaged]:
    """As :func:`merge`, of candidates, which get their exact distances."""
    whole, damaged = _of_pairs(folder, made, i, made.longer)
    if whole is not None:
        files.write(list_file(folder, i), made.key, _arrays(shards.settled(folder, made, i, whole)))
    return damaged


def _of_pairs(folder: Path, made: Plan, i: int, k: int) -> tuple[Lists | None, list[files.Damaged]]:
    """The ``k`` nearest of part i in all pairs that it stands in; none where any of them is damaged."""
    whole: Lists | None = None
    damaged: list[files.Damaged] = []
    for numbers in made.pairs:
        if i not in numbers:
            continue
        try:
            path = pair_file(folder, *numbers)
            found = Lists(*files.read(path, made.key, *(f"{name}-{i}" for name in PARTS_OF_LISTS)))
        except files.Damaged as error:
            damaged.append(error)
            continue
        if not damaged:
            whole = found if whole is None else parted.joined(whole, found, k)
    return None if damaged else whole, damaged


@_task
def sample(folder: Path, made: Plan, i: int) -> None:
    """The exact neighbours of the sample among part i."""
    files.write(sample_file(folder, i), made.key, _arrays(approximate.sample(folder, made, i)))


@_task
def shard(folder: Path, made: Plan, i: int, looks: int) -> None:
    """The index of part i."""
    shards.shard(folder, made, i, looks, runtime.current().threads)


@_task
def near_pair(folder: Path, made: Plan, i: int, j: int) -> None:
    """As :func:`pair`, of what the shards find."""
    threads = runtime.current().threads
    numbers = (i,) if i == j else (i, j)
    others = (j,) if i == j else (j, i)
    found = [
        shards.near(folder, made, ours, theirs, threads) for ours, theirs in zip(numbers, others, strict=True)
    ]
    _write_pair(folder, made, numbers, found)


def _write_pair(folder: Path, made: Plan, numbers: Sequence[int], found: Sequence[Lists]) -> None:
    arrays: dict[str, np.ndarray] = {}
    for number, lists in zip(numbers, found, strict=False):
        arrays |= {f"{name}-{number}": array for name, array in _arrays(lists).items()}
    files.write(pair_file(folder, numbers[0], numbers[-1]), made.key, arrays)


def _arrays(lists: Lists) -> dict[str, np.ndarray]:
    return {name: getattr(lists, name) for name in PARTS_OF_LISTS}


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
    rows = [(part.start, images.rows_of(folder, made, part)) for part in parts]
    norms = [(part.start, part.norms) for part in parts]
    known = Known(layout, part.norms, part.centre, made.near)
    return KnownTiles(known, Pieces(rows), Pieces(norms), made.width)


def peak() -> int:
    """The most bytes that this process has held.

    Of Linux what it says of this program: ``ru_maxrss`` begins with what the starting process held.
    """
    with suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
