"""Sums of outer products, factors and maps of rows in float64, with the same bits on any number of threads.

Products are cut by constants, never by the number of threads, and what cannot be cut runs with one BLAS thread.
An image is mapped once for all its copies, so that these stay equal whatever place they have in a product.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from postproc import runtime
from postproc.tiles import Layout

Found = TypeVar("Found")
Load = Callable[[slice, slice], np.ndarray]  # rows, columns -> a block in float64
Change = Callable[[np.ndarray], np.ndarray]  # rows in float64, which may be written on -> what becomes of them

EDGE = 512  # columns of a tile of a sum
BLOCK = 2048  # rows of float64 at a time in a sum
ROWS = 256  # rows mapped at a time


def outer_sum(load: Load, count: int, width: int) -> np.ndarray:
    """(width, width) float64 ``sum_i r_i r_iᵀ`` over ``count`` rows."""
    out = np.empty((width, width))
    edges = [slice(start, min(start + EDGE, width)) for start in range(0, width, EDGE)]

    def fill(tile: tuple[slice, slice]) -> None:
        left, right = tile
        total = np.zeros((left.stop - left.start, right.stop - right.start))
        for start in range(0, count, BLOCK):
            rows = slice(start, min(start + BLOCK, count))
            block = load(rows, left)
            total += block.T @ (block if left == right else load(rows, right))
        out[left, right] = total
        out[right, left] = total.T

    tiles = [(left, right) for left in edges for right in edges if left.start <= right.start]
    runtime.run(fill, tiles, what="covariance")
    return out


def mean(rows: np.ndarray) -> np.ndarray:
    """(d,) float64."""
    return rows.mean(axis=0, dtype=np.float64)


def alone(function: Callable[..., Found], *arguments: Any) -> Found:
    """``function(*arguments)`` with BLAS held to one thread."""
    found: list[Found] = []
    runtime.run(lambda _: found.append(function(*arguments)), [None], what="factors")
    return found[0]


def fill_classes(
    out: np.ndarray,
    classes: np.ndarray,
    change: Change,
    layout: Layout,
    query: np.ndarray,
    gallery: np.ndarray,
) -> None:
    """``out[classes] = change(features of these classes)``."""

    def fill(start: int, stop: int) -> None:
        images = layout.first[classes[start:stop]]  # rising, because classes are: queries stand first
        border = int(np.searchsorted(images, layout.nq))
        rows = np.concatenate([query[images[:border]], gallery[images[border:] - layout.nq]])
        out[classes[start:stop]] = change(rows.astype(np.float64))

    runtime.over_rows(fill, len(classes), what="features", block=ROWS)


def spread(out: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all classes -> rows of all queries and of all gallery images."""
    if layout.distinct:
        return out[: layout.nq], out[layout.nq :]
    return out[layout.inverse[: layout.nq]], out[layout.inverse[layout.nq :]]


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of float64 brought to length 1; what has no length stays zero."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def move(rows: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """``rows - centre``; what is left by rounding alone is zero."""
    moved = rows - centre
    moved[np.linalg.norm(moved, axis=1) <= 1e-12 * np.linalg.norm(centre)] = 0
    return moved


def with_fixed_signs(columns: np.ndarray) -> np.ndarray:
    """Each column with the sign that makes its largest entry positive."""
    largest = columns[np.abs(columns).argmax(axis=0), np.arange(columns.shape[1])]
    return columns * np.where(largest < 0, -1.0, 1.0)
