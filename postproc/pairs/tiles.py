"""Tiles of a pairwise distance: the only way in which distances between all images are ever looked at.

Images are numbered queries first: ``0 .. nq - 1``, then the gallery; in one set each image has one number, and is
query and gallery image alike. Images with identical features (and, where
they matter, identical cameras and tracks) form one *class*; distances are computed once between classes. So
copies are at distance exactly 0 from each other and exactly equally far from everybody, on any BLAS, and the
whole tracks that a track mean produces cost one row. Classes are cut into blocks by the sizes alone; neither
threads nor memory change a tile, hence not a bit of what follows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Protocol

import numpy as np

from postproc import kernels
from postproc.base import arrays, stored
from postproc.base.cached import cached_property
from postproc.base.stored import Stored
from postproc.base.vocabulary import Array
from postproc.pairs import exact, remembered
from postproc.pairs.pairwise import CameraTerm, FeatureTerm, Pairwise, ProductTerm, read_only

EDGE = 2048  # classes in a block: the larger, the nearer BLAS comes to its best; a tile is 16 MB
SMALLEST = 128  # also the rows of a product term that are computed at a time
STRIP = 128 << 20  # bytes of one strip: a block of queries against the whole gallery
EDGE_ON_CUDA = 8192  # the same on a device, where there is no cache to stay in; a tile is 256 MB
STRIP_ON_CUDA = 2 << 30


@dataclass(frozen=True)
class Layout:
    """Which class each image belongs to, and how the classes are cut into blocks; in NumPy wherever tiles are."""

    nq: int
    ng: int
    inverse: np.ndarray  # (images,) int32: image -> class, classes numbered by first appearance
    first: np.ndarray  # (classes,) int32: class -> the first image of it
    like: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))  # an array where tiles are to be
    one_set: bool = False

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.inverse)

    @property
    def border(self) -> int:
        """The number of the first gallery image."""
        return 0 if self.one_set else self.nq

    @property
    def others(self) -> int:
        """How many gallery images may be a query's answer; in one set all but itself."""
        return self.ng - self.one_set

    @property
    def classes(self) -> int:
        return len(self.first)

    @property
    def distinct(self) -> bool:
        """Whether every image is a class of its own."""
        return self.classes == self.count

    @cached_property
    def query_classes(self) -> int:
        """Classes that hold a query; they come first."""
        return int(np.searchsorted(self.first, self.nq))

    @cached_property
    def blocks(self) -> list[slice]:
        """Blocks of classes; no block holds both classes with queries and classes without."""
        edge = EDGE_ON_CUDA if arrays.on_cuda(self.like) else edge_of(self.classes)
        return _cut(0, self.query_classes, edge) + _cut(self.query_classes, self.classes, edge)

    @cached_property
    def strips(self) -> list[slice]:
        """Blocks with queries, cut to so few classes that their distances to the whole gallery have room."""
        tall = tall_of(self.ng, STRIP_ON_CUDA if arrays.on_cuda(self.like) else STRIP)
        cut = [piece for block in self.blocks for piece in _cut(block.start, block.stop, tall)]
        offsets, _ = self.queries
        return [piece for piece in cut if offsets[piece.start] < offsets[piece.stop]]

    @cached_property
    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """The images of every class as (offsets, images)."""
        return _members(self.inverse, self.classes)

    @cached_property
    def queries(self) -> tuple[np.ndarray, np.ndarray]:
        """The queries of every class as (offsets, query rows)."""
        return _members(self.inverse[: self.nq], self.classes)

    @cached_property
    def gallery(self) -> tuple[np.ndarray, np.ndarray]:
        """The gallery images of every class as (offsets, gallery rows)."""
        return _members(self.inverse[self.border :], self.classes)

    @cached_property
    def images_there(self) -> tuple[np.ndarray, np.ndarray]:
        """:attr:`images` where tiles are."""
        offsets, members = self.images
        return arrays.beside(offsets, self.like), arrays.beside(members, self.like)

    @cached_property
    def inverse_there(self) -> np.ndarray:
        """:attr:`inverse` where tiles are."""
        return arrays.beside(self.inverse, self.like)


