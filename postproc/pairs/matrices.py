"""Tiles of distances that somebody has already computed, for callers who hold the three matrices."""

import numpy as np

from postproc.base import arrays
from postproc.pairs.tiles import Layout, Tiles


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
