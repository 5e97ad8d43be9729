"""Every recipe on data that nobody chose it on: what it reaches, what ``best`` gains on it, what it costs.

``python bench/recipes.py real DIR [--sets NAME ...]``  real features, identities in halves, one to learn from
``python bench/recipes.py fusion DIR``                  five networks alone, joined with equal and chosen weights
``python bench/recipes.py cities [KIND ...]``           drawn cities of seeds 101, 102 and 103

Real sets first: drawn cities flatter what relies on neighbours, each in a way that is printed above its table
(``bench/likeness.py`` has the figures, ``bench/orders.py`` what that does to the order of methods). All recipes of
a kind are scored by one protocol. mAP and rank-1 are means over the sets of a kind, in per cent; what ``best``
gains is the mean over all their queries, with the bootstrap interval of 95 per cent (BCa, identities drawn). A run
is a process of its own: seconds with reading and scoring, and its peak memory, means over the sets. Recipes that
need what a kind has not are named below its table. DIR: see ``bench/sets.py`` and ``bench/wholes.py``; CUHK01:
published single-shot splits 3 to 5; SketchReID also as it comes, with nothing to learn from. ``--bare`` takes
training sets, side models and times away: features, cameras and tracks are left.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.orders import cut
from bench.rerank import peak
from bench.sets import between_cameras
from bench.wholes import Whole
from bench.wholes import real as wholes
from ensemble import io
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.city import KINDS
from ensemble.city.folder import make
from ensemble.pipeline import plan, recipe
from ensemble.pipeline.run import Run
from ensemble.scores import folds, statistics
from ensemble.scores.protocols import PROTOCOLS
from ensemble.tune import honest, space, trials
from ensemble.tune.study import Search
from postproc import using

BEST = "best"
SEEDS = (101, 102, 103)
PROTOCOL = {
    "city": "aicity", "two_scenes": "aicity", "people": "market1501", "campus": "dukemtmc", "domain": "visda",
    "crowd": "naic", "infrared": "sysu_all_single", "station": "market1501",
}  # fmt: skip
# From real sets of persons, by bench/likeness.py: these have 2 to 10 images each, variance in 85 to 92 directions,
# skewness of occurrences in lists 1.2 to 1.7, and matches 1.2 to 1.3 times as far as others (ninth decile).
DIFFERS = {
    "city": "58 images each, 30 directions, few hubs (.8), matches are near (1.1), tracks",
    "two_scenes": "44 images each, 39 directions, few hubs (.8), matches are near (1.1), tracks",
    "people": "20 images each, 41 directions, few hubs (.7), matches are near (1.1)",
    "campus": "24 images each, 39 directions, few hubs (.6), matches are near (1.1)",
    "infrared": "32 images each, 34 directions, few hubs (.7), matches are near (1.1)",
    "domain": "20 images each, 41 directions, few hubs (.8); matches nearly as far as real ones (1.2)",
    "crowd": "3 images each and hubs (1.7) as in real sets; 46 directions, matches are near (1.1)",
    "station": "fitted to them; but a quarter are strangers, few ask, and 2.6 per cent are in no list",
}
REAL = "market1501"
WITHOUT_CAMERAS = "naic"  # the protocol of a real set where nobody tells cameras
CNNS = ("osnet_x0_25", "omz0288", "omz0287", "omz0286", "omz0277")
CUHK01 = (2, 3, 4)  # published splits, from 0
FOLDS, TRIALS = 5, 60
Found = dict[str, Any]  # of one run: mAP, rank1, ap, pid, seconds, megabytes, or refused


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = p.add_subparsers(dest="command", required=True)
    real = commands.add_parser("real")
    real.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="NAME", help="default: all")
    for command in (real, commands.add_parser("fusion")):
        command.add_argument("folder", type=Path, metavar="DIR")
    cities = commands.add_parser("cities")
    cities.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(PROTOCOL)} (default: all)")
    cities.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    for command in (real, cities):
        command.add_argument("--bare", action="store_true", help="no training set, side model or time")
        command.add_argument(
            "--only", nargs="+", default=[], metavar="RECIPE", help=f"beside {BEST} (default: all)"
        )
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="print everything as JSON, and nothing else")
    one = commands.add_parser("one")
    one.add_argument("folder", type=Path)
    one.add_argument("recipe")
    one.add_argument("protocol", choices=PROTOCOLS)
    options = p.parse_args()
    if options.command == "one":
        print(json.dumps(measure(options.folder, options.recipe, options.protocol)))
        return
    if options.command == "fusion":
        report = list(fusions(options.folder, show=not options.json))
    elif options.command == "real":
        sets = real_sets(options.folder, options.sets, options.bare)
        report = list(tables(sets, options.only, show=not options.json))
    else:
        sets = city_sets(options.kinds or list(KINDS), options.seeds, options.bare)
        report = list(tables(sets, options.only, show=not options.json))
    if options.json:
        print(json.dumps(report))


def city_sets(kinds: Sequence[str], seeds: Sequence[int], bare: bool) -> Iterator[tuple[str, str, list[Path]]]:
    """Name, protocol and folders of every kind; the folders are there until the next is asked for."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as place:
            folders = [Path(place) / str(seed) for seed in seeds]
            for folder, seed in zip(folders, seeds, strict=True):
                make(folder, kind=kind, seed=seed)
                if bare:
                    strip(folder)
            yield kind, PROTOCOL[kind], folders


