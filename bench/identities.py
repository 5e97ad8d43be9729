"""Who is it, on real features: rules, recipes, thresholds fitted on the database and the best in hindsight.

    python -m bench.identities DIR [--sets lions viper …] [--rules nearest …] [--recipes baseline …]

A fifth of the identities asks and is not in the gallery. ``fit``: whose images told the threshold, those of the
gallery or of other people (train); ``*``: there, only images of other cameras answer each other. ``geometric``:
sqrt(BAKS BAUS) with that threshold, its interval by identity; ``hindsight``: with the best threshold for these
very queries, which nobody knows beforehand. ``closed``: the right identity first, of the queries whose identity is
there, nobody being unknown.

lions: photographs of animals, three of ten images ask. viper, cuhk01: one camera asks the other (one or two images
an identity); cuhk03: about ten images an identity, one a camera asks. sketches ask for photographs. omniglot:
handwritten characters, three of twenty writers ask.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ensemble import io
from ensemble.base.features import FeatureSet
from ensemble.identities.asking import Asker, How, Sets, against_itself, deep, of_train
from ensemble.identities.thresholds import of_database, wanted
from ensemble.pipeline import plan, recipe
from ensemble.scores.folds import columns
from ensemble.scores.identities import score_identities
from ensemble.scores.unknown_thresholds import asked, fit
from postproc import with_unknown

RULES = (How(), How("mean", 2), How("vote", 5), How("sum", 5))
RECIPES = ("baseline", "kreciprocal")
OBJECTIVES = ("geometric", "balanced")


def features(model: str, sides: dict[str, tuple[np.ndarray, ...]]) -> FeatureSet:
    """A set out of features, identities and cameras a side."""
    tables = {
        side: pd.DataFrame(
            {"name": [f"{side}{i}" for i in range(len(x))], **dict(zip(("pid", "cam"), known, strict=False))}
        )
        for side, (x, *known) in sides.items()
    }
    rows = {side: np.ascontiguousarray(x, np.float32) for side, (x, *_) in sides.items()}
    train = {"train": rows["train"], "train_table": tables["train"]} if "train" in rows else {}
    return FeatureSet(model, rows["query"], rows["gallery"], tables["query"], tables["gallery"], **train)


def strangers(pid: np.ndarray, share: float = 0.2, seed: int = 0) -> np.ndarray:
    """The identities that the gallery will lack."""
    people = np.unique(pid)
    return np.random.default_rng(seed).permutation(people)[: int(len(people) * share)]


def split(z: Any, models: tuple[str, ...], asks: np.ndarray, learns: np.ndarray) -> Sets:
    """Rows that ask, the others are the gallery without the strangers, or training images."""
    pid = np.unique(z["id"], return_inverse=True)[1]
    new = strangers(pid[~learns])
    query, gallery = asks & ~learns, ~asks & ~learns & ~np.isin(pid, new)
    rows = {"query": query, "gallery": gallery, **({"train": learns} if learns.any() else {})}
    known = [pid, *([z["cam"].astype(np.int64)] if "cam" in z else [])]
    return {
        model: features(
            model, {side: (z[model][at], *(column[at] for column in known)) for side, at in rows.items()}
        )
        for model in models
    }


def lions(data: Path) -> Sets:
    z = np.load(data / "lion_feats.npz")
    asks = np.random.default_rng(0).random(len(z["id"])) < 0.3
    return split(
        z, ("efficientnet_lite0", "osnet_x0_25_msmt17", "hog16", "colour8"), asks, np.zeros(len(asks), bool)
    )


def half(pid: np.ndarray) -> np.ndarray:
    """Whether an image is of the half of the people who teach."""
    people = np.random.default_rng(0).permutation(np.unique(pid))
    found: np.ndarray = np.isin(pid, people[: len(people) // 2])
    return found


def viper(data: Path) -> Sets:
    z = np.load(data / "viper_feats.npz")
    return split(z, ("omz0277",), z["cam"] == z["cam"].min(), half(z["id"]))


def cuhk01(data: Path) -> Sets:
    z = np.load(data / "cuhk01_feats.npz")
    return split(z, ("omz0288",), z["cam"] == z["cam"].min(), half(z["id"]))


def cuhk03(data: Path) -> Sets:
    z = np.load(data / "cuhk03_train_feats.npz")
    key = z["id"].astype(np.int64) * 10 + z["cam"]
    asks = np.zeros(len(key), bool)
    asks[np.unique(key, return_index=True)[1]] = True
    return split(z, ("omz0288",), asks, half(z["id"]))


def sketches(data: Path) -> Sets:
    z = np.load(data / "sketchreid_osnet512.npz")
    kept = ~np.isin(z["gallery_id"], strangers(z["gallery_id"]))
    sides = {
        "query": (z["query_feat"], z["query_id"]),
        "gallery": (z["gallery_feat"][kept], z["gallery_id"][kept]),
    }
    return {"osnet": features("osnet", sides)}


def omniglot(data: Path) -> Sets:
    from bench import characters
    from extractors import dump

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        characters.write(data / "omniglot_small1.npz", folder / "images")
        models = [word for model in characters.MODELS for word in ("--model", model)]
        labels = ["--pattern", r"(?P<pid>\d{4})_c(?P<cam>\d{2})"]
        dump.main(["--images", str(folder / "images"), *labels, *models, "--out", str(folder / "f")])
        found = io.read_folder(folder / "f")
    pid = found[0].gallery_table["pid"].to_numpy()
    kept = np.flatnonzero(~np.isin(pid, strangers(pid)))
    return {one.model: one.take(gallery=kept) for one in found}


SETS: dict[str, Callable[[Path], Sets]] = {
    "lions": lions,
    "viper": viper,
    "cuhk01": cuhk01,
    "cuhk03": cuhk03,
    "sketches": sketches,
    "omniglot": omniglot,
}


def rows(name: str, sets: Sets, rules: Sequence[str], recipes: Sequence[str]) -> Iterator[str]:
    """A line a recipe, rule, and set of images that told the threshold."""
    first = next(iter(sets.values()))
    folder = columns(io.Folder(Path(), dict.fromkeys(sets, ()), frozenset(), ()), dict(sets), of_train=False)
    query, gallery = (getattr(first, f"{side}_table")["pid"].to_numpy() for side in ("query", "gallery"))
    new = ~np.isin(query, gallery)
    for used in recipes:
        ask = Asker(deep(plan.check(recipe.load(used), folder), None))
        lists, _ = ask(sets)
        for how in (how for how in RULES if how.rule in rules):
            found = how.of(lists, gallery)
            closed = float((found.pids[:, 0] == query)[~new].mean())
            best = {objective: fit(asked(found, query, new), objective).score for objective in OBJECTIVES}
            for on, apart in (("gallery", ""), ("gallery", "cam"), ("train", ""), ("train", "cam")):
                if on == "train" and first.train is None:
                    continue
                there, pid = of_train(sets) if on == "train" else (sets, gallery)
                table = next(iter(there.values())).gallery_table
                cam = table[apart].to_numpy() if apart in table else None
                apiece = (
                    [len(np.unique(column)) for column in (pid, pid * 10 + cam)] if cam is not None else [0, 0]
                )
                if (apart and apiece[0] == apiece[1]) or len(np.unique(pid)) == len(pid):
                    continue  # nobody is there twice
                samples, fold = against_itself(ask, there, pid, how, folds=5, seed=0, apart=cam)
                rule, images = how.rule + f" {how.images}" * (how.rule != "nearest"), on + " *" * bool(apart)
                line = f"{name:<9} {used:<9} {rule:<10} {images:<9} {closed:>6.3f}"
                for objective in OBJECTIVES:
                    limit = of_database(wanted(objective), samples, fold, 0.2, of=on).distance
                    scores = score_identities(with_unknown(found, limit), query, gallery, resamples=1000)
                    low, high = scores.intervals[objective]
                    line += f"  {scores.values[objective]:.3f} ({low:.3f} to {high:.3f}) {best[objective]:>9.3f}"
                    if objective == "geometric":
                        line += f" {scores.values['baks']:>6.3f} {scores.values['baus']:>6.3f}"
                yield line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=list(SETS))
    parser.add_argument(
        "--rules", nargs="+", choices=[how.rule for how in RULES], default=[how.rule for how in RULES]
    )
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    head = f"{'set':<9} {'recipe':<9} {'rule':<10} {'fit':<9} {'closed':>6}  {'geometric':<24} {'hindsight':<9} "
    print(f"{head} {'BAKS':>6} {'BAUS':>6}  {'balanced':<24} {'hindsight':<9}")
    for name in options.sets:
        for line in rows(name, SETS[name](options.data), options.rules, options.recipes):
            print(line, flush=True)


if __name__ == "__main__":
    main()
