"""Neighbours by whole numbers beside a walk over float32 tiles: what is foretold, and what it takes.

    python -m bench.forecast FILE.npy 8000:512 M T [--k 21] [--one-sided]

Sets: a size of ``bench/worlds.py``, ``N:D`` for so many images of so many values around identities, ``noise:N:D``
without identities, or a file of features (.npy). Both ways take turns; figures are CPU seconds, of which others on
the machine take less than of the clock's. The constants of ``postproc/pairs/forecast.py`` come from here.
"""

import argparse
import time
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import threadpoolctl

from bench.worlds import SIZES, features
from postproc import kernels, using
from postproc.base import machine
from postproc.pairs import forecast, nearest, one_sided, pruned, remembered
from postproc.pairs.pairwise import among, sqeuclidean
from postproc.pairs.rows import Rows
from postproc.pairs.tiles import PairwiseTiles
from postproc.testing.worlds import around

REPEAT = 2


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("sets", nargs="+")
    p.add_argument("--one-sided", action="store_true", help="a fourth of the images against all of them")
    p.add_argument("--k", type=int, default=21, help="neighbours, 21")
    options = p.parse_args()
    if not machine.int8():
        print("this processor has no instruction for whole numbers")
        return
    print("; ".join(f"{name} {rate / 1e9:.0f} G a second" for name, rate in rates().items()))
    print(f"{'set':<24}{'images':>16}{'foretold':>10}{'measured':>10}{'whole':>10}{'walk':>10}")
    for name in options.sets:
        images = load(name)
        foretold, whole, walk = (of_some if options.one_sided else of_all)(images, options.k)
        said = f"{len(images)} x {images.shape[1]}"
        print(
            f"{name[-24:]:<24}{said:>16}{foretold:>10.2f}{whole / walk:>10.2f}{whole:>8.2f} s{walk:>8.2f} s",
            flush=True,
        )


def rates(edge: int = 480, width: int = 1536) -> dict[str, float]:
    """Multiply-adds a second and core of each instruction, between blocks that stay in the cache."""
    kernel = kernels.of(np.empty(0, np.float32)).int8
    panels = edge // kernel.PANEL
    packed = (
        np.random.default_rng(0).integers(-127, 128, (2 * panels, width // 4, kernel.PANEL, 4)).astype(np.int8)
    )
    begin, limits = np.zeros(2 * edge, np.int32), np.zeros((8, 2 * edge), np.float32)
    limits[3], limits[4] = -np.inf, np.inf  # nobody is near or far
    hits = np.empty(1 << 15, np.float32), np.empty(1 << 15, np.int32), np.empty(1 << 15, np.int32)
    left, right = np.random.default_rng(0).standard_normal((2, edge, width), np.float32)
    sides = (0, panels), (panels, 2 * panels)

    def whole() -> None:
        kernel.narrow(packed, begin, limits, *sides, False, 0, kernel.room_of(packed), *hits)

    def vnni() -> None:
        with patch.dict("os.environ", {machine.NO_AMX: "1"}):
            whole()

    ways = {"float32": lambda: left @ right.T, "AVX-512 VNNI": vnni, **({"AMX": whole} if machine.amx() else {})}
    with using(threads=1), threadpoolctl.threadpool_limits(1):
        for way in ways.values():
            way()
        seconds = in_turns(*ways.values(), repeat=20)
    return {name: edge * edge * width / each for name, each in zip(ways, seconds, strict=True)}


def load(name: str) -> np.ndarray:
    if name in SIZES:
        return np.concatenate(features(name))
    if name.endswith(".npy"):
        return np.load(name).astype(np.float32)
    *kind, n, d = name.split(":")
    rng, count = np.random.default_rng(0), int(n)
    people = count if kind else max(1, count // 20)
    centre = rng.standard_normal((people, int(d)), dtype=np.float32)
    return around(rng, centre, rng.integers(0, people, count), 2, unit=True)


def of_all(images: np.ndarray, k: int) -> tuple[float, float, float]:
    """The ratio that is foretold, seconds by whole numbers and on a walk."""
    tiles = PairwiseTiles(among(images))
    rows = pruned.rows_of(tiles)
    assert rows is not None
    n, width = images.shape
    foretold = forecast.costs(n, width, *forecast.look(rows, remembered.depth(k))) / forecast.walk(n, width)

    def find(by: Rows | None) -> None:
        with patch.object(forecast, "worth", lambda tiles, k: by):
            nearest.of_all(tiles, k)

    return foretold, *in_turns(lambda: find(rows), lambda: find(None))


def of_some(images: np.ndarray, k: int) -> tuple[float, float, float]:
    some = np.ascontiguousarray(images[::4])
    foretold = forecast.one_sided_ratio(some, images, k, one_sided.room_of(k))
    return foretold, *in_turns(
        lambda: one_sided.search(some, images, k),
        lambda: nearest.of_queries(PairwiseTiles(sqeuclidean(some, images)), k),
    )


def in_turns(*ways: Callable[[], object], repeat: int = REPEAT) -> list[float]:
    """The least CPU seconds of each."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(repeat):
        for seconds, way in zip(found, ways, strict=True):
            started = time.process_time()
            way()
            seconds.append(time.process_time() - started)
    return [min(seconds) for seconds in found]


if __name__ == "__main__":
    main()
