"""Who asks, who is found and who is learned from, so that no score had a say in what it is a score of.

Identities are dealt out to ``folds`` parts. One part is held back: nothing that it asks is scored during the
search. Every other part i has its turn, in a world of its own::

    learned from   the parts that are neither i nor held back
    gallery        the images of part i and of the part held back, so that it is nearly as large as the real one
    queries        of part i while candidates are searched, of the part held back at the end

Identities that were learned from are no distractors: a learned metric has drawn their images together, so that
they stand in nobody's way, and they flatter what learns most (``bench/pipelines.py`` has the figures). The price
is that learned steps see fewer identities here than they will have later: what needs many is valued a little too
low.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Ints
from ensemble.scores import folds

FEWEST = 3  # parts: one held back, one that asks, one to learn from
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

    def pid(self, kind: str) -> Ints:
        """The identity of every query of a kind, world after world; those held back are the same in all."""
        if kind == "sample" and len(self.each) > 1:
            return _asked(self.each[0].search)
        found = [_asked(getattr(world, kind)) for world in self.each]
        return found[0] if kind == "held" else np.concatenate(found)


def of_train(sets: Mapping[str, ModelSet], *, parts: int, seed: int) -> Worlds:
    """Worlds of labelled training images; InputError where there are too few."""
    features = {name: found for name, found in sets.items() if isinstance(found, FeatureSet)}
    whole = folds.from_train({n: replace(f, one_set=False) for n, f in features.items()}, learn=False, seed=seed)
    data = next(iter(whole.values())).data()
    split = folds.split(data["query_pid"], data["gallery_pid"], folds=parts, seed=seed)
    held, searched = split[0], split[1:]
    first = next(iter(features.values()))
    assert first.train_table is not None
    pid = first.data()["train_pid"]
    worlds = []
    for part in searched:
        learned = np.concatenate([other.pids for other in searched if other is not part])
        rows = np.flatnonzero(np.isin(pid, learned) & (pid >= 0))
        train = {name: found.train[rows] for name, found in features.items() if found.train is not None}
        table = first.train_table.iloc[rows].reset_index(drop=True)
        sets = {name: replace(found, train=train[name], train_table=table) for name, found in whole.items()
                if isinstance(found, FeatureSet)}  # fmt: skip
        worlds.append(_world(sets, part, held, np.union1d(part.gallery, held.gallery), seed))
    people = len(np.concatenate([part.pids for part in searched]))
    about = (
        f"{len(searched)} worlds: {people - len(searched[0].pids)} identities to learn from, "
        f"{len(searched[0].pids)} that ask, {len(held.pids)} held back; "
        f"{len(np.union1d(searched[0].gallery, held.gallery))} gallery images each"
    )
    return Worlds(tuple(worlds), about)


def of_test(sets: Mapping[str, ModelSet], *, parts: int, seed: int) -> Worlds:
    """One world of query and gallery as they are: the whole gallery, one part of the identities held back."""
    data = next(iter(sets.values())).data()
    split = folds.split(data["query_pid"], data["gallery_pid"], folds=parts, seed=seed)
    held, others = split[0], split[1:]
    query = np.sort(np.concatenate([part.query for part in others]))
    asking = folds.Fold(query, held.gallery, np.sort(np.concatenate([part.pids for part in others])))
    world = _world(sets, asking, held, np.arange(len(data["gallery_pid"])), seed)
    about = (
        f"{len(asking.pids)} identities ask, {len(held.pids)} are held back, in the whole gallery of "
        f"{len(data['gallery_pid'])} images"
    )
    return Worlds((world,), about)


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


def refuse_too_few(parts: int) -> None:
    """Raise InputError where there is no part left to learn from."""
    if parts < FEWEST:
        raise InputError(
            [f"--folds: wanted {FEWEST} or more with --pipelines (held back, asking, learned from), found {parts}"]
        )
