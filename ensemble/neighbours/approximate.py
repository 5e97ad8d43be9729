"""Lists from an inverted file of faiss: fewer pairs are looked at, and those that are get their exact distance.

1. *Cells*: the centres of k-means over a seeded sample, found once.
2. *Sample*: the exact neighbours of some seeded images. By the first half it is chosen how many cells are looked
   through; by the second half recall is measured.
3. *Shards*: the images of each part in their cells, half-precision, and the cells that each image looks through.
4. *Pairs* of parts, as of exact lists: candidates from the other part's shard, their distances from differences of
   the features in float64. Lists join by (distance, class), so nothing depends on who did what, and when.

Source: Johnson, Douze, Jégou, "Billion-scale similarity search with GPUs" (2019), for the inverted file.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.neighbours import files, images
from ensemble.neighbours.plan import Plan
from postproc import kernels
from postproc.base import extras
from postproc.pairs.listed import FARTHEST
from postproc.pairs.pairwise import read_only
from postproc.pairs.tiles import Lists

WANTED = 0.99  # of the neighbours of the sample's first half, where nobody says how many cells
SAMPLE = 256  # images in each half
POINTS = 64  # images for each cell that k-means sees; faiss wants 39 or more
ROUNDS = 10  # of k-means
CHUNK = 64  # images whose candidates are gathered at a time
NOBODY = int(kernels.of(np.empty(0, np.float32)).nearest.NOBODY)
INDEX, CELLS, SAMPLES = "index", "cells.npz", "sample"


def faiss() -> Any:
    """The package, or InputError with the command that installs it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of its generated bindings
            import faiss
    except ImportError as error:
        raise InputError(
            [f"--approximate: wanted the package faiss-cpu, found none ({error}); {extras.install('faiss')}"]
        ) from None
    return faiss


