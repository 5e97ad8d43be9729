"""How good answers to "who is it?" are: the right identity first, among the first, and the unknown called so.

Sources: WildlifeDatasets/wildlife-datasets, ``metrics`` (BAKS, BAUS, balanced accuracy); Happywhale 2022 (MAP@5
with ``new_individual`` as the truth of whoever the training set lacks); AnimalCLEF 2025 (mean over sets of
sqrt(BAKS BAUS)).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.scores import statistics
from ensemble.scores.statistics import LEVEL, RESAMPLES, finite, weights
from postproc.base import checks
from postproc.identities.with_unknown import UNKNOWN

Interval = tuple[float, float]
NAMES = ("top1", "top5", "map5", "baks", "baus", "geometric", "balanced", "per_identity")
NOTHING: Interval = (float("nan"), float("nan"))


@dataclass(frozen=True, eq=False)
class IdentityScores:
    """Shares of 0 to 1 by :data:`NAMES`; NaN where there is nothing to take a share of.

    top1, topK    queries with the truth first, among the first K. The truth of a query whose identity the gallery
                  lacks is the unknown
    mapK          mean over queries of 1 / the place of the truth, 0 behind K. K is 5, or the places that there are
    baks          mean over known identities of the share of their images told rightly
    baus          mean over unknown identities of the share of their images told unknown
    geometric     sqrt(baks baus)
    balanced      (baks + baus) / 2
    per_identity  mean over all identities of the share of their images told rightly (balanced accuracy, in which
                  each unknown identity is one of its own)

    ``intervals``: of each by bootstrap over identities. ``known``, ``unknown``, ``unlabelled``: queries of each
    kind; ``identities``: known and unknown ones. ``sets``: the scores of every data set, where there are several;
    the numbers are then means over the sets that have them.
    """

    values: Mapping[str, float]
    intervals: Mapping[str, Interval]
    places: int
    known: int
    unknown: int
    unlabelled: int
    identities: tuple[int, int]
    level: float
    sets: Mapping[str, "IdentityScores"]

    def called(self, name: str) -> str:
        """What a score is called, with the number of places that counted."""
        names = {"top5": f"top-{self.places}", "map5": f"MAP@{self.places}", "top1": "top-1"}
        return names.get(name, name.upper() if name in ("baks", "baus") else name.replace("_", " "))

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, None for NaN."""
        keys = {"top5": f"top{self.places}", "map5": f"map{self.places}"}
        numbers = {keys.get(name, name): finite(value) for name, value in self.values.items()}
        ends = {keys.get(name, name): [finite(low), finite(high)] for name, (low, high) in self.intervals.items()}
        counts = {name: getattr(self, name) for name in ("known", "unknown", "unlabelled")}
        found: dict[str, Any] = {**numbers, "intervals": ends, "level": self.level, **counts}
        found |= {"known_identities": self.identities[0], "unknown_identities": self.identities[1]}
        return found | ({"sets": {name: each.as_json() for name, each in self.sets.items()}} if self.sets else {})


@dataclass(frozen=True, eq=False)
class _Draws:
    """A score and (resamples,) of it from what was drawn; both NaN without anything."""

    value: float
    drawn: Floats


