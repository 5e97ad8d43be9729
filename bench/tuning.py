"""What a trial of the tuner costs, and a whole run.

    python bench/tuning.py [SIZE] [--folds N] [--repeat N]

Two models, their features side by side, re-ranked. ``run`` is the recipe once on the whole set, scores included.
A trial scores the recipe on every fold; ``kept`` trials find neighbours and features that an earlier one left.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.worlds import SIZES
from ensemble import io
from ensemble.base.features import FeatureSet
from ensemble.pipeline import plan, recipe
from ensemble.pipeline.run import Run
from ensemble.scores import folds
from ensemble.scores.protocols import PROTOCOLS
from ensemble.tune import trials
from postproc import using
from postproc.base.runtime import current

PROTOCOL = PROTOCOLS["market1501"]


def labelled(size: str) -> dict[str, FeatureSet]:
    """Two models that split the dimensions of a size between them."""
    nq, ng, d, people = SIZES[size]
    rng = np.random.default_rng(0)
    pids = [rng.integers(0, people, count) for count in (nq, ng)]
    tables = [
        pd.DataFrame({"pid": pid, "cam": rng.integers(0, 6, len(pid))}).assign(
            name=[f"{side}{i}" for i in range(len(pid))]
        )
        for side, pid in zip("qg", pids, strict=True)
    ]
    sets = {}
    for model in ("one", "two"):
        centre = rng.standard_normal((people, d // 2), dtype=np.float32)
        sides = [centre[pid] + 2 * rng.standard_normal((len(pid), d // 2), dtype=np.float32) for pid in pids]
        sets[model] = FeatureSet(model, *sides, *tables)
    return sets


def changed(
    k1: int = 20, k2: int = 6, lambda_value: float = 0.3, weight: float = 1.0, alone: bool = False
) -> recipe.Recipe:
    """The recipe with these settings; ``alone``: every model re-ranked by itself, distances added."""
    steps = [{"use": "rerank", "k1": k1, "k2": k2, "lambda_value": lambda_value}]
    each = [{"use": "l2_normalize"}, *(steps if alone else [])]
    join = {"use": "weighted_sum" if alone else "concat", "weights": [1.0, weight]}
    branch = {"models": ["one", "two"], "each": each, "join": join, "steps": [] if alone else steps}
    return recipe.parse({"branch": [branch]}, "tuned")


def seconds(call: Callable[[], object], repeat: int) -> float:
    """The median of ``repeat`` calls."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", nargs="?", default="M", choices=SIZES)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    sets = labelled(options.size)
    first = sets["one"].data()
    none = Path()
    folder = folds.columns(io.Folder(none, dict.fromkeys(sets, ()), frozenset(), ()), sets, of_train=False)
    parts = trials.parts(sets, folds.split(first["query_pid"], first["gallery_pid"], folds=options.folds, seed=0))
    kept, plain = (trials.Bench(folder, parts, PROTOCOL, "mAP", kept=size) for size in (trials.KEPT, 0))
    print(f"{options.size}: {' + '.join(str(len(first[side])) for side in ('query', 'gallery'))} images, "
          f"{options.folds} folds, {current().threads} processors, median of {options.repeat}")  # fmt: skip
    plain(changed(k1=3))  # compiles

    def whole() -> object:
        checked = plan.check(changed(), folder)
        with using(progress=False):
            return Run(checked, lambda line: None, protocol=PROTOCOL, sets=sets, every_step=False)()

    run = seconds(whole, options.repeat)
    print(f"{'run on everything':<52} {run:8.3f} s")
    values: Iterator[int] = iter(range(1, 1000))
    cases: dict[str, Callable[[], recipe.Recipe]] = {
        "other k1, k2, lambda": lambda: changed(8 + (n := next(values)), 2 + n % 5, n / 1000),
        "other lambda": lambda: changed(lambda_value=0.4 + next(values) / 1000),
        "other weights": lambda: changed(weight=1 + next(values) / 100),
        "other weights of re-ranked models": lambda: changed(weight=1 + next(values) / 100, alone=True),
    }
    equal = True
    for name, make in cases.items():
        took: dict[str, list[float]] = {"nothing kept": [], "kept": []}
        plain(make()), kept(make())
        for _ in range(options.repeat):
            used = make()
            scores = []
            for times, bench in zip(took.values(), (plain, kept), strict=True):
                started = time.perf_counter()
                scores.append(bench(used))
                times.append(time.perf_counter() - started)
            equal &= scores[0] == scores[1]
        for label, times in took.items():
            found = statistics.median(times)
            print(f"{f'trial, {name}, {label}':<52} {found:8.3f} s, {found / run:.3f} of a run")
    print(f"scores with and without what is kept: {'equal, bit for bit' if equal else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
