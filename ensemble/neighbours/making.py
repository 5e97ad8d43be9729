"""A plan made: features looked through once, and dealt into parts that fit into a worker."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError
from ensemble.neighbours import files, images
from ensemble.neighbours.plan import CELLS, NAME, Plan, bytes_of_class, read, task_bytes
from postproc.pairs import parted, stored
from postproc.pairs.layout import edge_of
from postproc.pairs.neighbours import of_unit_length
from postproc.pairs.pairwise import FeatureTerm, Pairwise

LONGEST = 1 << 43  # multiply-adds of a task for each thread: some ten minutes, which are lost with a worker
SIDES = ("query", "gallery")


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
    index: str = CELLS,
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
        wanted = replace(plan, digest=digest, k=k, seed=seed, probes=probes, index=index)
        if plan != wanted:
            raise InputError(
                [f"{folder}: wanted the unfinished lists of {wanted.text()}, found those of {plan.text()}; delete "
                 "that folder, or give another --out"]
            )  # fmt: skip
        _refuse_large(plan, budget, threads)
        images.mend(folder, plan, sides, say)
        return plan
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            [f"{folder}: wanted a new folder or one with {NAME}, found something else in it; move that away"]
        )
    try:
        found = stored.known(sides)
    except ValueError as error:
        raise InputError([f"features: {error}"]) from None
    layout, width = found.layout, sides[0].shape[1]
    each = max(min(side.dtype.itemsize, 4) for side in sides)
    whole = seed is None and stored.whole_numbers(sides, found, k)
    most = _most(width, each, k, budget, threads, workers, layout.classes, seed is not None, whole)
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
        sources=tuple(source_of(side) or f"{name}.npy" for name, side in zip(names, sides, strict=True)),
        parts=tuple(layout.blocks[part[-1]].stop for part in parts),
        whole=whole,
        seed=seed,
        probes=probes,
        index=index,
    )
    images.keep(folder, plan, sides)
    images.write_known(folder, plan, found)
    with files.beside(folder / NAME) as file:
        file.write((json.dumps(asdict(plan), indent=1) + "\n").encode())
    return plan


def _most(
    width: int, each: int, k: int, budget: int, threads: int, workers: int, classes: int, index: bool, whole: bool
) -> int:
    """Classes in a part at most: as many as fit, fewer where tasks would be too few or too long."""
    how = width, each, k, threads, index, whole
    fits = (budget - task_bytes(0, *how)) // bytes_of_class(*how)
    least = min(classes, edge_of(classes))
    if fits < least:
        _refuse_budget(task_bytes(least, *how), budget, threads, "")
    apart = max(1, math.ceil(math.sqrt(8 * workers)))  # parts, for four tasks or more for each worker
    longest = classes if index else math.isqrt(LONGEST * threads // width)
    return max(least, min(fits, -(-classes // apart), longest))


def _refuse_budget(needed: int, budget: int, threads: int, of: str) -> None:
    raise InputError(
        [f"--memory: wanted {-(-needed // 10**6)}MB or more for a worker of {threads} threads{of}, found "
         f"{budget // 10**6}MB; give more, or start more workers of fewer threads"]
    )  # fmt: skip


def _refuse_large(plan: Plan, budget: int, threads: int) -> None:
    """Refuse a budget that the parts of an older run do not fit in."""
    largest = max(len(plan.classes(part)) for part in range(len(plan.parts)))
    needed = task_bytes(largest, plan.width, plan.bytes_each, plan.k, threads, plan.seed is not None, plan.whole)
    if needed > budget:
        _refuse_budget(needed, budget, threads, ", to go on with the parts that are there")


def source_of(side: np.ndarray) -> str | None:
    """The ``.npy`` file that a matrix is mapped from, if it is all of that file."""
    name = str(getattr(side, "filename", None))
    if not name.endswith(".npy") or not side.flags.c_contiguous:
        return None

    def place(one: np.ndarray) -> tuple[object, ...]:
        return one.shape, one.dtype, getattr(one, "offset", None)

    same = place(np.load(name, mmap_mode="r", allow_pickle=False)) == place(side)
    return str(Path(name).resolve()) if same else None
