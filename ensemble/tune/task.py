"""What is tuned: the space over a checked recipe, the folds, and how a candidate is scored on them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ensemble import io
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.io.keys import tables_of
from ensemble.pipeline import advice, joins, plan, steps
from ensemble.pipeline import sets as models_of
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.scoring import told
from ensemble.scores import folds
from ensemble.scores.protocol import Protocol
from ensemble.tune import space, trials
from postproc.pairs import remembered

ON = {  # the labels of what, and what they need
    "train": ({"train", "train_pid"}, "train: its images ask and are found; query and gallery have no say"),
    "test": (
        {"query_pid", "gallery_pid"},
        "query and gallery: what is scored on them from now on is scored on what it was chosen on",
    ),
}


@dataclass(frozen=True)
class Task:
    """A space, the folds and the bench that scores a candidate on them.

    ``source`` says whose labels these are, train or test, ``about`` what a study is about (one of another task is
    refused), ``warnings`` what to tell before the first trial.
    """

    space: space.Space
    parts: list[folds.Fold]
    bench: trials.Bench
    source: str
    about: dict[str, Any]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()  # of what was read, for the user


def prepare(
    checked: plan.Plan,
    protocol: Protocol,
    objective: trials.Objective,
    *,
    search: Sequence[str] = (),
    parts: int,
    seed: int,
    on: str = "train",
    all_models: bool = False,
    threads: int | None = None,
    memory: int | None = None,
    device: Device = CPU,
) -> Task:
    """Read, split, and say what is to be searched; every refusal comes before the first trial.

    search:     what may vary, as :func:`ensemble.tune.space.read` takes it.
    parts:      of the identities; seed: who is in which.
    on:         whose labels: "train", or "test", which is query and gallery.
    all_models: no model may be left out.
    threads, memory, device: what the trials may use; memory in bytes.
    Raises:     InputError where there are no labels, too few identities, or nothing called as in ``search``.
    """
    refuse_without_labels(checked, on)
    sets = models_of.read(checked)
    notes = (
        *dict.fromkeys(note for found in sets.values() for note in found.notes),
        *(told(sets, protocol) if on == "test" else ()),
    )
    data = fingerprint(sets)
    if on == "train":
        learns = any(name.startswith("train") for use in checked.recipe.uses() for name in _data_of(use.name))
        sets = folds.from_train(sets, learn=learns, seed=seed)
    folder = folds.columns(checked.folder, sets, of_train=on == "train")
    searched = space.read(search, _on_folds(checked, folder, on))
    first = next(iter(sets.values())).data()
    split = folds.split(first["query_pid"], first["gallery_pid"], folds=parts, seed=seed)
    if objective.top_k is not None:
        protocol = replace(protocol, top_k=objective.top_k)
    about = {
        "recipe": _digest(checked.recipe.as_toml()),
        "data": data,
        "on": on,
        "objective": objective.name,
        "protocol": protocol.describe(cameras="query_cam" in first),
        "folds": parts,
        "seed": seed,
        "search": [setting.text() for setting in searched.settings]
        + [f"{join.name}.weights times {join.low:g} to {join.high:g}" for join in searched.joins if join.low],
        "models": "all" if all_models else "greedy selection",
    }
    bench = trials.Bench(
        folder,
        trials.parts(sets, split),
        protocol,
        objective.score,
        threads=threads,
        kept=trials.KEPT if memory is None else min(trials.KEPT, memory // 2),
        device=device,
    )
    warnings = tuple(advice.warnings(checked.recipe, advice.positives(first)))
    return Task(searched, split, bench, on, about, warnings, notes)


def refuse_without_labels(checked: plan.Plan, on: str) -> None:
    """The test set is never tuned on because nothing else is there: who wants that says so."""
    there = [name for name, (needed, _) in ON.items() if checked.folder.columns >= needed]
    if on in there:
        return
    where = f"{checked.folder.path}: wanted labels to tune on"
    if on == "test":
        problem = f"{where}, a pid column in {tables_of(one_set=checked.folder.one_set)}, found none"
        remedy = "leave --on test out: train has labels" if there else "give them, or --unlabelled guesses"
    else:
        problem = f"{where}, train features and a pid column in train.csv, found "
        problem += "them for query and gallery alone, which is the test set" if there else "none"
        remedy = (
            "give train, or --on test chooses on query and gallery, and no score on them is fair afterwards"
            if there
            else "give them, or --unlabelled guesses"
        )
    raise InputError([f"{problem}; {remedy}"])


def _on_folds(checked: plan.Plan, folder: io.Folder, on: str) -> plan.Plan:
    """The plan on the images that ask and are found in the folds; train may lack columns that query has."""
    try:
        return plan.check(checked.recipe, folder)
    except InputError as error:
        if on == "test":
            raise
        name = checked.recipe.name
        hint = f"{checked.folder.path}, train: wanted all that {name} needs, since it is tuned on train"
        lacking = sorted(name for name in checked.folder.columns - folder.columns if not name.startswith("train"))
        found = f", found no {', '.join(lacking)}" if lacking else ", found less"
        raise InputError([*error.problems, f"{hint}{found}; give it, or --on test"]) from error


def _data_of(name: str) -> tuple[str, ...]:
    """What data a step or join takes."""
    known = steps.catalogue()
    return (*known[name].needs, *known[name].may_use) if name in known else joins.needs(name)


def fingerprint(sets: Mapping[str, ModelSet]) -> str:
    """16 hexadecimal digits for the features, names and columns of all models."""
    arrays: list[np.ndarray] = []
    for model, found in sorted(sets.items()):
        names = [model, *found.query_table["name"], *found.gallery_table["name"]]
        arrays += [np.frombuffer("\n".join(names).encode(), np.uint8), *found.data().values()]
        arrays += [] if found.distances is None else [found.distances]
    return remembered.fingerprint(arrays).hex()[:16]


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps({k: v for k, v in content.items() if k != "about"}, sort_keys=True).encode()
    return remembered.fingerprint([np.frombuffer(text, np.uint8)]).hex()[:16]