def score_identities(
    told: ArrayLike,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    sets: Sequence[str] | None = None,
    *,
    places: int = 5,
    independent: bool = False,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> IdentityScores:
    """Judge answers of :func:`postproc.identities.with_unknown`.

    Takes:     told (nq, k) identities, best first, -1 the unknown, -2 none; query_pid (nq,), -1: nobody knows it,
               it is not scored; gallery_pid (ng,), those who can be told. sets (nq,) names of data sets: each is
               judged by itself, and the numbers are means over them.
    places:    K, cut to those that there are.
    Intervals: identities are drawn, known and unknown ones apart for scores that keep them apart; percentiles of
               ``resamples`` draws. ``independent`` draws images. NaN where fewer than two can be drawn.
    Raises:    ValueError for wrong lengths and settings, and where no query is labelled.
    Cost:      ``resamples`` times the identities, a few times.

    >>> score_identities([[7, -1], [-1, 7], [-1, 7]], [7, 8, 7], [7, 7]).values["geometric"]     # sqrt(1/2 · 1)
    0.7071067811865476
    """
    answers = np.asarray(told)
    if answers.ndim != 2 or answers.dtype.kind != "i" or not answers.shape[1]:
        raise ValueError(f"told: wanted (queries, places) whole numbers, got {answers.shape} {answers.dtype}")
    pid = checks.labels("query_pid", query_pid, len(answers))
    gallery = checks.labels("gallery_pid", gallery_pid, np.size(gallery_pid))
    checks.whole("places", places, 1)
    checks.between("level", level, 0.5, 0.999)
    checks.whole("resamples", resamples, 100)
    checks.whole("seed", seed, 0)
    if not (pid >= 0).any():
        raise ValueError("query_pid: wanted labelled queries, found none")
    k = min(places, answers.shape[1])
    known = np.isin(pid, gallery[gallery >= 0])
    truth = np.where(known, pid, UNKNOWN)
    names = [""] * len(pid) if sets is None else list(sets)
    if len(names) != len(pid):
        raise ValueError(f"sets: wanted {len(pid)} names, one a query, got {len(names)}")
    hit = answers[:, :k] == truth[:, None]
    worth = np.where(hit.any(axis=1), 1 / (1 + hit.argmax(axis=1)), 0.0)
    found: dict[str, IdentityScores] = {}
    draws: list[dict[str, _Draws]] = []
    for number, name in enumerate(sorted(set(names))):
        mine = np.array([each == name for each in names])
        rows = np.flatnonzero(mine & (pid >= 0))
        if not len(rows):
            continue
        drawn = _draws(hit[rows], worth[rows], pid[rows], known[rows], independent, resamples, seed + 3 * number)
        draws.append(drawn)
        found[name] = _of([drawn], k, level, pid[mine], known[mine], {})
    if len(found) == 1 and sets is None:
        return next(iter(found.values()))
    return _of(draws, k, level, pid, known, found)


def _draws(
    hit: Bools, worth: Floats, pid: Ints, known: Bools, independent: bool, resamples: int, seed: int
) -> dict[str, _Draws]:
    """Every score of one set of labelled queries."""

    def mean(values: Any, rows: Any = slice(None), *, each: bool = False, at: int = 0) -> _Draws:
        chosen, who = np.asarray(values, np.float64)[rows], pid[rows]
        if not len(chosen):
            return _Draws(float("nan"), np.full(resamples, np.nan))
        weight = weights("identities", who) if each else np.ones(len(who))
        group = np.arange(len(who)) if independent else who
        few = len(np.unique(group)) < 2
        drawn = (
            np.full(resamples, np.nan)
            if few
            else statistics.drawn_means(chosen, group, weight, resamples=resamples, seed=seed + at)
        )
        return _Draws(float((chosen * weight).sum() / weight.sum()), drawn)

    first = hit[:, 0]
    baks, baus = mean(first, known, each=True, at=1), mean(first, ~known, each=True, at=2)
    return {
        "top1": mean(first),
        "top5": mean(hit.any(axis=1)),
        "map5": mean(worth),
        "baks": baks,
        "baus": baus,
        "geometric": _Draws(float(np.sqrt(baks.value * baus.value)), np.sqrt(baks.drawn * baus.drawn)),
        "balanced": _Draws((baks.value + baus.value) / 2, (baks.drawn + baus.drawn) / 2),
        "per_identity": mean(first, each=True),
    }


def _of(
    draws: Sequence[Mapping[str, _Draws]],
    places: int,
    level: float,
    pid: Ints,
    known: Bools,
    sets: Mapping[str, IdentityScores],
) -> IdentityScores:
    """Means over sets, of those that have a number."""
    values, intervals = {}, {}
    for name in NAMES:
        there = [each[name] for each in draws if not np.isnan(each[name].value)]
        values[name] = float(np.mean([each.value for each in there])) if there else float("nan")
        drawn = np.mean([each.drawn for each in there], axis=0) if there else np.full(1, np.nan)
        ends = NOTHING
        if not np.isnan(drawn).any():
            low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
            ends = float(low), float(high)
        intervals[name] = ends
    labelled = pid >= 0
    counts = int((labelled & known).sum()), int((labelled & ~known).sum()), int((~labelled).sum())
    people = len(np.unique(pid[labelled & known])), len(np.unique(pid[labelled & ~known]))
    return IdentityScores(values, intervals, places, *counts, people, level, sets)
