"""Re-ranking on a CUDA device: parity with the CPU first, then the clock.

    python -m bench.gpu

Every size prints the median seconds of re-ranking between two events on the device, after a warm-up that compiles
the kernels; the most device memory that was in use, features included; what part of the time the products take,
and what all that is not neighbours; the bare float32 product of all images by all images (N x d by d x N, no TF32,
strips where N x N does not fit); and, for the sizes of ``--cpu``, the CPU back end of the same machine. Unless
told ``--no-write``, the output also goes to ``bench/results/``, under the date and the name of the device.
"""

import argparse
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from bench import worlds
from postproc import Nearest, rerank
from postproc.context import kreciprocal

SIZES = {**worlds.SIZES, "XL2048": (11659, 82161, 2048, 3060), "million": (10_000, 990_000, 512, 40_000)}
TOP_K = {"million": 100}
GOALS = {"M": 0.06, "XL": 1.0, "million": 60.0}  # seconds on an H200
ONCE = {"XL2048", "million"}  # measured once after the warm-up
PARITY = "S"
STRIP = 8 << 30  # bytes of a strip of the bare product
RESULTS = Path(__file__).parent / "results"


class Stopwatch:
    """Seconds on the device's stream between entering and leaving, read when the device has come so far."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Any, Any]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        import torch

        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        yield
        end.record()
        self.pairs.append((begin, end))

    def seconds(self) -> float:
        import torch

        torch.cuda.synchronize()
        return sum(begin.elapsed_time(end) for begin, end in self.pairs) / 1000


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("sizes", nargs="*", metavar="SIZE", help=f"of {', '.join(SIZES)}; all but S, if none is named")
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--cpu", nargs="*", choices=SIZES, default=["M", "L"], help="sizes that the CPU does, too")
    p.add_argument("--no-write", action="store_true")
    options = p.parse_args()
    if unknown := set(options.sizes) - set(SIZES):
        p.error(f"wanted sizes of {', '.join(SIZES)}, found {', '.join(sorted(unknown))}")
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    name = machine(say)
    if not parity(say):
        raise SystemExit("the two back ends differ; no clock is started")
    for size in options.sizes or [size for size in SIZES if size != PARITY]:
        measure(size, 1 if size in ONCE else options.repeat, size in options.cpu, say)
    if not options.no_write:
        RESULTS.mkdir(exist_ok=True)
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{slug}.txt"
        path.write_text("\n".join(lines) + "\n")
        print(path)


def machine(say: Callable[[str], None]) -> str:
    """Say where this runs; returns the name of the device."""
    import numba
    import torch

    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device: this bench has nothing to measure here")
    name = torch.cuda.get_device_name()
    say(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {name}, CUDA {torch.version.cuda}, {os.cpu_count()} processors")
    say(f"Python {platform.python_version()}, torch {torch.__version__}, numba {numba.__version__}")
    return name


def parity(say: Callable[[str], None]) -> bool:
    """Whether device and CPU agree, and the device with itself to the bit."""
    nq, ng, d, _ = SIZES[PARITY]
    query, gallery = features(PARITY)
    there = up(query), up(gallery)
    wanted = rerank(query, gallery)
    found, again = (rerank(*there).cpu().numpy() for _ in range(2))
    away = np.abs(found - wanted)
    nearest, few = rerank(query, gallery, top_k=100), rerank(*there, top_k=100)
    assert isinstance(nearest, Nearest)
    assert isinstance(few, Nearest)
    alike = (few.rows.cpu().numpy() == nearest.rows).mean()
    say(
        f"parity, {nq} x {ng} x {d}: {np.median(away):.0e} in the median, {(away > 1e-5).mean():.1e} of the "
        f"entries beyond 1e-5; {alike:.4%} of the 100 nearest in the same place; "
        f"two runs {'agree' if np.array_equal(found, again) else 'DIFFER'} to the bit"
    )
    return bool(np.array_equal(found, again) and (away > 1e-5).mean() < 1e-3 and alike > 0.99)


def measure(size: str, repeat: int, cpu: bool, say: Callable[[str], None]) -> None:
    """Say what one size takes."""
    import torch

    nq, ng, d, _ = SIZES[size]
    top_k = TOP_K.get(size)
    query, gallery = features(size)
    there = up(query), up(gallery)
    rerank(there[0][:64], there[1][:4096], top_k=top_k)  # compiles
    rerank(*there, top_k=top_k)
    torch.cuda.reset_peak_memory_stats()
    whole = statistics.median(timed(lambda: rerank(*there, top_k=top_k)) for _ in range(repeat))
    peak = torch.cuda.max_memory_allocated()
    products, neighbours = parts(lambda: rerank(*there, top_k=top_k))
    bare = statistics.median(timed(lambda: product(*there)) for _ in range(min(repeat, 3)))
    goal = f", goal {GOALS[size]:g} s on an H200" if size in GOALS else ""
    say(f"{size}: {nq} x {ng} x {d}" + (f", top_k={top_k}" if top_k else ""))
    say(f"  rerank              {whole:9.4f} s (median of {repeat}){goal}; {peak / 1e9:.2f} GB at most")
    say(f"  products            {products:9.4f} s, {products / whole:.0%}")
    say(f"  beyond neighbours   {whole - neighbours:9.4f} s, {1 - neighbours / whole:.0%}")
    say(f"  bare product        {bare:9.4f} s, rerank / product = {whole / bare:.3f}")
    if cpu:
        started = time.perf_counter()
        rerank(query, gallery, top_k=top_k)
        seconds = time.perf_counter() - started
        say(f"  the CPU             {seconds:9.4f} s, {seconds / whole:.0f} times as long")


def timed(function: Callable[[], Any]) -> float:
    watch = Stopwatch()
    with watch.running():
        function()
    return watch.seconds()


def parts(function: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of all products, and of the search for neighbours; what is timed inside runs a little slower."""
    from postproc.kernels import cuda

    products, neighbours = Stopwatch(), Stopwatch()

    def watched(inner: Callable[..., Any], watch: Stopwatch) -> Callable[..., Any]:
        def outer(*arguments: Any) -> Any:
            with watch.running():
                return inner(*arguments)

        return outer

    find = watched(kreciprocal.nearest.of_all, neighbours)
    multiply = watched(cuda.tiles.multiply, products)
    with (
        mock.patch.object(cuda.tiles, "multiply", multiply),
        mock.patch.object(kreciprocal.nearest, "of_all", find),
    ):
        function()
    return products.seconds(), neighbours.seconds()


def product(query: Any, gallery: Any) -> None:
    """All images by all images, nothing kept."""
    import torch

    from postproc.kernels import cuda

    images = torch.cat([query, gallery])
    rows = max(1, min(len(images), STRIP // (4 * len(images))))
    out = images.new_empty((rows, len(images)))
    for start in range(0, len(images), rows):
        block = images[start : start + rows]
        cuda.tiles.multiply(block, images, out[: len(block)])


def features(size: str) -> tuple[np.ndarray, np.ndarray]:
    with mock.patch.dict(worlds.SIZES, SIZES):
        return worlds.features(size)


def up(array: np.ndarray) -> Any:
    import torch

    return torch.as_tensor(array, device="cuda")


if __name__ == "__main__":
    main()
