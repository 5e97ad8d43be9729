"""Neighbour lists and re-ranking in tasks: the same bits at any number of workers, what they take, recall.

``python bench/engine.py [--sizes 50000x128 …] [--workers 1 2 4] [--k 110] [--memory 2GB] [--threads N]
[--approximate] [--rerank] [--real FILE …]``

Features are unit vectors around identities of 20 images, float16 in a file that workers map. Every row is a run of
its own: seconds with and without the start of the cluster, tasks, the most that a worker held (as its operating
system says; the first row, one worker, is this process itself), and whether rows, distances and largest distances
are those of ``postproc.neighbours``, bit for bit.
One process without tasks is measured first. ``--approximate``: the same by indexes of faiss, with their recall.
``--rerank``: re-ranking from these lists, the first 100 of every image, too.
CPU is what all processes together have computed, in seconds; on a machine that others use it says more than the
clock.
``--real``: approximate lists of the arrays of ``.npz`` files in the place of drawn features.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import postproc
from ensemble.cli.numbers import bytes_of
from ensemble.neighbours import engines, lists, reranking
from ensemble.neighbours.engines import Engine
from ensemble.neighbours.plan import INDEXES
from ensemble.neighbours.tasks import Done
from postproc import Nearest, NeighbourLists
from postproc.pairs import long_lists


def drawn(count: int, width: int, seed: int = 0) -> np.ndarray:
    """(count, width) float16 of unit length, around identities of 20 images."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(-(-count // 20), width)).astype(np.float32)
    rows = np.empty((count, width), np.float16)
    for start in range(0, count, 10000):
        stop = min(start + 10000, count)
        some = centres[np.arange(start, stop) // 20] + rng.normal(size=(stop - start, width)).astype(np.float32)
        rows[start:stop] = some / np.linalg.norm(some, axis=1, keepdims=True)
    return rows


def real(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Matrices of features in a file, brought to unit length."""
    with np.load(path) as file:
        for name in file.files:
            if file[name].ndim == 2 and file[name].dtype.kind == "f":
                yield f"{path.stem} {name}", postproc.l2_normalize(file[name].astype(np.float32))


def measured(workers: int, make: Callable[[Engine, Path, Callable[[Done], None]], object], what: str) -> str:
    """The line of a run by so many workers, which ``make`` makes in a folder."""
    done: list[Done] = []
    with tempfile.TemporaryDirectory() as folder:
        began, computed = time.perf_counter(), cpu()
        with engines.local(workers) as engine:
            ready = time.perf_counter()
            make(engine, Path(folder, "out"), done.append)
            over = time.perf_counter()
        ended = time.perf_counter()
    work, peak = sum(one.seconds for one in done), max(one.peak for one in done)
    return (
        f"{what:<12}{workers:>7} {ended - began:>9.1f} {over - ready:>9.1f} {work:>9.1f} {cpu() - computed:>9.1f} "
        f"{len(done):>6} {peak / 1e6:>9.0f}"
    )


def cpu() -> float:
    """Seconds that this process and those that it has ended have computed."""
    return sum(os.times()[:4])


def equal(found: NeighbourLists, wanted: NeighbourLists) -> bool:
    return all(
        np.array_equal(getattr(found, name), getattr(wanted, name)) for name in ("rows", "distances", "largest")
    )


def share(found: NeighbourLists, wanted: NeighbourLists) -> float:
    """Of all true neighbours the share that was found."""
    hits = sum(int(np.isin(a, b).sum()) for a, b in zip(wanted.rows, found.rows, strict=True))
    return (hits - found.count) / (wanted.rows.size - found.count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", default=["50000x128"], metavar="NxD")
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2, 4], metavar="N")
    parser.add_argument("--k", type=int, default=110, metavar="N")
    parser.add_argument("--memory", default="2GB", metavar="SIZE")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--approximate", action="store_true")
    parser.add_argument("--rerank", action="store_true")
    parser.add_argument("--real", nargs="*", type=Path, default=[], metavar="FILE")
    options = parser.parse_args()
    memory = bytes_of("--memory", options.memory)
    with tempfile.TemporaryDirectory() as folder, postproc.using(threads=options.threads):
        sets = [each for path in options.real for each in real(path)]
        if not sets:
            for size in options.sizes:
                np.save(Path(folder, f"{size}.npy"), drawn(*map(int, size.split("x"))))
                sets.append((size, np.load(Path(folder, f"{size}.npy"), mmap_mode="r")))
        for name, rows in sets:
            compare(name, rows, options, memory)


def compare(name: str, rows: np.ndarray, options: argparse.Namespace, memory: int) -> None:
    """One process without tasks, then every number of workers."""
    print(f"{name}: {rows.shape[0]} x {rows.shape[1]} {rows.dtype}, k = {options.k}, {options.memory} a worker")
    postproc.neighbours(np.asarray(rows[:1000], np.float32), k=options.k)  # kernels are loaded
    began, computed = time.perf_counter(), cpu()
    wanted = postproc.neighbours(np.asarray(rows, np.float32), k=options.k)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    seconds = f"{time.perf_counter() - began:.1f} s, CPU {cpu() - computed:.1f} s"
    print(f"one walk: {seconds}, this process has held {most:.0f} MB")
    head = ("workers", "seconds", "of tasks", "work", "CPU")
    print(f"{'':<12}{head[0]:>7}", *(f"{each:>9}" for each in head[1:]), f"{'tasks':>6} {'MB held':>9}  answer")
    for workers in options.workers:
        for index in (None, *INDEXES) if options.approximate or options.real else (None,):
            by_lists(rows, wanted, workers, index, options.k, memory)
    if options.rerank:
        by_reranking(rows, wanted, options.workers, memory)


def by_lists(
    rows: np.ndarray, wanted: NeighbourLists, workers: int, index: str | None, k: int, memory: int
) -> None:
    """Lists by so many workers."""
    kept: list[NeighbourLists] = []

    def make(engine: Engine, out: Path, seen: Callable[[Done], None]) -> None:
        chosen = {} if index is None else {"seed": 0, "index": index}
        lists.on(engine, [rows], out, k=k, memory=memory, say=print, seen=seen, **chosen)  # type: ignore[arg-type]
        kept.append(NeighbourLists.load(out, in_memory=True))

    line = measured(workers, make, index or "exact")
    (found,) = kept
    same = "same bits" if equal(found, wanted) else "OTHER BITS"
    recall = f"recall {share(found, wanted):.4f}, on the sample {found.recall or 0:.4f}"
    print(line, "", same if index is None else recall, flush=True)


def by_reranking(rows: np.ndarray, known: NeighbourLists, counts: list[int], memory: int) -> None:
    """The first 100 of every image by one process, as of a large set, and by so many workers."""
    with tempfile.TemporaryDirectory() as folder:
        known.save(Path(folder, "graph"))
        with patch.object(long_lists, "cheaper", lambda *sizes: True):
            postproc.rerank(rows[:1000], top_k=100)  # kernels are loaded
            began, computed = time.perf_counter(), cpu()
            wanted = postproc.rerank(rows, neighbours=known, top_k=100)
        print(f"one process: {time.perf_counter() - began:.1f} s, CPU {cpu() - computed:.1f} s")
        for workers in counts:
            kept: list[Nearest] = []

            def make(engine: Engine, out: Path, seen: Callable[[Done], None], kept: list[Nearest] = kept) -> None:
                reranking.on(
                    engine, Path(folder, "graph"), [rows], out, top_k=100, memory=memory, say=print, seen=seen,
                    settings={},
                )  # fmt: skip
                kept.append(reranking.load(out, in_memory=True))

            line = measured(workers, make, "rerank")
            same = all(map(np.array_equal, kept[0], wanted))
            print(line, "", "same bits" if same else "OTHER BITS", flush=True)


if __name__ == "__main__":
    main()
