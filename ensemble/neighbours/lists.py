"""Exact lists of the neighbours of all images: planned, worked out in tasks, put together."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ensemble.neighbours import approximate as of_index
from ensemble.neighbours import files, images, making, shards, tasks
from ensemble.neighbours.engines import Cluster, Engine, Here
from ensemble.neighbours.plan import CELLS, Plan
from ensemble.neighbours.stages import Stages, damage, kept
from ensemble.neighbours.tasks import Done
from postproc import NeighbourLists
from postproc.base import runtime
from postproc.pairs import parted
from postproc.pairs.tiles import Lists

if TYPE_CHECKING:
    from distributed import Client

GIGABYTE = 10**9
WHAT = {  # tasks, where progress is shown
    "pair": "pairs of parts",
    "near_pair": "pairs of parts",
    "merge": "lists",
    "settle": "lists",
    "sample": "a sample",
    "shard": "index",
}
WORK = ".work"  # behind the name of the folder that lists are written to


def work_of(out: Path) -> Path:
    """The folder beside ``out`` in which the work is done."""
    return out.with_name(out.name + WORK)


def exact(
    query: np.ndarray,
    gallery: np.ndarray | None = None,
    *,
    out: str | Path,
    k: int = 20,
    client: Client | None = None,
    memory: int = 2 * GIGABYTE,
    say: Callable[[str], None] = print,
    seen: Callable[[Done], None] = lambda done: None,
) -> NeighbourLists:
    """The lists of ``postproc.neighbours(query, gallery, k=k)``, to the bit, made in tasks and kept in ``out``.

    query, gallery: (nq, d), (ng, d) float32 or float16, or one set (n, d) alone; used as they are. What is mapped
                    from a ``.npy`` file is read there by the workers, anything else is written beside ``out``.
    out:            the folder of the lists, on storage that all workers share; ``out.work`` beside it holds the
                    work until it is done. Called again after a failure, the same call goes on where it was.
    client:         a ``dask.distributed.Client``; None: this process.
    memory:         bytes that a worker may hold; of the larger, the fewer and larger the tasks.
    say:            hears what is made again; ``seen`` of every task that is done.
    Raises:         InputError for bad features, other work in the folder, too little memory, a full disk, a lost
                    scheduler. What was finished stays.
    Cost:           half a product of all by all, in n (n + 1) / 2 tasks for n parts; by whole numbers
                    all of it in int8, in n (n - 1) / 2. Files of 8 (k + 1) (n + 1) bytes an image meanwhile.
    """
    engine = Here() if client is None else Cluster(client)
    return on(engine, sides_of(query, gallery), Path(out), k=k, memory=memory, say=say, seen=seen)


def approximate(
    query: np.ndarray,
    gallery: np.ndarray | None = None,
    *,
    out: str | Path,
    k: int = 20,
    seed: int = 0,
    probes: int | None = None,
    index: str = CELLS,
    client: Client | None = None,
    memory: int = 2 * GIGABYTE,
    say: Callable[[str], None] = print,
    seen: Callable[[Done], None] = lambda done: None,
) -> NeighbourLists:
    """As :func:`exact`, but among what an index of faiss finds; distances are exact, recall is measured.

    seed:    of the cells and of the sample by which recall is measured.
    probes:  cells that each image looks through; None: as many as show 99 % of the neighbours of another sample.
             Of a graph how many images a search has in hand (efSearch); None: twice as many as are wanted.
    index:   "faiss": an inverted file, the same lists however images are dealt into parts; "faiss-hnsw": a graph
             of each part, made by one thread.
    Returns: lists that say ``exact=False`` and ``recall``; ``largest`` is a bound, 4 for features of unit length.
    Cost:    for n images, c = 4 sqrt(n) cells, p probes: n c products for the cells, n^2 p / c for candidates.
    """
    engine = Here() if client is None else Cluster(client)
    sides = sides_of(query, gallery)
    return on(
        engine, sides, Path(out), k=k, memory=memory, say=say, seen=seen, seed=seed, probes=probes, index=index
    )


def sides_of(query: np.ndarray, gallery: np.ndarray | None) -> list[np.ndarray]:
    """Features as they are, or in float32 where they are neither that nor half precision."""
    sides = [query] if gallery is None else [query, gallery]
    return [side if side.dtype in (np.float16, np.float32) else np.asarray(side, np.float32) for side in sides]


def on(
    engine: Engine,
    sides: Sequence[np.ndarray],
    out: Path,
    *,
    k: int,
    memory: int,
    say: Callable[[str], None],
    seen: Callable[[Done], None] = lambda done: None,
    seed: int | None = None,
    probes: int | None = None,
    index: str = CELLS,
) -> NeighbourLists:
    """As :func:`exact`, with an engine; with a ``seed`` as :func:`approximate`."""
    folder = work_of(out).resolve()
    if seed is not None:
        of_index.faiss()
    with kept(folder):
        made = making.make(
            folder, sides, k=k + 1, budget=memory, workers=engine.workers, threads=engine.threads, say=say,
            seed=seed, probes=probes, index=index,
        )  # fmt: skip
        _Work(made, Stages(folder, made.key, engine, seen)).done(sides, say).save(out)
    shutil.rmtree(folder, ignore_errors=True)
    return NeighbourLists.load(out)


@dataclass(frozen=True, eq=False)
class _Work:
    """The work of a folder: stages of tasks, each of those whose file is not there."""

    made: Plan
    stages: Stages

    @property
    def folder(self) -> Path:
        return self.stages.folder

    def done(self, sides: Sequence[np.ndarray], say: Callable[[str], None]) -> NeighbourLists:
        """All tasks, and what they have found together; damaged files are made again."""

        def mend() -> None:
            images.mend(self.folder, self.made, sides, lambda sentence: None)

        return self.stages.again(self._exact if self.made.seed is None else self._approximate, mend, say)

    def _exact(self) -> NeighbourLists:
        self._stage(tasks.pair, {pair: tasks.pair_file(self.folder, *pair) for pair in self.made.pairs})
        self._stage(tasks.merge, {(i,): tasks.list_file(self.folder, i) for i in self._parts})
        return self._together()

    def _approximate(self) -> NeighbourLists:
        folder, made = self.folder, self.made
        with damage():
            of_index.train(folder, made, runtime.current().threads)
        self._stage(tasks.sample, {(i,): tasks.sample_file(folder, i) for i in self._parts})
        with damage():
            truth = self._truth()
            looks = of_index.probes(folder, made, truth)
        self._stage(tasks.shard, {(i, looks): shards.shard_file(folder, i) for i in self._parts})
        self._stage(tasks.near_pair, {pair: tasks.pair_file(folder, *pair) for pair in made.pairs})
        self._stage(tasks.settle, {(i,): tasks.list_file(folder, i) for i in self._parts})
        return self._together(truth)

    @property
    def _parts(self) -> range:
        return range(len(self.made.parts))

    def _stage(self, function: Callable[..., Done], wanted: Mapping[tuple[int, ...], Path]) -> None:
        """The tasks whose file is not there."""
        self.stages.run(function, wanted, WHAT[function.__name__])

    def _truth(self) -> Lists:
        """The exact neighbours of the sample among all."""
        parts = [self._read(tasks.sample_file(self.folder, i)) for i in self._parts]
        return functools.reduce(lambda first, second: parted.joined(first, second, self.made.k), parts)

    def _read(self, path: Path) -> Lists:
        return Lists(*files.read(path, self.made.key, *tasks.PARTS_OF_LISTS))

    def _together(self, truth: Lists | None = None) -> NeighbourLists:
        """The lists of all parts, in arrays that are mapped from files of the work folder."""
        made = self.made
        with damage(), runtime.counted("putting together", len(self._parts)) as step_on:
            layout = images.layout_of(self.folder, made)
            kinds: dict[str, tuple[type, tuple[int, ...]]] = {
                "rows": (np.int32, (layout.count, made.k)),
                "values": (np.float32, (layout.count, made.k)),
                "largest": (np.float32, (layout.count,)),
            }
            whole = {
                name: files.room(self.folder / f"{name}.npy", kind, shape) for name, (kind, shape) in kinds.items()
            }
            asked = np.empty(0, np.int64) if truth is None else of_index.sample_of(made)[len(truth.rows) // 2 :]
            sampled = np.empty((len(asked), made.k), np.int32)
            for i in self._parts:
                classes = made.classes(i)
                found = self._read(tasks.list_file(self.folder, i))
                here = (asked >= classes.start) & (asked < classes.stop)
                sampled[here] = found.rows[asked[here] - classes.start]
                if truth is not None:
                    found = Lists(found.rows, found.values, of_index.bounds(self.folder, made, i))
                for members, lists in parted.of_images(found, layout, made.k, slice(classes.start, classes.stop)):
                    for name, array in whole.items():
                        array[members] = getattr(lists, name)
                step_on()
        for array in whole.values():
            array.flush()
        recall = None if truth is None else of_index.recall(made, truth, sampled)
        return NeighbourLists(
            whole["rows"], whole["values"], whole["largest"], made.sizes, made.one_set, made.unit_length,
            truth is None, recall, made.digest,
        )  # fmt: skip
