"""Re-ranking against the bare product of all images by all images, in one run.

    python bench/rerank.py M
    python bench/rerank.py M --cpu [--features FILE.npy QUERIES]

Every figure comes from a process of its own; product and re-ranking take turns, medians are printed. The product
is NumPy's float32 matrix product of N x d by d x N with two different operands (``x @ x.T`` of one array would
compute half); where N x N does not fit, strips of it. Memory is the process's peak less the features' own size.
``--plain`` adds the usual NumPy implementation (minutes, and about 9 GB at M). ``--cpu`` takes processor seconds
of one process instead, for a machine that others use too: product, re-ranking, re-ranking without AMX
(``REID_NO_AMX``) and without whole numbers (``REID_NO_INT8``) take turns. ``--features`` measures features of
one's own, the first rows as queries.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from unittest.mock import patch

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import plain
from bench.worlds import SIZES, features

FITS = 30_000  # images whose N x N matrix is built whole


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("size", choices=SIZES)
    p.add_argument("--top-k", type=int)
    p.add_argument("--repeat", type=int, default=3)
    p.add_argument("--plain", action="store_true")
    p.add_argument("--cpu", action="store_true")
    p.add_argument("--features", nargs=2, metavar=("FILE.npy", "QUERIES"))
    p.add_argument("--child", choices=KINDS, help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.child:
        print(json.dumps(KINDS[options.child](options.size, options.top_k)))
        return
    if options.cpu:
        by_processor(options)
        return
    nq, ng, d, _ = SIZES[options.size]
    print(f"{options.size}: {nq} x {ng} x {d}, {os.cpu_count()} processors, NumPy {np.__version__}")
    runs: dict[str, list[dict]] = {"product": [], "rerank": []}
    for _ in range(options.repeat):
        for kind, found in runs.items():
            found.append(child(kind, options))
    if options.plain:
        runs["plain"] = [child("plain", options)]
    seconds = {kind: statistics.median(run["seconds"] for run in found) for kind, found in runs.items()}
    for kind, found in runs.items():
        spread = f"{min(r['seconds'] for r in found):.2f}-{max(r['seconds'] for r in found):.2f}"
        peak = f", peak {found[-1]['over_features'] / 1e6:.0f} MB over the features" if kind != "product" else ""
        print(f"{kind:8} {seconds[kind]:8.2f} s (of {len(found)}: {spread}){peak}")
    print(f"rerank / product = {seconds['rerank'] / seconds['product']:.3f}")
    if options.plain:
        print(f"plain / rerank = {seconds['plain'] / seconds['rerank']:.1f}")
        print(f"difference between the two: {runs['plain'][0]['difference']}")


def by_processor(options: argparse.Namespace) -> None:
    """Processor seconds of one process, ways taking turns, and each over the product."""
    from postproc import rerank
    from postproc.base import machine

    if options.features:
        images = np.load(options.features[0]).astype(np.float32)
        query, gallery = np.split(images, [int(options.features[1])])
    else:
        query, gallery = features(options.size)
    print(f"{len(query)} x {len(gallery)} x {query.shape[1]}, {os.cpu_count()} processors, NumPy {np.__version__}")
    left = np.concatenate([query, gallery])
    right = left.copy()
    out = np.zeros((min(len(left), 4096), len(left)), np.float32)

    def multiply() -> None:
        for start in range(0, len(left), len(out)):
            block = left[start : start + len(out)]
            np.matmul(block, right.T, out=out[: len(block)])

    def rank(off: str, few: Sequence[np.ndarray] = (query, gallery)) -> None:
        with patch.dict(os.environ, {name: "1" for name in [off] if name}):
            rerank(*few, top_k=options.top_k)

    ways = {"rerank": "", "without AMX": machine.NO_AMX, "without either": machine.NO_INT8}
    if not machine.amx():
        del ways["without AMX"]
    for off in ways.values():  # kernels loaded
        rank(off, (query[:10], np.concatenate([gallery] * (1 + 8000 // len(gallery)))[:8000]))
    every = {"product": multiply, **{name: partial(rank, off) for name, off in ways.items()}}
    found: dict[str, list[float]] = {name: [] for name in every}
    for _ in range(options.repeat):
        for name, way in every.items():
            time.sleep(0.1)  # until threads of BLAS have stopped to wait for more
            started = time.process_time()
            way()
            found[name].append(time.process_time() - started)
    for name, seconds in found.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, found["product"], strict=True))
        print(f"{name:14} {statistics.median(seconds):8.2f} CPU s, {ratio:.3f} of the product")


def child(kind: str, options: argparse.Namespace) -> dict:
    command = [sys.executable, __file__, options.size, "--child", kind]
    command += ["--top-k", str(options.top_k)] if options.top_k else []
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def product(size: str, top_k: int | None) -> dict:
    """The matrix product alone, its output touched beforehand."""
    query, gallery = features(size)
    left = np.concatenate([query, gallery])
    right = left.copy()
    rows = len(left) if len(left) <= FITS else 2048
    out = np.zeros((rows, len(left)), np.float32)
    np.matmul(left[:256], right[:256].T)  # threads started
    started = time.perf_counter()
    for start in range(0, len(left), rows):
        block = left[start : start + rows]
        np.matmul(block, right.T, out=out[: len(block)])
    return {"seconds": time.perf_counter() - started}


def rerank(size: str, top_k: int | None) -> dict:
    """postproc.rerank, distances included, kernels loaded beforehand."""
    from postproc import rerank

    query, gallery = features(size)
    rerank(query[:3], gallery[:9], top_k=top_k and 2)
    started = time.perf_counter()
    rerank(query, gallery, top_k=top_k)
    return {"seconds": time.perf_counter() - started, "over_features": peak() - query.nbytes - gallery.nbytes}


def usual(size: str, top_k: int | None) -> dict:
    """The plain version, and how far from it ours is."""
    query, gallery = features(size)
    started = time.perf_counter()
    wanted = plain.rerank(query, gallery)
    seconds, most = time.perf_counter() - started, peak()
    from postproc import rerank

    away = abs(rerank(query, gallery) - wanted)
    difference = f"{np.median(away):.0e} in the median, {(away > 1e-5).mean():.1e} of the entries beyond 1e-5"
    return {"seconds": seconds, "over_features": most - query.nbytes - gallery.nbytes, "difference": difference}


def peak() -> int:
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


KINDS = {"product": product, "rerank": rerank, "plain": usual}

if __name__ == "__main__":
    main()
