"""Which images are one: classes of images that nothing tells apart, and the blocks that they are cut into.

Images are numbered queries first: ``0 .. nq - 1``, then the gallery; in one set each image has one number, and is
query and gallery image alike. Images with identical features (and, where they matter, identical cameras and
tracks) form one *class*; distances are computed once between classes. So copies are at distance exactly 0 from
each other and exactly equally far from everybody, on any BLAS, and the whole tracks that a track mean produces
cost one row. Where cameras or tracks alone tell copies apart, a layout says which classes have the same features,
so that tiles can see to it that their features are at 0 and equally far too. Classes are cut into blocks by the
sizes alone; neither threads nor memory change a block, hence not a bit of what follows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from types import ModuleType

import numpy as np

from postproc import kernels
from postproc.base import arrays, stored
from postproc.base.cached import cached_property
from postproc.base.stored import Stored
from postproc.base.vocabulary import Array
from postproc.pairs import exact
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
    alike: np.ndarray | None = None  # (classes,) int32: :func:`alike_of`, where there are labels
    cuts: Sequence[slice] | None = None  # the blocks, where they are not to be cut by size alone

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
        if self.cuts is not None:
            return list(self.cuts)
        return cut(0, self.query_classes, self.edge) + cut(self.query_classes, self.classes, self.edge)

    @property
    def edge(self) -> int:
        """Classes in a block at most."""
        return EDGE_ON_CUDA if arrays.on_cuda(self.like) else edge_of(self.classes)

    @property
    def tall(self) -> int:
        """Queries in a strip at most, where no image has a copy."""
        return min(self.edge, tall_of(self.ng, STRIP_ON_CUDA if arrays.on_cuda(self.like) else STRIP))

    @cached_property
    def strips(self) -> list[slice]:
        """Blocks with queries, cut to so few classes that their distances to the whole gallery have room."""
        pieces = [piece for block in self.blocks for piece in cut(block.start, block.stop, self.tall)]
        offsets, _ = self.queries
        return [piece for piece in pieces if offsets[piece.start] < offsets[piece.stop]]

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


def cut(start: int, stop: int, edge: int) -> list[slice]:
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
    return layout_of(pairs, [term for term in pairs.terms if isinstance(term, FeatureTerm)], [], [], labels)


def layout_of(
    pairs: Pairwise,
    terms: list[FeatureTerm],
    penalties: list[CameraTerm],
    products: list[ProductTerm],
    cameras: tuple[np.ndarray, np.ndarray] | None,
) -> Layout:
    """Find the images that no term can tell apart."""
    vectors: Sequence[FeatureTerm | ProductTerm] = terms or products  # whose features make copies
    inverse, first = _classes(pairs, [(_bits(term.query), _bits(term.gallery)) for term in vectors])
    tracked: list[CameraTerm | ProductTerm] = [*penalties, *products]
    others = [(_bits(term.query), _bits(term.gallery)) for term in products if terms]
    others += [as_bits(term.query_cam, term.gallery_cam) for term in penalties]
    others += [as_bits(term.query_track, term.gallery_track) for term in tracked]
    others += [as_bits(*labels) for labels in (pairs.one_track, cameras) if labels is not None]
    alike = None
    if others:
        copies, border = inverse, len(inverse) - pairs.sizes[1]
        column = read_only(copies.view(np.uint32)[:, None])
        inverse, first = _classes(pairs, [(column[:border], column[border:]), *others])
        alike = alike_of(copies[first]) if vectors else None
    return Layout(*pairs.sizes, inverse, first, pairs.like, pairs.one_set, alike)


def alike_of(numbers: np.ndarray) -> np.ndarray | None:
    """The (classes,) numbers of features that several classes have, -1 for others; None if no two do."""
    _, inverse, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return None if len(counts) == len(numbers) else np.where(counts[inverse] > 1, numbers, -1).astype(np.int32)


def _classes(pairs: Pairwise, columns: list[tuple[Array, Array]]) -> tuple[np.ndarray, np.ndarray]:
    """:func:`classes_of` of all images; of one set each stands once, as the gallery."""
    if not pairs.one_set:
        return classes_of(columns, pairs.sizes, pairs.like)
    return classes_of([(query[:0], gallery) for query, gallery in columns], (0, pairs.sizes[1]), pairs.like)


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
    for query, gallery in columns if len(copies) else ():
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
