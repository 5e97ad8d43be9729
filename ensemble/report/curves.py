"""What a report says about one ranking beside its scores: precision at every recall, distances, pairs of cameras.

A block of queries at a time, one row of the gallery in hand: no matrix is made that the run has not made itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import postproc
from ensemble.base.kinds import Bools, Ints
from ensemble.report.history import UNKNOWN
from ensemble.report.judge import Judge, relations
from ensemble.report.tally import Tally

Block = Callable[[int, int], NDArray[np.float32]]  # distances of the queries start to stop to the whole gallery
BYTES = 1 << 26  # of one block
SAMPLE = 32  # queries whose distances say between what distances lie


@dataclass(frozen=True, eq=False)
class Measured:
    """(nq, k) gallery rows, distances and relations, and the curves by name (none without labels)."""

    rows: NDArray[np.int32]
    distances: NDArray[np.float32]
    relation: NDArray[np.int8]
    curves: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class _OfMatrix:
    """Some queries from ``start`` on: (n, k) rows and distances of their nearest images, and all distances."""

    start: int
    rows: NDArray[np.int32]
    distances: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def count(self, tally: Tally, query: int, good: Bools, hidden: Bools) -> None:
        """Add one of the queries to what is counted."""
        tally.whole(query, self.matrix[query - self.start], good, hidden)


@dataclass(frozen=True, eq=False)
class _OfLists:
    """The same with the lists of all queries."""

    start: int
    rows: NDArray[np.int32]
    distances: NDArray[np.float32]
    nearest: postproc.Nearest

    def count(self, tally: Tally, query: int, good: Bools, hidden: Bools) -> None:
        """Add one of the queries to what is counted."""
        tally.listed(query, self.nearest.rows[query], self.nearest.distances[query], good, hidden)


@dataclass(frozen=True, eq=False)
class Matrix:
    """A ranking by the distances to the whole gallery of ``width`` images."""

    block: Block
    nq: int
    width: int

    def sample(self, queries: Ints) -> NDArray[np.float32]:
        """All distances of some queries in a row."""
        return np.concatenate([self.block(i, i + 1)[0] for i in queries.tolist()])

    def parts(self, k: int) -> Iterator[_OfMatrix]:
        """The queries in blocks, ``k`` images of each."""
        for start, stop in _blocks(self.nq, self.width):
            matrix = self.block(start, stop)
            rows = postproc.rank(matrix, top_k=k)
            distances = np.take_along_axis(matrix, np.maximum(rows, 0), axis=1)
            yield _OfMatrix(start, rows, np.where(rows < 0, np.float32(np.inf), distances), matrix)


@dataclass(frozen=True, eq=False)
class Lists:
    """A ranking by lists of the nearest images alone."""

    nearest: postproc.Nearest

    @property
    def nq(self) -> int:
        """How many queries there are."""
        return len(self.nearest.rows)

    @property
    def width(self) -> int:
        """The length of the lists."""
        return int(self.nearest.rows.shape[1])

    def sample(self, queries: Ints) -> NDArray[np.float32]:
        """All distances of some queries in a row."""
        return self.nearest.distances[queries].ravel()

    def parts(self, k: int) -> Iterator[_OfLists]:
        """The queries in blocks, ``k`` images of each."""
        for start, stop in _blocks(self.nq, self.width):
            rows, distances = self.nearest.rows[start:stop, :k], self.nearest.distances[start:stop, :k]
            yield _OfLists(start, rows, np.where(rows < 0, np.float32(np.inf), distances), self.nearest)


Ranked = Matrix | Lists


def measure(ranked: Ranked, *, places: int, judge: Judge | None, pairs: bool = False) -> Measured:
    """Look at a ranking, a block of queries after the other.

    places: how many are kept. judge: None without labels. pairs: also AP for every two cameras.
    """
    nq, k = ranked.nq, min(places, ranked.width)
    rows, distances = np.full((nq, k), -1, np.int32), np.full((nq, k), np.inf, np.float32)
    relation = np.full((nq, k), UNKNOWN, np.int8)
    tally = None
    if judge is not None:
        chosen = np.unique(np.linspace(0, nq - 1, SAMPLE).astype(int))
        tally = Tally(nq, judge, ranked.sample(chosen), pairs=pairs)
    for part in ranked.parts(k):
        stop = part.start + len(part.rows)
        rows[part.start : stop], distances[part.start : stop] = part.rows, part.distances
        if judge is None or tally is None:
            continue
        for i in range(part.start, stop):
            good, hidden = judge.of(i)
            relation[i] = relations(rows[i], good, hidden)
            part.count(tally, i, good, hidden)
    return Measured(rows, distances, relation, tally.curves() if tally else {})


def _blocks(nq: int, width: int) -> Iterator[tuple[int, int]]:
    step = max(1, BYTES // (4 * max(width, 1)))
    return ((start, min(start + step, nq)) for start in range(0, nq, step))
