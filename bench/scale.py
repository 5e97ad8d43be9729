"""The first of a re-ranking of one large set from features on disk: seconds, memory, and a sample worked out anew.

    python -m bench.scale 100000 200000
    python -m bench.scale 1000000 --width 256 --kind float16 --sample 3
    python -m bench.scale 1000000 --keep DIR

The features are written to a file, drawn around identities that overlap, 17 images each, and memory-mapped.
``rerank(x, top_k=100)`` runs in a process of its own. Memory is its anonymous memory (RssAnon of /proc, looked at
50 times a second) at its highest less what it is when everything is imported: pages of the features' file are not
in it, which the system takes back when it wants. With ``--keep`` it is two calls, ``neighbours`` and ``rerank`` of
its lists; features, lists and answer stay in the folder, and what is there is not made again.

Lists, V and final values of some images drawn by a seed, of all that are among their answers, and of the nearest
that are not, are then worked out in float64 from whole rows of distances; nothing of the package is in that but
its answer. With ``--keep`` the lists of these images alone are compared with whole rows, and the values are worked
out from the lists, which takes seconds an image where all rows take a quarter of an hour.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np

from bench import anonymous

LATENT, SEEN = 40, 17  # free numbers of an image, images of an identity
K1, K2, SHARE = 20, 6, 0.3
BESIDE = 30  # nearest images that are not among the answers, and are worked out too


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("images", type=int, nargs="+")
    p.add_argument("--width", type=int, default=256, help="numbers an image")
    p.add_argument("--kind", choices=("float16", "float32"), default="float16", help="of the numbers on disk")
    p.add_argument("--top-k", type=int, default=100)
    p.add_argument("--sample", type=int, default=3, help="images that are worked out anew")
    p.add_argument("--folder", type=Path, help="for the features and the answer; else a temporary one")
    p.add_argument("--keep", type=Path, help="a folder for one size: lists are found first, and all is kept")
    p.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.child:
        print(json.dumps(measured(options.child, options.top_k, in_two=options.keep is not None)))
        return
    print(f"{os.cpu_count()} processors, NumPy {np.__version__}, k1 {K1}, k2 {K2}, top_k {options.top_k}")
    if options.keep:
        if len(options.images) > 1:
            p.error("--keep: wanted one size, found several")
        options.keep.mkdir(parents=True, exist_ok=True)
        one(options.images[0], options.keep, options)
        return
    for count in options.images:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            one(count, Path(folder), options)


def one(count: int, folder: Path, options: argparse.Namespace) -> None:
    if not (folder / "x.npy").exists():
        write(folder / "x.npy", count, options.width, options.kind)
    if not (folder / "distances.npy").exists():
        command = [sys.executable, "-m", "bench.scale", str(count), "--child", str(folder)]
        command += ["--top-k", str(options.top_k)] + ["--keep", str(folder)] * (options.keep is not None)
        said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(
            f"{count:,} x {options.width} {options.kind}: {said['seconds']:.1f} s ({said['cpu']:.1f} s of CPU), "
            f"{said['peak'] / 1e6:,.0f} MB over nothing, {said['peak'] / count:,.0f} bytes an image"
        )
    worst = check(folder, min(options.sample, count))
    print(f"  {options.sample} images worked out anew: largest difference {worst:.1e}, nobody left out")


def write(path: Path, count: int, width: int, kind: str) -> None:
    """(count, width) of unit length, some rows at a time."""
    rng = np.random.default_rng(0)
    people = -(-count // SEEN)
    centre = rng.standard_normal((people, LATENT), dtype=np.float32)
    turn = rng.standard_normal((LATENT, width), dtype=np.float32)
    who = rng.integers(0, people, count)
    out = np.lib.format.open_memmap(path, "w+", kind, (count, width))
    for start in range(0, count, 4096):
        some = centre[who[start : start + 4096]]
        block = (some + rng.standard_normal(some.shape, dtype=np.float32)) @ turn
        block += rng.standard_normal(block.shape, dtype=np.float32)
        out[start : start + 4096] = block / np.linalg.norm(block, axis=1, keepdims=True)
    out.flush()


def measured(folder: Path, top_k: int, *, in_two: bool) -> dict[str, float]:
    """Seconds and memory of the call, or of the second of two; its answer is written beside the features."""
    from postproc import NeighbourLists, rerank
    from postproc.pairs import long_lists

    x = np.load(folder / "x.npy", mmap_mode="r")
    with patch.object(long_lists, "cheaper", lambda *sizes: True):  # kernels are loaded, as for a large set
        rerank(np.load(folder / "x.npy", mmap_mode="r")[:300], top_k=3)
    lists = None
    if in_two:
        find_lists(x, folder / "lists", long_lists.entries(len(x), len(x), top_k, one_set=True) - 1)
        lists = NeighbourLists.load(folder / "lists")
    before = anonymous.now()
    with anonymous.watched() as most:
        started, used = time.perf_counter(), time.process_time()
        found = rerank(x, neighbours=lists, k1=K1, k2=K2, lambda_value=SHARE, top_k=top_k)
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
    np.save(folder / "rows.npy", found.rows)
    np.save(folder / "distances.npy", found.distances)
    return {"seconds": seconds, "cpu": cpu, "peak": most[0] - before}


def find_lists(x: np.ndarray, folder: Path, k: int) -> None:
    """Save the lists of the ``k`` nearest others, where they are not there already."""
    from postproc import neighbours

    if folder.exists():
        return
    before = anonymous.now()
    with anonymous.watched() as most:
        started, used = time.perf_counter(), time.process_time()
        neighbours(x, k=k).save(folder)
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
    print(
        f"lists: {seconds:.1f} s ({cpu:.1f} s of CPU), {(most[0] - before) / 1e6:,.0f} MB over nothing",
        file=sys.stderr,
    )


def check(folder: Path, sample: int) -> float:
    """The largest difference of some images' answers from what they are; raises where a nearer one is missing."""
    x = np.load(folder / "x.npy", mmap_mode="r")
    rows, distances = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("rows", "distances"))
    some = np.random.default_rng(1).choice(len(x), sample, replace=False)
    direct, worst = Direct(x), 0.0
    if (folder / "lists").exists():
        direct = FromLists(x, folder / "lists")
        worst = direct.compare(some)
    for query in some:
        answers = rows[query]
        near = direct.row(int(query), len(answers) + BESIDE + 1)
        others = [image for image in near if image != query and image not in set(answers.tolist())][:BESIDE]
        values = direct.values(int(query), np.concatenate([answers, np.array(others, np.int64)]))
        worst = max(worst, float(np.abs(values[: len(answers)] - distances[query]).max()))
        if len(others) and values[len(answers) :].min() < distances[query, -1] - 1e-5:
            raise SystemExit(f"bench.scale: image {query}: somebody nearer is missing")
    return worst


