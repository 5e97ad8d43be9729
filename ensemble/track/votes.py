"""Boxes vote for the tracklet that they continue in: AI City 2022's first place.

Source: Yejin0111/AICITY2022-Track1-MTMC, ``ICA/multi_camera_matching.py``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.kinds import Floats, Ints
from ensemble.boxes.tables import Window
from ensemble.track import clusters
from ensemble.track.pairs import PAIRS, of_pair, ways
from ensemble.track.travel import members
from ensemble.track.value import Shots, World
from postproc.base.settings import Count, Neighbours, Share, Weight, Within
from postproc.context.rerank import rerank

LEAST_LIST, LEAST_LEFT = 3, 4  # places of a list, tracklets that a further round needs
Seconds = Annotated[Weight, Within(1e-3, 1e7)]


class Way(NamedTuple):
    """Two cameras: tracklets that leave the one, tracklets that come into the other, boxes of both, distances."""

    out: Ints
    into: Ints
    of_out: Ints  # the place in ``out`` of every box
    of_into: Ints
    apart: Floats


def votes(
    world: World,
    *,
    k: Neighbours = 15,
    share: Share = 0.5,
    k1: Neighbours = 13,
    k2: Neighbours = 5,
    lambda_value: Share = 0.7,
    alpha: Annotated[Weight, Within(0, 100)] = 1.1,
    early: Seconds = 100.0,
    late: Seconds = 50.0,
    slack: Annotated[Weight, Within(0, 1e7)] = 30.0,
    rounds: Annotated[Count, Within(1)] = 1,
    pairs: Annotated[Sequence[Mapping[str, Any]], PAIRS] = (),
) -> Ints:
    """Between every two cameras that a travel window joins, the boxes of tracklets vote for tracklets.

    Distances are k-reciprocal ones of ``(2 - 2 cosine)²`` between boxes of leaving and of coming tracklets, times
    ``exp(alpha (min - t) / early)`` where the way from one to the other takes t seconds, less than the window's
    min, and ``exp(alpha (t - max) / late)`` where it takes more than its max. A box votes for the tracklet that is
    most often among its ``k`` nearest, twice or more, if of these hits more than ``share`` have the box among
    their own ``k`` nearest. A tracklet goes with the one that most of its boxes vote for, two or more; of several
    that go with one, the one with most votes. Pairs outside the window and ``slack`` are dropped again.

    Returns: (t,) groups; -1 for tracklets without features.
    k, share: 7 to 15 and .3 to .8 by pair in the source.
    k1, k2, lambda_value: 12 to 13, 5 to 8, .4 to .7.
    alpha, early, late: .8 to 1.1; 1000 and 500 to 1000 frames at 10 a second.
    slack:   seconds.
    rounds:  searches again among those that are left, with k smaller in proportion.
    pairs:   ``{from = 41, to = 42, k = 7}``: other settings for one pair.
    Raises:  InputError where features are of tracklets, not of boxes.
    Differs: the windows are a table or learned; the weights for hidden boxes, which the source leaves at 1, are
             not there. Ties go by row.
    """
    if world.shots is None:
        raise InputError(
            ["features: wanted those of boxes, since boxes vote, found those of tracklets; take another recipe"]
        )
    usual = {name: value for name, value in locals().items() if name not in ("world", "pairs")}
    found: list[Ints] = []
    for way in [
        *(w for w in ways(world.windows) if w[0] < w[1]),
        *(w for w in ways(world.windows) if w[0] > w[1]),
    ]:
        settings = usual | of_pair(pairs, way)
        windows = [window for window in world.windows if (window.start, window.end) == way]
        found += [np.array(pair) for pair in _matched(world, world.shots, windows, settings)]
    group = clusters.together(len(world.tracklets), found)
    group[~world.known] = -1
    return group


def _matched(
    world: World, shots: Shots, windows: Sequence[Window], settings: Mapping[str, Any]
) -> list[tuple[int, int]]:
    """Pairs of rows, from the leaving to the coming one, one to one."""
    sides = [members(world.tracklets, window, world.rows) for window in windows]
    out, into = (np.unique(np.concatenate([side[at] for side in sides])) for at in (0, 1))
    whole, k = (len(out), len(into)), settings["k"]
    pairs: list[tuple[int, int]] = []
    for number in range(settings["rounds"]):
        least = LEAST_LEFT if number else 1
        if min(len(out), len(into)) < least:
            break
        left = min(len(out) / whole[0], len(into) / whole[1])
        way = _way(world, shots, windows, out, into, settings)
        fresh = [
            pair
            for pair in _voted(way, max(LEAST_LIST, int(k * left)), settings["share"])
            if _in_time(world, windows, *pair, settings["slack"])
        ]
        pairs += fresh
        out = np.setdiff1d(out, [one for one, _ in fresh])
        into = np.setdiff1d(into, [other for _, other in fresh])
        if not fresh:
            break
    return pairs


def _way(
    world: World, shots: Shots, windows: Sequence[Window], out: Ints, into: Ints, settings: Mapping[str, Any]
) -> Way:
    rows = [np.flatnonzero(np.isin(shots.of, side)) for side in (out, into)]
    of_out, of_into = (np.searchsorted(side, shots.of[row]) for side, row in zip((out, into), rows, strict=True))
    looks_out, looks_into = (shots.looks[row] for row in rows)
    names = ("k1", "k2", "lambda_value")
    apart = rerank(looks_out, looks_into, power=4.0, **{name: settings[name] for name in names})
    assert isinstance(apart, np.ndarray)
    factor = _factor(world, windows, out, into, settings)
    return Way(out, into, of_out, of_into, apart * factor[np.ix_(of_out, of_into)])


def _factor(world: World, windows: Sequence[Window], out: Ints, into: Ints, settings: Mapping[str, Any]) -> Floats:
    """(a, b) what distances are multiplied with: 1 inside the window, more outside; the smallest of several."""
    taken = world.tracklets.start[into] - world.tracklets.end[out][:, None]
    best = np.full(taken.shape, np.inf)
    for window in windows:
        before = np.maximum(window.low - taken, 0) / settings["early"]
        after = np.maximum(taken - window.high, 0) / settings["late"]
        best = np.minimum(best, settings["alpha"] * (before + after))
    found: Floats = np.exp(np.minimum(best, 50.0))  # far enough behind, and no overflow
    return found


def _voted(way: Way, k: int, share: float) -> list[tuple[int, int]]:
    """The pairs that boxes agree on."""
    forwards = np.argsort(way.apart, axis=1, kind="stable")[:, :k]
    backwards = np.argsort(way.apart, axis=0, kind="stable")[:k].T
    ballots: dict[int, Counter[int]] = {}
    for box, nearest in enumerate(forwards):
        choice, hits = _most(Counter(way.of_into[nearest].tolist()))
        if hits < 2:
            continue
        theirs = nearest[way.of_into[nearest] == choice]
        back = sum(box in backwards[other] for other in theirs.tolist())
        if back / hits > share:
            ballots.setdefault(int(way.of_out[box]), Counter())[choice] += 1
    best: dict[int, tuple[int, int]] = {}
    for one in sorted(ballots):
        choice, count = _most(ballots[one])
        if count > 1 and count > best.get(choice, (0, 0))[0]:
            best[choice] = (count, one)
    return [(int(way.out[one]), int(way.into[choice])) for choice, (_, one) in sorted(best.items())]


def _most(counted: Counter[int]) -> tuple[int, int]:
    """What comes most often, the lowest of several, and how often."""
    return max(counted.items(), key=lambda item: (item[1], -item[0]))


def _in_time(world: World, windows: Sequence[Window], one: int, other: int, slack: float) -> bool:
    taken = float(world.tracklets.start[other] - world.tracklets.end[one])
    return any(window.low - slack <= taken <= window.high + slack for window in windows)
