"""The plan of a work folder: found once, read by every task.

plan.json     what the lists are of, how long, and which blocks of classes make a part
copies.npz    who is a copy of whom
parts/        of each part its blocks, squared lengths, and what all features have in common
query.npy, gallery.npy   the features, where no file has them as they are needed
pairs/, lists/           what tasks have finished
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.neighbours import files
from postproc.pairs import parted
from postproc.pairs.neighbours import of_unit_length
from postproc.pairs.pairwise import FeatureTerm, Pairwise
from postproc.pairs.parted import Known
from postproc.pairs.tiles import Layout, edge_of

FORMAT = 1
NAME, COPIES = "plan.json", "copies.npz"
BASE = 320 << 20  # bytes of a worker before it has any task: Python, NumPy, Numba, Dask
TILE = 24 << 20  # bytes of a tile and of its rows, for each thread
LONGEST = 1 << 41  # multiply-adds of a task: about a minute of a core; what is lost when a task is
SIDES, PARTS = ("query", "gallery"), "parts"


@dataclass(frozen=True)
class Plan:
    """What the lists are of, and how the work is cut.

    ``digest`` and ``sizes`` are those of the features (:attr:`postproc.NeighbourLists.digest`), ``width`` values
    each, ``bytes_each`` a value. ``k`` counts the image itself. ``parts`` are the classes at which parts end.
    ``sources`` are the files of the features, absolute or in the work folder. ``seed`` is that of an index, None:
    lists are exact; ``probes`` the cells of it that are looked through, None: as many as a sample wants.
    """

    digest: str
    sizes: tuple[int, int]
    one_set: bool
    width: int
    bytes_each: int
    k: int
    near: bool
    unit_length: bool
    sources: tuple[str, ...]
    parts: tuple[int, ...]
    seed: int | None = None
    probes: int | None = None
    format: int = FORMAT

    @property
    def key(self) -> str:
        """What tells files of this plan from those of others."""
        return hashlib.blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=12).hexdigest()

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of parts, each once, the smaller number first."""
        count = len(self.parts)
        return [(i, j) for i in range(count) for j in range(i, count)]

    def classes(self, part: int) -> range:
        """The classes of a part."""
        return range(self.parts[part - 1] if part else 0, self.parts[part])

    def text(self) -> str:
        """What the lists are of, in words."""
        nq, ng = self.sizes
        images = f"{ng} images" if self.one_set else f"{nq} queries and {ng} gallery images"
        index = "" if self.seed is None else f", approximate with seed {self.seed}"
        probes = "" if self.probes is None else f" and {self.probes} probes"
        return f"{images} x {self.width}, k = {self.k - 1}, features {self.digest[:8]}{index}{probes}"


