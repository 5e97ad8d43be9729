"""Milliseconds of one query against a fitted gallery, beside the batch function and one reading of the features.

    python -m bench.online [--sizes 20000x512 100000x512] [--queries 200] [--add 1000] [--batch] [--shared DIR]

Features are drawn around identities of 40 images, unit length. Up to 100,000 images neighbours are searched
exactly. Above, or with ``--within``, they are searched among the images of an identity alone, because building
takes the square of the size: a query does then what it does with exact lists, as identities are far apart, but the
figure for building says nothing and has a star. ``reading`` is one look at all bytes of the features by as many
threads. ``add`` is timed once, as building is. ``--shared`` compares answers on real features with the batch's.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import numpy as np

from postproc import ApproximateNeighbours, GalleryIndex, NeighbourLists, l2_normalize, rerank
from postproc.base import runtime
from postproc.testing.worlds import around

EACH = 40  # images of an identity
EXACT = 100_000
REAL = {
    "viper_feats.npz": "omz0277",
    "cuhk03_train_feats.npz": "omz0277",
    "lion_feats.npz": "efficientnet_lite0",
}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sizes", nargs="+", default=["20000x512", "100000x512"], help="images x numbers an image")
    p.add_argument("--queries", type=int, default=200)
    p.add_argument("--noise", type=float, default=1.0, help="of images around identities, whose centres vary by 1")
    p.add_argument("--add", type=int, default=1000, help="images that join; 0: none")
    p.add_argument("--within", action="store_true", help="search neighbours among the images of an identity alone")
    p.add_argument("--batch", action="store_true", help="also the batch function, once a size")
    p.add_argument("--shared", type=Path, help="folder with real features")
    options = p.parse_args()
    print(
        f"{os.cpu_count()} processors, {runtime.current().threads} threads, {options.queries} queries, top_k=100"
    )
    print("size           min ms  p50 ms  p95 ms  reading ms  p50/reading   build s   add s  add/build  batch s")
    warm_up()
    for size in options.sizes:
        count, width = map(int, size.split("x"))
        print(f"{size:12} {' '.join(measured(count, width, options))}", flush=True)
    for name, key in REAL.items() if options.shared else ():
        print(compared(options.shared / name, key))


def warm_up() -> None:
    """Have everything compiled."""
    images = l2_normalize(np.random.default_rng(0).standard_normal((300, 64), dtype=np.float32))
    index = GalleryIndex(images[:200])
    index.add(images[200:])
    index.rerank(images[:1])


def measured(count: int, width: int, options: argparse.Namespace) -> list[str]:
    """The cells of one size."""
    random = np.random.default_rng(0)
    centres = random.standard_normal((-(-count // EACH), width), dtype=np.float32)
    gallery = around(random, centres, np.arange(count) // EACH, options.noise, unit=True)
    queries = around(random, centres, random.integers(0, len(centres), options.queries), options.noise, unit=True)
    within = options.within or count > EXACT
    warnings.simplefilter("ignore", ApproximateNeighbours)
    started = time.perf_counter()
    index = GalleryIndex(gallery, neighbours=lists_within(gallery) if within else None)
    building = time.perf_counter() - started
    index.rerank(queries[0])
    asked = []
    for query in queries:
        started = time.perf_counter()
        index.rerank(query)
        asked.append(1e3 * (time.perf_counter() - started))
    once = reading(gallery)
    p50 = float(np.median(asked))
    cells = [f"{min(asked):8.2f}{p50:8.2f}{np.percentile(asked, 95):8.2f}{once:12.2f}{p50 / once:13.2f}"]
    cells.append(f"{building:9.1f}{'*' if within else ' '}")
    if options.add:
        more = around(random, centres, random.integers(0, len(centres), options.add), options.noise, unit=True)
        started = time.perf_counter()
        index.add(more)
        adding = time.perf_counter() - started
        cells.append(f"{adding:6.2f} {adding / building:9.2%}{'*' if within else ' '}")
    if options.batch:
        started = time.perf_counter()
        rerank(queries[:1], gallery, top_k=100)
        cells.append(f"{time.perf_counter() - started:8.1f}")
    return cells


def lists_within(gallery: np.ndarray, k: int = 24) -> NeighbourLists:
    """The neighbours of every image among the images of its identity: exact where identities are far apart."""
    rows = np.full((len(gallery), k + 1), -1, np.int32)
    distances = np.full(rows.shape, np.inf, np.float32)
    for start in range(0, len(gallery), EACH):
        some = gallery[start : start + EACH]
        square = np.maximum(2 - 2 * some @ some.T, 0)
        np.fill_diagonal(square, 0)
        order = np.argsort(square, axis=1, kind="stable")[:, : k + 1]
        rows[start : start + EACH, : order.shape[1]] = order + start
        distances[start : start + EACH, : order.shape[1]] = np.take_along_axis(square, order, axis=1)
    bound = np.full(len(gallery), 4, np.float32)
    return NeighbourLists(rows, distances, bound, (len(gallery),) * 2, one_set=True, unit_length=True, exact=False)


def reading(gallery: np.ndarray) -> float:
    """Milliseconds to read all features once: the shortest of nine."""
    words = gallery.reshape(-1).view(np.uint64)
    step, seconds = 1 << 18, []
    for _ in range(9):
        started = time.perf_counter()
        runtime.run(
            lambda start: np.bitwise_xor.reduce(words[start : start + step]),
            range(0, len(words), step),
            what="reading",
        )
        seconds.append(time.perf_counter() - started)
    return 1e3 * min(seconds)


def compared(path: Path, key: str) -> str:
    """How far the answers on real features are from the batch function's, each query alone."""
    images = l2_normalize(np.load(path)[key].astype(np.float32))
    asked = np.arange(0, len(images), max(1, len(images) // 100))
    gallery = np.delete(images, asked, axis=0)
    index = GalleryIndex(gallery)
    apart, moved, places = 0.0, 0, 0
    for query in images[asked]:
        found, wanted = index.rerank(query), rerank(query[None], gallery, top_k=100)
        apart = max(apart, float(np.abs(found.distances - wanted.distances).max()))
        moved += int((found.rows != wanted.rows).sum())
        places += wanted.rows.size
    return (
        f"{path.stem}, {key}: {len(asked)} queries alone against {len(gallery)}: distances differ by {apart:.0e} "
        f"at most, {moved} of {places} places hold another image"
    )


if __name__ == "__main__":
    main()
