"""Who asks, who is found and who is learned from, so that no score had a say in what it is a score of.

One identity in eight is held back: nothing that it asks is scored during the search. The others are dealt out to
``parts``, each of which has its turn, in a world of its own::

    learned from   the other parts
    images         of this part and of those held back, a query an identity and camera, drawn anew in every world
    scored         queries of this part while candidates are searched, of those held back at the end

Identities that were learned from are no distractors: how a learned metric treats their images says nothing of new
ones, and with them in the gallery learned steps come in an order that is not that of new images at all. So who is
not found can be learned from, and the other way round. What is learned from few looks worse than it is, and that
cannot be told from the outside; what a small gallery lacks is made up for by counting
(:mod:`ensemble.tune.pipelines.crowded`). Hence most of the identities are learned from
(``bench/pipelines.py`` has the figures).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.distances import ModelSet
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Ints
from ensemble.scores import folds

KINDS = SAMPLE, SEARCH, HELD = "sample", "search", "held"
EIGHTHS = 8  # one of them is held back
FIRST = 3  # one world in so many is asked first


@dataclass(frozen=True, eq=False)
class World:
    """Features of all models, and which of its queries count in the search, and at the end."""

    sets: Mapping[str, ModelSet]
    search: Ints
    held: Ints

    @property
    def pid(self) -> Ints:
        """The identity of every query."""
        found: Ints = next(iter(self.sets.values())).data()["query_pid"]
        return found

    def asked(self, kind: str) -> Ints:
        """The queries of a kind, by their rows."""
        return self.held if kind == HELD else self.search


@dataclass(frozen=True, eq=False)
class Worlds:
    """All worlds, the parts of identities, and how many learn, ask and are held back, of how many images."""

    each: tuple[World, ...]
    parts: tuple[Ints, ...]
    about: str

    def of(self, kind: str) -> tuple[World, ...]:
        """The worlds in which a kind of queries asks: of a first look one in three, all others all."""
        return self.each[: -(-len(self.each) // FIRST)] if kind == SAMPLE else self.each

    def pid(self, kind: str) -> Ints:
        """The identity of every query of a kind, world after world."""
        return np.concatenate([world.pid[world.asked(kind)] for world in self.of(kind)])

    def part(self, kind: str) -> Ints:
        """The part of that identity, the same one in all worlds; -1 none."""
        pid = self.pid(kind)
        found = np.full(len(pid), -1)
        for number, people in enumerate(self.parts):
            found[np.isin(pid, people)] = number
        return found


def of_train(sets: Mapping[str, ModelSet], *, parts: int, seed: int) -> Worlds:
    """Worlds of labelled training images; InputError where there are too few."""
    features = {name: _numbered(found) for name, found in sets.items() if isinstance(found, FeatureSet)}
    whole = folds.from_train({n: replace(f, one_set=False) for n, f in features.items()}, learn=False, seed=seed)
    sides = _sides(whole)
    held = folds.split(*sides, folds=EIGHTHS, seed=seed)[0].pids
    left = [np.where(np.isin(pid, held), -1, pid) for pid in sides]
    deal = folds.split(*left, folds=parts, seed=seed)
    worlds: list[World] = []
    for number, part in enumerate(deal):
        learns = np.concatenate([other.pids for other in deal if other is not part])
        worlds.append(_world(features, learns, part.pids, held, seed + number))
    people, asks = sum(len(part.pids) for part in deal), len(deal[0].pids)
    about = (
        f"{len(worlds)} worlds: {people - asks} identities to learn from, {asks} that ask, {len(held)} held back; "
        f"{_gallery(worlds[0])} gallery images each"
    )
    return Worlds(tuple(worlds), tuple(part.pids for part in deal), about)


def of_test(sets: Mapping[str, ModelSet], *, seed: int) -> Worlds:
    """One world of query and gallery as they are: one identity in eight is held back."""
    sides = _sides(sets)
    held = folds.split(*sides, folds=EIGHTHS, seed=seed)[0].pids
    asks = np.setdiff1d(np.intersect1d(*sides), held)
    asks = asks[asks >= 0]
    world = _asking(sets, asks, held)
    about = (
        f"{len(asks)} identities ask, {len(held)} are held back, in the whole gallery of {_gallery(world)} images"
    )
    return Worlds((world,), (asks,), about)


def _world(features: Mapping[str, FeatureSet], learns: Ints, asks: Ints, held: Ints, seed: int) -> World:
    """Images of ``learns`` are learned from, all others ask and are found."""
    pid = next(iter(features.values())).data()["train_pid"]
    teaches = np.isin(pid, learns)
    others, learned = np.flatnonzero(~teaches), np.flatnonzero(teaches)
    found = folds.from_train({n: f.take(train=others) for n, f in features.items()}, learn=False, seed=seed)
    sets: dict[str, ModelSet] = {}
    for name, one in found.items():
        assert isinstance(one, FeatureSet)
        taught = features[name].take(train=learned)
        sets[name] = replace(one, train=taught.train, train_table=taught.train_table)
    return _asking(sets, asks, held)


def _numbered(found: FeatureSet) -> FeatureSet:
    """Identities as numbers, which are the same in every part of the images."""
    if found.train_table is None or "pid" not in found.train_table:
        return found
    return replace(found, train_table=found.train_table.assign(pid=found.data()["train_pid"]))


def _asking(sets: Mapping[str, ModelSet], asks: Ints, held: Ints) -> World:
    pid, _ = _sides(sets)
    return World(sets, *(np.flatnonzero(np.isin(pid, people)) for people in (asks, held)))


def _sides(sets: Mapping[str, ModelSet]) -> tuple[Ints, Ints]:
    """The identities of queries and of gallery images."""
    data = next(iter(sets.values())).data()
    return data["query_pid"], data["gallery_pid"]


def _gallery(world: World) -> int:
    return len(next(iter(world.sets.values())).gallery_table)