def make(
    folder: Path,
    sides: Sequence[np.ndarray],
    *,
    k: int,
    budget: int,
    workers: int,
    threads: int,
    say: Callable[[str], None],
    seed: int | None = None,
    probes: int | None = None,
) -> Plan:
    """The plan of these features: the one that the folder has already, or a new one.

    sides:   (queries, gallery) or one set; float16 or float32, in memory or mapped from ``.npy`` files.
    k:       how long lists are, the image itself among them.
    budget:  bytes that a worker may hold.
    workers: how many there will be, so that each has some tasks.
    say:     hears of files that are damaged and made again.
    Raises InputError for a folder with the work of others, for a budget that is too small, for bad features.
    """
    pairs = Pairwise((FeatureTerm(sides[0], sides[-1]),), (len(sides[0]), len(sides[-1])), one_set=len(sides) == 1)
    digest, k = pairs.digest, min(k, pairs.count)
    if (folder / NAME).exists():
        plan = read(folder)
        wanted = replace(plan, digest=digest, k=k, seed=seed, probes=probes)
        if plan != wanted:
            raise InputError(
                [f"{folder}: wanted the unfinished lists of {wanted.text()}, found those of {plan.text()}; delete "
                 "that folder, or give another --out"]
            )  # fmt: skip
        _refuse_large(plan, budget, threads)
        mend(folder, plan, sides, say)
        return plan
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            [f"{folder}: wanted a new folder or one with {NAME}, found something else in it; move that away"]
        )
    try:
        found = parted.known(sides)
    except ValueError as error:
        raise InputError([f"features: {error}"]) from None
    layout, width = found.layout, sides[0].shape[1]
    each = max(min(side.dtype.itemsize, 4) for side in sides)
    most = _most(width, each, k, budget, threads, workers, layout.classes, seed is not None)
    parts = parted.deal(layout, most)
    names = SIDES[-len(sides) :]
    plan = Plan(
        digest=digest,
        sizes=(layout.nq, layout.ng),
        one_set=layout.one_set,
        width=width,
        bytes_each=each,
        k=k,
        near=found.near,
        unit_length=of_unit_length(pairs),
        sources=tuple(_source(side) or f"{name}.npy" for name, side in zip(names, sides, strict=True)),
        parts=tuple(layout.blocks[part[-1]].stop for part in parts),
        seed=seed,
        probes=probes,
    )
    _keep(folder, plan, sides)
    _write_known(folder, plan, found)
    with files.beside(folder / NAME) as file:
        file.write((json.dumps(asdict(plan), indent=1) + "\n").encode())
    return plan


def mend(folder: Path, plan: Plan, sides: Sequence[np.ndarray], say: Callable[[str], None]) -> None:
    """Make again what is damaged of the plan's own files."""
    _keep(folder, plan, sides)
    damaged = _damaged(folder, plan)
    if damaged:
        say(f"{damaged}; it is made again")
        _write_known(folder, plan, parted.known(sides))


def read(folder: Path) -> Plan:
    """The plan of a folder; InputError where it is none, or damaged."""
    try:
        said: dict[str, Any] = json.loads((folder / NAME).read_text("utf-8"))
        plan = Plan(**{**said, **{name: tuple(said[name]) for name in ("sizes", "sources", "parts")}})
    except (ValueError, TypeError, KeyError):
        raise InputError(
            [f"{folder / NAME}: wanted the plan of neighbour lists, found a damaged one; delete {folder}"]
        ) from None
    if plan.format != FORMAT:
        raise InputError(
            [f"{folder / NAME}: wanted format {FORMAT}, found {plan.format}; delete {folder}, or use that version"]
        )
    return plan


@dataclass(frozen=True)
class Part:
    """What a task knows of a part: its classes, the ends of its blocks, squared lengths, the first image of each
    class (None: the class itself), and what all features have in common (None: little)."""

    start: int
    blocks: np.ndarray
    norms: np.ndarray
    first: np.ndarray | None
    centre: np.ndarray | None


def part_of(folder: Path, plan: Plan, number: int) -> Part:
    """A part. Raises Damaged."""
    path = folder / PARTS / f"{number:05}.npz"
    blocks, norms, first, centre = files.read(path, plan.key, "blocks", "norms", "first", "centre")
    return Part(
        plan.classes(number).start, blocks, norms, first if len(first) else None, centre if len(centre) else None
    )


def layout_of(folder: Path, plan: Plan) -> Layout:
    """Who is a copy of whom. Raises Damaged."""
    inverse, first = files.read(folder / COPIES, plan.key, "inverse", "first")
    if not len(first):
        inverse = first = np.arange(plan.parts[-1], dtype=np.int32)
    return Layout(*plan.sizes, inverse, first, one_set=plan.one_set)


