"""Seconds and memory to join rank lists, against ranx where that is installed, in one run.

    python -m bench.lists [--queries 2000] [--gallery 12000] [--shortest 100] [--longest 1000] [--lists 2]

Both start from the lists in memory (ours: rows; ranx: its own Run, built beforehand) and end in joined lists,
nearest first. Every repeat times ours and then ranx's, so that the ratio is that of one moment. Scores are
compared before anything is timed.
"""

import argparse
import os
import statistics
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
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
    if runs is None:
        print("ranx is not installed: ours alone (pip install ranx)")
    for name, (by, settings, method, theirs) in METHODS.items():
        ours = join_lists(lists, by, **settings)
        tracemalloc.start()
        join_lists(lists, by, **settings)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        line = f"{name:24s}"
        if runs is not None:
            from ranx import fuse

            options = {"norm": None, **theirs}
            difference = same(ours, fuse(runs=runs, method=method, **options))
        pairs = []
        for _ in range(given.repeats):
            start = time.perf_counter()
            join_lists(lists, by, **settings)
            between = time.perf_counter()
            if runs is not None:
                fuse(runs=runs, method=method, **options)
            pairs.append((between - start, time.perf_counter() - between))
        line += f"{statistics.median(own for own, _ in pairs):7.3f} s, peak {peak / 1e6:.0f} MB"
        if runs is not None:
            ratio = statistics.median(other / own for own, other in pairs)
            line += f"; ranx {statistics.median(other for _, other in pairs):7.3f} s, ratio {ratio:.1f}"
            line += f" (pairs {', '.join(f'{other / own:.1f}' for own, other in pairs)})"
            line += f", scores within {difference:.0e}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
