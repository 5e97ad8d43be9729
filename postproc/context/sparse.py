"""Sparse rows over images: a few hundred numbers an image where a matrix would have one for every other image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from postproc import kernels
from postproc.base import arrays


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
        offsets = arrays.offsets(there.sum(axis=1))
        return cls(offsets, arrays.as_type(rows[there], np.int32), arrays.as_type(weights[there], np.float32))

    @staticmethod
    def in_pieces(
        make: Callable[[int, int], tuple[np.ndarray, ...]], rows: int, like: np.ndarray | None = None
    ) -> Any:
        """Rows made range by range as (sizes, parts …), joined in order as (offsets, parts …)."""
        like = np.empty(0) if like is None else like
        pieces: dict[int, tuple[np.ndarray, ...]] = {}

        def keep(start: int, stop: int) -> None:
            pieces[start] = make(start, stop)

        kernels.of(like).walk.over_rows(keep, rows, what="sparse rows")
        sizes, *parts = map(list, zip(*(pieces.pop(start) for start in sorted(pieces)), strict=True))
        return arrays.offsets(_joined(sizes)), *(_joined(part) for part in parts)

    @property
    def rows(self) -> int:
        """How many."""
        return len(self.offsets) - 1

    @property
    def sizes(self) -> np.ndarray:
        """(n,) int64: how many members every row has."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def owners(self) -> np.ndarray:
        """For every member the row that it is in."""
        numbers = arrays.beside(np.arange(self.rows), self.offsets)
        return arrays.namespace(self.offsets).repeat(numbers, self.sizes)

    @staticmethod
    def stacked(parts: list[Sparse]) -> Sparse:
        """All rows of the first, then those of the second, and so on."""
        xp = arrays.namespace(parts[0].weights)
        sizes = xp.concat([part.sizes for part in parts])
        return Sparse(
            arrays.offsets(sizes),
            xp.concat([part.members for part in parts]),
            xp.concat([part.weights for part in parts]),
        )

    def join_rows(self, other: Sparse) -> Sparse:
        """Every row of this and then the same row of the other."""
        offsets = arrays.offsets(self.sizes + other.sizes)
        members = arrays.empty(len(self.members) + len(other.members), np.int32, self.members)
        weights = arrays.empty(len(members), np.float32, self.weights)
        for part, begins in ((self, offsets[:-1]), (other, offsets[:-1] + self.sizes)):
            places = (
                arrays.beside(np.arange(len(part.members)), offsets) + (begins - part.offsets[:-1])[part.owners]
            )
            members[places], weights[places] = part.members, part.weights
        return Sparse(offsets, members, weights)

    def times(self, factor: float) -> Sparse:
        """All weights times one number."""
        return Sparse(self.offsets, self.members, self.weights * float(np.float32(factor)))

    def unit(self) -> Sparse:
        """Rows of Euclidean length 1; empty ones and zeros stay."""
        squares = kernels.of(self.weights).sparse.squares_of_rows(self.offsets, self.weights)
        xp = arrays.namespace(squares)
        length = arrays.as_type(xp.sqrt(xp.where(squares > 0, squares, 1.0)), np.float32)
        return Sparse(self.offsets, self.members, self.weights / length[self.owners])

    def plus_transposed(self) -> Sparse:
        """``A + A'`` of a square matrix; members ascend."""
        return Sparse(*kernels.of(self.weights).sparse.plus_transposed(self.offsets, self.members, self.weights))

    def sum(self, lists: np.ndarray, factors: np.ndarray | None = None) -> Sparse:
        """Row i becomes the sum of the rows ``lists[i]`` times ``factors[i]``; below 0 is nobody."""
        kernel = kernels.of(self.weights)
        lists = arrays.contiguous(lists)
        if factors is None:
            factors = arrays.full((1, 1), 1, np.float32, self.weights)
        factors = arrays.contiguous(factors)
        return Sparse(
            *Sparse.in_pieces(
                lambda start, stop: kernel.sparse.sum_of_rows(
                    self.offsets, self.members, self.weights, lists, factors, start, stop
                ),
                len(lists),
                self.weights,
            )
        )

    def mean(self, lists: np.ndarray) -> Sparse:
        """Row i becomes the mean of the rows ``lists[i]``; below 0 is nobody."""
        total = self.sum(lists)
        counts = arrays.as_type((lists >= 0).sum(axis=1), np.float32)
        return Sparse(total.offsets, total.members, total.weights / counts[total.owners])

    def inverted(self, first: int, columns: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The columns of the rows ``first ..``: (offsets, rows - first, weights), rows ascending.

        columns: how many there are, where that is more than there are rows.
        """
        offsets = self.offsets
        if columns > self.rows:
            nothing = arrays.full(columns - self.rows, len(self.members), np.int64, offsets)
            offsets = arrays.namespace(offsets).concat([offsets, nothing])
        return kernels.of(self.weights).sparse.invert(offsets, self.members, self.weights, first)

    def in_order(self, columns: int = 0) -> Sparse:
        """The same rows with their columns ascending, so that a sum over what two rows share has one order.

        columns: how many there are, where that is more than there are rows; empty rows follow then.
        """
        return Sparse(*Sparse(*self.inverted(0, columns)).inverted(0))

    def products(self, gallery: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Callable[..., None]:
        """``add(strip, queries, start, stop)``: to the rows ``start:stop`` of a strip (queries, gallery) add the
        products of the queries' rows with those inverted ones."""
        kernel = kernels.of(self.weights)

        def add(strip: np.ndarray, queries: np.ndarray, start: int, stop: int) -> None:
            kernel.sparse.add_products(
                strip, queries, self.offsets, self.members, self.weights, *gallery, start, stop
            )

        return add


def _joined(parts: list[Any]) -> Any:
    """One after the other; ``parts`` is empty afterwards, so that nothing large is there twice."""
    if arrays.on_cuda(parts[0]):
        found = arrays.namespace(parts[0]).concat(parts)
        parts.clear()
        return found
    out = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), parts[0].dtype)
    stop = len(out)
    while parts:
        part = parts.pop()
        out[stop - len(part) : stop] = part
        stop -= len(part)
    return out
