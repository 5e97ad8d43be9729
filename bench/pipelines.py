"""What a search over pipelines finds on real features, and how well its worlds foretell new identities.

    python bench/pipelines.py DIR [--data NAME] [--one-in N] [--minutes N] [--trials N] [--seed N] [--worlds]

DIR holds the real sets (``bench/wholes.py``). One person in two (``--one-in``) is asked and found, and only these
judge; the others are the training set, which is all that ``ensemble.tune --pipelines`` looks at. ``--seed`` draws
these halves, and the worlds of the search. ``--study FILE`` keeps what was tried, so that a search which was ended
goes on. Characters have no cameras here: where each of twenty images has its own, nearly all of them would ask.
``--worlds``: no search; 36 pipelines are scored in worlds of the training set, cut in several ways, and on those
others, and the orders are compared.
"""

import argparse
import contextlib
import io as text
import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import wholes
from bench.wholes import Whole
from ensemble import evaluate, io
from ensemble.base.features import FeatureSet
from ensemble.pipeline import plan, recipe
from ensemble.pipeline import sets as models_of
from ensemble.scores import folds
from ensemble.scores.protocols import PROTOCOLS
from ensemble.tune import __main__ as tune
from ensemble.tune import trials
from ensemble.tune.pipelines import candidate as value
from ensemble.tune.pipelines import worlds
from ensemble.tune.pipelines.bench import Bench
from ensemble.tune.pipelines.families import UNIT
from ensemble.tune.pipelines.worlds import SEARCH, World, Worlds

