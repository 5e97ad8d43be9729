"""How quickly this machine works: a rate for each kind of work, measured once in under a second and kept.

Measured are small samples of each kind in as many threads as a run would have, by the processor time that they
take, so that what else runs on the machine meanwhile counts little. Best of several: the rates are those of a
machine that is not disturbed. They are kept in ``reid-ensemble/rates.json`` of the user's cache folder
(``XDG_CACHE_HOME``, else ``~/.cache``), by machine, threads and versions. Where nothing can be kept, or what is
kept is broken, they are measured anew.
"""

import json
import math
import mmap
import os
import platform
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from postproc.base import machine, runtime
from postproc.base.work import KINDS, Work

FORMAT = 2  # of what is kept: another sample, another number
ROUNDS = 5  # of which the best counts


@dataclass(frozen=True)
class Rates:
    """Units a second of each kind of :class:`~postproc.base.work.Work`, all threads together."""

    products: float
    bytes: float
    entries: float
    sparse: float
    objects: float

    def seconds(self, work: Work) -> float:
        """How long work takes, one kind after the other.

        >>> Rates(1e9, 1e9, 1e6, 1e6, 1e6).seconds(Work(products=2e9, objects=5e5))
        2.5
        """
        return sum(float(getattr(work, kind)) / float(getattr(self, kind)) for kind in KINDS)


SLOWEST = Rates(
    products=2e9, bytes=1e9, entries=3e7, sparse=2e7, objects=4e5
)  # that anybody will have, in one thread


def of_machine(threads: int) -> Rates:
    """The rates of this machine with so many threads: those that are kept, or measured now and kept."""
    threads = min(threads, machine.processors())  # more take turns
    return _of_machine(threads, str(file()))


@cache  # one measurement a process, even where nothing can be kept
def _of_machine(threads: int, where: str) -> Rates:
    path, key = Path(where), _key(threads)
    kept = _kept(path)
    if key in kept:
        return kept[key]
    found = measured(threads)
    with suppress(OSError):  # nowhere to keep them is no error
        _keep(path, {**kept, key: found})
    return found


def measured(threads: int) -> Rates:
    """The rates with so many threads at work, by their processor time."""
    found: list[dict[str, float]] = []
    with runtime.using(threads=threads, progress=False):
        runtime.run(lambda seed: found.append(_in_one_thread(seed)), range(threads), what="rates")
    rates = {kind: sum(each[kind] for each in found) for kind in found[0]}
    return Rates(**rates, objects=_best(_python, OBJECTS))


OBJECTS = 10_000


def _in_one_thread(seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    left, right = (rng.standard_normal((512, 256), dtype=np.float32) for _ in range(2))
    product = np.empty((512, 512), np.float32)
    copied = np.ones(1 << 22, np.float32)
    strip = rng.random((256, 1024), dtype=np.float32)
    where = rng.integers(0, 1 << 22, 1 << 18)
    return {
        "products": _best(lambda: np.matmul(left, right.T, out=product), 512 * 512 * 256),
        "bytes": _best(lambda: _copy(copied), 2 * COPIES * copied.nbytes),
        "entries": _best(lambda: np.partition(strip, 50, axis=1), strip.size),
        "sparse": _best(lambda: np.take(copied, where), where.size),
    }


COPIES = 3  # into the same memory: about a third of what a run writes is in memory that is new to it


def _copy(values: np.ndarray) -> None:
    """Copies into memory that the system hands out now, as it does for a large array."""
    with mmap.mmap(-1, values.nbytes) as block:
        place = np.frombuffer(block, values.dtype)
        for _ in range(COPIES):
            np.copyto(place, values)
        del place  # the block cannot be given back before


def _python() -> None:
    places = {f"name_{row:06d}.jpg": row for row in range(OBJECTS)}
    sorted(places)


def _best(sample: Callable[[], object], units: float) -> float:
    """Units a second of processor time in the best round."""
    best = math.inf
    for _ in range(ROUNDS):
        count, started, spent = 0, time.thread_time(), 0.0
        while spent < 0.004:  # a clock may be coarse
            sample()
            count += 1
            spent = time.thread_time() - started
        best = min(best, spent / count)
    return units / best


def _key(threads: int) -> str:
    """What rates hold for."""
    versions = f"format {FORMAT}, Python {sys.version_info[0]}.{sys.version_info[1]}, NumPy {np.__version__}"
    machines = f"{platform.node()}, {platform.machine()}, {machine.processors()} processors"
    return f"{machines}, {threads} threads, {versions}"


def file() -> Path:
    """Where they are kept."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(named) if named and Path(named).is_absolute() else Path(os.path.expanduser("~")) / ".cache"
    return folder / "reid-ensemble" / "rates.json"


def _kept(path: Path) -> dict[str, Rates]:
    """What is kept; what is broken is not there."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = content.items() if isinstance(content, dict) else ()
    return {key: Rates(**{kind: float(rates[kind]) for kind in KINDS}) for key, rates in entries if _fine(rates)}


def _fine(rates: object) -> bool:
    if not isinstance(rates, Mapping):
        return False
    found = [rates.get(kind) for kind in KINDS]
    return all(isinstance(rate, int | float) and 1 <= rate < 1e18 for rate in found)


def _keep(path: Path, rates: Mapping[str, Rates]) -> None:
    """Write beside and rename, so that nobody reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        beside.write_text(
            json.dumps({key: asdict(found) for key, found in rates.items()}, indent=1), encoding="utf-8"
        )
        os.replace(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
