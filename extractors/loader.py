"""Images decoded in worker processes, in order, a bounded number of them ahead."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError
from extractors.decode import Reading, read

CHUNK = 8  # images that a worker gets at once
AHEAD = 3  # chunks a worker that may be waiting, beside the one being read

Job = tuple[Path, ...]  # the files of one row: the image, perhaps the detector's crop
Decoded = np.ndarray | str  # (files, height, width, 3) uint8, or why the row is broken


def decode(jobs: Sequence[Job], reading: Reading) -> list[Decoded]:
    """Read the files of some rows."""
    return [_row(job, reading) for job in jobs]


def _row(job: Job, reading: Reading) -> Decoded:
    found = []
    for path in job:
        pixels = read(path, reading)
        if isinstance(pixels, str):
            return f"{path}: {pixels}"
        found.append(pixels)
    return np.stack(found)


class Loader:
    """A pool of workers that outlives the models of one command; ``workers`` 0 reads in this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pool: ProcessPoolExecutor | None = None
        if workers:
            context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
            self.pool = ProcessPoolExecutor(workers, context, initializer=_prepare)

    def rows(self, jobs: Sequence[Job], reading: Reading) -> Iterator[Decoded]:
        """The rows in order. Memory: those ahead, ``(AHEAD + 1) * workers * CHUNK`` at most.

        Raises: InputError if a worker died, of lack of memory in most cases.
        """
        chunks = (jobs[start : start + CHUNK] for start in range(0, len(jobs), CHUNK))
        if self.pool is None:
            for chunk in chunks:
                yield from decode(chunk, reading)
            return
        waiting: deque[Future[list[Decoded]]] = deque()
        try:
            for chunk in chunks:
                waiting.append(self.pool.submit(decode, chunk, reading))
                if len(waiting) > (AHEAD + 1) * self.workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        except BrokenProcessPool:
            raise InputError(
                ["--workers: wanted processes that read images, found that one was killed (memory?); use fewer"]
            ) from None
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)


@contextmanager
def loader(workers: int) -> Iterator[Loader]:
    """A :class:`Loader` whose workers end with the block."""
    made = Loader(workers)
    try:
        yield made
    finally:
        made.close()


def _prepare() -> None:
    """In a worker: Ctrl-C is the parent's business, and a parent that was killed leaves no worker behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: "multiprocessing.process.BaseProcess") -> None:
    parent.join()
    os._exit(1)
