"""Distances between images of which features, tracks and cameras say how alike they are, as tiles.

Of queries and gallery (:class:`ConstrainedTiles`) those across are given; of one set (:class:`InsideTiles`) none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from postproc import kernels
from postproc.base import arrays, machine
from postproc.base.vocabulary import Floats, Ints
from postproc.kernels.rules import APART, EXEMPT, Places, SideRules, plain
from postproc.pairs import exact
from postproc.pairs.layout import SMALLEST, Layout, copies
from postproc.pairs.pairwise import among, read_only, sqeuclidean
from postproc.pairs.rows import Rows, rows_in
from postproc.pairs.tiles import Tiles
from postproc.tracks.grouping import compact

Both = tuple[np.ndarray, np.ndarray]
UNIT = 2.0**-19  # as far as a squared length may be from 1 that 2 - 2 s is the distance, up to its rounding


@dataclass(frozen=True)
class _Rows:
    """Rows of all classes that are equal for equal ``number``s: what is alike is multiplied once in a tile.

    ``parts``: those of queries and of gallery images, or of one set.
    """

    parts: tuple[Floats, ...]
    number: Ints

    @classmethod
    def of(cls, sides: Sequence[Floats], layout: Layout, number: Ints) -> "_Rows":
        """``number`` (images,). Without copies the rows are the caller's own."""
        parts, start = [], 0
        for side in sides:
            some = layout.first[(layout.first >= start) & (layout.first < start + len(side))] - start
            parts.append(read_only(side if len(some) == len(side) else side[some]))
            start += len(side)
        return cls(tuple(parts), number[layout.first])

    def differ(self, border: int = 0) -> bool:
        """Whether no two rows before ``border`` are equal, and no two from there on."""
        return all(len(np.unique(part)) == len(part) for part in (self.number[:border], self.number[border:]))

    def products(self, left: slice, right: slice, out: np.ndarray) -> np.ndarray:
        """Inner products of two ranges of classes, in ``out`` (flat), the same bits wherever rows are the same."""
        tall, wide = left.stop - left.start, right.stop - right.start
        tile = out[: tall * wide].reshape(tall, wide)
        kernel, x = kernels.of(tile), self._block(left)
        y = x if left == right else self._block(right)
        (first, a), (second, b) = (
            np.unique(self.number[part], return_index=True, return_inverse=True)[1:] for part in (left, right)
        )
        if len(first) == tall and len(second) == wide:
            kernel.tiles.multiply(x, y, tile)
            return tile
        found = arrays.empty((len(first), len(second)), np.float32, tile)
        kernel.tiles.multiply(x[first], y[second], found)
        a, b = (arrays.beside(each, found) for each in (a, b))
        for start in range(0, tall, SMALLEST):
            part = slice(start, start + SMALLEST)
            tile[part] = found[a[part]][:, b]
        return tile

    def of_pairs(self, left: Ints, right: Ints) -> Floats:
        first, second = self.parts[0], self.parts[-1]
        kernel, out = kernels.of(first), arrays.empty(len(left), np.float32, first)
        signs = arrays.full(first.shape[1], 1, np.float32, first)
        kernel.walk.over_rows(
            lambda start, stop: kernel.rows.products_of_pairs(
                first, second, len(first), signs, left, right, start, stop, out
            ),
            len(left),
            what="distances",
        )
        return out

    def _block(self, classes: slice) -> Floats:
        border = len(self.parts[0])
        if classes.start < border:
            return self.parts[0][classes]
        return self.parts[1][classes.start - border : classes.stop - border]


