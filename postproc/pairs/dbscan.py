"""Density-based clusters (DBSCAN) over the tiles of a pairwise distance: two walks, and no edge is kept.

Source: Ester et al., "A density-based algorithm for discovering clusters", KDD 1996.
"""

import threading
from collections.abc import Callable

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.vocabulary import Ints
from postproc.pairs.tiles import Buffers, PairwiseTiles

Use = Callable[[np.ndarray, slice, slice], None]


def clusters(tiles: PairwiseTiles, eps: float, min_samples: int) -> Ints:
    """(images,) int64 groups, numbered by their first core; -1 is in no group.

    An image with ``min_samples`` images within ``eps``, itself counted, is a core. Cores within ``eps`` of each
    other are of one group, and an image that is no core joins the group of the nearest core within ``eps``.
    Memory: a tile a thread and the pairs in one tile.
    """
    layout, radius = tiles.layout, float(np.float32(eps))
    xp = arrays.namespace(layout.like)
    copies = arrays.beside(np.bincount(layout.inverse, minlength=layout.classes), layout.like)
    sizes = arrays.full(layout.classes, 0, np.int64, layout.like)

    def count(tile: np.ndarray, rows: slice, columns: slice) -> None:
        sizes[rows] += xp.sum((tile <= radius) * copies[columns], axis=1)

    _each_tile(tiles, count)
    core_there = sizes >= min_samples
    core = arrays.host(core_there)
    group = np.arange(layout.classes)
    nearest_core = np.full(layout.classes, -1)
    distance = np.full(layout.classes, np.inf, np.float32)

    def join(tile: np.ndarray, rows: slice, columns: slice) -> None:
        nonlocal group
        within = (tile <= radius) & core_there[columns]
        left, right = map(arrays.host, xp.nonzero(within & core_there[rows, None]))
        group = _merged(group, left + rows.start, right + columns.start)
        (outside,) = xp.nonzero(xp.any(within, axis=1) & ~core_there[rows])
        found = xp.where(within[outside], tile[outside], np.inf)
        column, value = (arrays.host(least(found, axis=1)) for least in (xp.argmin, xp.min))
        column, outside = column + columns.start, arrays.host(outside) + rows.start
        nearer = (value < distance[outside]) | ((value == distance[outside]) & (column < nearest_core[outside]))
        distance[outside[nearer]], nearest_core[outside[nearer]] = value[nearer], column[nearer]

    _each_tile(tiles, join)
    labels = np.full(layout.classes, -1)
    _, first, number = np.unique(group[core], return_index=True, return_inverse=True)
    labels[core] = np.argsort(np.argsort(first))[number]
    joined = nearest_core >= 0
    labels[joined] = labels[nearest_core[joined]]
    return labels[layout.inverse]


def _merged(group: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The groups after those of ``left[i]`` and ``right[i]`` have become one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = (np.ones(len(left), np.int8), (group[left], group[right]))
    _, name = connected_components(coo_array(edges, shape=(len(group), len(group))), directed=False)
    return name[group]


def _each_tile(tiles: PairwiseTiles, use: Use) -> None:
    """Call ``use(tile, rows, columns)`` for all pairs of blocks of classes, one call at a time."""
    blocks, buffers, lock = tiles.layout.blocks, Buffers(tiles.layout), threading.Lock()

    def visit(pair: tuple[slice, slice]) -> None:
        rows, columns = pair
        with buffers.lend() as buffer:
            tile = tiles.tile(rows, columns, buffer)
            with lock:
                use(tile, rows, columns)
                if rows != columns:
                    use(tile.T, columns, rows)

    pairs = [(rows, columns) for i, rows in enumerate(blocks) for columns in blocks[i:]]
    kernels.of(tiles.layout.like).walk.run(visit, pairs, what="clusters", bytes_each=buffers.bytes)
