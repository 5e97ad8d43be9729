"""CPU seconds and memory to join rank lists, against ranx where that is installed, in one run.

    python -m bench.lists [--queries 2000] [--gallery 12000] [--shortest 100] [--longest 1000] [--lists 2]

Both start from the lists in memory (ours: rows; ranx: its own Run, built beforehand) and end in joined lists,
nearest first. "In matrices": the same lists as matrices of all images, NaN outside them, joined into one more.
Every repeat times ours and then ranx's, so that the ratio is that of one moment; each count is the median of the
repeats. Scores are compared before anything is timed.
"""

import argparse
import os
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ensemble import fusion
from ensemble.fusion import join_lists
from ensemble.submissions import RankList, from_matrix
from postproc.base import runtime

METHODS: dict[str, tuple[Callable[..., Any], dict[str, Any], str, dict[str, Any]]] = {
    "reciprocal_rank_fusion": (fusion.reciprocal_rank_fusion, {}, "rrf", {"params": {"k": 60}}),
    "inverse_square_rank": (fusion.inverse_square_rank, {}, "isr", {}),
    "rank_biased_centroid": (fusion.rank_biased_centroid, {"phi": 0.9}, "rbc", {"params": {"phi": 0.9}}),
    "comb_mnz": (fusion.comb_mnz, {}, "mnz", {"norm": "min-max"}),
}


def world(queries: int, gallery: int, lists: int, shortest: int, longest: int) -> list[RankList]:
    """Lists of models that see about the same: for every query images out of twice as many near ones."""
    random = np.random.default_rng(0)
    names = [f"q{i}" for i in range(queries)], [f"g{i}" for i in range(gallery)]
    centre = random.integers(0, gallery, queries)
    made = []
    for _ in range(lists):
        rows = np.full((queries, longest), -1, np.int64)
        for query in range(queries):
            count = random.integers(shortest, longest + 1)
            rows[query, :count] = (centre[query] + random.permutation(2 * longest)[:count]) % gallery
        made.append(from_matrix(rows, *names))
    return made


def ranx_runs(lists: Sequence[RankList]) -> list[Any] | None:
    """The same lists for ranx, scores falling by 1; None where it is not installed."""
    try:
        from ranx import Run  # type: ignore[import-not-found]
    except ImportError:
        return None
    runs = []
    for ranking in lists:
        lines = zip(ranking.query_names or [], ranking.lines(), strict=True)
        found = {
            q: {ranking.gallery_names[r]: float(-i) for i, r in enumerate(line.tolist())} for q, line in lines
        }
        runs.append(Run(found))
    return runs


def as_matrix(ranking: RankList, gallery: int) -> np.ndarray:
    """(queries, gallery): the places of one model's list, NaN outside it."""
    found = np.full((len(ranking.starts) - 1, gallery), np.nan, np.float32)
    for row, line in zip(found, ranking.lines(), strict=True):
        row[line] = np.arange(len(line))
    return found


def same(ours: RankList, theirs: Any) -> float:
    """The largest difference between a score of ranx and minus a distance of ours."""
    assert ours.query_names is not None
    assert ours.distances is not None
    worst = 0.0
    for query, line, start in zip(ours.query_names, ours.lines(), ours.starts, strict=False):
        scores = theirs.run[query]
        assert len(scores) == len(line), query
        for row, distance in zip(line.tolist(), ours.distances[start : start + len(line)].tolist(), strict=True):
            worst = max(worst, abs(scores[ours.gallery_names[row]] + distance))
    return worst


def seconds(call: Callable[[], object]) -> float:
    """CPU seconds of a call, all threads together."""
    started = time.process_time()
    call()
    return time.process_time() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--gallery", type=int, default=12000)
    parser.add_argument("--shortest", type=int, default=100)
    parser.add_argument("--longest", type=int, default=1000)
    parser.add_argument("--lists", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ.setdefault("NUMBA_NUM_THREADS", str(runtime.current().threads))

    lists = world(given.queries, given.gallery, given.lists, given.shortest, given.longest)
    entries = sum(len(ranking.rows) for ranking in lists)
    print(
        f"{given.lists} lists of {given.shortest} to {given.longest}, {given.queries} x {given.gallery}, "
        f"{entries} entries"
    )
    runs = ranx_runs(lists)
    matrices = [as_matrix(ranking, given.gallery) for ranking in lists]
    if runs is None:
        print("ranx is not installed: ours alone (pip install ranx)")
    for name, (by, settings, method, asked) in METHODS.items():
        ours = join_lists(lists, by, **settings)
        tracemalloc.start()
        join_lists(lists, by, **settings)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        line = f"{name:24s}"
        if runs is not None:
            from ranx import fuse

            options = {"norm": None, **asked}
            difference = same(ours, fuse(runs=runs, method=method, **options))
        calls = [partial(join_lists, lists, by, **settings), partial(by, matrices, **settings)]
        if runs is not None:
            calls.append(partial(fuse, runs=runs, method=method, **options))
        taken = [[seconds(call) for call in calls] for _ in range(given.repeats)]
        own, spread, *other = (statistics.median(one) for one in zip(*taken, strict=True))
        line += f"{own:7.3f} CPU s, peak {peak / 1e6:.0f} MB; in matrices {spread:.3f}"
        if runs is not None:
            ratios = [theirs / ours for ours, _, theirs in taken]
            line += f"; ranx {other[0]:.3f}, ratio {statistics.median(ratios):.1f}"
            line += f" (pairs {', '.join(f'{ratio:.1f}' for ratio in ratios)})"
            line += f", scores within {difference:.0e}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