class Direct:
    """The published formula for some images, from whole rows of distances, which are kept as lists."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self.lists: dict[int, tuple[np.ndarray, float]] = {}
        self.vectors: dict[int, dict[int, float]] = {}

    def values(self, query: int, images: np.ndarray) -> np.ndarray:
        """Final values of (query, images)."""
        self.find([query, *images.tolist()])
        means = {image: self.mean(image) for image in {query, *images.tolist()}}
        largest, own, found = self.lists[query][1], means[query], []
        for image in images.tolist():
            shared = sum(min(weight, means[image].get(t, 0.0)) for t, weight in own.items())
            p = self.squared(query, np.array([image]))[0] / largest
            found.append((1 - SHARE) * (1 - shared / (2 - shared)) + SHARE * p)
        return np.array(found)

    def mean(self, image: int) -> dict[int, float]:
        """V, averaged over the k2 nearest."""
        near = self.lists[image][0][:K2].tolist()
        self.find(near)
        self.find([j for i in near for j in self.lists[i][0].tolist()])
        total: dict[int, float] = {}
        for i in near:
            for t, weight in self.vector(i).items():
                total[t] = total.get(t, 0.0) + weight / len(near)
        return total

    def vector(self, image: int) -> dict[int, float]:
        if image not in self.vectors:
            core = self.mutual(image, K1 + 1)
            members = set(core)
            for candidate in core:
                half = self.mutual(candidate, round(K1 / 2) + 1)
                if 3 * len(set(half) & set(core)) > 2 * len(half):
                    members |= set(half)
            order = np.array(sorted(members))
            weights = np.exp(-self.squared(image, order) / self.lists[image][1])
            self.vectors[image] = dict(zip(order.tolist(), (weights / weights.sum()).tolist(), strict=True))
        return self.vectors[image]

    def mutual(self, image: int, k: int) -> list[int]:
        near = self.lists[image][0][:k].tolist()
        self.find(near)
        return [j for j in near if image in self.lists[j][0][:k]]

    def find(self, images: list[int]) -> None:
        """Lists of k1 + 1 and the largest distance, of those that have none yet."""
        missing = sorted({image for image in images if image not in self.lists})
        for start in range(0, len(missing), 256):
            some = missing[start : start + 256]
            for image, near, largest in zip(some, *self.nearest_of(some, K1 + 1), strict=True):
                self.lists[image] = near, float(largest)

    def row(self, image: int, k: int) -> list[int]:
        """The k nearest of one image, itself among them."""
        found: list[int] = self.nearest_of([image], k)[0][0].tolist()
        return found

    def nearest_of(self, images: list[int], k: int) -> tuple[np.ndarray, np.ndarray]:
        """(m, k) nearest by distances in float32 of some, and the (m,) largest distances."""
        own = np.asarray(self.x[np.array(images)], np.float32)
        norms = np.square(own, dtype=np.float64).sum(axis=1)
        values = np.full((len(own), 0), np.inf)
        rows = np.zeros((len(own), 0), np.int64)
        largest = np.zeros(len(own))
        for start in range(0, len(self.x), 16384):
            block = np.asarray(self.x[start : start + 16384], np.float32)
            far = norms[:, None] + np.square(block, dtype=np.float64).sum(axis=1) - 2 * (own @ block.T)
            largest = np.maximum(largest, far.max(axis=1))
            values = np.hstack([values, far])
            rows = np.hstack([rows, np.broadcast_to(np.arange(start, start + len(block)), far.shape)])
            if values.shape[1] > k:
                kept = np.argpartition(values, k - 1, axis=1)[:, :k]
                values, rows = (np.take_along_axis(part, kept, axis=1) for part in (values, rows))
        order = np.argsort(values, axis=1, kind="stable")
        return np.take_along_axis(rows, order, axis=1), largest

    def squared(self, image: int, others: np.ndarray) -> np.ndarray:
        """Squared distances of an image and some others, in float64."""
        away = np.asarray(self.x[others], np.float64) - np.asarray(self.x[image], np.float64)
        found: np.ndarray = np.square(away).sum(axis=1)
        return found


class FromLists(Direct):
    """The same, starting from lists that were saved."""

    def __init__(self, x: np.ndarray, folder: Path) -> None:
        super().__init__(x)
        self.rows, self.distances, self.largest = (
            np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("rows", "distances", "largest")
        )

    def find(self, images: list[int]) -> None:
        for image in images:
            self.lists[image] = self.rows[image, : K1 + 1], float(self.largest[image])

    def compare(self, images: np.ndarray) -> float:
        """The largest difference of some lists from whole rows; raises where a nearer image is missing."""
        near, largest = self.nearest_of(images.tolist(), self.rows.shape[1])
        worst = float(np.abs(largest - self.largest[images]).max())
        for image, row in zip(images.tolist(), near, strict=True):
            there = self.squared(image, row)
            missing = set(row.tolist()) - set(self.rows[image].tolist())
            if missing and there.max() < self.distances[image].max():
                raise SystemExit(f"bench.scale: the list of image {image}: somebody nearer is missing")
            worst = max(worst, float(np.abs(there - self.distances[image]).max()))
        return worst


if __name__ == "__main__":
    main()
