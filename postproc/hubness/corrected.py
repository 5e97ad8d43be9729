"""Distances from which is taken what is usual for their two ends, block by block.

Queries have usual distances to queries and to the gallery, gallery images likewise: three blocks, because a query
is as a rule nearer to other queries, or farther from them, than to the gallery.
"""

from dataclasses import replace

import numpy as np

from postproc import kernels
from postproc.base import arrays, remarks
from postproc.base.vocabulary import Floats
from postproc.hubness.means import mean_of_finite
from postproc.pairs import nearest
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.rows import Rows
from postproc.pairs.tiles import PairwiseTiles, Tiles


class CorrectedTiles(Tiles):
    """``E[i, j] = D[i, j] - (r[i] + r[j]) / 2``, r the mean distance to the ``k`` nearest others in the block.

    ``largest`` (n,) float32: the distance D of the farthest from each image. ``skew``: of how many of these lists
    name an image, where somebody listens to remarks.
    """

    symmetric = True

    def __init__(self, pairs: Pairwise, k: int) -> None:
        sides = None if pairs.one_set else tuple(np.full(size, side) for side, size in enumerate(pairs.sizes))
        self.tiles = PairwiseTiles(pairs, sides)  # type: ignore[arg-type]
        self.layout = self.tiles.layout
        if pairs.one_set:
            within = across = nearest.of_all(self.tiles, k + 1)
        else:
            within, across = nearest.of_sides(self.tiles, own=k + 1, other=max(k, 1))
        self.largest: Floats = arrays.namespace(within.largest).maximum(within.largest, across.largest)
        first = arrays.beside(self.layout.first, within.values)
        within = nearest.without_self(within)
        near = within.values[:, :k], across.values[:, :k]
        self.usual = [-0.5 * mean_of_finite(values)[first] for values in near]  # inside a block's side, and across
        self.skew = _skew(arrays.host(within.rows)) if remarks.wanted() else 0.0  # of how often images are named

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.tiles.tile(rows, columns, out)
        usual = self.usual[self._is_query(rows.start) != self._is_query(columns.start)]
        kernel = kernels.of(tile).hubness
        kernel.scale_and_add(tile, 1.0, usual[rows], usual[columns], 0, len(tile))
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        a, b = (self.layout.inverse_there[side] for side in (left, right))
        border = 0 if self.layout.one_set else self.layout.query_classes
        apart = (a < border) != (b < border)
        xp = arrays.namespace(self.usual[0])
        found = self.tiles.between(left, right)
        found += xp.where(apart, self.usual[1][a] + self.usual[1][b], self.usual[0][a] + self.usual[0][b])
        return found

    def usual_of_queries(self) -> tuple[float, float]:
        """How far queries are from their ``k`` nearest queries, and from their ``k`` nearest in the gallery."""
        within, across = (arrays.host(part[: self.layout.query_classes]) for part in self.usual)
        return -2 * float(within.mean()), -2 * float(across.mean())

    def _is_query(self, first: int) -> bool:
        return not self.layout.one_set and first < self.layout.query_classes


def _skew(rows: np.ndarray) -> float:
    """Of how many lists name an image: 0 where all are named alike, above 1 where there are hubs."""
    count = np.bincount(rows[rows >= 0], minlength=len(rows)).astype(np.float64)
    apart = count - count.mean()
    spread = np.sqrt(np.mean(apart**2))
    return float(np.mean(apart**3) / spread**3) if spread else 0.0


class AboveZero(Tiles):
    """Tiles moved so that the smallest distance is 0, with the lists of neighbours that were found on the way.

    An image is at distance 0 from itself, and so are its copies: nobody is nearer, whatever was taken off.
    ``answer`` (nq, ng), of two sides, is filled with the distances of ``tiles``, not moved, on the way.
    """

    symmetric = True

    def __init__(self, tiles: CorrectedTiles, k: int, answer: np.ndarray | None = None) -> None:
        self.tiles, self.layout = tiles, tiles.layout
        lists = nearest.of_all(_OwnFirst(tiles), k, answer)
        xp = arrays.namespace(lists.values)
        apart = lists.values[xp.isfinite(lists.values)]  # without those who are at -inf from themselves
        self.least = float(apart.min()) if len(apart) else 0.0

        def moved(part: np.ndarray) -> np.ndarray:
            return xp.where(part == -np.inf, xp.zeros_like(part), part - self.least)

        self.known: Lists = Lists(lists.rows, moved(lists.values), moved(lists.largest))

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.tiles.tile(rows, columns, out)
        tile -= self.least
        if rows == columns:
            kernels.of(tile).tiles.zero_diagonal(tile)
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        found = self.tiles.between(left, right) - self.least
        inverse = self.layout.inverse_there
        found[inverse[left] == inverse[right]] = 0
        return found


class _OwnFirst(Tiles):
    """The same tiles, each image and its copies at -inf from themselves."""

    symmetric = True

    def __init__(self, tiles: CorrectedTiles) -> None:
        self.tiles, self.layout = tiles, tiles.layout

    @property
    def all_rows(self) -> Rows | None:
        rows = self.tiles.tiles.all_rows if self.layout.one_set else None
        return None if rows is None else replace(rows, usual=self._usual)

    @property
    def inside(self) -> Rows | None:
        rows = self.tiles.tiles.inside
        return None if rows is None else replace(rows, usual=self._usual[self.layout.query_classes :])

    @property
    def _usual(self) -> Floats:
        return self.tiles.usual[0].astype(np.float32)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.tiles.tile(rows, columns, out)
        if rows == columns:
            everybody = arrays.beside(np.arange(len(tile)), tile)
            tile[everybody, everybody] = -np.inf
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self.tiles.between(left, right)
