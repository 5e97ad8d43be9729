"""Every technique at its default settings: what it costs, and whether it helps.

``python bench/techniques.py cost S M XL``       seconds, CPU seconds and peak memory of one call
``python bench/techniques.py gain [DIR]``        mAP after each, on the synthetic city and on real sets in DIR

Cost: a process each; features of unit length around identities, 15 cameras, ``top_k=100`` where there is one.
Kernels are loaded beforehand; memory is the process's peak less the size of the features, the interpreter and
libraries included. Gain: features of unit length; where a step gives features, cosine distance after it. The
interval is the paired bootstrap's: queries drawn 10,000 times, 2.5 to 97.5 per cent of the mean change. What acts
on distances gets cosine distances. DIR: see ``bench/sets.py``. ``--keep bench/results/gains.csv`` writes them into
the table that the documents read; ``--sets`` and ``--only`` do a part of it.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import postproc
from bench.rerank import peak
from bench.sets import MADE_UP, REAL, State, labels, worlds
from bench.worlds import SIZES, features
from ensemble.pipeline.steps import apply, describe

CAMERAS = 15
PEOPLE = 50  # in clusters that are refined
LONGEST = 1800  # seconds until a technique is given up
NOT_ALONE = {"l2_normalize", "distances", "rank", "rerank_distances"}  # what everything starts from or ends with
SIDE = {"part_distances": 16, "rerank_attributes": 16}  # columns of the side model: parts, classes
CORNER = {"q": 60, "g": 600}  # images of a side, so many that no kernel is left out as not worth its compilation
SETTINGS = {"query_mean": {"group": "clusters"}}  # the default needs tracklets of queries, which no set has


def techniques() -> list[str]:
    """All steps but those, in the order of the package."""
    return [step.__name__ for step in postproc.STEPS if step.__name__ not in NOT_ALONE]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = p.add_subparsers(dest="command", required=True)
    cost = commands.add_parser("cost")
    cost.add_argument("sizes", nargs="+", choices=SIZES)
    gain = commands.add_parser("gain")
    gain.add_argument("folder", nargs="?", type=Path)
    gain.add_argument("--sets", nargs="+", choices=(*MADE_UP, *REAL), default=(*MADE_UP, *REAL))
    gain.add_argument("--keep", type=Path, metavar="FILE.csv", help="a table to write into")
    for command in (cost, gain):
        command.add_argument("--only", nargs="+", choices=techniques(), default=techniques())
    one = commands.add_parser("one")
    one.add_argument("size", choices=SIZES)
    one.add_argument("name", choices=techniques())
    options = p.parse_args()
    if options.command == "one":
        print(json.dumps(measure(options.size, options.name)))
    elif options.command == "cost":
        print_cost(options.sizes, options.only)
    else:
        print_gain(dict(worlds(options.folder, options.sets)), options.only, options.keep)


def print_cost(sizes: list[str], names: list[str]) -> None:
    for size in sizes:
        nq, ng, d, _ = SIZES[size]
        print(f"{size}: {nq} x {ng} x {d}", flush=True)
    print(f"{'seconds, CPU s, peak MB':<26}" + "".join(f"{size:>20}" for size in sizes))
    for name in names:
        print(f"{name:<26}", end="", flush=True)
        for size in sizes:
            command = [sys.executable, __file__, "one", size, name]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST)
                found = json.loads(done.stdout) if done.returncode == 0 else None
            except subprocess.TimeoutExpired:
                print(f"{f'over {LONGEST} s':>20}", end="", flush=True)
                continue
            cell = "{seconds:.1f} {processor:.1f} {megabytes:.0f}".format(**found) if found else "failed"
            print(f"{cell:>20}", end="", flush=True)
        print()


def measure(size: str, name: str) -> dict[str, float]:
    """One call of a technique on a made-up world of this size, after one on a corner of it."""
    corner, state, given = world(size, name)
    settings = SETTINGS.get(name, {})
    if "top_k" in describe(getattr(postproc, name)).settings:
        settings = settings | {"top_k": 100}
    run(name, corner, settings)
    started, before = time.perf_counter(), time.process_time()
    run(name, state, settings)
    seconds, processor = time.perf_counter() - started, time.process_time() - before
    megabytes = (peak() - given) / 1e6
    return {"seconds": seconds, "processor": processor, "megabytes": megabytes}


def world(size: str, name: str) -> tuple[State, State, int]:
    """What a technique is given at a size: a corner of it, all of it, and the bytes of features and matrices."""
    query, gallery = features(size)
    nq, ng, _, _ = SIZES[size]
    random = np.random.default_rng(1)
    state: State = {"query": query, "gallery": gallery}
    state |= {"query_cam": random.integers(0, CAMERAS, nq), "gallery_cam": random.integers(0, CAMERAS, ng)}
    state |= {"gallery_track": random.permutation(ng) // 20, "query_track": random.permutation(nq) // 2}
    for side, count in (("query", nq), ("gallery", ng)):
        state |= {f"{side}_scene": state[f"{side}_cam"] // 5, f"{side}_frame": random.integers(0, 99_999, count)}
        state |= {f"{side}_quality": random.integers(0, 30_000, count).astype(np.float32)}
        state |= {f"{side}_aux": abs(state[side][:, : SIDE.get(name, 256)])}
        state |= {f"{side}_cam_prob": np.full((count, CAMERAS), 1 / CAMERAS, np.float32)}
    rows = min(ng, 2000)  # the features know nothing of these labels; only the cost is looked at
    state |= {"train": gallery[:rows], "train_aux": state["gallery_aux"][:rows]}
    state |= {"train_pid": np.arange(rows) % (rows // 8), "train_cam": random.integers(0, 2, rows)}
    state |= {"train_frame": random.integers(0, 99_999, rows)}
    corner = {key: value[: CORNER.get(key[0])] for key, value in state.items()}
    step = describe(getattr(postproc, name))
    given = query.nbytes + gallery.nbytes
    if "distances" in step.needs:
        corner["distances"] = distances(corner)
        state["distances"] = distances(state)
        for side in {"query", "gallery"} - {*step.needs, *step.may_use}:
            del state[side]
        given += state["distances"].nbytes
    if "query_distances" in step.needs:
        for images in (corner, state):
            images["query_distances"] = among(images["query"])
            images["clusters"] = np.arange(len(images["query"])) % PEOPLE
        given += state["query_distances"].nbytes
    return corner, state, given


def among(images: np.ndarray) -> np.ndarray:
    """Cosine distances of one set against itself, +inf on the diagonal."""
    found: np.ndarray = 1 - images @ images.T
    found = np.minimum(found, found.T)
    np.fill_diagonal(found, np.inf)
    return found


def run(name: str, state: State, settings: dict[str, Any]) -> State:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return apply(describe(getattr(postproc, name)), state, settings, one_set=state.get("one_set", False))


KEPT = ("set", "made_up", "queries", "gallery", "step", "before", "after", "least", "most", "why")  # points of mAP


def print_gain(sets: dict[str, State], names: list[str], path: Path | None) -> None:
    """A line a technique; the same as rows of the table at ``path``."""
    plain = {name: average_precisions(distances(data), data) for name, data in sets.items()}
    print(f"{'mAP in per cent':<26}" + "".join(f"{name:>26}" for name in sets))
    print(f"{'cosine':<26}" + "".join(f"{100 * np.nanmean(before):>26.2f}" for before in plain.values()))
    for name in names:
        found = [row(name, of, data, plain[of]) for of, data in sets.items()]
        cells = [one["why"] or "{after:.2f} ({least:+.2f} .. {most:+.2f})".format(**one) for one in found]
        print(f"{name:<26}" + "".join(f"{cell:>26}" for cell in cells), flush=True)
        if path:
            keep(path, found)


def row(name: str, of: str, data: State, before: np.ndarray) -> dict[str, Any]:
    """mAP before and after, and the ends of the interval of the change, in points; or why there is none."""
    found = dict.fromkeys(KEPT, "") | {"set": of, "made_up": int(of in MADE_UP), "step": name}
    found |= {"queries": len(data["query"]), "gallery": len(data["gallery"]), "before": 100 * np.nanmean(before)}
    step = describe(getattr(postproc, name))
    if not set(step.gives) & {"features", "query", "gallery", "distances"}:
        return found | {"why": "gives no ranking"}
    lacking = set(step.needs) - data.keys() - {"features", "distances"}
    if lacking:
        what = sorted({side if side.startswith("train") else side.partition("_")[2] for side in lacking})
        return found | {"why": "no training set" if "train" in what else f"no {', '.join(what)}"}
    if "distances" in step.needs:
        data = data | {"distances": distances(data)}
    try:
        after = average_precisions(distances(data | run(name, data, SETTINGS.get(name, {}))), data)
    except ValueError as error:
        return found | {"why": str(error).partition(":")[0] + " refused"}
    change = (after - before)[~np.isnan(before)]
    random = np.random.default_rng(0)
    means = [change[random.integers(0, len(change), len(change))].mean() for _ in range(10_000)]
    least, most = 100 * np.percentile(means, [2.5, 97.5])
    return found | {"after": 100 * np.nanmean(after), "least": least, "most": most}


def keep(path: Path, found: list[dict[str, Any]]) -> None:
    """Write these rows into the table, in the place of those of the same set and step."""
    kept: dict[tuple[str, str], dict[str, Any]] = {}
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            kept = {(one["set"], one["step"]): one for one in csv.DictReader(file)}
    for one in found:
        numbers = {key: f"{value:.2f}" for key, value in one.items() if isinstance(value, float)}
        kept[one["set"], one["step"]] = one | numbers
    sets = (*MADE_UP, *REAL)
    order = sorted(kept, key=lambda key: (sets.index(key[0]), key[1]))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, KEPT, lineterminator="\n")
        table.writeheader()
        table.writerows(kept[key] for key in order)


def distances(state: State) -> np.ndarray:
    """Cosine distances, where nothing has made others; of one set +inf on the diagonal."""
    if "distances" in state:
        return state["distances"]
    gallery = None if state.get("one_set") else state["gallery"]
    return postproc.distances(state["query"], gallery, metric="cosine")


def average_precisions(far: np.ndarray, data: State) -> np.ndarray:
    from ensemble.scores import score
    from ensemble.scores.protocols import PROTOCOLS

    return score(far, *labels(data), protocol=PROTOCOLS["market1501"]).ap


if __name__ == "__main__":
    main()
