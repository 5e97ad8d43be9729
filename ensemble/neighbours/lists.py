"""Exact lists of the neighbours of all images: planned, worked out in tasks, put together."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ensemble.base.errors import InputError
from ensemble.io import Unwritable, unwritable
from ensemble.neighbours import files, plan, tasks
from ensemble.neighbours.engines import Cluster, Engine, Here
from ensemble.neighbours.plan import Plan
from ensemble.neighbours.tasks import Done
from postproc import NeighbourLists
from postproc.pairs import parted
from postproc.pairs.tiles import Lists

if TYPE_CHECKING:
    from distributed import Client

GIGABYTE = 10**9
ROUNDS = 3  # in which damaged files are made again, before the storage is given up
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
                    from a ``.npy`` file is read from there by the workers, anything else is written beside ``out``.
    out:            the folder of the lists, on storage that all workers share; ``out.work`` beside it holds the work
                    until it is done. Called again after a failure, the same call goes on where it was.
    client:         a ``dask.distributed.Client``; None: this process.
    memory:         bytes that a worker may hold; of the larger, the fewer and larger the tasks.
    say:            hears what is made again; ``seen`` of every task that is done.
    Raises:         InputError for bad features, other work in the folder, too little memory, a full disk, a lost
                    scheduler. What was finished stays.
    Cost:           half a product of all by all, in n (n + 1) / 2 tasks for n parts; files of 8 (k + 1) (n + 1)
                    bytes an image meanwhile.
    """
    engine = Here() if client is None else Cluster(client)
    sides = [query] if gallery is None else [query, gallery]
    return on(engine, sides, Path(out), k=k, memory=memory, say=say, seen=seen)


def on(
    engine: Engine,
    sides: Sequence[np.ndarray],
    out: Path,
    *,
    k: int,
    memory: int,
    say: Callable[[str], None],
    seen: Callable[[Done], None] = lambda done: None,
) -> NeighbourLists:
    """As :func:`exact`, with an engine."""
    folder = work_of(out).resolve()
    with _kept(folder):
        made = plan.make(
            folder, sides, k=k + 1, budget=memory, workers=engine.workers, threads=engine.threads, say=say
        )
        _work(folder, made, engine, say, seen)
        _together(folder, made).save(out)
    shutil.rmtree(folder, ignore_errors=True)
    return NeighbourLists.load(out)


def left(folder: Path, made: Plan) -> list[tuple[int, int]]:
    """The pairs whose file is not there."""
    return [pair for pair in made.pairs if not tasks.pair_file(folder, *pair).exists()]


def _work(
    folder: Path, made: Plan, engine: Engine, say: Callable[[str], None], seen: Callable[[Done], None]
) -> None:
    """All tasks, those of damaged files again."""
    where, key = str(folder), made.key
    for _ in range(ROUNDS):
        for done in engine.run(tasks.pair, [(where, key, *pair) for pair in left(folder, made)]):
            seen(done)
        parts = [i for i in range(len(made.parts)) if not tasks.list_file(folder, i).exists()]
        damaged: dict[str, None] = {}
        for done in engine.run(tasks.merge, [(where, key, i) for i in parts]):
            seen(done)
            damaged |= dict.fromkeys(done.damaged)
        damaged |= dict.fromkeys(_damaged_lists(folder, made))
        if not damaged:
            return
        for sentence in damaged:
            say(f"{sentence}; it is made again")
            Path(sentence.partition(".npz:")[0] + ".npz").unlink(missing_ok=True)
    raise InputError(
        [f"{folder}: wanted files that stay as they are written, found damaged ones {ROUNDS} times; look at the "
         "storage, and run it again"]
    )  # fmt: skip


def _damaged_lists(folder: Path, made: Plan) -> Iterator[str]:
    for i in range(len(made.parts)):
        path = tasks.list_file(folder, i)
        if path.exists():
            try:
                files.read(path, made.key, *tasks.PARTS_OF_LISTS)
            except files.Damaged as error:
                yield str(error)


def _together(folder: Path, made: Plan) -> NeighbourLists:
    """The lists of all parts, in arrays that are mapped from files of the work folder."""
    layout = plan.layout_of(folder, made)
    shapes = {
        "rows": (np.int32, (layout.count, made.k)),
        "values": (np.float32, (layout.count, made.k)),
        "largest": (np.float32, (layout.count,)),
    }
    whole = {
        name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=shape)
        for name, (kind, shape) in shapes.items()
    }
    for i in range(len(made.parts)):
        classes = made.classes(i)
        found = Lists(*files.read(tasks.list_file(folder, i), made.key, *tasks.PARTS_OF_LISTS))
        for images, lists in parted.of_images(found, layout, made.k, slice(classes.start, classes.stop)):
            for name, array in whole.items():
                array[images] = getattr(lists, name)
    for array in whole.values():
        array.flush()
    return NeighbourLists(
        whole["rows"], whole["values"], whole["largest"], made.sizes, made.one_set, made.unit_length,
        digest=made.digest,
    )  # fmt: skip


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """A disk that refuses, here or far away, is an error that says what is left."""
    stays = f"finished tasks stay in {folder}, and the same command goes on with them"
    try:
        yield
    except Unwritable as error:
        raise Unwritable([f"{problem}; {stays}" for problem in error.problems]) from None
    except FileNotFoundError as error:
        raise InputError(
            [f"{error.filename}: wanted a file that every worker sees, found none there; --out and the features have "
             "to be on storage that all share"]
        ) from None  # fmt: skip
    except OSError as error:
        where = Path(str(error.filename)) if error.filename else folder
        (problem,) = unwritable(where, error).problems
        more = "" if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else f"; {stays}"
        raise Unwritable([f"{problem}{more}"]) from None
    except files.Damaged as error:
        raise InputError([f"{error}; run the same command again"]) from None
