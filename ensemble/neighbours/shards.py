"""Shards: the images of a part in an index of faiss, and the candidates that those of another part find there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.neighbours import files, images, plan
from ensemble.neighbours.approximate import CELLS, INDEX, faiss
from ensemble.neighbours.files import Maps
from ensemble.neighbours.plan import Plan
from postproc import kernels
from postproc.base.vocabulary import NOBODY
from postproc.pairs.pairwise import read_only
from postproc.pairs.stored import Stored
from postproc.pairs.tiles import Lists

LINKS = 16  # of an image in a graph, in the lowest layer twice as many
BUILT = 80  # candidates that an image is linked to the best of
CHUNK = 64  # images whose candidates are gathered at a time


def shard(folder: Path, made: Plan, number: int, looks: int, threads: int) -> None:
    """A part's images in their cells, and the cells that each looks through, in a file; or a graph of them."""
    package = faiss()
    package.omp_set_num_threads(threads if made.index == plan.CELLS else 1)  # a graph depends on who is first
    half, squared = package.ScalarQuantizer.QT_fp16, package.METRIC_L2
    rows = images.rows_of(folder, made, number)
    arrays: dict[str, np.ndarray] = {"looks": np.array(looks)}
    if made.index == plan.CELLS:
        (centres,) = files.read(folder / INDEX / CELLS, made.key, "centres")
        coarse = package.IndexFlatL2(made.width)
        coarse.add(centres)
        index = package.IndexIVFScalarQuantizer(coarse, made.width, len(centres), half, squared, False)
        cells = arrays["cells"] = np.empty((len(rows), looks), np.int32)
    else:
        index = package.IndexHNSWSQ(made.width, half, LINKS, squared)
        index.hnsw.efConstruction = BUILT
    index.train(rows[:1].astype(np.float32))  # half precision has nothing to learn, and is asked whether it has
    for start in range(0, len(rows), 65536):
        some = rows[start : start + 65536].astype(np.float32)
        index.add(some)
        if made.index == plan.CELLS:
            cells[start : start + len(some)] = coarse.search(some, looks)[1]
    files.write(shard_file(folder, number), made.key, {"index": package.serialize_index(index), **arrays})


def shard_file(folder: Path, number: int) -> Path:
    """The shard of a part."""
    return folder / INDEX / f"{number:05}.npz"


def near(folder: Path, made: Plan, i: int, j: int, threads: int) -> Lists:
    """The candidates of part i in the shard of part j, at the distances that the index knows."""
    package = faiss()
    package.omp_set_num_threads(threads)
    (content,) = files.read(shard_file(folder, j), made.key, "index")
    index = package.deserialize_index(content)
    del content
    search = _searcher(folder, made, i, index)
    ours = images.rows_of(folder, made, i)
    theirs = made.classes(j)
    longer = min(made.longer, len(theirs))
    rows = np.full((len(ours), longer), NOBODY, np.int32)
    values = np.full(rows.shape, np.inf, np.float32)
    for start in range(0, len(ours), 4096):
        some = ours[start : start + 4096].astype(np.float32)
        part = slice(start, start + len(some))
        far, found = search(some, part, longer)
        if i == j:
            own = np.arange(part.start, part.stop)
            lacking = ~(found == own[:, None]).any(axis=1)
            found[lacking, -1] = own[lacking]
            far[found == own[:, None]] = 0  # first, however it is rounded
        there = found >= 0
        rows[part][there] = found[there] + theirs.start
        values[part][there] = np.maximum(far[there], 0)
    return Lists(rows, values, np.full(len(ours), -np.inf, np.float32))


def settled(folder: Path, made: Plan, i: int, candidates: Lists) -> Lists:
    """The nearest of part i among its candidates, by exact distances."""
    maps = Maps()
    layout = images.layout_of(folder, made)
    theirs = Stored(
        [maps.array(folder / source) for source in made.sources], None if layout.distinct else layout.first
    )
    rows, values = _scored(images.rows_of(folder, made, i), candidates.rows, theirs, min(made.k, made.parts[-1]))
    return Lists(rows, values, candidates.largest)


def _searcher(
    folder: Path, made: Plan, i: int, index: Any
) -> Callable[[np.ndarray, slice, int], tuple[np.ndarray, np.ndarray]]:
    """What searches an index for rows of part i: (rows, which they are, how many) to distances and numbers."""
    if made.index == plan.CELLS:
        (cells,) = files.read(shard_file(folder, i), made.key, "cells")
        index.nprobe = cells.shape[1]

        def through_cells(some: np.ndarray, part: slice, longer: int) -> tuple[np.ndarray, np.ndarray]:
            keys = cells[part].astype(np.int64)
            far, found = index.search_preassigned(some, longer, keys, np.zeros(keys.shape, np.float32))
            return far, found

        return through_cells
    (looks,) = files.read(shard_file(folder, i), made.key, "looks")

    def along_links(some: np.ndarray, part: slice, longer: int) -> tuple[np.ndarray, np.ndarray]:
        index.hnsw.efSearch = max(int(looks), longer)
        far, found = index.search(some, longer)
        return far, found

    return along_links


def _scored(ours: np.ndarray, found: np.ndarray, theirs: Stored, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``width`` nearest of what was found, by exact distance and then by number."""
    kernel = kernels.of(np.empty(0, np.float32))
    weights = np.ones(ours.shape[1], np.float32)
    rows = np.empty((len(ours), width), np.int32)
    values = np.empty(rows.shape, np.float32)

    def score(start: int, stop: int) -> None:
        some = found[start:stop]
        nobody = some == NOBODY
        names, place = np.unique(np.where(nobody, 0, some), return_inverse=True)
        there = theirs[names]
        mine = read_only(np.ascontiguousarray(ours[start:stop], np.float32))
        left = np.repeat(np.arange(len(some), dtype=np.int32), some.shape[1])
        right = (place.reshape(-1) + len(some)).astype(np.int32)
        far = np.zeros(len(left), np.float32)
        limits = np.full(len(left), np.inf, np.float32)
        kernel.rows.finish_near(mine, there, len(some), weights, left, right, limits, 0, len(far), far)
        far = np.where(nobody, np.float32(np.inf), far.reshape(some.shape))
        order = np.lexsort((some, far), axis=1)[:, :width]
        rows[start:stop] = np.take_along_axis(some, order, axis=1)
        values[start:stop] = np.take_along_axis(far, order, axis=1)

    kernel.walk.over_rows(score, len(ours), what="distances", block=CHUNK)
    return rows, values
