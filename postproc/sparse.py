"""Sparse rows over images: a few hundred numbers an image where a matrix would have one for every other image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from postproc import kernels, runtime


@dataclass(frozen=True)
class Sparse:
    """Row i holds ``members[offsets[i]:offsets[i + 1]]`` with the ``weights`` at the same places.

    ``offsets`` (n + 1,) int64, ``members`` int32, ``weights`` float32.
    """

    offsets: np.ndarray
    members: np.ndarray
    weights: np.ndarray

    @classmethod
    def of_lists(cls, rows: np.ndarray, weights: np.ndarray) -> Sparse:
        """Neighbour lists (n, k) as sparse rows; entries below 0 are nobody."""
        there = rows >= 0
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(there.sum(axis=1), out=offsets[1:])
        return cls(offsets, rows[there].astype(np.int32), weights[there].astype(np.float32))

    @staticmethod
    def in_pieces(make: Callable[[int, int], tuple[np.ndarray, ...]], rows: int) -> Any:
        """Rows made range by range as (sizes, parts …), joined in order as (offsets, parts …)."""
        pieces: dict[int, tuple[np.ndarray, ...]] = {}

        def keep(start: int, stop: int) -> None:
            pieces[start] = make(start, stop)

        runtime.over_rows(keep, rows, what="sparse rows")
        sizes, *parts = zip(*(pieces[start] for start in sorted(pieces)), strict=True)
        offsets = np.zeros(rows + 1, np.int64)
        np.cumsum(np.concatenate(sizes), out=offsets[1:])
        return offsets, *(np.concatenate(part) for part in parts)

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.offsets) - 1

    def beside(self, other: Sparse) -> Sparse:
        """Every row of this and then the same row of the other."""
        sizes, more = np.diff(self.offsets), np.diff(other.offsets)
        offsets = np.zeros(len(self.offsets), np.int64)
        np.cumsum(sizes + more, out=offsets[1:])
        members, weights = np.empty(offsets[-1], np.int32), np.empty(offsets[-1], np.float32)
        first = np.arange(len(self.members)) + np.repeat(offsets[:-1] - self.offsets[:-1], sizes)
        second = np.arange(len(other.members)) + np.repeat(offsets[:-1] + sizes - other.offsets[:-1], more)
        members[first], members[second] = self.members, other.members
        weights[first], weights[second] = self.weights, other.weights
        return Sparse(offsets, members, weights)

    def times(self, factor: float) -> Sparse:
        """All weights times one number."""
        return Sparse(self.offsets, self.members, self.weights * np.float32(factor))

    def unit(self) -> Sparse:
        """Rows of Euclidean length 1; empty ones and zeros stay."""
        owners = np.repeat(np.arange(self.rows), np.diff(self.offsets))
        squares = np.bincount(owners, np.square(self.weights, dtype=np.float64), self.rows)
        length = np.sqrt(np.where(squares > 0, squares, 1)).astype(np.float32)
        return Sparse(self.offsets, self.members, self.weights / length[owners])

    def plus_transposed(self) -> Sparse:
        """``A + A'`` of a square matrix; members ascend."""
        from scipy.sparse import csr_matrix

        matrix = csr_matrix((self.weights, self.members, self.offsets), shape=(self.rows, self.rows))
        matrix.sort_indices()
        total = (matrix + matrix.T.tocsr()).tocsr()
        total.sort_indices()
        return Sparse(total.indptr.astype(np.int64), total.indices.astype(np.int32), total.data)

    def sum(self, lists: np.ndarray, factors: np.ndarray | None = None) -> Sparse:
        """Row i becomes the sum of the rows ``lists[i]`` times ``factors[i]``; below 0 is nobody."""
        kernel = kernels.of(self.weights)
        lists = np.ascontiguousarray(lists)
        factors = np.ones((1, 1), np.float32) if factors is None else np.ascontiguousarray(factors)
        return Sparse(
            *Sparse.in_pieces(
                lambda start, stop: kernel.sum_of_rows(
                    self.offsets, self.members, self.weights, lists, factors, start, stop
                ),
                len(lists),
            )
        )

    def mean(self, lists: np.ndarray) -> Sparse:
        """Row i becomes the mean of the rows ``lists[i]``; below 0 is nobody."""
        total = self.sum(lists)
        counts = np.repeat((lists >= 0).sum(axis=1).astype(np.float32), np.diff(total.offsets))
        return Sparse(total.offsets, total.members, total.weights / counts)

    def inverted(self, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The columns of the rows ``first ..``: (offsets, rows - first, weights), rows ascending."""
        return kernels.of(self.weights).invert(self.offsets, self.members, self.weights, first)

    def products(self, gallery: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Callable[..., None]:
        """``add(strip, queries, start, stop)``: to the rows ``start:stop`` of a strip (queries, gallery) add the
        products of the queries' rows with those inverted ones."""
        kernel = kernels.of(self.weights)

        def add(strip: np.ndarray, queries: np.ndarray, start: int, stop: int) -> None:
            kernel.add_products(strip, queries, self.offsets, self.members, self.weights, *gallery, start, stop)

        return add
