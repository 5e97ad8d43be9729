"""What joins that look at neighbours share: every model's lists of all images, and how much two lists overlap."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from postproc import kernels
from postproc.base import runtime
from postproc.pairs import nearest, pairwise
from postproc.pairs.tiles import PairwiseTiles

Metric = Literal["cosine", "sqeuclidean"]
ENTRIES = 1 << 22  # comparisons of list entries at a time


def lists(
    query: np.ndarray, gallery: np.ndarray | None, k: int, metric: Metric, answer: np.ndarray | None = None
) -> np.ndarray:
    """(N, k) int32: every image's nearest images, itself among them; queries first. Fills ``answer`` (nq, ng).

    Without a gallery the queries are one set."""
    tiles = PairwiseTiles(pairwise.of(query, gallery, unit=metric == "cosine"))
    return nearest.of_all(tiles, k, answer).rows


def mutual(rows: np.ndarray) -> np.ndarray:
    """(N, k) bool: the image stands in that neighbour's list too."""
    out = np.empty(rows.shape, np.bool_)
    kernel = kernels.of(rows)
    runtime.over_rows(
        lambda start, stop: kernel.reciprocal.mutual(rows, rows.shape[1], start, stop, out),
        len(rows),
        what="graph",
    )
    return out


def matches(left: np.ndarray, right: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of pairs of lists (n, k): the slice, and (pairs, k, k) bool: entry a of one is b of the other."""
    step = max(1, ENTRIES // max(1, left.shape[1] * right.shape[1]))
    for start in range(0, len(left), step):
        block = slice(start, start + step)
        yield block, left[block, :, None] == right[block, None, :]