DATA = {
    "cuhk03_train": "CUHK03",
    "viper": "VIPeR",
    "cuhk01": "CUHK01",
    "omniglot1": "Omniglot 1",
    "omniglot2": "Omniglot 2",
}
RECIPES = ("baseline", "default", "best")
METHODS = ("sdml", "xqda", "kissme", "rca")
RANKERS: tuple[dict[str, Any], ...] = (
    {"use": "gnn_rerank", "k1": 10, "k2": 3, "lambda_value": 0.5},
    {"use": "gnn_rerank", "k1": 12, "k2": 4, "lambda_value": 0.3},
    {"use": "ca_jaccard"},
    {"use": "rerank_multiscale"},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", choices=DATA, default="cuhk03_train")
    parser.add_argument("--one-in", type=int, default=2, help="how many people there are to one who judges")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--worlds", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        whole = next(one for one in wholes.real(options.folder) if one.name == DATA[options.data])
        cut(whole, Path(place), options.one_in, options.seed)
        if options.worlds:
            compare_worlds(Path(place))
        else:
            search(place, options)


def cut(whole: Whole, place: Path, one_in: int, seed: int) -> None:
    """A folder of features: people to learn from, and one in so many asked, a query a person and camera."""
    pid, cam = (
        whole.pid.astype(np.int64),
        None if whole.name.startswith("Omniglot") else whole.cam.astype(np.int64),
    )
    people = np.random.default_rng(seed).permutation(np.unique(pid))
    judges = np.isin(pid, people[len(people) - len(people) // one_in :])
    train, test = np.flatnonzero(~judges), np.flatnonzero(judges)
    asked = folds.draw_queries(pid[test], None if cam is None else cam[test], seed=seed)
    query, gallery = (test[rows] for rows in asked)

    def table(rows: np.ndarray) -> pd.DataFrame:
        found = pd.DataFrame({"name": [f"image {row}" for row in rows], "pid": pid[rows]})
        return found if cam is None else found.assign(cam=cam[rows])

    for model, features in whole.models.items():
        x = features.astype(np.float32)
        sides = (x[query], x[gallery], table(query), table(gallery), x[train], table(train))
        io.write_npz(place / f"{model}.npz", FeatureSet(model, *sides))


def search(place: str, options: argparse.Namespace) -> None:
    """Search on the training set, then score on the others."""
    out = Path(place) / "found"
    more = ["--trials", str(options.trials)] if options.trials else []
    more += ["--study", str(options.study)] if options.study else []
    always = ["--features", place, "--pipelines", "--out", str(out), "--seed", str(options.seed)]
    before = cpu()
    tune.main([*always, "--minutes", str(options.minutes), *more])
    print(f"search: {cpu() - before:.0f} s of processor time")
    record = json.loads((out / "pipelines.json").read_text("utf-8"))
    searched = value.recipe(record["searched"], {"top_k": 100, "protocol": "market1501"}, "searched")
    checked = plan.check(searched, io.scan(Path(place)))
    tune.outcome.write_recipe(out / "searched.toml", checked)
    for name in (*RECIPES, str(out / "searched.toml"), str(out / "recipe.toml")):
        printed = text.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(text.StringIO()):
            evaluate.main(["--features", place, "--recipe", name, "--json"])
        scores = json.loads(printed.getvalue())
        print(f"{Path(name).stem:<10} mAP {100 * scores['mAP']:.2f}  rank-1 {100 * scores['rank1']:.2f}")


def cpu() -> float:
    """Seconds of all processors so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def compare_worlds(place: Path) -> None:
    """How alike the order of pipelines is in worlds of the training set and on other people."""
    from scipy.stats import spearmanr

    looked = io.scan(place)
    sets = dict(models_of.read(plan.check(recipe.load("baseline"), looked)))
    models = tuple(looked.joined)
    cuts = {f"{parts} parts": worlds.of_train(sets, parts=parts, seed=0) for parts in (2, 3, 5, 7)}
    cuts["3 parts, with those that were learned from"] = with_learned(cuts["3 parts"])
    cuts["other people"] = everybody(sets)
    scores: dict[str, list[float]] = {}
    for name, cut in cuts.items():
        folder = folds.columns(looked, cut.each[0].sets, of_train=name != "other people")
        bench = Bench(folder, cut, PROTOCOLS["market1501"], trials.objective("mAP"))
        made = (value.recipe(one, {}, "tried") for one in pipelines(models))
        scores[name] = [float(np.nanmean(bench(one, SEARCH).values)) for one in made]
    truth = np.array(scores.pop("other people"))
    print(f"{len(truth)} pipelines, mAP {100 * truth.min():.1f} to {100 * truth.max():.1f} on other people")
    for name, found in scores.items():
        loss = truth.max() - truth[int(np.argmax(found))]
        learned = len(np.unique(next(iter(cuts[name].each[0].sets.values())).data()["train_pid"]))
        print(f"{name:<46} {learned:4d} learned from  rank correlation {spearmanr(found, truth)[0]:+.2f}  "
              f"the first here loses {100 * loss:.1f} there")  # fmt: skip


def everybody(sets: dict[str, Any]) -> Worlds:
    """One world, in which all ask."""
    rows = np.arange(len(next(iter(sets.values())).query))
    return Worlds((World(sets, rows, rows),), (), "")


def with_learned(cut: Worlds) -> Worlds:
    """The same worlds with the images that are learned from in their galleries too."""
    made = []
    for world in cut.each:
        sets = {}
        for name, found in world.sets.items():
            assert isinstance(found, FeatureSet)
            assert found.train is not None
            assert found.train_table is not None
            tables = [found.gallery_table, found.train_table]
            sets[name] = replace(
                found,
                gallery=np.concatenate([found.gallery, found.train]),
                gallery_table=pd.concat(tables, ignore_index=True),
            )
        made.append(replace(world, sets=sets))
    return replace(cut, each=tuple(made))


def pipelines(models: tuple[str, ...]) -> Iterator[value.Candidate]:
    """Nothing learned and eight learned metrics, by four ways to re-rank."""
    maps: list[dict[str, Any]] = [{}]
    maps += [{"model": [{"use": "learned_metric", "method": method}, UNIT]} for method in METHODS]
    for method, more in (("xqda", {"ridge": 0.005}), ("xqda", {}), ("sdml", {}), ("kissme", {})):
        maps.append({"joined": [{"use": "learned_metric", "method": method, **more}, UNIT]})
    for steps in maps:
        for ranker in RANKERS:
            found = value.plain(models)
            late = {"constraints": [{"use": "camera_penalty", "penalty": 10.0}]}
            cameras = {"cameras": [{"use": "camera_whitening", "whiten": False}]}
            yield value.changed(found, steps={**steps, **cameras, "ranker": [ranker], **late})


if __name__ == "__main__":
    main()
