"""What the work folder says of the images: who is a copy of whom, squared lengths, and where the features are.

copies.npz   who is a copy of whom
parts/       of each part its blocks, squared lengths, and what all features have in common
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ensemble.neighbours import files
from ensemble.neighbours.plan import Plan
from postproc.pairs import stored
from postproc.pairs.layout import Layout
from postproc.pairs.stored import Known

COPIES, PARTS = "copies.npz", "parts"


class HasSources(Protocol):
    """A plan that says where features are."""

    @property
    def sources(self) -> tuple[str, ...]: ...


@dataclass(frozen=True)
class Part:
    """What a task knows of a part: its classes, the ends of its blocks, squared lengths, the first image of each
    class (None: the class itself), and what all features have in common (None: little)."""

    start: int
    blocks: np.ndarray
    norms: np.ndarray
    first: np.ndarray | None
    centre: np.ndarray | None


def part_of(folder: Path, made: Plan, number: int) -> Part:
    """A part. Raises Damaged."""
    path = folder / PARTS / f"{number:05}.npz"
    blocks, norms, first, centre = files.read(path, made.key, "blocks", "norms", "first", "centre")
    return Part(
        made.classes(number).start, blocks, norms, first if len(first) else None, centre if len(centre) else None
    )


def layout_of(folder: Path, made: Plan) -> Layout:
    """Who is a copy of whom. Raises Damaged."""
    inverse, first = files.read(folder / COPIES, made.key, "inverse", "first")
    if not len(first):
        inverse = first = np.arange(made.parts[-1], dtype=np.int32)
    return Layout(*made.sizes, inverse, first, one_set=made.one_set)


def sides_of(folder: Path, made: Plan) -> list[np.ndarray]:
    """The features, mapped from their files."""
    return [np.load(folder / source, mmap_mode="r", allow_pickle=False) for source in made.sources]


def rows_of(folder: Path, made: Plan, part: Part | int, some: np.ndarray | None = None) -> np.ndarray:
    """The features of a part's classes, or of ``some`` of them, ascending: read into memory, as they are kept.

    Not mapped, because what is mapped would stay after the task, and a file that shrinks would end the process.
    """
    part = part_of(folder, made, part) if isinstance(part, int) else part
    images = np.arange(part.start, part.start + len(part.norms)) if part.first is None else part.first
    images = images if some is None else images[some]
    out = np.empty((len(images), made.width), np.float16 if made.bytes_each == 2 else np.float32)
    start = 0
    for side in sides_of(folder, made):
        here = slice(*np.searchsorted(images, (start, start + len(side))).tolist())
        wanted = images[here] - start
        if len(wanted) and wanted[-1] - wanted[0] + 1 == len(wanted):
            out[here] = side[wanted[0] : wanted[-1] + 1]
        else:
            out[here] = side[wanted]
        start += len(side)
    return out


def mend(folder: Path, made: Plan, sides: Sequence[np.ndarray], say: Callable[[str], None]) -> None:
    """Make again what is damaged of the plan's own files."""
    keep(folder, made, sides)
    damaged = _damaged(folder, made)
    if damaged:
        say(f"{damaged}; it is made again")
        write_known(folder, made, stored.known(sides))


def write_known(folder: Path, made: Plan, found: Known) -> None:
    """What :func:`part_of` and :func:`layout_of` read."""
    layout, none = found.layout, np.empty(0, np.int32)
    same = (
        {"inverse": none, "first": none} if layout.distinct else {"inverse": layout.inverse, "first": layout.first}
    )
    files.write(folder / COPIES, made.key, same)
    ends = np.array([block.stop for block in layout.blocks], np.int64)
    for number in range(len(made.parts)):
        classes = made.classes(number)
        parts = {
            "blocks": ends[(ends > classes.start) & (ends <= classes.stop)],
            "norms": found.norms[classes.start : classes.stop],
            "first": none if layout.distinct else layout.first[classes.start : classes.stop],
            "centre": np.empty(0, np.float32) if found.centre is None else found.centre,
        }
        files.write(folder / PARTS / f"{number:05}.npz", made.key, parts)


def _damaged(folder: Path, made: Plan) -> str:
    """The first file of :func:`write_known` that is damaged, in a sentence; "" where all are whole."""
    try:
        layout_of(folder, made)
        for number in range(len(made.parts)):
            part_of(folder, made, number)
    except files.Damaged as error:
        return str(error)
    return ""


def keep(folder: Path, made: HasSources, sides: Sequence[np.ndarray]) -> None:
    """Write features that no file has, unless the very same are there already."""
    for side, source in zip(sides, made.sources, strict=True):
        if Path(source).is_absolute():
            continue
        rows = side if side.dtype in (np.float16, np.float32) else side.astype(np.float32)
        if not _is_there(folder / source, rows):
            with files.beside(folder / source) as file:
                np.save(file, rows, allow_pickle=False)


def _is_there(path: Path, rows: np.ndarray) -> bool:
    try:
        there = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return False
    return there.shape == rows.shape and there.dtype == rows.dtype and files.digest(there) == files.digest(rows)