def sample_of(made: Plan) -> np.ndarray:
    """The classes of the sample, ascending in either half; the second half is as long as the first."""
    count = made.parts[-1]
    both = np.random.default_rng(_seed(made)).choice(count, min(2 * SAMPLE, count // 2 * 2), replace=False)
    first, second = np.split(both, 2)
    return np.concatenate([np.sort(first), np.sort(second)])


def rows_of(folder: Path, made: Plan, classes: np.ndarray) -> np.ndarray:
    """(m, d) float32: the features of some classes, ascending."""
    out = np.empty((len(classes), made.width), np.float32)
    for number in range(len(made.parts)):
        part = made.classes(number)
        here = np.flatnonzero((classes >= part.start) & (classes < part.stop))
        if len(here):
            out[here] = images.rows_of(folder, made, number, classes[here] - part.start)
    return out


def train(folder: Path, made: Plan, threads: int) -> None:
    """Find the cells, unless they are there; the same for any number of threads. Raises Damaged."""
    path = folder / INDEX / CELLS
    if path.exists():
        files.read(path, made.key, "centres")
        return
    count = made.parts[-1]
    cells = max(1, min(round(4 * count**0.5), count // 39))
    some = np.sort(np.random.default_rng(_seed(made)).choice(count, min(count, POINTS * cells), replace=False))
    package = faiss()
    package.omp_set_num_threads(threads)
    means = package.Kmeans(
        made.width, cells, niter=ROUNDS, seed=_seed(made) + 1, min_points_per_centroid=1,
        max_points_per_centroid=POINTS,
    )  # fmt: skip
    means.train(rows_of(folder, made, some))
    files.write(path, made.key, {"centres": np.asarray(means.centroids, np.float32)})


def sample(folder: Path, made: Plan, number: int) -> Lists:
    """The exact neighbours of the sample among a part."""
    wanted = sample_of(made)
    asked = rows_of(folder, made, np.sort(wanted))[np.argsort(np.argsort(wanted))].astype(np.float32)
    part = made.classes(number)
    rows = images.rows_of(folder, made, number)
    far = np.empty((len(asked), len(rows)), np.float32)
    squares = (asked * asked).sum(axis=1)
    for start in range(0, len(rows), 4096):
        some = rows[start : start + 4096].astype(np.float32)
        far[:, start : start + len(some)] = squares[:, None] + (some * some).sum(axis=1) - 2 * (asked @ some.T)
    k = min(made.k, len(rows))
    near = np.argpartition(far, k - 1, axis=1)[:, :k]
    values = np.maximum(np.take_along_axis(far, near, axis=1), 0)
    order = np.argsort(values, axis=1, kind="stable")
    near, values = np.take_along_axis(near, order, axis=1), np.take_along_axis(values, order, axis=1)
    return Lists((near + part.start).astype(np.int32), values, far.max(axis=1))


def probes(folder: Path, made: Plan, found: Lists) -> int:
    """How many cells an image has to look through to see the neighbours of the sample's first half."""
    (centres,) = files.read(folder / INDEX / CELLS, made.key, "centres")
    if made.probes is not None:
        return min(made.probes, len(centres))
    half = len(found.rows) // 2
    asked = sample_of(made)[:half]
    near = found.rows[:half]
    there = (near != NOBODY) & (near != asked[:, None])
    if not there.any():
        return 1
    names, place = np.unique(np.where(there, near, asked[:, None]), return_inverse=True)
    cell = _far(rows_of(folder, made, names), centres).argmin(axis=1)[place.reshape(near.shape)]
    ranks = _far(rows_of(folder, made, asked), centres).argsort(axis=1, kind="stable").argsort(axis=1)
    needed = np.sort(np.take_along_axis(ranks, cell, axis=1)[there]) + 1
    return int(needed[min(len(needed) - 1, int(np.ceil(WANTED * len(needed))) - 1)])


def shard(folder: Path, made: Plan, number: int, looks: int, threads: int) -> None:
    """A part's images in their cells, and the cells that each looks through, in a file."""
    package = faiss()
    package.omp_set_num_threads(threads)
    (centres,) = files.read(folder / INDEX / CELLS, made.key, "centres")
    coarse = package.IndexFlatL2(made.width)
    coarse.add(centres)
    inverted = package.IndexIVFScalarQuantizer(
        coarse, made.width, len(centres), package.ScalarQuantizer.QT_fp16, package.METRIC_L2, False
    )
    rows = images.rows_of(folder, made, number)
    inverted.train(rows[:1].astype(np.float32))  # half precision has nothing to learn, and is asked whether it has
    cells = np.empty((len(rows), looks), np.int32)
    for start in range(0, len(rows), 65536):
        some = rows[start : start + 65536].astype(np.float32)
        inverted.add(some)
        cells[start : start + len(some)] = coarse.search(some, looks)[1]
    content = {"index": package.serialize_index(inverted), "cells": cells, "looks": np.array(looks)}
    files.write(shard_file(folder, number), made.key, content)


def shard_file(folder: Path, number: int) -> Path:
    """The shard of a part."""
    return folder / INDEX / f"{number:05}.npz"


def near(folder: Path, made: Plan, i: int, j: int, threads: int) -> Lists:
    """The nearest of part i among what the shard of part j finds; distances are exact."""
    package = faiss()
    package.omp_set_num_threads(threads)
    (cells,) = files.read(shard_file(folder, i), made.key, "cells")
    (content,) = files.read(shard_file(folder, j), made.key, "index")
    inverted = package.deserialize_index(content)
    del content
    inverted.nprobe = cells.shape[1]
    ours = images.rows_of(folder, made, i)
    theirs = ours if i == j else images.rows_of(folder, made, j)
    width = min(made.k, len(theirs))
    longer = min(width + 8 + width // 8, len(theirs))
    rows = np.full((len(ours), width), NOBODY, np.int32)
    values = np.full(rows.shape, np.inf, np.float32)
    start_of = made.classes(j).start
    for start in range(0, len(ours), 4096):
        some = ours[start : start + 4096].astype(np.float32)
        keys = cells[start : start + len(some)].astype(np.int64)
        _, found = inverted.search_preassigned(some, longer, keys, np.zeros(keys.shape, np.float32))
        if i == j:
            own = np.arange(start, start + len(some))
            lacking = ~(found == own[:, None]).any(axis=1)
            found[lacking, -1] = own[lacking]
        stop = start + len(some)
        rows[start:stop], values[start:stop] = _scored(some, found, theirs, width, start_of)
    return Lists(rows, values, np.full(len(ours), -np.inf, np.float32))


def bounds(folder: Path, made: Plan, number: int) -> np.ndarray:
    """(classes,) float32: what nobody is farther than from a class of a part.

    4 where all are of unit length, else what the triangle inequality says.
    """
    if made.unit_length:
        return np.full(len(made.classes(number)), FARTHEST, np.float32)
    parts = [images.part_of(folder, made, each) for each in range(len(made.parts))]
    longest = np.float32(max(float(part.norms.max()) for part in parts)) ** np.float32(0.5)
    found: np.ndarray = (np.sqrt(parts[number].norms) + longest) ** 2
    return found


def recall(made: Plan, truth: Lists, rows: np.ndarray) -> float:
    """The share of the true neighbours of the sample's second half that stand in the lists found: (m, k) classes.

    The image itself does not count. Of all classes that nobody else is near there are none: 1.
    """
    half = len(truth.rows) // 2
    asked = sample_of(made)[half:]
    hits = wanted = 0
    for own, true, found in zip(asked.tolist(), truth.rows[half:], rows, strict=True):
        there = true[(true != own) & (true != NOBODY)]
        hits += int(np.isin(there, found).sum())
        wanted += len(there)
    return hits / wanted if wanted else 1.0


def _scored(
    ours: np.ndarray, found: np.ndarray, theirs: np.ndarray, width: int, start_of: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ``width`` nearest of what was found, by exact distance and then by number."""
    kernel = kernels.of(ours)
    weights = np.ones(ours.shape[1], np.float32)
    rows = np.empty((len(ours), width), np.int32)
    values = np.empty(rows.shape, np.float32)

    def score(start: int, stop: int) -> None:
        some = found[start:stop]
        names, place = np.unique(np.maximum(some, 0), return_inverse=True)
        there = read_only(np.ascontiguousarray(theirs[names], np.float32))
        mine = read_only(ours[start:stop])
        left = np.repeat(np.arange(len(some), dtype=np.int32), some.shape[1])
        right = (place.reshape(-1) + len(some)).astype(np.int32)
        far = np.zeros(len(left), np.float32)
        limits = np.full(len(left), np.inf, np.float32)
        kernel.rows.finish_near(mine, there, len(some), weights, left, right, limits, 0, len(far), far)
        far = np.where(some < 0, np.float32(np.inf), far.reshape(some.shape))
        numbers = np.where(some < 0, NOBODY, some + start_of).astype(np.int32)
        order = np.lexsort((numbers, far), axis=1)[:, :width]
        rows[start:stop] = np.take_along_axis(numbers, order, axis=1)
        values[start:stop] = np.take_along_axis(far, order, axis=1)

    kernel.walk.over_rows(score, len(ours), what="distances", block=CHUNK)
    return rows, values


def _seed(made: Plan) -> int:
    assert made.seed is not None
    return made.seed


def _far(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, cells): how far rows are from the centres of cells, but for what is the same in a row."""
    found: np.ndarray = (centres * centres).sum(axis=1) - 2 * (rows @ centres.T)
    return found
