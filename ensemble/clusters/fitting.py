"""Thresholds: given, by the number of clusters, by a chance of one half, or fitted on labelled identities.

A threshold that is fitted on all labelled images has nobody left to be judged on. So the identities are dealt out
to folds, each fold is clustered at the threshold that is best on the others, and the mean of that is told beside
the threshold. Two folds are the usual number: a smaller set is easier to cluster, and with two the part that is
judged is as large as the part that was fitted on.

AMI is the usual measure: ARI counts pairs, of which a few large clusters have most, and is best at thresholds that
merge too much (AnimalCLEF 2026).
"""

from dataclasses import dataclass

import numpy as np

from ensemble.base.errors import InputError, near
from ensemble.clusters.finder import Finder, middle
from ensemble.clusters.how import How
from ensemble.clusters.one_set import OneSet
from ensemble.scores.clusters import value
from ensemble.scores.folds import FEWEST, split
from postproc.base.vocabulary import Floats
from postproc.clusters.components import among_nearest

MEASURES = {"ami": "ami", "ari": "ari", "pairs": "pair_f1", "bcubed": "bcubed_f1"}
FITS = (*MEASURES, "chance")
CANDIDATES = 200  # thresholds that are tried
CHANCE_OF = 10  # nearest images of each, whose pairs a chance is about


@dataclass(frozen=True)
class Rule:
    """How a threshold is found: ``kind`` given, number, or one of :data:`FITS`, and its number."""

    kind: str
    number: float = 0.0


@dataclass(frozen=True)
class Threshold:
    """A ``distance``, None for a step that has none, how it came about, and what the fit is worth.

    ``best`` is the measure where it was fitted, ``held_out`` and ``spread`` its mean and deviation over folds of
    identities that the fit had not seen; None where nothing was fitted. ``own``: it was fitted on the
    labels of the images that it is for.
    """

    distance: float | None
    about: str
    measure: str = ""
    best: float | None = None
    held_out: float | None = None
    spread: float | None = None
    own: bool = False


def fit_rule(name: str) -> Rule:
    """The rule of ``--fit``. Raises InputError for another name."""
    if name not in FITS:
        raise InputError([f"--fit: wanted one of {', '.join(FITS)}, found {name!r}{near(name, FITS)}"])
    return Rule(name)


def fitted(images: OneSet, how: How, measure: str, *, folds: int, seed: int, where: str) -> Threshold:
    """The threshold that is best by a measure on the labelled images of a set, judged on folds of identities.

    Raises InputError where there are too few identities.
    """
    labelled = images.labelled()
    people = len(np.unique(labelled.pid))
    if people < FEWEST * folds:
        raise InputError(
            [
                f"--fit: wanted {FEWEST * folds} identities or more in {where} for {folds} folds, found {people}; "
                "give a threshold, or ask for fewer folds"
            ]
        )
    if measure == "chance":
        distance = half(labelled)
        nearest = float(labelled.known.pairs().distances.min(initial=np.inf))
        about = f"half of the pairs so far from each other in {where} are of one identity"
        if distance < nearest:
            about = f"even of the nearest pairs in {where} fewer than half are of one identity, so all are alone"
        return Threshold(distance, about)
    distance, top = best(labelled, how, measure)
    found = []
    pid = labelled.pid.astype(np.int64)
    for part in split(pid, pid, folds=folds, seed=seed):
        inside = np.isin(labelled.pid, part.pids)
        chosen, _ = best(labelled.take(np.flatnonzero(~inside)), how, measure)
        judged = labelled.take(np.flatnonzero(inside))
        found.append(value(MEASURES[measure], judged.pid, Finder(judged, how).at(chosen)))
    about = f"best {MEASURES[measure]} on {labelled.images} images of {people} identities in {where}"
    return Threshold(distance, about, MEASURES[measure], top, float(np.mean(found)), float(np.std(found, ddof=1)))


def best(images: OneSet, how: How, measure: str) -> tuple[float, float]:
    """The threshold with the best score, the smallest of equals, and the score."""
    finder = Finder(images, how)
    highest, chosen = -np.inf, 0.0
    for threshold in candidates(finder.heights):
        found = value(MEASURES[measure], images.pid, finder.at(threshold))
        if found > highest + 1e-12:
            highest, chosen = found, threshold
    return chosen, float(highest)


def candidates(heights: Floats) -> list[float]:
    """Thresholds between the heights at which clusters change, evenly spaced over them; at least one."""
    different = np.unique(heights)
    count = np.unique(np.linspace(0, len(different), min(CANDIDATES, len(different) + 1)).astype(np.int64))
    return [middle(different, merges) for merges in count.tolist()]


def half(images: OneSet) -> float:
    """The distance at which a pair is of one identity as likely as not, by a logistic curve.

    Of the pairs that anybody asks about: each image with its :data:`CHANCE_OF` nearest.
    """
    from sklearn.linear_model import LogisticRegression

    pairs = among_nearest(Finder(images, How()).pairs, CHANCE_OF, False)
    same = images.pid[pairs.left] == images.pid[pairs.right]
    if same.all() or not same.any():
        raise InputError(
            ["--fit chance: wanted near pairs of one identity and of two, found only one kind; give a threshold"]
        )
    far = pairs.distances.astype(np.float64)
    scale = far.std() or 1.0
    curve = LogisticRegression(C=1e6).fit(((far - far.mean()) / scale)[:, None], same)
    slope, start = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    if slope >= 0:
        raise InputError(
            ["--fit chance: wanted nearer pairs to be of one identity more often, found the opposite"]
        )
    return float(far.mean() - start / slope * scale)