def _write_known(folder: Path, plan: Plan, found: Known) -> None:
    """What :func:`part_of` and :func:`layout_of` read."""
    layout, none = found.layout, np.empty(0, np.int32)
    same = (
        {"inverse": none, "first": none} if layout.distinct else {"inverse": layout.inverse, "first": layout.first}
    )
    files.write(folder / COPIES, plan.key, same)
    ends = np.array([block.stop for block in layout.blocks], np.int64)
    for number in range(len(plan.parts)):
        classes = plan.classes(number)
        parts = {
            "blocks": ends[(ends > classes.start) & (ends <= classes.stop)],
            "norms": found.norms[classes.start : classes.stop],
            "first": none if layout.distinct else layout.first[classes.start : classes.stop],
            "centre": np.empty(0, np.float32) if found.centre is None else found.centre,
        }
        files.write(folder / PARTS / f"{number:05}.npz", plan.key, parts)


def _damaged(folder: Path, plan: Plan) -> str:
    """The first file of :func:`_write_known` that is damaged or not there, in a sentence; "" where all are whole."""
    try:
        layout_of(folder, plan)
        for number in range(len(plan.parts)):
            part_of(folder, plan, number)
    except files.Damaged as error:
        return str(error)
    return ""


def sides_of(folder: Path, plan: Plan) -> list[np.ndarray]:
    """The features, mapped from their files."""
    return [np.load(folder / source, mmap_mode="r", allow_pickle=False) for source in plan.sources]


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


def task_bytes(classes: int, width: int, each: int, k: int, threads: int, index: bool) -> int:
    """What a worker holds for a pair of parts of so many classes each: two blocks of features and two lists.

    With an index the shard of one part too, and once more while it is read.
    """
    return BASE + threads * TILE + classes * _class_bytes(width, each, k, index)


def _class_bytes(width: int, each: int, k: int, index: bool) -> int:
    return 2 * (width * each + 8 * k + 16) + (2 * (2 * width + 8) if index else 0)


def _most(
    width: int, each: int, k: int, budget: int, threads: int, workers: int, classes: int, index: bool
) -> int:
    """Classes in a part at most: as many as fit, fewer where tasks would be too few or too long."""
    fits = (budget - task_bytes(0, width, each, k, threads, index)) // _class_bytes(width, each, k, index)
    least = min(classes, edge_of(classes))
    if fits < least:
        _refuse_budget(task_bytes(least, width, each, k, threads, index), budget, threads, "")
    apart = max(1, math.ceil(math.sqrt(8 * workers)))  # parts, for four tasks or more for each worker
    longest = classes if index else math.isqrt(LONGEST // width)
    return max(least, min(fits, -(-classes // apart), longest))


def _refuse_budget(needed: int, budget: int, threads: int, of: str) -> None:
    raise InputError(
        [f"--memory: wanted {-(-needed // 10**6)}MB or more for a worker of {threads} threads{of}, found "
         f"{budget // 10**6}MB; give more, or start more workers of fewer threads"]
    )  # fmt: skip


def _source(side: np.ndarray) -> str | None:
    """The ``.npy`` file that a matrix is mapped from, if it is all of that file and of a type that tasks read."""
    name = getattr(side, "filename", None)
    if name is None or side.dtype not in (np.float16, np.float32) or not side.flags.c_contiguous:
        return None
    whole = np.load(name, mmap_mode="r", allow_pickle=False) if str(name).endswith(".npy") else None
    same = whole is not None and (whole.shape, whole.dtype, whole.offset) == (side.shape, side.dtype, side.offset)
    return str(Path(name).resolve()) if same else None


def _keep(folder: Path, plan: Plan, sides: Sequence[np.ndarray]) -> None:
    """Write features that no file has, unless the very same are there already."""
    for side, source in zip(sides, plan.sources, strict=True):
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


def _refuse_large(plan: Plan, budget: int, threads: int) -> None:
    """Refuse a budget that the parts of an older run do not fit in."""
    largest = max(len(plan.classes(part)) for part in range(len(plan.parts)))
    needed = task_bytes(largest, plan.width, plan.bytes_each, plan.k, threads, plan.seed is not None)
    if needed > budget:
        _refuse_budget(needed, budget, threads, ", to go on with the parts that are there")
