"""Neighbour lists of which some entries are taken out: the others move up, -1 and +inf stand behind them."""

from collections.abc import Callable

import numpy as np

ROWS = 4096  # lists that are looked at together
Chosen = Callable[[slice], tuple[np.ndarray, np.ndarray, np.ndarray]]  # rows, distances, which of them stay


def thinned(choose: Chosen, count: int, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first ``k`` entries that stay of each of ``count`` lists: rows (count, k) int32, distances (count, k)
    float32; and (count,) int64, how many there are."""
    rows = np.full((count, k), -1, np.int32)
    distances = np.full((count, k), np.inf, np.float32)
    counts = np.empty(count, np.int64)
    for start in range(0, count, ROWS):
        part = slice(start, min(start + ROWS, count))
        found, far, kept = choose(part)
        kept = kept & (np.cumsum(kept, axis=1) <= k)
        counts[part] = kept.sum(axis=1)
        there = np.arange(k) < counts[part, None]
        rows[part][there], distances[part][there] = found[kept], far[kept]
    return rows, distances, counts


def in_gallery(
    rows: np.ndarray, distances: np.ndarray, border: int, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first ``k`` gallery images of lists of all images, of which the first ``border`` are queries; by gallery
    row."""

    def choose(part: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = np.asarray(rows[part])
        return found - border, np.asarray(distances[part]), found >= border

    return thinned(choose, len(rows), k)
