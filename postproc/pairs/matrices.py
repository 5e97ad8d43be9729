"""Tiles of distances that somebody has already computed, for callers who hold the three matrices."""

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.vocabulary import Unchecked
from postproc.pairs.layout import Layout
from postproc.pairs.tiles import Tiles

SOME, FEW = 100, 5  # rows that are looked at; images of which an order says nothing


class SquareTiles(Tiles):
    """Tiles of all distances of one set, read down its columns; every image is at 0 from itself."""

    def __init__(self, distances: np.ndarray) -> None:
        everybody = np.arange(len(distances), dtype=np.int32)
        self.layout = Layout(len(distances), len(distances), everybody, everybody, distances, one_set=True)
        self.distances = distances

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        tile = out[: tall * wide].reshape(tall, wide)
        tile[:] = self.distances[columns, rows].T
        if rows == columns:
            kernels.of(tile).tiles.zero_diagonal(tile)
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        values = self.distances[right, left]
        values[left == right] = 0
        return values


class MatrixTiles(Tiles):
    """Tiles of the square matrix ``D = [[query, across], [acrossᵀ, gallery]]``, read down its columns.

    The released re-ranking code normalises and transposes, so the neighbours of image i are those of *column* i;
    for a symmetric matrix that is the same. Nothing is copied but the tiles.
    """

    def __init__(self, across: np.ndarray, query: np.ndarray, gallery: np.ndarray) -> None:
        nq, ng = across.shape
        everybody = np.arange(nq + ng, dtype=np.int32)
        like = next(filter(arrays.on_cuda, (across, query, gallery)), across)
        self.layout = Layout(nq, ng, everybody, everybody, like)
        self.across, self.query, self.gallery = (arrays.beside(part, like) for part in (across, query, gallery))

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = out[: (rows.stop - rows.start) * (columns.stop - columns.start)]
        tile = tile.reshape(rows.stop - rows.start, columns.stop - columns.start)
        nq = self.layout.nq
        here, there = slice(rows.start - nq, rows.stop - nq), slice(columns.start - nq, columns.stop - nq)
        if rows.start < nq and columns.start < nq:
            tile[:] = self.query[columns, rows].T
        elif rows.start < nq:
            tile[:] = self.across[rows, there]
        elif columns.start < nq:
            tile[:] = self.across[columns, here].T
        else:
            tile[:] = self.gallery[there, here].T
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        nq = self.layout.nq
        out = arrays.empty(len(left), np.float32, self.across)
        a, b = left < nq, right < nq
        both, neither = a & b, ~a & ~b
        out[both] = self.query[right[both], left[both]]
        out[a & ~b] = self.across[left[a & ~b], right[a & ~b] - nq]
        out[~a & b] = self.across[right[~a & b], left[~a & b] - nq]
        out[neither] = self.gallery[right[neither] - nq, left[neither] - nq]
        return out


def refuse_similarities(name: str, square: np.ndarray, remedy: str, found_in: str = "similarities") -> None:
    """Raise ValueError where most images of a square of all by all are farthest from themselves: similarities.

    What is +inf from itself is fine. ``found_in``: what the caller has turned into these distances.
    Cost: the numbers of some rows.
    """
    wanted = "distances" if found_in == "similarities" else "similarities"
    count = len(square)
    if count < FEW:
        return
    rows = np.unique(np.linspace(0, count - 1, min(count, SOME)).astype(np.int64))
    found = arrays.host(square[arrays.beside(rows, square)])
    at = np.arange(len(rows))
    own = found[at, rows]
    others = np.where(np.arange(count) == rows[:, None], -np.inf, found).max(axis=1)
    if np.mean(np.isfinite(own) & (own > others)) > 0.5:
        raise ValueError(
            f"{name}: wanted {wanted}, found that most images are farthest from themselves, as in {found_in}; "
            f"{remedy}"
        )


def of_one_set(name: str, value: Unchecked) -> np.ndarray:
    """Distances (n, n) of one set against itself, checked: +inf or 0 on all of the diagonal, finite elsewhere."""
    array = checks.distances(name, value, cuda=True)
    checks.not_empty(name, array)
    rows, columns = map(int, array.shape)
    if rows != columns:
        raise ValueError(f"{name}: wanted one set against itself, a square, got shape {(rows, columns)}")
    everybody = arrays.beside(np.arange(rows), array)
    own = array[everybody, everybody]
    infinite = sum(int((array[part] == np.inf).sum()) for part in arrays.blocks(array, 64)) - int(
        (own == np.inf).sum()
    )
    if infinite:
        raise ValueError(f"{name}: wanted finite numbers outside the diagonal, found {infinite} of +inf")
    if not bool((own == np.inf).all()) and not bool((own == 0).all()):
        raise ValueError(f"{name}: wanted +inf or 0 on all of the diagonal of one set, got {float(own[0])} first")
    return array