def strip(folder: Path) -> None:
    """Take a demo's training set, side models and times away."""
    shutil.rmtree(folder / "side", ignore_errors=True)
    for path in folder.glob("train*"):
        path.unlink()
    for side in ("query", "gallery"):
        table = pd.read_csv(folder / f"{side}.csv").drop(columns="frame", errors="ignore")
        table.to_csv(folder / f"{side}.csv", index=False)


def real_sets(folder: Path, names: Sequence[str], bare: bool) -> Iterator[tuple[str, str, list[Path]]]:
    """The same of real features."""
    for name in names:
        protocol = WITHOUT_CAMERAS if name == "lions" else REAL
        with tempfile.TemporaryDirectory() as place:
            folders = []
            for number, models in enumerate(SETS[name](folder)):
                folders.append(Path(place) / str(number))
                for model, state in models.items():
                    if bare:
                        state = {key: value for key, value in state.items() if not key.startswith("train")}
                    write(folders[-1] / f"{model}.npz", model, state)
            yield name, protocol, folders


def halves(pid: np.ndarray) -> Iterator[np.ndarray]:
    """Rows of either half of the identities, at random, for every seed."""
    for seed in SEEDS:
        people = np.random.default_rng(seed).permutation(np.unique(pid))
        for half in (people[::2], people[1::2]):
            yield np.isin(pid, half)


def viper(folder: Path) -> Iterator[dict[str, Found]]:
    data = dict(np.load(folder / "viper_feats.npz"))
    for test in halves(data["id"]):
        yield {m: between_cameras(data, m, np.flatnonzero(~test), np.flatnonzero(test)) for m in CNNS}


def cuhk01(folder: Path) -> Iterator[dict[str, Found]]:
    data = dict(np.load(folder / "cuhk01_feats.npz"))
    for split in CUHK01:
        learn, test = (data[f"CUHK01M1_{part}_index"][split] for part in ("train", "test"))
        test = test[data["CUHK01M1_test_cam"][split] >= 0]  # -1 takes no part
        yield {model: between_cameras(data, model, learn, test) for model in CNNS}


def sketch(folder: Path) -> Iterator[dict[str, Found]]:
    (state,) = (models["osnet"] for models in whole(folder))
    both = {
        column: np.concatenate([state[f"query{column}"], state[f"gallery{column}"]]) for column in ("_pid", "_cam")
    }
    rows = np.concatenate([state["query"], state["gallery"]])
    for test in halves(both["_pid"]):
        parts = {"train": rows[~test]} | {f"train{column}": values[~test] for column, values in both.items()}
        for side, of in (("query", test[: len(state["query"])]), ("gallery", test[len(state["query"]) :])):
            parts |= {name: state[name][of] for name in (side, f"{side}_pid", f"{side}_cam")}
        yield {"osnet": parts}


def whole(folder: Path) -> Iterator[dict[str, Found]]:
    data = np.load(folder / "sketchreid_osnet512.npz")
    state = {side: data[f"{side}_feat"] for side in ("query", "gallery")}
    state |= {f"{side}_{to}": data[f"{side}_{of}"] for side in state for of, to in (("id", "pid"), ("cam", "cam"))}
    yield {"osnet": state}


def both_ways(folder: Path, name: str) -> Iterator[dict[str, Found]]:
    """One image of every identity and camera asks, halves of the identities; without cameras one image of each."""
    (whole,) = (whole for whole in wholes(folder) if whole.name == name)
    for test in islice(halves(whole.pid), 2):
        query, gallery = cut(whole.of(test))
        rows = np.flatnonzero(test)
        sides = {"query": rows[query], "gallery": rows[gallery], "train": np.flatnonzero(~test)}
        yield {model: _parts(whole, x, sides) for model, x in whole.models.items()}