class ConstrainedTiles(Tiles):
    """Tiles of ``[[queries, across], [acrossᵀ, gallery]]``, read down its columns; only ``across`` exists."""

    def __init__(
        self,
        across: Floats,
        sides: Both,
        tracks: Both,
        places: tuple[Places, Places],
        rules: tuple[SideRules, SideRules],
    ) -> None:
        kernel = kernels.of(across)
        self.across, self.rules = across, rules
        cams, groups, view = zip(*places, strict=True)
        pairs = sqeuclidean(*sides)
        views = copies(sqeuclidean(*view)).inverse if rules[0].cameras.direction else None
        labels = [compact(np.concatenate(label)) for label in (tracks, cams, groups)]
        self.layout = copies(pairs, _told_apart(across, labels, views))
        self.features = _Rows.of(sides, self.layout, copies(pairs).inverse)
        self.views = None if views is None else _Rows.of(view, self.layout, views)
        self.symmetric = all(map(_both_ways, rules)) and self.features.differ(self.layout.query_classes)
        self.labels = tuple(arrays.beside(label[self.layout.first], across) for label in labels)
        self.kernel = kernel.constrained

    @property
    def inside(self) -> Rows | None:
        return _inside_rows(self, self.rules[1], self.layout.query_classes)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        border = self.layout.query_classes
        if (rows.start < border) != (columns.start < border):
            return self._across(rows, columns, out)
        return _inside(self, self.rules[rows.start >= border], rows, columns, out)

    def _across(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        tile = out[: tall * wide].reshape(tall, wide)
        if rows.start < self.layout.query_classes:
            tile[:] = self._given(rows, columns)
        else:
            tile[:] = self._given(columns, rows).T
        return doubled(tile, self.rules[1].tracks.clip)

    def _given(self, queries: slice, images: slice) -> np.ndarray:
        nq, first = self.layout.nq, self.layout.first
        if self.layout.distinct:
            return self.across[queries, images.start - nq : images.stop - nq]
        return self.across[np.ix_(first[queries], first[images] - nq)]

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        nq, inverse = self.layout.nq, self.layout.inverse_there
        out = arrays.empty(len(left), np.float32, self.across)
        a, b = left < nq, right < nq
        for here, (queries, images) in ((a & ~b, (left, right)), (~a & b, (right, left))):
            out[here] = doubled(self.across[queries[here], images[here] - nq], self.rules[1].tracks.clip)
        for here, rules in zip((a & b, ~a & ~b), self.rules, strict=True):
            out[here] = _of_pairs(self, rules, inverse[left[here]], inverse[right[here]])
        return out


class InsideTiles(Tiles):
    """Tiles of one set by the rules of a side, read down their columns."""

    def __init__(self, images: Floats, tracks: Ints, place: Places, rules: SideRules) -> None:
        pairs, direction = sqeuclidean(images), rules.cameras.direction
        views = copies(sqeuclidean(place.orientations)).inverse if direction else None
        labels = [compact(label) for label in (tracks, place.cams, place.groups)]
        number = np.unique(np.stack([*labels, *([] if views is None else [views])]), axis=1, return_inverse=True)[
            1
        ]
        number = number.reshape(-1)
        self.rules, self.kernel = rules, kernels.of(images).constrained
        self.layout = copies(pairs, (number, number))
        self.features = _Rows.of([images], self.layout, copies(pairs).inverse)
        self.views = None if views is None else _Rows.of([place.orientations], self.layout, views)
        self.symmetric = _both_ways(rules) and self.features.differ()
        self.labels = tuple(arrays.beside(label[self.layout.first], images) for label in labels)

    @property
    def inside(self) -> Rows | None:
        return _inside_rows(self, self.rules, 0)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        return _inside(self, self.rules, rows, columns, out)

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        inverse = self.layout.inverse_there
        return _of_pairs(self, self.rules, inverse[left], inverse[right])


def doubled(distances: np.ndarray, clip: bool) -> np.ndarray:
    """|2 - 2 s| in the place of 1 - s, s cut to -1 .. 1 if ``clip``."""
    distances *= 2
    xp = arrays.namespace(distances)
    if not clip:
        return xp.abs(distances, out=distances)
    xp.maximum(distances, 0, out=distances)
    return xp.minimum(distances, 4, out=distances)


def _inside(
    tiles: ConstrainedTiles | InsideTiles, rules: SideRules, rows: slice, columns: slice, out: np.ndarray
) -> np.ndarray:
    """A tile between images of one side."""
    tile = tiles.features.products(rows, columns, out)
    views = np.empty((0, 0), np.float32)
    if tiles.views is not None:
        views = tiles.views.products(rows, columns, arrays.empty(tile.shape, np.float32, tile).reshape(-1))
    tiles.kernel.constrain_tile(tile, views, rows.start, columns.start, tiles.labels, plain(rules))
    if tiles.symmetric and rows == columns:
        kernels.of(tile).tiles.mirror(tile)
    return tile


def _inside_rows(tiles: ConstrainedTiles | InsideTiles, rules: SideRules, border: int) -> Rows | None:
    """The gallery classes, from ``border`` on, as rows: 2 - 2 s is the squared distance of what is of unit length,
    and ``2 camera`` on top. None for rules that say anything else, and for other lengths."""
    (camera, group, direction, _), (within, between, alone, clip) = rules
    if group or direction or camera < 0 or between or clip or alone != APART or not np.isnan(within):
        return None
    rows = tiles.features.parts[-1]
    if arrays.on_cuda(rows) or not machine.int8():
        return None
    if (np.abs(exact.common_part_and_lengths([rows])[1] - 1) > UNIT).any():
        return None
    tracks, cams, _ = (label[border:] for label in tiles.labels)
    return replace(rows_in([rows]), more=2 * camera, cams=cams, tracks=tracks, together=True)


def _both_ways(rules: SideRules) -> bool:
    """Whether they say the same of images i and j as of j and i.

    Then tiles are looked at once for both, where no two images have the same features and other labels: those
    are equally far from a third image, and of the last bit of a product only one tile can be certain.
    """
    camera, group, direction, _ = rules.cameras
    return not direction and (rules.tracks.alone != EXEMPT or not (camera or group))


def _of_pairs(tiles: ConstrainedTiles | InsideTiles, rules: SideRules, left: Ints, right: Ints) -> Floats:
    """Distances between classes of one side."""
    values = tiles.features.of_pairs(left, right)
    views = np.empty(0, np.float32) if tiles.views is None else tiles.views.of_pairs(left, right)

    def change(start: int, stop: int) -> None:
        tiles.kernel.constrain_pairs(values, views, left, right, tiles.labels, plain(rules), start, stop)

    kernels.of(values).walk.over_rows(change, len(left), what="distances")
    return values


def _told_apart(across: Floats, labels: Sequence[Ints], views: Ints | None) -> Both:
    """(nq,), (ng,) numbers that are equal where nothing but features can tell two images apart."""
    nq, ng = across.shape
    columns = [*labels, np.repeat([0, 1], [nq, ng]), _equal_rows(across, arrays.contiguous(across.T))]
    columns += [] if views is None else [views]
    number = np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1)
    return number[:nq], number[nq:]


def _equal_rows(*parts: Floats) -> Ints:
    """Numbers of rows, equal within a part for equal rows."""
    return np.concatenate([copies(among(part)).inverse for part in parts])
