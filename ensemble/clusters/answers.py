"""The clusters of every data set of a folder: thresholds found, images clustered, scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, near, refuse_if_any
from ensemble.clusters.finder import Finder, count
from ensemble.clusters.fitting import Rule, Threshold, fitted
from ensemble.clusters.how import How
from ensemble.clusters.one_set import OneSet
from ensemble.scores import clusters as scores
from ensemble.scores.clusters import ClusterScores
from postproc.base.vocabulary import Ints


@dataclass(frozen=True, eq=False)
class Part:
    """One data set: its images, by their rows in the whole, its clusters, and how they came about."""

    name: str
    rows: Ints
    images: OneSet
    clusters: Ints
    threshold: Threshold
    scores: ClusterScores | None = None

    @property
    def count(self) -> int:
        """Clusters, those of one image counted."""
        return count(self.clusters)


@dataclass(frozen=True)
class Fit:
    """How thresholds are fitted: parts of the identities, who is in which, and on whose labels."""

    folds: int = 2
    seed: int = 0
    on: str = "set"


@dataclass(frozen=True, eq=False)
class Answers:
    """All data sets, and the mean of their scores where there are several."""

    names: Sequence[str]
    parts: Sequence[Part]
    how: How
    mean: ClusterScores | None = None


def answers(
    images: OneSet,
    how: How,
    rules: Mapping[str, Rule],
    *,
    parts: Mapping[str, Ints],
    fit: Fit,
    train: Mapping[str, OneSet] | None = None,
    drawn: Mapping[str, Any] | None = None,
) -> Answers:
    """Cluster every part.

    rules: how the threshold of a part is found, by its name; "" for those that are not named.
    train: labelled images to fit on, by the name of the part, "" for all others.
    drawn: ``resamples``, ``level`` and ``seed`` of the intervals.
    Raises InputError with what is wrong with every part.
    """
    problems = [
        f"threshold of {name}: wanted one of {examples(list(parts), 20)}, found {name!r}{near(name, list(parts))}"
        for name in rules
        if name and name not in parts
    ]
    if "" not in rules and (without := [name for name in parts if name not in rules]):
        problems.append(
            f"--threshold: wanted one for every data set, found none for {examples(without)}; see --help"
        )
    refuse_if_any(problems)
    found = []
    for name, rows in parts.items():
        with collecting(problems):
            inside = images.take(rows)
            rule = rules[name] if name in rules else rules[""]
            part = _part(name, rows, inside, how, rule, train, fit)
            if (inside.pid >= 0).any():
                part = replace(part, scores=scores.score(inside.pid, part.clusters, **(drawn or {})))
            found.append(part)
    refuse_if_any(problems)
    judged = [part.scores for part in found if part.scores is not None]
    level = {"level": drawn["level"]} if drawn else {}
    mean = scores.mean(judged, **level) if len(judged) > 1 else None
    return Answers(images.names, found, how, mean)


def _source(inside: OneSet, name: str, train: Mapping[str, OneSet] | None, fit: Fit) -> tuple[OneSet, str]:
    """The images that a threshold is fitted on, and what they are called."""
    if fit.on == "set":
        return inside, name or "the set"
    if not train:
        raise InputError(
            ["--fit-on train: wanted training images with identities of every model, found none; fit on the set"]
        )
    return train.get(name, train[""]), "train"


def _part(
    name: str,
    rows: Ints,
    images: OneSet,
    how: How,
    rule: Rule,
    train: Mapping[str, OneSet] | None,
    fit: Fit,
) -> Part:
    if how.threshold is None:
        return Part(name, rows, images, Finder(images, how).at(0.0), Threshold(None, f"{how.step} has none"))
    if rule.kind == "number":
        clusters, distance = Finder(images, how).number(int(rule.number))
        about = f"{int(rule.number)} clusters were asked for"
        if count(clusters) != int(rule.number):
            about += f", and this gives {count(clusters)}"
        return Part(name, rows, images, clusters, Threshold(distance, about))
    if rule.kind == "given":
        threshold = Threshold(rule.number, "as given")
    else:
        labelled, where = _source(images, name, train, fit)
        threshold = fitted(labelled, how, rule.kind, folds=fit.folds, seed=fit.seed, where=where)
        threshold = replace(threshold, own=fit.on == "set")
    assert threshold.distance is not None
    clusters = Finder(images, how, threshold.distance).at(threshold.distance)
    return Part(name, rows, images, clusters, threshold)
