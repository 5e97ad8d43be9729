"""The recipe asked: queries against the gallery; the gallery against itself; identities that it then lacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.errors import InputError, examples
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Ints
from ensemble.pipeline.devices import CPU, Device
from ensemble.pipeline.lines import Line
from ensemble.pipeline.plan import Plan, check
from ensemble.pipeline.run import Result, Run
from ensemble.scores.folds import split
from ensemble.scores.protocol import Protocol
from ensemble.scores.unknown_thresholds import Asked, asked, joined
from postproc import Nearest
from postproc.identities.by_identity import Identities, Rule, by_identity

WHOLE = 2**31 - 1  # images of a list that holds the gallery
LISTS = Protocol(top_k=1)  # for runs whose scores nobody looks at: no more than lists is computed

Sets = Mapping[str, FeatureSet]


@dataclass(frozen=True)
class How:
    """How images become identities: :func:`postproc.identities.by_identity` has the rules.

    depth: images that are looked at, None: all.
    """

    rule: Rule = "nearest"
    images: int = 5
    edge: float | None = None
    places: int = 5
    depth: int | None = 500

    def of(self, lists: Nearest, gallery_pid: Ints, own: Ints | None = None) -> Identities:
        """The identities of some lists."""
        return by_identity(
            lists,
            gallery_pid,
            rule=self.rule,
            images=self.images,
            edge=self.edge,
            top_k=self.places,
            own=own,
        )


def deep(checked: Plan, depth: int | None) -> Plan:
    """The plan whose answers hold so many images; InputError where a step of it gives fewer."""
    recipe = replace(checked.recipe, top_k=WHOLE if depth is None else depth)
    return replace(check(recipe, checked.folder), notes=checked.notes)


@dataclass(frozen=True, eq=False)
class Asker:
    """A plan, and where it runs; each call runs it on the images of some sets, None: on those of the folder."""

    plan: Plan
    device: Device = CPU

    def __call__(
        self, sets: Sets | None, protocol: Protocol = LISTS, show: Callable[[Line], None] = lambda line: None
    ) -> tuple[Nearest, Result]:
        """The nearest images of every query, and all else that the run says."""
        result = Run(self.plan, show, protocol=protocol, sets=sets, every_step=False, device=self.device)()
        return _lists(result), result


def _lists(result: Result) -> Nearest:
    """The answer of a run; +inf where there is no image."""
    rows = result.ranking.astype(np.int32)
    return Nearest(np.where(rows >= 0, result.distances, np.inf).astype(np.float32), rows)


def against_itself(ask: Asker, sets: Sets, pid: Ints, how: How, *, folds: int, seed: int) -> tuple[Asked, Ints]:
    """Every labelled gallery image asked twice: as somebody whom the gallery knows, and as somebody new.

    Known: against all other images, its own image left out; only identities with two images or more. New: against
    a gallery in which its identity, and the others of its fold, are not there from the first step on.
    Returns the queries and the fold of each. ``seed`` deals the identities out to the folds.
    """
    parts = split(pid, pid, folds=folds, seed=seed)
    fold = np.full(len(pid), -1)
    for number, part in enumerate(parts):
        fold[np.isin(pid, part.pids)] = number
    everybody = {model: itself(features) for model, features in sets.items()}
    lists, _ = ask(everybody)
    own = np.arange(len(pid))
    people, count = np.unique(pid, return_counts=True)
    twice = (fold >= 0) & (count[np.searchsorted(people, pid)] > 1)
    known = asked(how.of(lists, pid, own), pid, False).take(twice)
    found, of = [known], [fold[twice]]
    for number in range(folds):
        held, left = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        lists, _ = ask({model: held_out(features, held, left) for model, features in sets.items()})
        found.append(asked(how.of(lists, pid[left]), pid[held], True))
        of.append(fold[held])
    return joined(*found), np.concatenate(of)


def of_train(sets: Sets) -> tuple[dict[str, FeatureSet], Ints]:
    """The training images in the place of the gallery, and their identities; InputError where there are none."""
    models = [features for features in sets.values() if not features.auxiliary]
    lacking = [features.model for features in models if features.train is None]
    data = models[0].data()
    if lacking or "train_pid" not in data:
        found = f"none in {examples(lacking)}" if lacking else "no pid"
        raise InputError(
            [f"--fit-on train: wanted training images with identities, found {found}; fit on the gallery"]
        )
    moved = {
        name: replace(features, gallery=features.train, gallery_table=features.train_table)
        for name, features in sets.items()
        if features.train is not None and features.train_table is not None
    }
    return moved, data["train_pid"]


def itself(features: FeatureSet) -> FeatureSet:
    """The gallery as one set, each image against all others."""
    return features if features.one_set else replace(features, one_set=True)


def held_out(features: FeatureSet, held: Ints, left: Ints) -> FeatureSet:
    """Some of the gallery as queries of the rest."""
    return itself(features).take(query=held, gallery=left)
