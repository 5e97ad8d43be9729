"""k-reciprocal re-ranking from neighbour lists, in tasks: planned, worked out by range of rows, put together."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.neighbours import files, groups, images, rerank_plan
from ensemble.neighbours import lists as whole_lists
from ensemble.neighbours import rerank_tasks as tasks
from ensemble.neighbours.engines import Cluster, Engine, Here
from ensemble.neighbours.files import Maps
from ensemble.neighbours.plan import NAME
from ensemble.neighbours.rerank_plan import Plan
from ensemble.neighbours.stages import Stages, damage, kept
from ensemble.neighbours.tasks import Done
from postproc import ApproximateNeighbours, Nearest, NeighbourLists
from postproc.base import saved
from postproc.context import overlaps
from postproc.pairs import stored

if TYPE_CHECKING:
    from distributed import Client

KIND = "nearest"  # of what is in a folder
GROUPS = (tasks.KNOWN, tasks.HEADS, tasks.VECTORS, tasks.COLUMNS, tasks.ANSWERS)


def reranked(
    lists: NeighbourLists | str | Path,
    query: np.ndarray,
    gallery: np.ndarray | None = None,
    *,
    out: str | Path,
    top_k: int,
    client: Client | None = None,
    memory: int = 2 * whole_lists.GIGABYTE,
    say: Callable[[str], None] = print,
    seen: Callable[[Done], None] = lambda done: None,
    **settings: Any,
) -> Nearest:
    """``postproc.rerank(query, gallery, neighbours=lists, top_k=top_k, …)`` in tasks over ranges of rows.

    lists:          exact or approximate, of these features; a folder that all workers see, or lists, which are
                    written beside ``out``. ``top_k`` + 8 others each are best, ``top_k`` are enough.
    query, gallery: (nq, d), (ng, d) float32 or float16, or one set (n, d) alone. What is mapped from a ``.npy``
                    file is read there by the workers, anything else is written beside ``out``.
    out:            the folder of the answer, on storage that all workers share; ``out.work`` beside it holds the
                    work until it is done. Called again after a failure, the same call goes on where it was.
    client:         a ``dask.distributed.Client``; None: this process.
    memory:         bytes that a worker may hold of its own, beside pages of files that the system keeps.
    settings:       ``k1``, ``k2``, ``lambda_value``, ``power``, ``count_self``, ``normalize`` as of ``rerank``.
    Returns:        the answer, mapped from ``out``: distances (nq, top_k) float32, rows (nq, top_k) int32. The
                    same bits for any workers, ranges and order. They are those of ``rerank`` too, where sizes
                    have it go by candidates (:mod:`postproc.context.overlaps`); where it looks at all pairs again,
                    far distances may have other last bits.
    Raises:         InputError for lists of other features or too short ones, other work in the folder, too little
                    memory, a full disk, a lost scheduler. What was finished stays.
    Cost:           O(n (k1 k2 + top_k)) beside two readings of the features; 2 to 4 kB an image in files
                    meanwhile.
    """
    engine = Here() if client is None else Cluster(client)
    sides = whole_lists.sides_of(query, gallery)
    return on(engine, lists, sides, Path(out), top_k=top_k, memory=memory, say=say, seen=seen, settings=settings)


def load(folder: str | Path, *, in_memory: bool = False) -> Nearest:
    """The answer in a folder. Raises FileNotFoundError, ValueError where it is damaged."""
    parts, _ = saved.load(Path(folder), KIND, ("distances", "rows"), in_memory=in_memory)
    return Nearest(parts["distances"], parts["rows"])


def on(
    engine: Engine,
    lists: NeighbourLists | str | Path,
    sides: Sequence[np.ndarray],
    out: Path,
    *,
    top_k: int,
    memory: int,
    say: Callable[[str], None],
    seen: Callable[[Done], None] = lambda done: None,
    settings: Mapping[str, Any],
) -> Nearest:
    """As :func:`reranked`, with an engine."""
    folder = whole_lists.work_of(out).resolve()
    unknown = sorted(settings.keys() - rerank_plan.SETTINGS.keys())
    if unknown:
        raise InputError([f"settings: wanted {', '.join(rerank_plan.SETTINGS)}, found {', '.join(unknown)}"])
    if out.exists() and not (out / f"{KIND}.json").exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            [f"{out}: wanted a new folder or one with {KIND}.json, found something else there; give another one"]
        )
    with kept(folder):
        made = _planned(folder, lists, sides, engine, top_k=top_k, settings=settings, memory=memory)
        images.keep(folder, made, sides)
        work = _Work(made, sides, Stages(folder, made.key, engine, seen), say)
        try:
            found = work.stages.again(work.done, lambda: images.keep(folder, made, sides), say)
        except InputError:
            raise
        except ValueError as error:
            raise InputError([str(error)]) from None
        saved.save(out, KIND, {"distances": found.distances, "rows": found.rows}, {"text": made.text()})
        del found
    shutil.rmtree(folder, ignore_errors=True)
    return load(out)


def _planned(
    folder: Path,
    lists: NeighbourLists | str | Path,
    sides: Sequence[np.ndarray],
    engine: Engine,
    *,
    top_k: int,
    settings: Mapping[str, Any],
    memory: int,
) -> Plan:
    """The plan of the folder, which is of the same work, or a new one."""
    there = (folder / NAME).exists()
    if not there and folder.exists() and any(path.name != rerank_plan.LISTS for path in folder.iterdir()):
        raise InputError(
            [f"{folder}: wanted a new folder or one with {NAME}, found something else in it; move that away"]
        )
    where, known = _lists(folder, lists)
    rerank_plan.check(known, sides)
    if known.caveat:
        warnings.warn(known.caveat, ApproximateNeighbours, stacklevel=4)
    if there:
        plan = rerank_plan.read(folder)
        wanted = replace(
            plan, digest=known.digest, lists=str(where), content=rerank_plan.content_of(where),
            top_k=min(top_k, max(1, plan.sizes[1] - plan.one_set)), **{**rerank_plan.SETTINGS, **settings},
        )  # fmt: skip
        if plan.key != wanted.key:
            raise InputError(
                [f"{folder}: wanted the unfinished re-ranking of {wanted.text()}, found that of {plan.text()}; "
                 "delete that folder, or give another --out"]
            )  # fmt: skip
        rerank_plan.refuse_large(wanted, memory, engine.threads)
        if plan != wanted:  # the same lists in another place
            _write(folder, wanted)
        return wanted
    try:
        found = stored.known(sides)
    except ValueError as error:
        raise InputError([f"features: {error}"]) from None
    plan = rerank_plan.make(
        known, where, sides, found, top_k=top_k, settings=settings, budget=memory, workers=engine.workers,
        threads=engine.threads,
    )  # fmt: skip
    _write(folder, plan)
    groups.seal(folder, tasks.KNOWN, plan.key, rerank_plan.known_arrays(found))
    return plan


def _write(folder: Path, plan: Plan) -> None:
    with files.beside(folder / NAME) as file:
        file.write((json.dumps(asdict(plan), indent=1) + "\n").encode())


def _lists(folder: Path, lists: NeighbourLists | str | Path) -> tuple[Path, NeighbourLists]:
    """The folder of the lists, which may have to be written, and them."""
    if isinstance(lists, NeighbourLists):
        own = Path(str(getattr(lists.rows, "filename", "")))
        for where in (own.parent, folder / rerank_plan.LISTS):
            with suppress(FileNotFoundError, ValueError):
                if _equal(there := NeighbourLists.load(where), lists):
                    return where.resolve(), there
        where = folder / rerank_plan.LISTS
        rows, far = np.asarray(lists.rows, np.int32), np.asarray(lists.distances, np.float32)
        replace(lists, rows=rows, distances=far, largest=np.asarray(lists.largest, np.float32)).save(where)
        return where, NeighbourLists.load(where)
    where = Path(lists).resolve()
    try:
        return where, NeighbourLists.load(where)
    except (FileNotFoundError, ValueError) as error:
        raise InputError([f"neighbours: {error}"]) from None


def _equal(first: NeighbourLists, second: NeighbourLists) -> bool:
    arrays = ("rows", "distances", "largest")
    return all(
        np.array_equal(getattr(first, each.name), getattr(second, each.name))
        if each.name in arrays
        else getattr(first, each.name) == getattr(second, each.name)
        for each in fields(NeighbourLists)
    )


@dataclass(frozen=True, eq=False)
class _Work:
    """The work of a folder: stages of tasks, each of which ends in a group of arrays."""

    made: Plan
    sides: Sequence[np.ndarray]
    stages: Stages
    say: Callable[[str], None]

    @property
    def folder(self) -> Path:
        return self.stages.folder

    def done(self) -> Nearest:
        """All tasks, and the answer."""
        made = self.made
        left = self._left()
        if tasks.KNOWN in left:
            groups.seal(self.folder, tasks.KNOWN, made.key, rerank_plan.known_arrays(stored.known(self.sides)))
        everybody, (queries, gallery) = made.count, made.sizes
        if tasks.HEADS in left:
            parts = self._run(tasks.heads, "heads", everybody, "reciprocal neighbours")
            self._join(tasks.HEADS, {("rows", "values", "whole", "half"): parts})
        if tasks.VECTORS in left:
            parts = self._run(tasks.vectors, "vectors", everybody, "weights")
            self._join(tasks.VECTORS, {("sizes", "members", "weights"): parts})
        if tasks.COLUMNS in left:
            means = self._run(tasks.averages, "averages", gallery, "means of weights")
            parts = self._run(tasks.columns, "columns", everybody, "columns of weights")
            self._join(tasks.COLUMNS, {("sizes", "rows", "weights"): parts, ("least",): means})
        if tasks.ANSWERS in left:
            parts = self._run(tasks.answers, "answers", queries, "answers")
            self._join(tasks.ANSWERS, {("distances", "rows", "uncertain"): parts})
        return self._answer()

    def _left(self) -> list[str]:
        """The groups that are not there, or not as they were written."""
        found = []
        for name in GROUPS:
            problem = groups.problem(self.folder, name, self.made.key)
            if problem:
                self.say(f"{problem}; it is made again")
            if problem is not None:
                groups.drop(self.folder, name)
                found.append(name)
        return found

    def _run(self, function: Callable[..., Done], stage: str, images: int, what: str) -> list[Path]:
        """A stage over ranges of so many images; the files of its tasks."""
        parts: dict[tuple[int, ...], Path] = {
            (i,): tasks.part_file(self.folder, stage, i) for i in self.made.ranges(images)
        }
        self.stages.run(function, parts, what)
        return list(parts.values())

    def _join(self, name: str, parts: Mapping[tuple[str, ...], Sequence[Path]]) -> None:
        """The group of what tasks have found; their files go."""
        with damage():
            groups.join(self.folder, name, self.made.key, parts)
        for paths in parts.values():
            for path in paths:
                path.unlink(missing_ok=True)

    def _answer(self) -> Nearest:
        """The answer, with those looked at again of whom it was not certain."""
        maps, made = Maps(), self.made
        with damage():
            found = groups.arrays(maps, self.folder, tasks.ANSWERS)
            distances, rows, uncertain = (found[name] for name in ("distances", "rows", "uncertain"))
        if len(uncertain):
            whole = int(overlaps.many(len(uncertain), made.sizes[0]))
            ranges = np.unique(uncertain // made.step).tolist()
            parts: dict[tuple[int, ...], Path] = {
                (i, whole): tasks.part_file(self.folder, "rest", i) for i in ranges
            }
            self.stages.run(tasks.rest, parts, "answers of all")
            with damage():
                for path in parts.values():
                    queries, far, numbers = files.read(path, made.key, "queries", "distances", "rows")
                    distances[queries], rows[queries] = far, numbers  # pages of this process, not of the file
        return Nearest(distances, rows)