def edge_of(classes: int) -> int:
    """Classes in a block on the host at most: short sets are cut finer, to have tasks."""
    return min(EDGE, max(SMALLEST, -(-classes // 8)))


def tall_of(ng: int, strip: int = STRIP) -> int:
    """Queries in a strip at most."""
    return max(SMALLEST, strip // (4 * max(1, ng)) // SMALLEST * SMALLEST)


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

    Where a product has lost the distance, :mod:`postproc.pairs.exact` says what is done.

    ``cameras`` (nq,), (ng,) are given by a method that looks at cameras apart from any penalty: then images of
    two cameras are never one class, and :attr:`cameras` tells them apart. An image of unknown
    camera gets a code below 0 that only its copies share. ``layout``: one made for a sum with other terms.
    """

    symmetric = True

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
        self.layout = layout or _layout(pairs, terms, penalties, products, cameras)
        self.cameras = arrays.beside(camera_of_classes(cameras, self.layout), self.like)
        self.parts, self.signs = _rows(terms, self.layout)
        self.on_disk = any(isinstance(part, Stored) for part in self.parts)
        self.width = sum(term.query.shape[1] for term in terms) + sum(term.query.shape[1] for term in products)
        self.centre = exact.common_part(self.parts) if terms else None
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


def _cut(start: int, stop: int, edge: int) -> list[slice]:
    """Blocks of nearly equal length, at most ``edge`` long."""
    count = stop - start
    pieces = -(-count // edge)
    borders = [start + count * i // max(pieces, 1) for i in range(pieces + 1)]
    return [slice(a, b) for a, b in pairwise(borders)]


def _members(inverse: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    offsets = np.zeros(classes + 1, np.int64)
    np.cumsum(np.bincount(inverse, minlength=classes), out=offsets[1:])
    return offsets, np.argsort(inverse, kind="stable").astype(np.int32)


def copies(pairs: Pairwise, labels: tuple[np.ndarray, np.ndarray] | None = None) -> Layout:
    """Which images have the same features and, where given, the same ``labels`` (nq,), (ng,)."""
    return _layout(pairs, [term for term in pairs.terms if isinstance(term, FeatureTerm)], [], [], labels)


def _layout(
    pairs: Pairwise,
    terms: list[FeatureTerm],
    penalties: list[CameraTerm],
    products: list[ProductTerm],
    cameras: tuple[np.ndarray, np.ndarray] | None,
) -> Layout:
    """Find the images that no term can tell apart."""
    nq, ng = pairs.sizes
    vectors: list[FeatureTerm | ProductTerm] = [*terms, *products]
    tracked: list[CameraTerm | ProductTerm] = [*penalties, *products]
    columns = [(_bits(term.query), _bits(term.gallery)) for term in vectors]
    columns += [as_bits(term.query_cam, term.gallery_cam) for term in penalties]
    columns += [as_bits(term.query_track, term.gallery_track) for term in tracked]
    if pairs.one_track is not None:
        columns.append(as_bits(*pairs.one_track))
    if cameras is not None:
        columns.append(as_bits(*cameras))
    if pairs.one_set:  # no queries: all images stand as the gallery
        columns = [(query[:0], gallery) for query, gallery in columns]
        nq = 0
    inverse, first = classes_of(columns, (nq, ng), pairs.like)
    return Layout(*pairs.sizes, inverse, first, pairs.like, pairs.one_set)


def classes_of(
    columns: list[tuple[np.ndarray, np.ndarray]], sizes: tuple[int, int], like: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``inverse`` and ``first`` of a :class:`Layout`: images are of one class where all bits in all columns agree.

    ``columns`` hold the bits of (queries, gallery), where ``like`` is.
    """
    nq, ng = sizes
    kernel = kernels.of(like)
    keys = arrays.full(nq + ng, 0, np.int64 if arrays.on_cuda(like) else np.uint64, like)
    for query, gallery in columns:
        for bits, part in ((query, keys[:nq]), (gallery, keys[nq:])):
            kernel.walk.over_rows(partial(_hash, kernel, bits, part), len(bits), what="copies")
    _, first, inverse = np.unique(arrays.host(keys), return_index=True, return_inverse=True)
    same_as = first[inverse]
    copies = np.flatnonzero(same_as != np.arange(nq + ng))
    wrong = np.zeros(len(copies), bool)  # equal keys are only a hint
    for query, gallery in columns:
        _differ(kernel, query, gallery, copies, same_as[copies], wrong)
    same_as[copies[wrong]] = copies[wrong]
    first, inverse = np.unique(same_as, return_inverse=True)
    return inverse.astype(np.int32), first.astype(np.int32)


def _bits(side: Array) -> Array:
    """Features as bits; what is on disk as it is."""
    return side if isinstance(side, Stored) else arrays.bits(side)


def _hash(kernel: ModuleType, bits: Array, keys: Array, start: int, stop: int) -> None:
    if isinstance(bits, Stored):
        kernel.rows.hash_rows(arrays.bits(bits[start:stop]), keys[start:stop], 0, stop - start)
    else:
        kernel.rows.hash_rows(bits, keys, start, stop)


def _differ(
    kernel: ModuleType, query: Array, gallery: Array, images: np.ndarray, others: np.ndarray, out: np.ndarray
) -> None:
    """``out[i] |= `` whether images ``images[i]`` and ``others[i]`` (queries first) differ in any bit."""
    if not isinstance(query, Stored) and not isinstance(gallery, Stored):
        kernel.rows.differ(query, gallery, images, others, out)
        return
    for start in range(0, len(images), exact.ROWS):
        part = slice(start, start + exact.ROWS)
        left, right = (stored.gathered(query, gallery, numbers[part]) for numbers in (images, others))
        out[part] |= (left.view(np.uint32) != right.view(np.uint32)).any(axis=1)


def camera_of_classes(cameras: tuple[np.ndarray, np.ndarray] | None, layout: Layout) -> np.ndarray:
    """(classes,) int64: the camera of every class; of unknown ones a number below 0, each its own."""
    own = -1 - np.arange(layout.classes)
    if cameras is None:
        return own
    cams = (cameras[0] if layout.one_set else np.concatenate(cameras))[layout.first]
    return np.where(cams >= 0, cams, own)


def as_bits(query: np.ndarray, gallery: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels as one column of bits, to be told apart like features."""
    _, numbers = np.unique(np.concatenate([query, gallery]), return_inverse=True)
    bits = numbers.astype(np.uint32)[:, None]
    bits.flags.writeable = False
    return bits[: len(query)], bits[len(query) :]


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
    if plain and isinstance(terms[0].query, Stored) and isinstance(terms[0].gallery, Stored):
        query, gallery = terms[0].query.rows(layout.first[:border]), terms[0].gallery
        return [query] if layout.one_set else [query, gallery.rows(layout.first[border:] - layout.nq)], None
    sides = [side for term in terms for side in (term.query, term.gallery)]
    place = next((side for side in sides if not arrays.on_cuda(side)), layout.like)  # one on the host, all there
    rows = arrays.empty((layout.classes, sum(term.query.shape[1] for term in terms)), np.float32, place)
    signs = np.empty(rows.shape[1], np.float32)
    start = 0
    for term in terms:
        stop = start + term.query.shape[1]
        query, gallery = (arrays.like(side, place) for side in (term.query, term.gallery))
        rows[:border, start:stop] = query[layout.first[:border]]
        rows[border:, start:stop] = gallery[layout.first[border:] - layout.nq]
        rows[:, start:stop] *= float(np.float32(np.sqrt(abs(term.weight))))
        signs[start:stop] = np.sign(term.weight)
        start = stop
    return [read_only(rows)], None if (signs > 0).all() else arrays.beside(signs, layout.like)


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
