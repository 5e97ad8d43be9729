"""Tiles of a pairwise distance: the only way in which distances between all images are ever looked at.

A tile is what two blocks of a :class:`~postproc.pairs.layout.Layout` have between them: one matrix product, with
norms and penalties on top.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from postproc import kernels
from postproc.base import arrays, machine, stored, temporary
from postproc.base.cached import cached_property
from postproc.base.stored import Stored
from postproc.base.vocabulary import Array
from postproc.pairs import exact, remembered
from postproc.pairs.layout import EDGE_ON_CUDA, SMALLEST, Layout, camera_of_classes, layout_of
from postproc.pairs.pairwise import CameraTerm, FeatureTerm, Pairwise, ProductTerm, read_only
from postproc.pairs.rows import Rows, rows_in


@dataclass(frozen=True)
class Lists:
    """Every image's ``k`` nearest images, itself among them as a rule, nearest first, ties by image.

    ``rows`` (N, k) int32 and ``values`` (N, k) float32; ``largest`` (N,) float32 is the distance of the farthest.
    Images are numbered queries first. Where there are fewer than ``k``, the rest is -1 and +inf.
    """

    rows: np.ndarray
    values: np.ndarray
    largest: np.ndarray


class Tiles(Protocol):
    """What neighbours and re-ranking ask of pairwise distances.

    ``symmetric``: whether the tile (rows, columns) is the transpose of (columns, rows). ``cameras`` (classes,):
    the camera of every class, for methods that look at cameras; None where nobody does. ``known``: the lists of
    neighbours of all images, where somebody has found them already. ``partial``: whether these are all that is
    known. ``width``: multiply-adds that one distance takes. ``on_disk``: whether what they are made of is.
    """

    layout: Layout
    symmetric: bool = False
    width: int = 0
    cameras: Array | None = None
    known: Lists | None = None
    partial: bool = False
    on_disk: bool = False

    @property
    def all_rows(self) -> Rows | None:
        """The rows of all classes, where these say all of their distances and the processor can multiply them as
        whole numbers, or None."""
        return None

    @property
    def inside(self) -> Rows | None:
        """The same of the gallery classes and the distances among them."""
        return None

    @property
    def fingerprint(self) -> bytes | None:
        """What tells these tiles from any others, so that what is found in them can be kept, or None."""
        return None

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        """Distances (rows, columns) between two blocks of classes, in ``out`` (flat, float32)."""
        ...

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) distances between the images ``left[i]`` and ``right[i]``."""
        ...


