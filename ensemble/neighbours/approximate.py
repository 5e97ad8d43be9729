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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.neighbours import files, images, plan
from ensemble.neighbours.files import Maps
from ensemble.neighbours.plan import Plan
from postproc import kernels
from postproc.base import extras
from postproc.pairs.listed import FARTHEST
from postproc.pairs.pairwise import read_only
from postproc.pairs.stored import Stored
from postproc.pairs.tiles import Lists

WANTED = 0.99  # of the neighbours of the sample's first half, where nobody says how many cells
SAMPLE = 256  # images in each half
POINTS = 64  # images for each cell that k-means sees; faiss wants 39 or more
ROUNDS = 10  # of k-means
LINKS = 16  # of an image in a graph, in the lowest layer twice as many
BUILT = 80  # candidates that an image is linked to the best of
WIDE = 2  # times as many as are wanted: how many a search in a graph has in hand, where nobody says
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
        return made.probes or WIDE * longer_of(made)
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
    longer = min(longer_of(made), len(theirs))
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


def longer_of(made: Plan) -> int:
    """How many candidates a class has, the best of all parts: more than are wanted, since the index rounds."""
    return min(plan.candidates(made.k), made.parts[-1])


def settled(folder: Path, made: Plan, i: int, candidates: Lists) -> Lists:
    """The nearest of part i among its candidates, by exact distances."""
    maps = Maps()
    layout = images.layout_of(folder, made)
    theirs = Stored(
        [maps.array(folder / source) for source in made.sources], None if layout.distinct else layout.first
    )
    rows, values = _scored(images.rows_of(folder, made, i), candidates.rows, theirs, min(made.k, made.parts[-1]))
    return Lists(rows, values, candidates.largest)


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


def _seed(made: Plan) -> int:
    assert made.seed is not None
    return made.seed


def _far(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(n, cells): how far rows are from the centres of cells, but for what is the same in a row."""
    found: np.ndarray = (centres * centres).sum(axis=1) - 2 * (rows @ centres.T)
    return found