def _parts(whole: Whole, x: np.ndarray, sides: dict[str, np.ndarray]) -> Found:
    state: Found = {}
    for side, rows in sides.items():
        state |= {side: x[rows], f"{side}_pid": whole.pid[rows]}
        if whole.has_cameras:
            state[f"{side}_cam"] = whole.cam[rows]
    return state


SETS = {
    "VIPeR": viper,
    "CUHK01": cuhk01,
    "CUHK03": partial(both_ways, name="CUHK03"),
    "SketchReID": sketch,
    "SketchReID, whole": whole,
    "Omniglot 1": partial(both_ways, name="Omniglot 1"),
    "Omniglot 2": partial(both_ways, name="Omniglot 2"),
    "lions": partial(both_ways, name="lions"),
}


def write(path: Path, model: str, state: Found) -> None:
    """One model as a file; images are called by their side and number."""
    tables = {
        side: pd.DataFrame({c: state[f"{side}_{c}"] for c in ("pid", "cam") if f"{side}_{c}" in state}).assign(
            name=[f"{side}{row:05d}" for row in range(len(state[side]))]
        )
        for side in ("query", "gallery", "train")
        if side in state
    }
    sides = {side: np.ascontiguousarray(state[side], np.float32) for side in tables}
    io.write_npz(path, FeatureSet(model, **sides, **{f"{side}_table": table for side, table in tables.items()}))


def tables(
    sets: Iterator[tuple[str, str, list[Path]]], only: Sequence[str] = (), *, show: bool
) -> Iterator[Found]:
    """All recipes, or some, on all sets of every kind, best mAP first; printed as soon as a kind is done."""
    for name, protocol, folders in sets:
        ran: dict[str, list[Found]] = {}
        refused = []
        for used in recipe.available():
            if used.startswith("lists") or (only and used not in {*only, BEST}):  # lists have no features
                continue
            try:
                for folder in folders:
                    plan.check(recipe.load(used), io.scan(folder))
                found = [run(folder, used, protocol) for folder in folders]
            except InputError:
                found = [{"refused": True}]
            if any("refused" in one for one in found):
                refused.append(used)
            else:
                ran[used] = found
        rows = [row(used, found, ran[BEST], protocol, apart=name in PROTOCOL) for used, found in ran.items()]
        rows.sort(key=lambda line: -line["mAP"])
        sizes = [(len(found["ap"]), found["gallery"]) for found in ran[BEST]]
        if show:
            counts = ", ".join(f"{queries} x {images}" for queries, images in sizes)
            print(f"\n{name}: {protocol}, {len(folders)} sets ({counts})")
            if name in DIFFERS:
                print(f"drawn: {DIFFERS[name]}")
            print(f"{'':<26}{'mAP':>7}{'rank-1':>8}{'best gains':>30}{'seconds':>9}{'MB':>7}")
            for line in rows:
                print(text(line), flush=True)
            print(f"cannot run there: {', '.join(refused) or 'none'}")
        yield {"set": name, "protocol": protocol, "sizes": sizes, "rows": rows, "refused": refused}


def run(folder: Path, used: str, protocol: str) -> Found:
    """One recipe on one folder, in a process of its own."""
    command = [sys.executable, __file__, "one", str(folder), used, protocol]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{used}: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def measure(folder: Path, used: str, protocol: str) -> Found:
    started = time.perf_counter()
    try:
        checked = plan.check(recipe.load(used), io.scan(folder))
        with using(progress=False):
            found = Run(checked, lambda line: None, protocol=PROTOCOLS[protocol], every_step=False)()
    except InputError as error:
        return {"refused": error.problems[0]}
    seconds, scores = time.perf_counter() - started, found.scores
    assert scores is not None
    assert found.query_pid is not None
    return {
        "mAP": scores.mAP,
        "rank1": scores.rank1,
        "ap": [None if np.isnan(ap) else ap for ap in scores.ap],
        "pid": found.query_pid.tolist(),
        "gallery": len(found.gallery_names),
        "seconds": seconds,
        "megabytes": peak() / 1e6,
    }


def row(used: str, found: list[Found], best: list[Found], protocol: str, *, apart: bool) -> Found:
    """Means over the sets, and what ``best`` gains on their queries; ``apart``: no set shows another's people."""
    aps = [np.concatenate([np.array(one["ap"], float) for one in side]) for side in (found, best)]
    pid = np.concatenate([np.array(one["pid"]) for one in found])
    if apart:  # other people of one number in every city
        of = np.repeat(np.arange(len(found)), [len(one["pid"]) for one in found])
        pid = of * (pid.max() + 1) + pid
    gain = statistics.difference(*aps, pid, denominator=PROTOCOLS[protocol].denominator)
    means = {
        name: float(np.mean([one[name] for one in found])) for name in ("mAP", "rank1", "seconds", "megabytes")
    }
    return {"recipe": used, **means, "gain": gain.difference, "low": gain.low, "high": gain.high}


