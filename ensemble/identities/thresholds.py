"""From which distance on is it somebody new?"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, near
from ensemble.base.kinds import Ints
from ensemble.fusion.probabilities import calibration
from ensemble.scores import unknown_thresholds as unknown
from ensemble.scores.unknown_thresholds import Asked

FITTED = ("chance", "balanced", "geometric", "map")  # by labelled images of the database
NEEDS = {"distance": "a finite number", "share": "0 to 1", "chance": "0 to 1"}
NAMES = ("none", *NEEDS, "balanced", "geometric", "map")


@dataclass(frozen=True)
class Wanted:
    """How the threshold comes about: a name of :data:`NAMES`, with its number where it has one.

    none       nobody is unknown
    distance   this distance
    share      so that this share of the queries has the unknown first
    chance     where the best identity is right with this probability, by isotonic regression on the database
    balanced, geometric, map   the best score on the database: (BAKS + BAUS) / 2, sqrt(BAKS BAUS), MAP@k
    """

    name: str
    number: float | None = None

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name}={self.number:g}"

    @property
    def fitted(self) -> bool:
        """Whether it needs the database asked about itself."""
        return self.name in FITTED


def wanted(text: str, option: str = "--unknown") -> Wanted:
    """``share=0.165`` and the like. Raises InputError for everything else.

    >>> wanted("share=0.165"), wanted("chance")
    (Wanted(name='share', number=0.165), Wanted(name='chance', number=0.5))
    """
    name, equals, number = text.partition("=")
    if name not in NAMES:
        raise InputError([f"{option}: wanted one of {', '.join(NAMES)}, found {name!r}{near(name, NAMES)}"])
    if name == "chance" and not equals:
        return Wanted(name, 0.5)
    if name not in NEEDS:
        if equals:
            raise InputError([f"{option}: wanted {name} without a number, found {text!r}"])
        return Wanted(name)
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (NEEDS[name] == "0 to 1" and not 0 <= value <= 1):
        raise InputError([f"{option}: wanted {name}=NUMBER, {NEEDS[name]}, found {text!r}"])
    return Wanted(name, value)


@dataclass(frozen=True)
class Threshold:
    """A distance up to which an identity is believed, and what is known of it.

    ``about``: how it came about, in words. ``found``: numbers by name, as the share that is met or a score and,
    where folds have judged it, ``held_out`` and ``sd``.
    """

    distance: float
    about: str
    found: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain values, None for what is no number."""
        numbers = {name: value if math.isfinite(value) else None for name, value in self.found.items()}
        return {
            "distance": self.distance if math.isfinite(self.distance) else None,
            "about": self.about,
            **numbers,
        }


def new_ones(pid: Ints) -> float:
    """How likely the next image is of somebody new, as Good and Turing estimate it: images of identities that were
    seen once, of all.

    >>> new_ones(np.array([7, 7, 8, -1]))
    0.3333333333333333
    """
    count = np.unique(pid[pid >= 0], return_counts=True)[1]
    return float((count == 1).sum() / count.sum()) if len(count) else 0.0


def of_queries(how: Wanted, first: np.ndarray) -> Threshold:
    """Without the database: a distance that is given, or one by a share of the queries."""
    if how.name == "none":
        return Threshold(math.inf, "nobody is unknown")
    assert how.number is not None
    if how.name == "distance":
        return Threshold(how.number, "as given", {"share": float((first > how.number).mean())})
    distance, met = unknown.by_share(first, how.number)
    about = f"{met:.2%} of the queries have the unknown first"
    if abs(met - how.number) > 0.5 / len(first) + 1e-9:
        about += f", and not {how.number:.2%}, since many best identities are equally far"
    return Threshold(distance, about, {"share": met})


def of_database(how: Wanted, given: Asked, fold: Ints, share: float, *, of: str = "gallery") -> Threshold:
    """Fitted on the database asked about itself, and judged fold by fold by the threshold of the other folds.

    share: of unknown queries that is expected, for ``map`` and ``chance``; the others do not look at it. of: whose
    images have asked, for words.
    """
    fits: Callable[[Asked], float]
    if how.name == "chance":
        level = how.number if how.number is not None else 0.5
        fits, judged = lambda part: _by_chance(part, level, share), "balanced"
        about = f"the best identity is right with a chance of {level:g}"
    else:
        fits, judged = lambda part: unknown.fit(part, how.name, share=share).threshold, how.name
        about = f"best {_called(judged)}"
    mixture = f", {share:.2%} of the queries expected to be unknown" if how.name in ("chance", "map") else ""
    try:
        distance = fits(given)
        found = {judged: unknown.value(given, judged, distance, share=share)}
    except ValueError as error:
        raise InputError(
            [
                f"--unknown {how}: wanted identities of the {of} with several images each, found too few "
                f"({error}); label more, or give distance= or share="
            ]
        ) from error
    held = _held_out(given, fold, fits, lambda part, t: unknown.value(part, judged, t, share=share))
    if len(held):
        found |= {
            "held_out": float(np.mean(held)),
            "sd": float(np.std(held, ddof=1)) if len(held) > 1 else math.nan,
        }
    images = len(np.unique(given.pid)), int((~given.unknown).sum()), int(given.unknown.sum())
    on = f"{images[0]} identities of the {of} ({images[1]} images asked as known, {images[2]} held out as unknown)"
    return Threshold(distance, f"{about}, fitted on {on}{mixture}", {**found, "expected": share})


def _called(objective: str) -> str:
    return {"balanced": "(BAKS + BAUS) / 2", "geometric": "sqrt(BAKS BAUS)", "map": "MAP@k"}[objective]


def _held_out(
    given: Asked, fold: Ints, fits: Callable[[Asked], float], judge: Callable[[Asked, float], float]
) -> list[float]:
    """What the threshold of the others is worth on each fold of identities that has known and unknown ones."""
    found = []
    for number in np.unique(fold):
        inside, others = given.take(fold == number), given.take(fold != number)
        try:
            found.append(judge(inside, fits(others)))
        except ValueError:  # a fold of singletons has nobody who is known
            continue
    return found


def _by_chance(given: Asked, level: float, share: float) -> float:
    """The largest distance at which the best identity is right with this chance; below all where there is none."""
    first = given.limits[:, 0]
    counts = np.array([(~given.unknown).sum(), given.unknown.sum()])
    if not counts.all():
        raise ValueError("asked: wanted known and unknown queries, got only one kind")
    weight = np.where(given.unknown, share / counts[1], (1 - share) / counts[0])
    kept = np.isfinite(first) & (weight > 0)
    right = (given.right == 0) & ~given.unknown
    chance = calibration(
        -first[kept], right[kept].astype(int), method="isotonic-steps", weights=weight[kept] / weight[kept].mean()
    )
    at = np.unique(first[kept])
    likely = int((chance(-at) >= level - 1e-12).sum())
    if likely == 0:
        return float(np.nextafter(at[0], -np.inf))
    return float(at[-1] if likely == len(at) else (at[likely - 1] + at[likely]) / 2)
