"""The order in which pipelines are tried: one place after the other, all rows of it against the best so far.

1. The plain distance, and known recipes that are made of rows of the table. Then, in turns, until nothing gains:
   rankers, maps of features (of each model or of all side by side), the better of both with each other and with
   what cameras do, the other places, the numbers of what is in, models and their weights, where models meet.
2. What was good and different as a second and third view, whose distances are added.
3. Whatever can be left out again without a loss that anybody could tell.

A place is a race: all its candidates ask in the first worlds, and the better quarter in all of them. Who takes
the place of the best has to gain more than half a standard error of the difference, and a tenth of a point where
it has more to it; one with less must not lose. Only the end depends on time.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.kinds import Floats, Ints
from ensemble.scores import statistics
from ensemble.tune.pipelines import candidate as value
from ensemble.tune.pipelines import families
from ensemble.tune.pipelines.bench import Measured
from ensemble.tune.pipelines.budget import TOO_LONG
from ensemble.tune.pipelines.candidate import Candidate, key
from ensemble.tune.pipelines.families import PLACES, Family
from ensemble.tune.pipelines.study import Study, Tried
from ensemble.tune.pipelines.worlds import SAMPLE, SEARCH

GAIN = 0.001  # of the objective, that something more has to bring
LOSS = 0.001  # that something less may cost
SURE = 0.5  # standard errors of a difference, that what replaces the best has to gain
ALPHA = 0.05  # of the test between the best and what is simpler
TOGETHER = 3  # maps and rankers, the better ones, that are tried with each other
FINALISTS = 4  # one candidate in so many goes to the end of a race
TIMES = (0.5, 2.0)  # a model's weight
SHARES = (1.0, 0.5)  # of a further view
OTHERS, VIEWS = 6, 2  # further views that are looked at, and that come in
RESAMPLES = 2000
UNTIL = {"turns": 0.8, "views": 0.93, "simpler": 1.0}  # which share of the budget is spent when each must end


class Enough(Exception):
    """The budget of a part is spent."""


@dataclass(eq=False)
class Search:
    """Candidates in order.

    measure: scores a candidate on queries of a kind. pid: the identities of the queries of the search.
    spent:   the share of the budget that is gone, from how many were tried. tell: hears of everything tried.
    starts:  what is tried first, beside the plain distance.
    """

    rows: Sequence[Family]
    models: tuple[str, ...]
    measure: Callable[[Candidate, str], Measured]
    study: Study
    pid: Ints
    spent: Callable[[int], float]
    tell: Callable[[Tried], None] = lambda tried: None
    starts: Sequence[Candidate] = ()
    used: set[tuple[str, str]] = field(default_factory=set)
    full: dict[str, tuple[Candidate, Tried]] = field(default_factory=dict)
    part: str = "turns"

    def __call__(self) -> Candidate:
        """The best candidate; the plain distance is tried whatever the budget says."""
        self.best = value.plain(self.models)
        found = self._try(self.best, SEARCH, "the plain distance", whatever=True)
        if found.scores is None:
            raise InputError([found.refused])
        for name, part in (("turns", self._turns), ("views", self._views), ("simpler", self._simplify)):
            self.part = name
            with suppress(Enough):
                part()
        return self.best

    def _turns(self) -> None:
        self._race("start", self.starts)
        again = ""
        while again != key(self.best):
            again = key(self.best)
            for what, candidates in self._rounds():
                self._race(what, candidates(self.best))

    def _rounds(self) -> Iterator[tuple[str, Callable[[Candidate], Iterable[Candidate]]]]:
        """What a turn tries of a place, as functions of the best so far."""
        yield "ranker", lambda best: self._of("ranker", best)
        yield "maps", self._maps
        yield "together", self._together
        for place in PLACES:
            if place not in ("ranker", "model", "joined"):
                yield place, lambda best, place=place: self._of(place, best)  # type: ignore[misc]
        for place in PLACES:
            yield f"numbers of {place}", lambda best, place=place: self._numbers(place, best)  # type: ignore[misc]
        yield "models", self._weights
        yield "fusion", self._fusion

    def _of(self, place: str, best: Candidate) -> Iterator[Candidate]:
        """Every row of a place, and nothing there."""
        yield value.placed(best, place, ())
        now = value.at(best, place)
        for row in families.of(place, self.rows):
            if place != "constraints":
                if families.like(now, place, self.rows) is not row:
                    yield value.placed(best, place, row.uses)
            elif row.uses[0] not in now:
                yield value.placed(best, place, (*now, *row.uses))

    def _maps(self, best: Candidate) -> Iterator[Candidate]:
        """Every map of each model alone, of all side by side alone, and beside what the other place has."""
        for place, other in (("model", "joined"), ("joined", "model")):
            for candidate in self._of(place, best):
                yield value.placed(candidate, other, ())
                if value.at(best, other):
                    yield candidate

    def _together(self, best: Candidate) -> Iterator[Candidate]:
        """The better maps by the better rankers by what there is for cameras: each changes what else is best."""
        known = sorted(self.full.values(), key=lambda one: (-one[1].mean, key(one[0])))
        views = [candidate["views"][0]["steps"] for candidate, _ in known if len(candidate["views"]) == 1]
        maps = _distinct((view.get("model", []), view.get("joined", [])) for view in views)
        rankers = _distinct(view.get("ranker", []) for view in views)
        cameras = [row.uses for row in families.of("cameras", self.rows)]
        for (model, joined), ranker, camera in product(maps, rankers, [value.at(best, "cameras"), *cameras]):
            candidate = value.placed(value.placed(best, "model", model), "joined", joined)
            yield value.placed(value.placed(candidate, "ranker", ranker), "cameras", camera)

    def _numbers(self, place: str, best: Candidate) -> Iterator[Candidate]:
        now = value.at(best, place)
        row = families.like(now, place, self.rows)
        if row is not None:
            yield from (value.placed(best, place, uses) for uses in row.neighbours(now))

    def _weights(self, best: Candidate) -> Iterator[Candidate]:
        """A model less, and every weight halved and doubled; the models that are out, again."""
        view = best["views"][0]
        models, weights = view["models"], view["weights"]
        for i, (model, weight) in enumerate(zip(models, weights, strict=True)):
            if len(models) > 1:
                rest = [other for other in models if other != model]
                yield value.changed(best, models=rest, weights=[*weights[:i], *weights[i + 1 :]])
                for times in TIMES:
                    yield value.changed(best, weights=[*weights[:i], weight * times, *weights[i + 1 :]])
        for model in self.models:
            if model not in models:
                yield value.changed(best, models=[*models, model], weights=[*weights, 1.0])

    def _fusion(self, best: Candidate) -> Iterator[Candidate]:
        view = best["views"][0]
        if len(view["models"]) > 1:
            yield from (value.changed(best, fusion=fusion) for fusion in value.FUSIONS if fusion != view["fusion"])

    def _views(self) -> None:
        for _ in range(VIEWS):
            before = key(self.best)
            others = self._different()
            self._race("view", [value.beside(self.best, other, share) for other in others for share in SHARES])
            if key(self.best) == before:
                return

    def _different(self) -> list[Candidate]:
        """The best of every kind that is not in the best yet: kinds differ in their maps, ranker or models."""
        there = {_kind(view) for view in self.best["views"]}
        found: list[Candidate] = []
        for candidate, _ in sorted(self.full.values(), key=lambda one: (-one[1].mean, key(one[0]))):
            if len(candidate["views"]) == 1 and (kind := _kind(candidate["views"][0])) not in there:
                there.add(kind)
                found.append(candidate)
        return found[:OTHERS]

    def _simplify(self) -> None:
        """Take away one thing after the other while nobody could tell the rest from the best."""
        top = self.full[key(self.best)][1]
        assert top.scores is not None
        while True:
            taken = []
            for candidate in _simpler(self.best):
                found = self._try(candidate, SEARCH, "simpler")
                if found.scores is None or top.mean - found.mean > LOSS:
                    continue
                test = statistics.difference(found.scores, top.scores, self.pid, resamples=RESAMPLES)
                if test.p >= ALPHA or test.difference <= 0:
                    taken.append((found.mean, candidate))
            if not taken:
                return
            self.best = max(taken, key=lambda one: one[0])[1]

    def _race(self, what: str, candidates: Iterable[Candidate]) -> None:
        """All ask in the first world, the better ones in all; who wins there is the best from now on."""
        entries = {key(one): one for one in candidates}
        entries.pop(key(self.best), None)
        runners = list(entries.values())
        if len(runners) >= FINALISTS:
            found = [(self._try(one, SAMPLE, what), one) for one in runners]
            found = [one for one in found if one[0].scores is not None]
            found.sort(key=lambda one: -one[0].mean)  # equal ones: in their order
            runners = [one for _, one in found[: max(2, -(-len(found) // FINALISTS))]]
        ended: list[tuple[Tried, Candidate]] = []
        try:
            for one in runners:
                ended.append((self._try(one, SEARCH, what), one))
        finally:  # what was found counts, though there was no time for the rest
            for tried, one in sorted(ended, key=lambda pair: -pair[0].mean):
                if tried.scores is not None and self._better(one, tried):
                    self.best = one

    def _better(self, one: Candidate, tried: Tried) -> bool:
        """Whether it takes the place of the best: simpler and no worse, or better by more than luck."""
        best = self.full[key(self.best)][1]
        assert tried.scores is not None
        assert best.scores is not None
        gain, size = tried.mean - best.mean, value.size(one) - value.size(self.best)
        if size < 0 and gain >= 0:
            return True
        return gain > max(GAIN if size > 0 else 0.0, SURE * deviation(tried.scores - best.scores, self.pid))

    def _try(self, candidate: Candidate, kind: str, what: str, *, whatever: bool = False) -> Tried:
        """What a candidate is worth, looked up or measured; raises Enough where there is no budget left for it."""
        name = key(candidate)
        found = self.study.get(kind, name)
        if (kind, name) not in self.used:
            if not whatever and self.spent(len(self.used)) >= UNTIL[self.part]:
                raise Enough
            if found is None:
                found = self._measured(candidate, kind, what)
                if not found.refused.startswith(TOO_LONG):  # in another budget it need not be
                    self.study.add(found)
            self.used.add((kind, name))
            self.tell(found)
        assert found is not None
        if kind == SEARCH:
            self.full[name] = candidate, found
        return found

    def _measured(self, candidate: Candidate, kind: str, what: str) -> Tried:
        try:
            values, seconds, _ = self.measure(candidate, kind)
        except InputError as error:
            return Tried(kind, key(candidate), what, 0.0, None, "; ".join(error.problems))
        if np.isnan(values).all():
            return Tried(kind, key(candidate), what, seconds, None, "no query has a match")
        return Tried(kind, key(candidate), what, seconds, values)


def deviation(change: Floats, pid: Ints) -> float:
    """The standard error of a mean change, of queries that are won or lost by identity; NaN counts not."""
    known = ~np.isnan(change)
    _, group = np.unique(pid[known], return_inverse=True)
    count = np.bincount(group)
    if len(count) < 2:
        return 0.0
    sums = np.bincount(group, change[known] - change[known].mean())
    return float(np.sqrt(len(count) / (len(count) - 1) * (sums**2).sum()) / known.sum())


def _kind(view: value.View) -> tuple[str, ...]:
    """What makes a view another one: steps by name and method, models; not its numbers."""
    steps = [
        " ".join([use["use"], str(use.get("method", ""))])
        for place, uses in view["steps"].items()
        if place in ("model", "joined", "ranker")
        for use in uses
    ]
    return (
        *steps,
        str(sorted(view["models"])),
        str([place for place in ("model", "joined") if place in view["steps"]]),
    )


def _distinct(found: Iterable[Any]) -> list[Any]:
    """The first few that differ."""
    seen: dict[str, Any] = {}
    for one in found:
        seen.setdefault(json.dumps(one, sort_keys=True), one)
    return list(seen.values())[:TOGETHER]


def _simpler(best: Candidate) -> Iterator[Candidate]:
    """The candidate with one thing less: a view, a place's steps, a weight."""
    for number in range(1, len(best["views"])):
        yield {
            "views": [*best["views"][:number], *best["views"][number + 1 :]],
            "shares": [*best["shares"][:number], *best["shares"][number + 1 :]],
        }
    for place in best["views"][0]["steps"]:
        yield value.placed(best, place, ())
    weights = best["views"][0]["weights"]
    if any(weight != 1 for weight in weights):
        yield value.changed(best, weights=[1.0] * len(weights))
