"""Sums of outer products, factors and maps of rows in float64, with the same bits on any number of threads.

Products are cut by constants, never by the number of threads, and what cannot be cut runs with one BLAS thread.
An image is mapped once for all its copies, so that these stay equal whatever place they have in a product.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from postproc import kernels
from postproc.base import arrays, runtime, temporary
from postproc.base.vocabulary import Sides
from postproc.pairs.layout import Layout

Found = TypeVar("Found")
Load = Callable[[slice, slice], np.ndarray]  # rows, columns -> a block in float64
Change = Callable[[np.ndarray], np.ndarray]  # rows in float64, which may be written on -> what becomes of them

EDGE = 512  # columns of a tile of a sum
BLOCK = 2048  # rows of float64 at a time in a sum
ROWS = 256  # rows mapped at a time
EDGE_ON_CUDA, BLOCK_ON_CUDA = 4096, 16384


@dataclass(frozen=True)
class Map:
    """``x -> (x - centre) matrix``, then to length 1 if ``unit``: what some steps learn.

    ``centre`` (d,) and ``matrix`` (d, c) in float64; None: 0 and the identity.
    """

    centre: np.ndarray | None
    matrix: np.ndarray | None
    unit: bool

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """The map of rows in float64."""
        moved = rows if self.centre is None else subtract_centre(rows, self.centre)
        moved = moved if self.matrix is None else moved @ self.matrix
        return to_unit_length(moved) if self.unit else moved


def outer_sum(load: Load, count: int, width: int, like: np.ndarray | None = None) -> np.ndarray:
    """(width, width) float64 ``sum_i r_i r_iᵀ`` over ``count`` rows, where ``like`` is, as what is loaded."""
    like = np.empty(0) if like is None else like
    out = arrays.empty((width, width), np.float64, like)
    edge, tall = (EDGE_ON_CUDA, BLOCK_ON_CUDA) if arrays.on_cuda(like) else (EDGE, BLOCK)
    edges = [slice(start, min(start + edge, width)) for start in range(0, width, edge)]

    def fill(tile: tuple[slice, slice]) -> None:
        left, right = tile
        total = arrays.full((left.stop - left.start, right.stop - right.start), 0, np.float64, like)
        for start in range(0, count, tall):
            rows = slice(start, min(start + tall, count))
            block = load(rows, left)
            total += block.T @ (block if left == right else load(rows, right))
        out[left, right] = total
        out[right, left] = total.T

    tiles = [(left, right) for left in edges for right in edges if left.start <= right.start]
    kernels.of(like).walk.run(fill, tiles, what="covariance")
    return out


def mean(rows: np.ndarray) -> np.ndarray:
    """(d,) float64."""
    xp = arrays.namespace(rows)
    return xp.mean(rows, axis=0, dtype=xp.float64)


def on_one_thread(function: Callable[..., Found], *arguments: Any) -> Found:
    """``function(*arguments)`` with BLAS held to one thread."""
    found: list[Found] = []
    runtime.run(lambda _: found.append(function(*arguments)), [None], what="factors")
    return found[0]


def room(layout: Layout, width: int, query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """Room for what :func:`fill_classes` gives, where the features are: (classes, width) float32."""
    found: np.ndarray = temporary.empty((layout.classes, width), gallery, query)
    return found


def fill_classes(
    out: np.ndarray,
    classes: np.ndarray,
    change: Change,
    layout: Layout,
    query: np.ndarray,
    gallery: np.ndarray,
) -> None:
    """``out[classes] = change(features of these classes)``. Of one set ``gallery`` is all of it."""

    def fill(start: int, stop: int) -> None:
        images = layout.first[classes[start:stop]]  # rising, because classes are: queries stand first
        border = int(np.searchsorted(images, layout.border))
        sides = ((query, images[:border]), (gallery, images[border:] - layout.border))
        rows = arrays.joined(*(side[arrays.beside(chosen, side)] for side, chosen in sides))
        found = change(arrays.as_type(rows, np.float64))
        out[arrays.beside(classes[start:stop], out)] = arrays.as_type(found, np.float32)

    kernels.of(out).walk.over_rows(fill, len(classes), what="features", block=ROWS)


def spread_to_images(out: np.ndarray, layout: Layout) -> Sides:
    """Rows of all classes -> rows of all queries and of all gallery images; of one set, of its images."""
    if layout.one_set:
        return out if layout.distinct else temporary.rows(out, layout.inverse_there)
    if layout.distinct:
        return out[: layout.nq], out[layout.nq :]
    inverse = layout.inverse_there
    return temporary.rows(out, inverse[: layout.nq]), temporary.rows(out, inverse[layout.nq :])


def to_unit_length(rows: np.ndarray) -> np.ndarray:
    """Rows of float64 brought to length 1; what has no length stays zero."""
    length = arrays.namespace(rows).linalg.vector_norm(rows, axis=1, keepdims=True)
    length[length == 0] = 1
    return rows / length


def subtract_centre(rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """``rows - centre``; what is left by rounding alone is zero."""
    xp = arrays.namespace(rows)
    moved = rows - centre
    moved[xp.linalg.vector_norm(moved, axis=1) <= 1e-12 * xp.sqrt(centre @ centre)] = 0
    return moved


def with_fixed_signs(columns: np.ndarray) -> np.ndarray:
    """Each column with the sign that makes its largest entry positive."""
    xp = arrays.namespace(columns)
    rows = xp.argmax(xp.abs(columns), axis=0)
    largest = columns[rows, arrays.beside(np.arange(columns.shape[1]), columns)]
    return columns * (1 - 2 * arrays.as_type(largest < 0, np.float64))
