"""Seconds to score a Market-1501 sized matrix: counting against sorting every row with NumPy, in one run.

    python bench/evaluation.py [--queries 3368] [--gallery 15913] [--repeats 5]

The sorting version has no Python loop over queries: one argsort for a block of them, one gather of one byte
an entry for what each image is. Both give the same scores, which is checked before anything is timed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from ensemble.scores import score
from postproc.base import runtime

JUNK = 2
BLOCK = 256  # queries sorted together: more is not faster, and the places take eight bytes each

FIRST_CALL = """
import time, numpy as np
from ensemble.scores import score
start = time.perf_counter()
score(np.zeros((2, 3), np.float32), [1, 2], [1, 2, 1])
print(time.perf_counter() - start)
"""


def world(queries: int, gallery: int, pids: int = 750, cams: int = 6) -> tuple[np.ndarray, ...]:
    """Distances at which the good images come first on the whole, but not cleanly; some pid -1 and 0."""
    random = np.random.default_rng(0)
    query_pid, gallery_pid = random.integers(1, pids + 1, queries), random.integers(-1, pids + 1, gallery)
    distances = random.random((queries, gallery), np.float32)
    for row, pid in zip(distances, query_pid, strict=True):
        row[gallery_pid == pid] **= 20
    return (
        distances,
        query_pid,
        gallery_pid,
        random.integers(0, cams, queries),
        random.integers(0, cams, gallery),
    )


def by_sorting(
    distances: np.ndarray,
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
) -> tuple[float, float]:
    """mAP and rank-1 (rectangle, valid, market) from sorted rows."""
    precisions, firsts = [], []
    for start in range(0, len(distances), BLOCK):
        part = slice(start, start + BLOCK)
        same = query_pid[part, None] == gallery_pid
        junk = same & (query_cam[part, None] == gallery_cam) | (gallery_pid == -1)
        kind = np.where(junk, JUNK, same).astype(np.int8)
        kind = np.take_along_axis(kind, np.argsort(distances[part], axis=1), axis=1)
        good, kept = kind == 1, kind != JUNK
        query, column = np.nonzero(good)
        place = np.cumsum(kept, axis=1, dtype=np.int32)[query, column]
        count = good.sum(axis=1)
        before = np.cumsum(count) - count
        precision = (np.arange(len(query)) - before[query] + 1) / place
        valid = count > 0
        precisions.append(np.bincount(query, precision, minlength=len(count))[valid] / count[valid])
        firsts.append(place[before[valid]] == 1)
    return float(np.concatenate(precisions).mean()), float(np.concatenate(firsts).mean())


def seconds(function: Callable[[], object], repeats: int) -> list[float]:
    """The seconds of each of ``repeats`` calls."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return taken


def first_calls() -> tuple[float, float]:
    """Seconds of the first call of a process: nothing compiled yet, and with the compiled kernels on disk."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", FIRST_CALL]
        cold, warm = (
            float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
            for _ in range(2)
        )
    return cold, warm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=3368)
    parser.add_argument("--gallery", type=int, default=15913)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()

    data = world(arguments.queries, arguments.gallery)
    counted, (mean, rank1) = score(*data), by_sorting(*data)
    np.testing.assert_allclose([counted.mAP, counted.rank1], [mean, rank1], atol=1e-12)
    counting = seconds(lambda: score(*data), arguments.repeats)
    sorting = seconds(lambda: by_sorting(*data), arguments.repeats)
    cold, warm = first_calls()

    print(f"{arguments.queries} x {arguments.gallery}: mAP {mean:.4f}, rank-1 {rank1:.4f}")
    print(counted.describe())
    for name, taken in (("counting", counting), ("sorting", sorting)):
        print(
            f"{name:9s} {statistics.median(taken):8.3f} s   (median of {len(taken)}, "
            f"{min(taken):.3f} to {max(taken):.3f})"
        )
    print(f"ratio     {statistics.median(sorting) / statistics.median(counting):8.1f}")
    print(f"threads   {runtime.current().threads:6d}     (counting; NumPy sorts with one)")
    print(f"first call of a process: {cold:.1f} s compiling, {warm:.2f} s with the kernels on disk")


if __name__ == "__main__":
    main()
