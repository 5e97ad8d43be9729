"""Where lists of answers should end: at one distance for all, or at the first wide gap (``cut_at_gap``).

    python -m bench.cuts DIR

DIR holds the real sets (``bench/wholes.py``), cut into queries and gallery as in ``bench/orders.py``, models side
by side, cosine distances, the 20 nearest of every query. Half of the identities choose the distance, or how many
times the mean gap; the other half is scored, and both again the other way round. F1 is the mean over queries of
``2 right / (kept + all right ones)``, a query without a right image at 0. The interval is the paired bootstrap's
of gap less distance, queries drawn 2,000 times.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.orders import cut
from bench.wholes import Whole, real
from postproc import Nearest, cut_at_gap, distances

LONG = 20
TIMES = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 50)
DRAWS = 2_000
Cutting = Callable[[Nearest, float], np.ndarray]  # which entries of lists stay


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    print(
        f"{'F1 in per cent':<14}{'all 20':>8}{'distance':>10}{'gap':>8}{'gap less distance':>22}   times, halves"
    )
    for whole in real(parser.parse_args().folder):
        if whole.models:
            print(line(whole), flush=True)


def line(whole: Whole) -> str:
    """The row of a set."""
    query, gallery = cut(whole)
    x, pid = whole.joined(), whole.pid
    lists = distances(x[query], x[gallery], metric="cosine", top_k=min(LONG, len(gallery)))
    right = pid[gallery][lists.rows] == pid[query][:, None]
    total = (pid[gallery] == pid[query][:, None]).sum(axis=1)
    names = np.random.default_rng(0).permutation(np.unique(pid))
    first = np.isin(pid[query], names[: len(names) // 2])
    grid = np.quantile(lists.distances, np.linspace(0, 1, 101))
    everybody = f1(np.ones(right.shape, bool), right, total)
    by_distance, _ = chosen(lists, right, total, first, grid, lambda some, limit: some.distances <= limit)
    by_gap, times = chosen(
        lists, right, total, first, TIMES, lambda some, many: cut_at_gap(some, times=many).rows >= 0
    )
    change = by_gap - by_distance
    random = np.random.default_rng(0)
    drawn = [change[random.integers(0, len(change), len(change))].mean() for _ in range(DRAWS)]
    low, high = 100 * np.percentile(drawn, [2.5, 97.5])
    return (
        f"{whole.name:<14}{100 * everybody.mean():>8.1f}{100 * by_distance.mean():>10.1f}"
        f"{100 * by_gap.mean():>8.1f}"
        f"{100 * change.mean():>+8.1f} ({low:+.1f} .. {high:+.1f})   {times[0]:g}, {times[1]:g}"
    )


def chosen(
    lists: Nearest,
    right: np.ndarray,
    total: np.ndarray,
    first: np.ndarray,
    grid: Sequence[float] | np.ndarray,
    keep: Cutting,
) -> tuple[np.ndarray, list[float]]:
    """F1 of every query with what the other half chose, and what was chosen."""
    found, picks = np.zeros(len(first)), []
    for asked in (first, ~first):
        others = Nearest(*(part[~asked] for part in lists))
        scores = [f1(keep(others, value), right[~asked], total[~asked]).mean() for value in grid]
        best = grid[int(np.argmax(scores))]
        found[asked] = f1(keep(Nearest(*(part[asked] for part in lists)), best), right[asked], total[asked])
        picks.append(float(best))
    return found, picks


def f1(kept: np.ndarray, right: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(nq,) of the lists that are kept."""
    hits = (kept & right).sum(axis=1)
    return np.asarray(2 * hits / np.maximum(kept.sum(axis=1) + total, 1))


if __name__ == "__main__":
    main()
