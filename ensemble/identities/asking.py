"""The recipe asked: queries against the gallery; the gallery against itself; identities that it then lacks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Bools, Ints
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

Sets = Mapping[str, ModelSet]


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
    wanted = "all" if depth is None else depth
    short = [
        f"{use.where} ({use.name}), top_k: wanted {wanted} images of every query, found {top_k}; ask for fewer "
        "(--depth), or take another recipe"
        for use in checked.recipe.uses()
        if isinstance(top_k := use.settings.get("top_k"), int) and top_k < (WHOLE if depth is None else depth)
    ]
    refuse_if_any(short)
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


def against_itself(
    ask: Asker, sets: Sets, pid: Ints, how: How, *, folds: int, seed: int, apart: Ints | None = None
) -> tuple[Asked, Ints]:
    """Every labelled gallery image asked twice: as somebody whom the gallery knows, and as somebody new.

    Known: against all other images, its own image left out; only identities with two images or more. New: against
    a gallery in which its identity, and the others of its fold, are not there from the first step on.
    Returns the queries and the fold of each. ``seed`` deals the identities out to the folds. ``apart``: a label of
    each image, as its camera or encounter: images of the same one do not answer each other, unknown ones (-1) do.
    """
    parts = split(pid, pid, folds=folds, seed=seed)
    fold = np.full(len(pid), -1)
    for number, part in enumerate(parts):
        fold[np.isin(pid, part.pids)] = number
    everybody = {model: itself(features) for model, features in sets.items()}
    lists, _ = ask(everybody)
    own = np.arange(len(pid))
    twice = (fold >= 0) & _has_other(pid, apart)
    known = asked(how.of(_without(lists, apart, apart), pid, own), pid, False).take(twice)
    found, of = [known], [fold[twice]]
    for number in range(folds):
        held, left = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        lists, _ = ask({model: held_out(features, held, left) for model, features in sets.items()})
        if apart is not None:
            lists = _without(lists, apart[held], apart[left])
        found.append(asked(how.of(lists, pid[left]), pid[held], True))
        of.append(fold[held])
    return joined(*found), np.concatenate(of)


def _has_other(pid: Ints, apart: Ints | None) -> Bools:
    """(n,) which images have another one of their identity that may answer them."""

    def alike(*columns: Ints) -> Ints:
        _, number, count = np.unique(np.stack(columns), axis=1, return_inverse=True, return_counts=True)
        return count[number.reshape(-1)]

    mine = np.ones(len(pid), np.int64) if apart is None else np.where(apart >= 0, alike(pid, apart), 1)
    found: Bools = alike(pid) > mine
    return found


def _without(lists: Nearest, query: Ints | None, gallery: Ints | None) -> Nearest:
    """The lists without images that have the label of the one that asks; +inf and -1 in their place, behind."""
    if query is None or gallery is None:
        return lists
    there = np.maximum(lists.rows, 0)
    gone = (lists.rows < 0) | ((gallery[there] == query[:, None]) & (query[:, None] >= 0))
    order = np.argsort(gone, axis=1, kind="stable")
    gone = np.take_along_axis(gone, order, 1)
    rows, far = (np.take_along_axis(part, order, 1) for part in (lists.rows, lists.distances))
    return Nearest(np.where(gone, np.float32(np.inf), far), np.where(gone, np.int32(-1), rows))


def of_train(sets: Sets) -> tuple[dict[str, ModelSet], Ints]:
    """The training images in the place of the gallery, and their identities; InputError where there are none."""
    models = [features for features in sets.values() if not features.auxiliary]
    lacking = [features.model for features in models if features.train is None]
    data = models[0].data()
    if lacking or "train_pid" not in data:
        found = f"none in {examples(lacking)}" if lacking else "no pid"
        raise InputError(
            [f"--fit-on train: wanted training images with identities, found {found}; fit on the gallery"]
        )
    moved: dict[str, ModelSet] = {
        name: replace(features, gallery=features.train, gallery_table=features.train_table)
        for name, features in sets.items()
        if isinstance(features, FeatureSet) and features.train is not None and features.train_table is not None
    }
    return moved, data["train_pid"]


def itself(features: ModelSet) -> ModelSet:
    """The gallery as one set, each image against all others; InputError for a matrix of queries and gallery."""
    if features.one_set:
        return features
    if not isinstance(features, FeatureSet):
        raise InputError([not_itself(features.model)])
    return replace(features, one_set=True)


def not_itself(what: str) -> str:
    """What is said where the gallery cannot be asked about itself."""
    return (
        f"{what}: wanted features, or distances of one set, to ask the gallery about itself, found distances of "
        "queries; give --unknown distance= or share="
    )


def held_out(features: ModelSet, held: Ints, left: Ints) -> ModelSet:
    """Some of the gallery as queries of the rest."""
    return itself(features).take(query=held, gallery=left)
