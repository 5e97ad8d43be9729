"""Every technique at its default settings: what it costs, and whether it helps.

``python bench/techniques.py cost S M XL``       seconds, CPU seconds and peak memory of one call
``python bench/techniques.py gain [DIR]``        mAP after each, on the synthetic city and on real sets in DIR

Cost: a process each; features of unit length around identities, 15 cameras, ``top_k=100`` where there is one.
Kernels are loaded beforehand; memory is the process's peak less the size of the features, the interpreter and
libraries included. Gain: features of unit length; where a step gives features, cosine distance after it. The
interval is the paired bootstrap's: queries drawn 10,000 times, 2.5 to 97.5 per cent of the mean change. DIR holds
``viper_feats.npz``, ``cuhk01_feats.npz`` and ``sketchreid_osnet512.npz``.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import postproc
from bench.rerank import peak
from bench.worlds import SIZES, features
from ensemble.steps import apply, describe

CAMERAS = 15
LONGEST = 1800  # seconds until a technique is given up
NOT_ALONE = {"rank", "rerank_distances", "csls_distances", "sinkhorn_distances"}  # they start from matrices
State = dict[str, Any]


def techniques() -> list[str]:
    """Steps that start from features, in the order of the package."""
    return [step.__name__ for step in postproc.STEPS if step.__name__ not in NOT_ALONE]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = p.add_subparsers(dest="command", required=True)
    cost = commands.add_parser("cost")
    cost.add_argument("sizes", nargs="+", choices=SIZES)
    gain = commands.add_parser("gain")
    gain.add_argument("folder", nargs="?", type=Path)
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
        print_gain(options.folder, options.only)


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
    query, gallery = features(size)
    nq, ng, _, _ = SIZES[size]
    random = np.random.default_rng(1)
    state: State = {"query": query, "gallery": gallery}
    state |= {"query_cam": random.integers(0, CAMERAS, nq), "gallery_cam": random.integers(0, CAMERAS, ng)}
    state |= {"gallery_track": random.permutation(ng) // 20, "query_track": random.permutation(nq) // 2}
    rows = min(ng, 2000)  # the features know nothing of these labels; only the cost is looked at
    state |= {"train": gallery[:rows], "train_pid": np.arange(rows) % (rows // 8)}
    state |= {"train_cam": random.integers(0, 2, rows)}
    corner = {
        key: value[: {"q": 40, "g": 200, "t": 200}[key[0]]] if key[0] != "t" else value
        for key, value in state.items()
    }
    settings = {"top_k": 100} if "top_k" in describe(getattr(postproc, name)).settings else {}
    run(name, corner, settings)
    started, before = time.perf_counter(), time.process_time()
    run(name, state, settings)
    seconds, processor = time.perf_counter() - started, time.process_time() - before
    megabytes = (peak() - query.nbytes - gallery.nbytes) / 1e6
    return {"seconds": seconds, "processor": processor, "megabytes": megabytes}


def run(name: str, state: State, settings: dict[str, Any]) -> State:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return apply(describe(getattr(postproc, name)), state, settings)


def print_gain(folder: Path | None, names: list[str]) -> None:
    sets = {name: (data, average_precisions(distances(data), data)) for name, data in worlds(folder)}
    print(f"{'mAP in per cent':<26}" + "".join(f"{name:>24}" for name in sets))
    print(f"{'cosine':<26}" + "".join(f"{100 * np.nanmean(before):>24.2f}" for _, before in sets.values()))
    for name in names:
        cells = [gain(name, data, before) for data, before in sets.values()]
        print(f"{name:<26}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


def gain(name: str, data: State, before: np.ndarray) -> str:
    """``after (least .. most change)`` in points of mAP, or why there is none."""
    step = describe(getattr(postproc, name))
    if set(step.needs) - data.keys():
        return "-"
    try:
        after = average_precisions(distances(data | run(name, data, {})), data)
    except ValueError as error:
        return str(error).partition(":")[0] + " refused"
    change = (after - before)[~np.isnan(before)]
    random = np.random.default_rng(0)
    means = [change[random.integers(0, len(change), len(change))].mean() for _ in range(10_000)]
    least, most = 100 * np.percentile(means, [2.5, 97.5])
    return f"{100 * np.nanmean(after):.2f} ({least:+.2f} .. {most:+.2f})"


def distances(state: State) -> np.ndarray:
    if "distances" in state:
        return state["distances"]
    return postproc.distances(state["query"], state["gallery"], metric="cosine")


def average_precisions(far: np.ndarray, data: State) -> np.ndarray:
    from ensemble.protocols import PROTOCOLS
    from ensemble.scores import score

    labels = (data[name] for name in ("query_pid", "gallery_pid", "query_cam", "gallery_cam"))
    return score(far, *labels, protocol=PROTOCOLS["market1501"]).ap


def worlds(folder: Path | None) -> Iterator[tuple[str, State]]:
    """The city, and the real sets of a folder: camera against camera, half of the people to learn from."""
    from ensemble.city import city

    made = city("small")
    models = list(made.features.values())
    sides = {
        side: np.concatenate([postproc.l2_normalize(model[i]) for model in models], axis=1)
        for i, side in enumerate(("query", "gallery"))
    }
    track = made.gallery["track"].to_numpy(np.int64)
    yield (
        "city",
        sides | labelled(made.query, "query") | labelled(made.gallery, "gallery") | {"gallery_track": track},
    )
    if folder is None:
        return
    viper = np.load(folder / "viper_feats.npz")
    people = np.random.default_rng(0).permutation(np.unique(viper["id"]))
    learn = np.isin(viper["id"], people[: len(people) // 2])
    yield "VIPeR", between_cameras(viper, "omz0277", np.flatnonzero(learn), np.flatnonzero(~learn))
    cuhk = np.load(folder / "cuhk01_feats.npz")
    learn, test = (cuhk[f"CUHK01M2_{part}_index"][0] - 1 for part in ("train", "test"))
    yield "CUHK01", between_cameras(cuhk, "omz0288", learn, test)
    sketch = np.load(folder / "sketchreid_osnet512.npz")
    state = {side: postproc.l2_normalize(sketch[f"{side}_feat"]) for side in ("query", "gallery")}
    for side in ("query", "gallery"):
        state |= {f"{side}_pid": sketch[f"{side}_id"], f"{side}_cam": sketch[f"{side}_cam"]}
    yield "SketchReID", state


def between_cameras(data: Any, model: str, learn: np.ndarray, test: np.ndarray) -> State:
    """The first camera's images as queries, the others' as gallery; ``learn`` are the rows of the training set."""
    first = data["cam"][test] == data["cam"][test].min()
    state: State = {}
    for side, rows in (("query", test[first]), ("gallery", test[~first]), ("train", learn)):
        state[side] = postproc.l2_normalize(data[model][rows].astype(np.float32))
        state |= {
            f"{side}_pid": data["id"][rows].astype(np.int64),
            f"{side}_cam": data["cam"][rows].astype(np.int64),
        }
    return state


def labelled(table: Any, side: str) -> State:
    return {f"{side}_{column}": table[column].to_numpy(np.int64) for column in ("pid", "cam")}


if __name__ == "__main__":
    main()