def text(line: Found) -> str:
    gain = "" if line["recipe"] == BEST else spread(line["gain"], line["low"], line["high"])
    numbers = f"{100 * line['mAP']:>7.2f}{100 * line['rank1']:>8.2f}{gain:>30}"
    return f"{line['recipe']:<26}{numbers}{line['seconds']:>9.1f}{line['megabytes']:>7.0f}"


def spread(mean: float, low: float, high: float) -> str:
    return f"{100 * mean:+.2f} ({100 * low:+.2f} .. {100 * high:+.2f})"


def fusions(folder: Path, *, show: bool) -> Iterator[Found]:
    """Networks alone and together on held-out folds; weights are chosen on the other folds.

    The best network is the one that is best on all folds, in hindsight: what joins have to beat.
    """
    for name, parts in (("VIPeR", viper_whole), ("CUHK01, split 3", cuhk01)):
        with tempfile.TemporaryDirectory() as place:
            for model, state in next(iter(parts(folder))).items():
                write(Path(place) / f"{model}.npz", model, state)
            scanned = io.scan(Path(place))
            sets = {found.model: replace(found, train=None, train_table=None) for found in io.read(scanned)}
        yield fusion(name, folds.columns(scanned, sets, of_train=False), sets, show=show)


def viper_whole(folder: Path) -> Iterator[dict[str, Found]]:
    data = dict(np.load(folder / "viper_feats.npz"))
    rows = np.arange(len(data["id"]))
    yield {model: between_cameras(data, model, rows, rows) for model in CNNS}


def fusion(name: str, folder: io.Folder, sets: dict[str, FeatureSet], *, show: bool) -> Found:
    first = next(iter(sets.values())).data()
    split = folds.split(first["query_pid"], first["gallery_pid"], folds=FOLDS, seed=SEEDS[0])
    parts = trials.parts(sets, split)
    pid = np.concatenate([first["query_pid"][fold.query] for fold in split])

    def precisions(used: Sequence[recipe.Recipe]) -> np.ndarray:
        """AP of all queries, each fold by its own recipe."""
        aps = []
        for one, part in zip(used, parts, strict=True):
            done = Run(
                plan.check(one, folder), lambda line: None, protocol=PROTOCOLS[REAL], sets=part, every_step=False
            )()
            assert done.scores is not None
            aps.append(done.scores.ap)
        return np.concatenate(aps)

    bench = trials.Bench(folder, parts, PROTOCOLS[REAL], "mAP")
    baseline = recipe.load("baseline")
    searched = space.read(["concat.weights"], plan.check(baseline, folder))
    search = Search(searched, lambda tried: bench(searched.recipe(tried)), seed=0, trials=TRIALS)
    done = search()
    verdict = honest.judge([trial.scores or [np.nan] * FOLDS for trial in done])
    alone = {model: [_of([model])] * FOLDS for model in CNNS}
    others = {
        "side by side, equal": [baseline] * FOLDS,
        "summed, equal": [_of(CNNS, {"use": "weighted_sum", "scaling": "z-score"})] * FOLDS,
        "side by side, chosen": [searched.recipe(done[trial].candidate) for trial in verdict.chosen],
    }
    aps = {what: precisions(used) for what, used in (alone | others).items()}
    top = max(alone, key=lambda model: aps[model].mean())
    rows = []
    if show:
        print(f"\n{name}: {FOLDS} folds of the identities, {len(pid)} queries in all, {TRIALS} trials")
        print(f"{'':<24}{'mAP':>7}{f'less {top}':>34}")
    for what, ap in aps.items():
        gain = statistics.difference(aps[top], ap, pid)
        rows.append(
            {"what": what, "mAP": gain.second, "gain": gain.difference, "low": gain.low, "high": gain.high}
        )
        shown = "" if what == top else spread(gain.difference, gain.low, gain.high)
        if show:
            print(f"{what:<24}{100 * gain.second:>7.2f}{shown:>34}", flush=True)
    return {"set": name, "best": top, "rows": rows}


def _of(models: Sequence[str], join: Found | None = None) -> recipe.Recipe:
    """Cosine distance of some networks, joined after it."""
    each = [{"use": "l2_normalize"}, {"use": "distances", "metric": "cosine"}]
    branch = {"models": list(models), "each": each} | ({"join": join} if join else {})
    return recipe.parse({"branch": [branch]}, "alone")


if __name__ == "__main__":
    main()
