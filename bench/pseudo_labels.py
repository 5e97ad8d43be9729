"""Pseudo-labels of one epoch: the Jaccard distance of one set and DBSCAN, ours beside the published computation.

    python bench/pseudo_labels.py 5000 12936
    python bench/pseudo_labels.py 50000 --ours

The published one is what OpenUnReID, SpCL and Cluster-Contrast compute, written from its formula: a search of k1
by faiss (``pip install faiss-cpu``; without it an exact search in NumPy, and that is said), V as a matrix of all
by all, Jaccard distances row by row, DBSCAN on the whole matrix. Ours are lists of neighbours by ``rerank`` and
DBSCAN on these. Every figure comes from a process of its own; memory is its peak less the features' own size.
Images have 2,048 numbers and are drawn around identities that overlap, 17 images each, as in Market-1501.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.rerank import peak

WIDTH, LATENT, SEEN = 2048, 40, 17  # numbers an image, of these free ones, images an identity
K1, K2, LEAST = 30, 6, 4


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("images", type=int, nargs="+")
    p.add_argument("--eps", type=float, nargs="+", default=[0.5, 0.6])
    p.add_argument("--noise", type=float, default=1.0, help="of an image, where identities are 1 apart")
    p.add_argument("--ours", action="store_true", help="not the published one, whose matrices may not fit")
    p.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    p.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.child:
        print(json.dumps(KINDS[options.child](options)))
        return
    for count in options.images:
        compare(count, options)


def compare(count: int, options: argparse.Namespace) -> None:
    print(f"{count:,} images x {WIDTH}, {os.cpu_count()} processors, k1 {K1}, k2 {K2}, DBSCAN of {LEAST}")
    labels: dict[str, list[np.ndarray]] = {}
    for kind in ("ours",) if options.ours else KINDS:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, str(count), "--noise", str(options.noise), "--out", folder]
            command += ["--child", kind, "--eps", *map(str, options.eps)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            labels[kind] = [np.load(Path(folder) / f"{eps}.npy") for eps in options.eps]
        parts = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in found["seconds"].items())
        over = found["over_features"] / 1e6
        print(f"{kind:9} {sum(found['seconds'].values()):7.1f} s ({parts}), peak {over:,.0f} MB, {found['how']}")
    for at, eps in enumerate(options.eps):
        first = labels["ours"][at]
        same = [
            f", {alike(first, found[at]):,} images in the same as published"
            for kind, found in labels.items()
            if kind != "ours"
        ]
        print(f"eps {eps}: {first.max() + 1:,} clusters, {(first < 0).sum():,} images in none{''.join(same)}")


def alike(first: np.ndarray, other: np.ndarray) -> int:
    """How many images are of a cluster that both have, or of none in both."""
    sizes = [np.unique(part, return_inverse=True, return_counts=True)[1:] for part in (first, other)]
    pairs, counts = np.unique(np.stack([first, other]), axis=1, return_inverse=True, return_counts=True)[1:]
    of = [count[inverse.reshape(-1)] for inverse, count in sizes]
    both = counts[pairs.reshape(-1)]
    none = (first < 0) & (other < 0)
    return int((none | ((both == of[0]) & (both == of[1]) & (first >= 0) & (other >= 0))).sum())


def images(options: argparse.Namespace) -> np.ndarray:
    """(n, 2048) float32 of unit length."""
    rng = np.random.default_rng(0)
    count = options.images[0]
    people = -(-count // SEEN)
    centre = rng.standard_normal((people, LATENT), dtype=np.float32)
    turn = rng.standard_normal((LATENT, WIDTH), dtype=np.float32)
    who = rng.integers(0, people, count)
    out = np.empty((count, WIDTH), np.float32)
    for start in range(0, count, 1024):
        some = centre[who[start : start + 1024]]
        block = (some + options.noise * rng.standard_normal(some.shape, dtype=np.float32)) @ turn
        block += rng.standard_normal(block.shape, dtype=np.float32)
        out[start : start + 1024] = block / np.linalg.norm(block, axis=1, keepdims=True)
    return out


def ours(options: argparse.Namespace) -> dict:
    """``postproc.rerank`` of one set, kernels loaded beforehand, and DBSCAN on its lists."""
    from postproc import rerank

    x = images(options)
    published = {"k1": K1, "k2": K2, "count_self": True, "normalize": False, "lambda_value": 0.0}
    few = rerank(x[:9], top_k=2, **published)
    of_lists(few.rows, few.distances, 0.5)
    started = time.perf_counter()
    length = 64
    while True:
        lists = rerank(x, top_k=length, **published)
        if length >= len(x) or lists.distances[:, -1].min() > max(options.eps):
            break
        length *= 2  # somebody has more neighbours than the list holds
    seconds = {"distances": time.perf_counter() - started}
    for eps in options.eps:
        started = time.perf_counter()
        np.save(options.out / f"{eps}.npy", of_lists(lists.rows, lists.distances, eps))
        seconds[f"DBSCAN {eps}"] = time.perf_counter() - started
    return {"seconds": seconds, "over_features": peak() - x.nbytes, "how": f"lists of {length}"}


def of_lists(rows: np.ndarray, distances: np.ndarray, eps: float) -> np.ndarray:
    """(n,) labels by DBSCAN, -1 for none; pairs that no list has are far."""
    from scipy.sparse import csr_matrix
    from sklearn.cluster import DBSCAN

    count = len(rows)
    rows = np.hstack([np.arange(count)[:, None], rows])  # an image is at 0 from itself, and counts
    distances = np.hstack([np.zeros((count, 1), np.float32), distances])
    near = distances <= eps
    offsets = np.concatenate([[0], np.cumsum(near.sum(axis=1))])
    graph = csr_matrix((distances[near], rows[near], offsets), shape=(count, count))
    return DBSCAN(eps=eps, min_samples=LEAST, metric="precomputed").fit_predict(graph)


def published(options: argparse.Namespace) -> dict:
    """The formula on matrices of all by all."""
    from sklearn.cluster import DBSCAN

    x = images(options)
    started = time.perf_counter()
    order, how = search(x)
    jaccard = jaccard_distances(x, order)
    seconds = {"distances": time.perf_counter() - started}
    for eps in options.eps:
        started = time.perf_counter()
        np.save(
            options.out / f"{eps}.npy",
            DBSCAN(eps=eps, min_samples=LEAST, metric="precomputed").fit_predict(jaccard),
        )
        seconds[f"DBSCAN {eps}"] = time.perf_counter() - started
    return {"seconds": seconds, "over_features": peak() - x.nbytes, "how": how}


def search(x: np.ndarray) -> tuple[np.ndarray, str]:
    """The k1 nearest of every image, itself among them."""
    try:
        import faiss
    except ImportError:
        found = [
            np.argsort(-(x[i : i + 1024] @ x.T), axis=1, kind="stable")[:, :K1] for i in range(0, len(x), 1024)
        ]
        return np.concatenate(found), "exact search by NumPy, there is no faiss"
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)
    return index.search(x, K1)[1], f"search by faiss {faiss.__version__}"


def jaccard_distances(x: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(n, n) float32: V of all mutual neighbours, averaged over k2, and 1 - sum of minima / sum of maxima."""
    count, half = len(x), int(np.around(K1 / 2)) + 1

    def mutual(i: int, k: int) -> np.ndarray:
        near = order[i, :k]
        return near[(order[near, :k] == i).any(axis=1)]

    sets = [mutual(i, K1) for i in range(count)]
    halves = [mutual(i, half) for i in range(count)]
    v = np.zeros((count, count), np.float32)
    for i, own in enumerate(sets):
        taken = [own]
        for candidate in own:
            theirs = halves[candidate]
            if len(np.intersect1d(theirs, own)) > 2 / 3 * len(theirs):
                taken.append(theirs)
        members = np.unique(np.concatenate(taken))
        weights = np.exp(-(2 - 2 * x[members] @ x[i]))
        v[i, members] = weights / weights.sum()
    v = np.stack([v[near].mean(axis=0) for near in order[:, :K2]])
    columns = [np.flatnonzero(v[:, j]) for j in range(count)]
    out = np.empty((count, count), np.float32)
    for i in range(count):
        shared = np.zeros(count, np.float32)
        for t in np.flatnonzero(v[i]):
            rows = columns[t]
            shared[rows] += np.minimum(v[i, t], v[rows, t])
        out[i] = 1 - shared / (2 - shared)
    return np.maximum(out, 0, out=out)


KINDS = {"ours": ours, "published": published}

if __name__ == "__main__":
    main()
