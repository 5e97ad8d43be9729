"""The pairs of one set whose distance is known: of a square matrix, or of neighbour lists.

Everything in this family starts here. A pair stands once, whichever of its images is asked about.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from postproc.base import arrays, checks
from postproc.base.vocabulary import Floats, Ints, Nearest, Unchecked
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.matrices import refuse_similarities

Symmetric = Literal["checked", "mean", "min", "max"]
ROUNDING = 1e-5  # of the largest distance: what two ways of computing one distance differ in
MOST, PAIR_BYTES = 12e9, 20  # bytes of the distances of what lists connect, and of a pair in them
ENDS: tuple[Literal["left", "right"], ...] = ("left", "right")
BLOCK = 512  # rows of a matrix that are looked at together


class Pairs(NamedTuple):
    """Pairs of ``images``, each once with ``left < right``: nearest first, ties by left and then by right.

    ``left``, ``right`` (m,) int32 rows, ``distances`` (m,) float32, finite.
    """

    images: int
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    distances: Floats

    def only(self, which: Any) -> "Pairs":
        """Some of them, by a mask or a slice."""
        return Pairs(self.images, self.left[which], self.right[which], self.distances[which])


class Given(NamedTuple):
    """What a caller has handed over, checked: a symmetric matrix, or pairs."""

    images: int
    matrix: Floats | None
    listed: Pairs | None

    def pairs(self, at_most: float = np.inf) -> Pairs:
        """The pairs at most so far from each other."""
        if self.matrix is not None:
            return _of_matrix(self.matrix, at_most)
        assert self.listed is not None
        count = int(np.searchsorted(self.listed.distances, np.float32(at_most), side="right"))
        return self.listed.only(slice(count))

    def blocks(self, groups: Ints, far: float) -> Iterator[tuple[Ints, Floats]]:
        """The rows of every group of two or more, and the (m, m) distances among them.

        ``far`` stands where a pair is not known, 0 between an image and itself. Negative numbers are no group.
        ValueError for a group in lists whose matrix would be too large.
        """
        listed, place = self.listed, np.empty(self.images, np.int64)
        starts: Ints = np.empty(0, np.int64)
        if listed is not None:
            listed = listed.only(groups[listed.left] == groups[listed.right])
            listed = listed.only(np.argsort(groups[listed.left], kind="stable"))
            starts = groups[listed.left]
        for rows in members(groups):
            if listed is None:
                assert self.matrix is not None
                found = self.matrix[np.ix_(rows, rows)]
                found[~np.isfinite(found)] = far
            else:
                _refuse_large(len(rows))
                number = groups[rows[0]]
                pairs = listed.only(slice(*(int(np.searchsorted(starts, number, end)) for end in ENDS)))
                place[rows] = np.arange(len(rows))
                left, right = place[pairs.left], place[pairs.right]
                found = np.full((len(rows), len(rows)), far, np.float32)
                found[left, right] = found[right, left] = pairs.distances
            np.fill_diagonal(found, 0)
            yield rows, found


def members(groups: Ints) -> list[Ints]:
    """The rows of every group of two or more, ascending, by number; negative numbers are no group."""
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0]) if len(order) else np.empty(0, np.int64)
    return [rows for rows in np.split(order, starts[1:]) if len(rows) > 1]


def _refuse_large(images: int) -> None:
    if PAIR_BYTES * images**2 > MOST:
        raise ValueError(
            f"query_distances: near pairs connect {images} images, whose distances take "
            f"{PAIR_BYTES * images**2 / 1e9:.0f} GB; take a smaller threshold, or a step that needs no matrix of "
            "them: single linkage, connected_components, dbscan, constrained_union"
        )


def given(name: str, value: Unchecked, symmetric: Symmetric = "checked") -> Given:
    """Check a square matrix or neighbour lists of one set.

    The diagonal of a matrix and the own image in a list mean nothing, but that a diagonal of finite numbers above
    all others is refused: they are similarities. +inf is no pair.
    symmetric: what becomes of two numbers for one pair. "checked": they are one number but for rounding, else
               ValueError; "mean", "min", "max" of the two.
    """
    if isinstance(value, NeighbourLists):
        if not value.one_set:
            raise ValueError(f"{name}: wanted lists of one set, got those of {value}")
        value = Nearest(np.asarray(value.distances), np.asarray(value.rows))
    if isinstance(value, Nearest):
        pairs = _of_lists(name, value, symmetric)
        return Given(pairs.images, None, pairs)
    matrix = _square(name, value, symmetric)
    return Given(len(matrix), matrix, None)


def _square(name: str, value: Unchecked, symmetric: Symmetric) -> Floats:
    matrix = checks.distances(name, value)
    checks.not_empty(name, matrix)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name}: wanted a square matrix, each image against all, got shape {matrix.shape}")
    refuse_similarities(name, matrix, "of similarities s give 1 - s; of distances 0 or +inf on the diagonal")
    out = np.empty_like(matrix)
    limit = _limit(matrix)
    for start in range(0, len(matrix), BLOCK):
        rows = slice(start, min(start + BLOCK, len(matrix)))
        one, other = matrix[rows], matrix.T[rows]
        if symmetric == "checked":
            with np.errstate(invalid="ignore"):  # +inf less +inf
                apart = (one != other) & ~(np.abs(one - other) <= limit)
            apart[np.arange(len(one)), np.arange(rows.start, rows.stop)] = False
            if apart.any():
                i, j = (int(at[0]) for at in np.nonzero(apart))
                raise ValueError(_asymmetric(name, start + i, j, one[i, j], other[i, j]))
        out[rows] = _one_of_two(one, other, symmetric)
    np.fill_diagonal(out, 0)
    return out


def _of_matrix(matrix: Floats, at_most: float) -> Pairs:
    found = []
    for start in range(0, len(matrix), BLOCK):
        block = matrix[start : start + BLOCK]
        i, j = np.nonzero((block <= np.float32(at_most)) & np.isfinite(block))
        later = j > i + start
        i, j = i[later], j[later]
        found.append((i + start, j, block[i, j]))
    left, right, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(distances, kind="stable")  # they come by left and then by right
    return Pairs(len(matrix), left[order].astype(np.int32), right[order].astype(np.int32), distances[order])


def _of_lists(name: str, value: Nearest, symmetric: Symmetric) -> Pairs:
    far = checks.distances(f"{name}.distances", arrays.host(value.distances))
    checks.not_empty(name, far)
    rows = checks.ranking(f"{name}.rows", arrays.host(value.rows), len(far))
    if far.shape != rows.shape:
        raise ValueError(f"{name}: wanted one distance a row, got shapes {far.shape} and {rows.shape}")
    count, owner = len(far), np.repeat(np.arange(len(far)), far.shape[1])
    other, flat = rows.ravel().astype(np.int64), far.ravel()
    there = (other >= 0) & np.isfinite(flat) & (other != owner)
    owner, other, flat = owner[there], other[there], flat[there]
    key = np.minimum(owner, other) * count + np.maximum(owner, other)
    order = np.argsort(key, kind="stable")
    key, flat = key[order], flat[order]
    starts = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else np.empty(0, np.int64)
    if not len(starts):
        empty = np.empty(0, np.int32)
        return Pairs(count, empty, empty, np.empty(0, np.float32))
    low, high = np.minimum.reduceat(flat, starts), np.maximum.reduceat(flat, starts)
    if symmetric == "checked" and (high - low > _limit(flat)).any():
        at = int(np.argmax(high - low > _limit(flat)))
        left, right = divmod(int(key[starts[at]]), count)
        raise ValueError(_asymmetric(name, left, right, low[at], high[at]))
    values = _one_of_two(low, high, symmetric)
    left, right = np.divmod(key[starts], count)
    order = np.argsort(values, kind="stable")
    return Pairs(count, left[order].astype(np.int32), right[order].astype(np.int32), values[order])


def _one_of_two(one: Floats, other: Floats, symmetric: Symmetric) -> Floats:
    if symmetric in ("min", "max"):
        return np.minimum(one, other) if symmetric == "min" else np.maximum(one, other)
    return ((one.astype(np.float64) + other) / 2).astype(np.float32)


def _limit(values: Floats) -> float:
    largest = float(np.max(np.abs(values), where=np.isfinite(values), initial=0))
    return ROUNDING * max(largest, 1e-30)


def _asymmetric(name: str, left: int, right: int, one: float, other: float) -> str:
    return (
        f"{name}: wanted one distance for images {left} and {right}, whichever is asked about, got {one:g} and "
        f'{other:g}; set symmetric to "mean", "min" or "max"'
    )