class PairwiseTiles(Tiles):
    """Tiles of a :class:`Pairwise`: one matrix product a tile, then norms and penalties on top.

    Where a product has lost the distance, :mod:`postproc.pairs.exact` says what is done. Of copies that cameras or
    tracks tell apart (``alike``) it is not asked at all, since its last bits depend on the place in a tile: what
    they have is by :mod:`postproc.kernels.cpu.alike`, where two rows alone decide.

    ``cameras`` (nq,), (ng,) are given by a method that looks at cameras apart from any penalty: then images of
    two cameras are never one class, and :attr:`cameras` tells them apart. An image of unknown
    camera gets a code below 0 that only its copies share. ``layout``: one made for a sum with other terms.
    """

    symmetric = True
    alike: Array | None = None  # of a layout, where tiles are

    def __init__(
        self,
        pairs: Pairwise,
        cameras: tuple[np.ndarray, np.ndarray] | None = None,
        layout: Layout | None = None,
    ) -> None:
        self.like = pairs.like
        self.kernel = kernels.of(self.like)
        terms = [term for term in pairs.terms if isinstance(term, FeatureTerm) and term.weight]
        penalties = [term for term in pairs.terms if isinstance(term, CameraTerm) and term.weight]
        products = [term for term in pairs.terms if isinstance(term, ProductTerm) and term.weight]
        self.layout = layout or layout_of(pairs, terms, penalties, products, cameras)
        if self.layout.alike is not None:
            self.alike = arrays.beside(self.layout.alike, self.like)
        self.cameras = arrays.beside(camera_of_classes(cameras, self.layout), self.like)
        self.parts, self.signs = _rows(terms, self.layout)
        self.on_disk = any(isinstance(part, Stored) for part in self.parts)
        self.width = sum(term.query.shape[1] for term in terms) + sum(term.query.shape[1] for term in products)
        self.centre, lengths = exact.common_part_and_lengths(self.parts)
        if self.centre is None and self.signs is None:
            self.norms = arrays.beside(lengths, self.like)
        else:
            self.norms = _norms(self.parts, self.signs, self.centre, self.like)
        self.sizes = self.norms if self.signs is None else _norms(self.parts, None, self.centre, self.like)
        exact.check_lengths(self.norms, lambda: True)
        exact.check_lengths(self.sizes, lambda: not any(map(_any, _moved(self.parts, self.centre))))
        self.clamp = self.signs is None
        ones = arrays.full(self.parts[0].shape[1], 1, np.float32, self.like)
        self.weights = ones if self.signs is None else self.signs
        self.near = bool(terms) and not exact.of_unit_length(self.sizes)
        self.on_device: dict[int, np.ndarray] = {}  # blocks that came from the host to the device

        def of_classes(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
            images = query if self.layout.one_set else arrays.joined(query, gallery)
            return arrays.beside(images[self.layout.first], self.like)

        self.cams = [
            (
                of_classes(term.query_cam, term.gallery_cam),
                of_classes(term.query_track, term.gallery_track),
                np.float32(term.weight),
            )
            for term in penalties
        ]
        self.products = [
            (
                read_only(of_classes(term.query, term.gallery)),
                of_classes(term.query_track, term.gallery_track),
                np.float32(term.weight),
            )
            for term in products
        ]
        self.tracks = None if pairs.one_track is None else of_classes(*pairs.one_track)

    @cached_property
    def fingerprint(self) -> bytes | None:
        """What tells these tiles from any others: everything that they are computed from. None on a device."""
        layout = self.layout
        if arrays.on_cuda(self.like):
            return None
        penalties = [np.asarray(part) for term in (*self.cams, *self.products) for part in term]
        counts = np.array(
            [layout.nq, layout.ng, layout.one_set, len(self.parts), len(self.cams), len(self.products)]
        )
        return remembered.fingerprint(
            [
                counts, layout.inverse, layout.first, *stored.parts_of(self.parts), self.signs, self.norms,
                *penalties, self.tracks, self.cameras,
            ]
        )  # fmt: skip

    @cached_property
    def all_rows(self) -> Rows | None:
        if arrays.on_cuda(self.like) or not machine.int8() or self.products or self.tracks is not None:
            return None
        if self.signs is not None or len(self.cams) > 1 or any(weight < 0 for _, _, weight in self.cams):
            return None
        rows = rows_in([read_only(part) for part in self.parts])
        for cams, tracks, weight in self.cams:
            rows = replace(rows, more=float(weight), cams=cams, tracks=tracks)
        return rows

    @property
    def inside(self) -> Rows | None:
        return None if self.all_rows is None else self.all_rows.behind(self.layout.query_classes)

    @property
    def mean_square(self) -> float:
        """The mean squared length of the features."""
        common = 0.0 if self.centre is None else float(self.centre @ self.centre)
        return float(arrays.host(self.sizes).mean(dtype=np.float64)) + common

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        left = self._block(rows)
        right = left if rows == columns else self._block(columns)  # BLAS has other sums for a symmetric product
        exactly = left, right
        if self.centre is not None:
            centre = arrays.beside(self.centre, self.like)
            left, right = left - centre, right - centre
        if self.signs is not None:
            right = right * self.signs
        tile = out[: len(left) * len(right)].reshape(len(left), len(right))
        self.kernel.tiles.multiply(left, right, tile)
        self.kernel.tiles.products_to_distances(tile, self.norms[rows], self.norms[columns], self.clamp)
        if self.near:
            limits = exact.NEAR * self.sizes[rows], exact.NEAR * self.sizes[columns]
            self.kernel.tiles.finish_near(tile, *exactly, self.weights, *limits)
        alike = None if self.alike is None else (self.alike[rows], self.alike[columns])
        if alike is not None:
            self.kernel.alike.differences(tile, *exactly, self.weights, *alike)
        for cams, tracks, weight in self.cams:
            self.kernel.tiles.add_same_camera(
                tile, cams[rows], cams[columns], tracks[rows], tracks[columns], weight
            )
        for vectors, tracks, weight in self.products:
            tall = EDGE_ON_CUDA // 8 if arrays.on_cuda(tile) else SMALLEST
            for start in range(0, len(tile), tall):  # some rows, because a second tile would be as large
                part = slice(start, start + tall)
                some = vectors[rows][part]
                found = arrays.empty((len(some), tile.shape[1]), np.float32, self.like)
                self.kernel.tiles.multiply(some, vectors[columns], found)
                if alike is not None:
                    self.kernel.alike.products(found, some, vectors[columns], alike[0][part], alike[1])
                self.kernel.tiles.add_outside_tracks(
                    tile[part], found, tracks[rows][part], tracks[columns], weight
                )
        if self.tracks is not None:
            self.kernel.tiles.zero_same_track(tile, self.tracks[rows], self.tracks[columns])
        if rows == columns:
            if self.layout.one_set:
                self.kernel.tiles.mirror(tile)
            self.kernel.tiles.zero_diagonal(tile)  # an image and its copies, whatever rounding and penalties say
        return tile

    def look_here_and_there(self) -> None:
        """Have rows on disk as kernels read them, for who asks for many pairs: float32, one after the other."""
        self.parts = [temporary.in_rows(part) if isinstance(part, Stored) else part for part in self.parts]

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        inverse = self.layout.inverse_there
        a, b = inverse[left], inverse[right]

        def multiply(parts: list[np.ndarray], signs: np.ndarray | None) -> np.ndarray:
            """Products of rows, where these are; what is on the host does not come to the device for that."""
            where = next((part for part in parts if not arrays.on_cuda(part)), self.like)
            first, second = parts[0], parts[-1]
            if not arrays.on_cuda(where):
                first, second = arrays.host(first), arrays.host(second)
            signs = arrays.full(first.shape[1], 1, np.float32, where) if signs is None else signs
            sides = [arrays.host(side) if where is not self.like else side for side in (signs, a, b)]
            out = arrays.empty(len(a), np.float32, where)
            kernel = kernels.of(where)

            def fill(start: int, stop: int) -> None:
                some = stored.pairs_of(first, second, sides[1][start:stop], sides[2][start:stop])
                if some is None:
                    kernel.rows.products_of_pairs(first, second, len(first), *sides, start, stop, out)
                else:
                    kernel.rows.products_of_pairs(*some[:3], sides[0], *some[3:], 0, stop - start, out[start:stop])

            kernel.walk.over_rows(fill, len(a), what="distances", block=stored.block_of(first, second))
            return arrays.beside(out, self.like)

        if self.centre is None:
            values = (self.norms[a] + self.norms[b]) - 2 * multiply(self.parts, self.signs)
            if self.clamp:
                values[values < 0] = 0
            limits = exact.NEAR * self.sizes[a] + exact.NEAR * self.sizes[b]
        else:
            values = arrays.full(len(a), 0, np.float32, self.like)
            limits = arrays.full(len(a), np.inf, np.float32, self.like)
        if self.near or self.centre is not None:
            values = self._finished(values, limits, a, b)
        if self.alike is not None:
            values[(self.alike[a] >= 0) & (self.alike[a] == self.alike[b])] = 0
        for cams, tracks, weight in self.cams:
            one_track = (tracks[a] >= 0) & (tracks[a] == tracks[b])
            values[(cams[a] >= 0) & (cams[a] == cams[b]) & ~one_track] += weight
        for vectors, tracks, weight in self.products:
            products = multiply([vectors], None)
            products[(tracks[a] >= 0) & (tracks[a] == tracks[b])] = 0
            values += weight * products
        if self.tracks is not None:
            values[(self.tracks[a] >= 0) & (self.tracks[a] == self.tracks[b])] = 0
        values[a == b] = 0
        return values

    def _finished(self, values: np.ndarray, limits: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Distances of the classes ``a[i]`` and ``b[i]`` whose near ones are exact, where the features are."""
        first, second = self.parts[0], self.parts[-1]
        where = next((part for part in self.parts if not arrays.on_cuda(part)), self.like)
        if not arrays.on_cuda(where):
            first, second = arrays.host(first), arrays.host(second)
        out, limits, weights, left, right = (arrays.like(x, where) for x in (values, limits, self.weights, a, b))
        kernel = kernels.of(where)

        def finish(start: int, stop: int) -> None:
            some = stored.pairs_of(first, second, left[start:stop], right[start:stop])
            if some is None:
                kernel.rows.finish_near(first, second, len(first), weights, left, right, limits, start, stop, out)
            else:
                part = slice(start, stop)
                kernel.rows.finish_near(*some[:3], weights, *some[3:], limits[part], 0, stop - start, out[part])

        kernel.walk.over_rows(finish, len(out), what="distances", block=stored.block_of(first, second))
        return arrays.beside(out, self.like)

    def _block(self, classes: slice) -> np.ndarray:
        border = len(self.parts[0])
        if classes.start < border or len(self.parts) == 1:
            block = self.parts[0][classes]
        else:
            block = self.parts[1][classes.start - border : classes.stop - border]
        if not arrays.on_cuda(self.like) or arrays.on_cuda(block):
            return block
        if classes.start not in self.on_device:
            while len(self.on_device) > 1:  # a walk along a row of tiles asks for the same block again and again
                del self.on_device[next(iter(self.on_device))]
            self.on_device[classes.start] = arrays.beside(block, self.like)
        self.on_device[classes.start] = self.on_device.pop(classes.start)  # the last to go
        return self.on_device[classes.start]


class Buffers:
    """Tile buffers lent to threads and used again, because fresh memory is slow to touch."""

    def __init__(self, layout: Layout) -> None:
        widest = max(block.stop - block.start for block in layout.blocks)
        self.size = widest * widest
        self.bytes = 4 * self.size
        self.like = layout.like
        self.free: list[np.ndarray] = []

    @contextmanager
    def lend(self) -> Iterator[np.ndarray]:
        try:
            buffer = self.free.pop()
        except IndexError:  # asked beforehand, another thread could take it in between
            buffer = arrays.empty(self.size, np.float32, self.like)
        try:
            yield buffer
        finally:
            self.free.append(buffer)


def _rows(terms: list[FeatureTerm], layout: Layout) -> tuple[list[Array], np.ndarray | None]:
    """The rows of all classes, and the sign of every column (None: all plus).

    Weights act on squared distances, so a term's features are scaled by sqrt(|weight|) and terms stand side by
    side. With one term of weight 1 and no copies these are the caller's own arrays; on disk they stay there.
    """
    if not terms:
        return [arrays.full((layout.classes, 1), 0, np.float32, layout.like)], None
    plain = len(terms) == 1 and terms[0].weight == 1
    if plain and layout.distinct:
        return [terms[0].query] if layout.one_set else [terms[0].query, terms[0].gallery], None
    border = layout.query_classes  # in one set behind all classes
    stays = any(isinstance(side, Stored) for term in terms for side in (term.query, term.gallery))
    if plain and (stays or not arrays.on_cuda(layout.like)):
        query, gallery = _some(terms[0].query, layout.first[:border]), terms[0].gallery
        return [query] if layout.one_set else [query, _some(gallery, layout.first[border:] - layout.nq)], None
    given = [side for term in terms for side in (term.query, term.gallery)]
    place = next((side for side in given if not arrays.on_cuda(side)), layout.like)  # one on the host, all there
    rows = arrays.empty((layout.classes, sum(term.query.shape[1] for term in terms)), np.float32, place)
    signs = np.empty(rows.shape[1], np.float32)
    start = 0
    for term in terms:
        stop, factor = start + term.query.shape[1], float(np.float32(np.sqrt(abs(term.weight))))
        of_queries, of_gallery = layout.first[:border], layout.first[border:] - layout.nq
        for out, side, which in (
            (rows[:border], term.query, of_queries),
            (rows[border:], term.gallery, of_gallery),
        ):
            images = arrays.like(side, place)
            out[:, start:stop] = images[which]
            if factor != 1:
                out[:, start:stop] *= factor
        signs[start:stop] = np.sign(term.weight)
        start = stop
    return [read_only(rows)], None if (signs > 0).all() else arrays.beside(signs, layout.like)


def _take(images: np.ndarray, which: np.ndarray, out: np.ndarray, start: int, stop: int) -> None:
    """``out[start:stop] <- images[which[start:stop]]``: most often all but a few, so piece by piece."""
    which, out = which[start:stop], out[start:stop]
    borders = [0, *(np.flatnonzero(np.diff(which) != 1) + 1).tolist(), len(which)]
    if len(borders) > len(which) // 16:
        np.take(images, which, axis=0, out=out, mode="clip")  # as none is beyond; "raise" copies once more
        return
    for first, last in pairwise(borders):
        out[first:last] = images[which[first] : which[first] + last - first]


def _some(side: Array, numbers: np.ndarray) -> Array:
    """Some rows of a side: on disk they stay there, and where they follow one another they stay where they are."""
    if isinstance(side, Stored):
        return side.rows(numbers)
    images = arrays.host(side)
    start = int(numbers[0]) if len(numbers) else 0
    if len(numbers) == 0 or (int(numbers[-1]) - start == len(numbers) - 1 and (np.diff(numbers) == 1).all()):
        return read_only(images[start : start + len(numbers)])
    out = np.empty((len(numbers), images.shape[1]), np.float32)
    kernels.of(out).walk.over_rows(partial(_take, images, numbers, out), len(out), what="rows")
    return read_only(out)


def _moved(parts: list[np.ndarray], centre: np.ndarray | None) -> Iterator[np.ndarray]:
    """The rows some at a time, without their common part."""
    for part in parts:
        for some in arrays.blocks(part, exact.ROWS):
            yield part[some] if centre is None else part[some] - arrays.like(centre, part)


def _any(block: np.ndarray) -> bool:
    return bool((block != 0).any())


def _norms(
    parts: list[np.ndarray], signs: np.ndarray | None, centre: np.ndarray | None, like: np.ndarray
) -> np.ndarray:
    """(classes,) float32 squared norms of the rows without their common part, each column with its sign."""
    norms = []
    for part in parts:
        kernel, out = kernels.of(part), arrays.empty(len(part), np.float32, part)
        weights = arrays.full(part.shape[1], 1, np.float32, part) if signs is None else arrays.like(signs, part)

        def fill(start: int, stop: int, part: np.ndarray = part, out: np.ndarray = out) -> None:
            if centre is None and not isinstance(part, Stored):
                kernel.rows.square_norms(part, weights, start, stop, out)  # noqa: B023
                return
            some = part[start:stop]
            moved = some if centre is None else read_only(some - arrays.like(centre, part))
            kernel.rows.square_norms(moved, weights, 0, len(moved), out[start:stop])  # noqa: B023

        kernel.walk.over_rows(fill, len(part), what="norms")
        norms.append(arrays.beside(out, like))
    return arrays.namespace(like).concat(norms)
