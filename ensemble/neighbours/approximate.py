"""Lists from an index of faiss: fewer pairs are looked at, and the best of those get their exact distance.

1. *Cells*: the centres of k-means over a seeded sample, found once.
2. *Sample*: the exact neighbours of some seeded images. By the first half it is chosen how many cells are looked
   through; by the second half recall is measured.
3. *Shards*: the images of each part in their cells, half-precision, and the cells that each image looks through.
   Or a graph of them (HNSW), which needs no cells; made by one thread, since it depends on who is put in first.
4. *Pairs* of parts, as of exact lists: candidates from the other part's shard. They join by (distance, class), so
   nothing depends on who did what, and when; ``merge_knn_results`` of faiss leaves equal distances to the order.
5. *Lists*: the best candidates of all parts, once, at their distances from differences of the features in float64.

By cells the lists do not depend on how images are dealt into parts; by graphs they do, a little.
Source: Johnson, Douze, Jégou, "Billion-scale similarity search with GPUs" (2019), for the inverted file; Malkov,
Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable Small World
graphs" (2018).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.neighbours import files, images, plan
from ensemble.neighbours.plan import Plan
from postproc.base import extras
from postproc.base.vocabulary import NOBODY
from postproc.pairs.listed import FARTHEST
from postproc.pairs.tiles import Lists

WANTED = 0.99  # of the neighbours of the sample's first half, where nobody says how many cells
SAMPLE = 256  # images in each half
POINTS = 64  # images for each cell that k-means sees; faiss wants 39 or more
ROUNDS = 10  # of k-means
WIDE = 2  # times as many as are wanted: how many a search in a graph has in hand, where nobody says
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
    if made.index != plan.CELLS:
        return
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
    """How many cells an image has to look through to see the neighbours of the sample's first half.

    Of a graph how many a search has in hand.
    """
    if made.index != plan.CELLS:
        return made.probes or WIDE * made.longer
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


def _seed(made: Plan) -> int:
    assert made.seed is not None
    return made.seed


def _far(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, cells): how far rows are from the centres of cells, but for what is the same in a row."""
    found: np.ndarray = (centres * centres).sum(axis=1) - 2 * (rows @ centres.T)
    return found
