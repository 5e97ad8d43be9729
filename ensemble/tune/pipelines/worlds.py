"""Who asks, who is found and who is learned from, so that no score had a say in what it is a score of.

A quarter of the identities is held back: nothing that it asks is scored during the search. The others are dealt
out to ``parts``, each of which has its turn, in a world of its own::

    learned from   the other parts
    gallery        the images of this part and of those held back, so that it is as large as may be
    queries        of this part while candidates are searched, of those held back at the end

Identities that were learned from are no distractors: how a learned metric treats their images says nothing of new
ones, and with them in the gallery learned steps come in an order that is not that of new images at all. More parts
leave more to learn from, and smaller galleries; few parts are worst (``bench/pipelines.py`` has the figures). What
galleries lack is made up for by counting (:mod:`ensemble.tune.pipelines.crowded`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.distances import ModelSet
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Ints
from ensemble.scores import folds

QUARTERS = 4  # one of them is held back
FIRST = 3  # one world in so many is asked first
SAMPLE = 0.5  # of the queries of a world, by identity, for a first look


@dataclass(frozen=True, eq=False)
class World:
    """Features of all models, by what they are for; ``sample`` are some of the queries of ``search``."""

    search: Mapping[str, ModelSet]
    sample: Mapping[str, ModelSet]
    held: Mapping[str, ModelSet]


@dataclass(frozen=True, eq=False)
class Worlds:
    """All worlds, and how many identities learn, ask and are held back, of how many images."""

    each: tuple[World, ...]
    about: str

    @property
    def first(self) -> int:
        """How many worlds are asked for a first look."""
        return max(1, len(self.each) // FIRST)

    @property
    def sizes(self) -> list[int]:
        """How many queries each world has during the search."""
        return [len(_asked(world.search)) for world in self.each]

    def pid(self, kind: str) -> Ints:
        """The identity of every query of a kind, world after world; those held back are the same in all."""
        if kind == "sample" and len(self.each) > 1:
            return np.concatenate([_asked(world.search) for world in self.each[: self.first]])
        found = [_asked(getattr(world, kind)) for world in self.each]
        return found[0] if kind == "held" else np.concatenate(found)


def of_train(sets: Mapping[str, ModelSet], *, parts: int, seed: int) -> Worlds:
    """Worlds of labelled training images; InputError where there are too few."""
    features = {name: found for name, found in sets.items() if isinstance(found, FeatureSet)}
    whole = folds.from_train({n: replace(f, one_set=False) for n, f in features.items()}, learn=False, seed=seed)
    data = next(iter(whole.values())).data()
    held, split = _split(data["query_pid"], data["gallery_pid"], parts, seed)
    first = next(iter(features.values()))
    assert first.train_table is not None
    pid = first.data()["train_pid"]
    worlds = []
    for part in split:
        learned = np.concatenate([other.pids for other in split if other is not part])
        rows = np.flatnonzero(np.isin(pid, learned) & (pid >= 0))
        table = first.train_table.iloc[rows].reset_index(drop=True)
        learning = {
            name: replace(found, train=train[rows], train_table=table)
            for name, found in whole.items()
            if isinstance(found, FeatureSet) and (train := features[name].train) is not None
        }
        worlds.append(_world(learning, part, held, part.gallery, seed))
    people, one = sum(len(part.pids) for part in split), split[0]
    about = (
        f"{len(split)} worlds: {people - len(one.pids)} identities to learn from, {len(one.pids)} that ask, "
        f"{len(held.pids)} held back; {len(one.gallery)} gallery images each"
    )
    return Worlds(tuple(worlds), about)


def of_test(sets: Mapping[str, ModelSet], *, seed: int) -> Worlds:
    """One world of query and gallery as they are: the whole gallery, a quarter of the identities held back."""
    data = next(iter(sets.values())).data()
    held, (part,) = _split(data["query_pid"], data["gallery_pid"], 1, seed)
    world = _world(sets, part, held, np.arange(len(data["gallery_pid"])), seed)
    about = (
        f"{len(part.pids)} identities ask, {len(held.pids)} are held back, in the whole gallery of "
        f"{len(data['gallery_pid'])} images"
    )
    return Worlds((world,), about)


def _split(query_pid: Ints, gallery_pid: Ints, parts: int, seed: int) -> tuple[folds.Fold, list[folds.Fold]]:
    """What is held back, and the parts; whoever is held back is a distractor in all of these."""
    held = folds.split(query_pid, gallery_pid, folds=QUARTERS, seed=seed)[0]
    left = [np.where(np.isin(pid, held.pids), -1, pid) for pid in (query_pid, gallery_pid)]
    return held, folds.split(*left, folds=parts, seed=seed)


def _asked(sets: Mapping[str, ModelSet]) -> Ints:
    found: Ints = next(iter(sets.values())).data()["query_pid"]
    return found


def _world(sets: Mapping[str, ModelSet], part: folds.Fold, held: folds.Fold, gallery: Ints, seed: int) -> World:
    data = next(iter(sets.values())).data()
    asked = np.unique(data["query_pid"][part.query])
    some = np.random.Generator(np.random.PCG64(seed)).permutation(asked)[: max(2, round(SAMPLE * len(asked)))]
    sample = part.query[np.isin(data["query_pid"][part.query], some)]

    def take(query: Ints) -> dict[str, ModelSet]:
        return {name: found.take(query=query, gallery=gallery) for name, found in sets.items()}

    return World(take(part.query), take(sample), take(held.query))
