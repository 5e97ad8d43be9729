"""When is it somebody new? Thresholds on how far the best identity is, by a share or fitted on labelled images.

Fitting counts: every score of a set of answers changes only where a distance in them is passed, so that its value
at all thresholds is one sum over these distances in order, and the best is exact.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.scores.statistics import weights
from postproc.base import checks
from postproc.identities.by_identity import Identities
from postproc.identities.with_unknown import running

ROUNDING = 12  # digits to which two values of a score are the same


class Asked(NamedTuple):
    """Queries whose answer is known, before anybody has said what is too far.

    ``limits`` (n, k): the threshold from which on the unknown stands behind each place, +inf: no identity there.
    ``right`` (n,): the place of the right identity, from 0, -1 none. ``pid`` (n,) whose image it is.
    ``unknown`` (n,): the gallery that was asked lacks this identity.
    """

    limits: Floats
    right: Ints
    pid: Ints
    unknown: Bools

    def take(self, rows: np.ndarray) -> "Asked":
        """Some of the queries."""
        return Asked(*(part[rows] for part in self))


class Fitted(NamedTuple):
    """A threshold and the score that it has on the queries on which it was fitted."""

    threshold: float
    score: float


Events = tuple[np.ndarray, np.ndarray]  # thresholds at which a score changes, and by how much
Score = Callable[[Asked, float], tuple[Floats, Floats]]


def asked(identities: Identities, pid: ArrayLike, unknown: ArrayLike | bool) -> Asked:
    """What :func:`postproc.identities.by_identity` has answered to queries of these identities."""
    who = checks.labels("pid", pid, len(identities.pids))
    hit = identities.pids == who[:, None]
    right = np.where(hit.any(axis=1), hit.argmax(axis=1), -1)
    return Asked(running(identities), right, who, np.broadcast_to(np.asarray(unknown, bool), len(who)).copy())


def joined(*parts: Asked) -> Asked:
    """Several sets of queries as one."""
    return Asked(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _first(given: Asked) -> Iterator[tuple[float, Events]]:
    """BAKS and BAUS: what they are where everybody is unknown, and where they change."""
    known, near = ~given.unknown, given.limits[:, 0]
    for chosen, base, sign in ((known, 0.0, 1.0), (given.unknown, 1.0, -1.0)):
        weight = weights("identities", given.pid[chosen])
        change = sign * weight / weight.sum() if len(weight) else weight
        there = (given.right[chosen] == 0) if sign > 0 else np.ones(int(chosen.sum()), bool)
        yield base, (near[chosen][there], change[there])


def _places(given: Asked) -> Iterator[tuple[float, Events]]:
    """MAP@k of known and of unknown queries."""
    k = given.limits.shape[1]
    worth = np.append(1 / np.arange(1, k + 1), 0.0)  # of a hit at each place; behind the last nothing
    known = np.flatnonzero(~given.unknown & (given.right >= 0))
    place, count = given.right[known], max(int((~given.unknown).sum()), 1)
    gain = (worth[place] - worth[place + 1]) / count  # the unknown goes from before it to behind it
    yield float(worth[place + 1].sum()) / count, (given.limits[known, place], gain)
    strange = given.limits[given.unknown]
    loss = np.broadcast_to((worth[1:] - worth[:-1]) / max(len(strange), 1), strange.shape)
    yield 1.0, (strange.ravel(), loss.ravel())


def _mean(known: Floats, new: Floats, share: float) -> Floats:
    return (known + new) / 2


def _geometric(known: Floats, new: Floats, share: float) -> Floats:
    out: Floats = np.sqrt(np.maximum(known, 0) * np.maximum(new, 0))  # sums may end a rounding below 0
    return out


def _shared(known: Floats, new: Floats, share: float) -> Floats:
    return (1 - share) * known + share * new


OBJECTIVES: dict[str, tuple[Callable[[Asked], Iterator[tuple[float, Events]]], Callable[..., Floats]]] = {
    "balanced": (_first, _mean),
    "geometric": (_first, _geometric),
    "map": (_places, _shared),
}


def curve(given: Asked, objective: str, *, share: float = 0.5) -> tuple[Floats, Floats]:
    """A score at every threshold at which it changes, ascending; the first is -inf: everybody is unknown.

    balanced   (BAKS + BAUS) / 2. BAKS: mean over known identities of the share of their images that are told
               rightly; BAUS: mean over unknown identities of the share of their images that are told unknown
    geometric  sqrt(BAKS BAUS)
    map        MAP@k, k = the places of the lists, of known queries and of unknown ones, in a mixture that has
               ``share`` unknown

    Raises:  ValueError without known or without unknown queries, for another objective, a share outside 0 to 1.
    Cost:    O(n k log(n k)).

    >>> four = Asked(np.array([[0.1], [0.4], [0.3], [0.6]]), np.array([0, 0, -1, -1]), np.arange(4),
    ...              np.array([False, False, True, True]))
    >>> curve(four, "balanced")
    (array([-inf,  0.1,  0.3,  0.4,  0.6]), array([0.5 , 0.75, 0.5 , 0.75, 0.5 ]))
    """
    checks.one_of("objective", objective, tuple(OBJECTIVES))
    checks.between("share", share, 0, 1)
    if given.unknown.all() or not given.unknown.any():
        kind = "unknown" if given.unknown.all() else "known"
        raise ValueError(f"asked: wanted known and unknown queries, got only {kind} ones")
    parts, together = OBJECTIVES[objective]
    bases, events = zip(*parts(given), strict=True)
    at = np.concatenate([where for where, _ in events])
    thresholds = np.append(-np.inf, np.unique(at[np.isfinite(at)]))
    values = []
    for base, (where, change) in zip(bases, events, strict=True):
        kept = np.isfinite(where)
        place = np.searchsorted(thresholds, where[kept])
        values.append(base + np.cumsum(np.bincount(place, change[kept], minlength=len(thresholds))))
    return thresholds, together(*values, share)


def fit(given: Asked, objective: str, *, share: float = 0.5) -> Fitted:
    """The threshold with the best score: the middle of the gap in which it is reached, of several the first.

    Takes and raises as :func:`curve`. Where nobody, or everybody, should be accepted it lies just below the least
    distance, or at the largest.

    >>> four = Asked(np.array([[0.1], [0.4], [0.3], [0.6]]), np.array([0, 0, -1, -1]), np.arange(4),
    ...              np.array([False, False, True, True]))
    >>> fit(four, "balanced")
    Fitted(threshold=0.2, score=0.75)
    """
    thresholds, values = curve(given, objective, share=share)
    best = int(np.argmax(np.round(values, ROUNDING)))
    return Fitted(_between(thresholds, best), float(values[best]))


def value(given: Asked, objective: str, threshold: float, *, share: float = 0.5) -> float:
    """The score at one threshold."""
    thresholds, values = curve(given, objective, share=share)
    return float(values[np.searchsorted(thresholds, threshold, side="right") - 1])


def by_share(first: ArrayLike, share: float) -> tuple[float, float]:
    """The threshold at which a share of the queries has the unknown first, and the share that is met.

    Takes:   first (n,) how far the best identity of each query is, +inf: there is none.
    share:   0 to 1. The nearest number of queries; where several are equally far all of them are on one side, and
             the share that is met is then as near as it can be.
    Raises:  ValueError for an empty list, NaN and another share.

    >>> by_share([0.1, 0.2, 0.3, 0.4], 0.25), by_share([0.1, 0.2, 0.2, 0.2], 0.5)
    ((0.35, 0.25), (0.15..., 0.75))
    """
    checks.between("share", share, 0, 1)
    far = np.asarray(first, np.float64)
    if far.ndim != 1 or not far.size or np.isnan(far).any():
        raise ValueError(f"first: wanted a row of numbers, got shape {far.shape} or NaN")
    thresholds, counts = np.unique(far, return_counts=True)
    thresholds = np.append(-np.inf, thresholds)
    beyond = 1 - np.append(0, np.cumsum(counts)) / len(far)  # the share that is farther than each
    if np.isinf(thresholds[-1]) and len(thresholds) > 1:  # who has no identity is unknown at any threshold
        thresholds, beyond = thresholds[:-1], beyond[:-1]
    away = np.abs(beyond - share)
    best = len(away) - 1 - int(np.argmin(np.round(away[::-1], ROUNDING)))  # of two the one with fewer unknown
    return _between(thresholds, best), float(beyond[best])


def _between(thresholds: Floats, at: int) -> float:
    """The middle between a threshold and the next, which accept the same."""
    if len(thresholds) == 1:
        return float("inf")
    if at == 0:
        return float(np.nextafter(thresholds[1], -np.inf))
    if at == len(thresholds) - 1:
        return float(thresholds[at])
    low, high = thresholds[at], thresholds[at + 1]
    return float(low + (high - low) / 2)
