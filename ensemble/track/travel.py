"""From one camera to another: who can have gone there, and how long that takes, learned with labels or without."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.boxes.tables import Window
from ensemble.track.value import Tracklets, World
from postproc.base.settings import Count, Weight, Within

OUTER = 3.0  # ranges between the quartiles beyond these
RATIO = 1.1  # an interval of times is taken for no narrower


def times(tracklets: Tracklets, out: Ints, into: Ints) -> Floats:
    """(a, b) seconds from leaving with a tracklet of ``out`` to coming with one of ``into``."""
    found: Floats = tracklets.start[into] - tracklets.end[out][:, None]
    return found


def members(tracklets: Tracklets, window: Window, rows: Ints) -> tuple[Ints, Ints]:
    """Which tracklets leave for a window's way, and which come out of it.

    Who is in no zone may be anywhere, and whose track begins and ends in one zone, as one that broke, may go any
    way.
    """

    def of(cam: int, zones: Sequence[str], wanted: str) -> Ints:
        here = rows[tracklets.cam[rows] == cam]
        told = [bool(wanted) and tracklets.entry[row] != tracklets.exit[row] for row in here.tolist()]
        kept = [not tells or zones[row] in ("", wanted) for row, tells in zip(here.tolist(), told, strict=True)]
        return here[np.array(kept, bool)]

    return of(window.start, tracklets.exit, window.out), of(window.end, tracklets.entry, window.into)


def fitting(tracklets: Tracklets, windows: Sequence[Window], slack: float = 0.0) -> tuple[Bools, Bools]:
    """(t, t) pairs that some window allows, and pairs of cameras between which there is a window; symmetric."""
    count = len(tracklets)
    fits, listed = np.zeros((count, count), bool), np.zeros((count, count), bool)
    every = np.arange(count)
    for window in windows:
        listed |= (tracklets.cam == window.start)[:, None] & (tracklets.cam == window.end)
        out, into = members(tracklets, window, every)
        if len(out) and len(into):
            taken = times(tracklets, out, into)
            fits[np.ix_(out, into)] |= (taken >= window.low - slack) & (taken <= window.high + slack)
    return fits | fits.T, listed | listed.T


def labelled(tracklets: Tracklets, who: Ints, *, least: int = 3) -> list[Window]:
    """Windows from tracklets whose identity is known.

    Each identity's tracklets in order of time; every step from one camera to another is one observation. Of each
    pair of cameras with ``least`` or more: from ``q1 / r³`` to ``q3 r³``, where r is the quartiles' ratio q3 / q1
    or 1.1, whichever is larger (Tukey's outer fences of logarithms: one in 400,000 lies outside where these are
    normally distributed). Where views overlap and q1 is 0 or less: three times the range between the quartiles, or
    a second, on both sides.

    Takes:   who (t,) int64 identities, below 0 unknown.
    """
    found: dict[tuple[int, int], list[float]] = {}
    for identity in np.unique(who[who >= 0]):
        rows = np.flatnonzero(who == identity)
        rows = rows[np.lexsort((tracklets.end[rows], tracklets.start[rows]))]
        for one, other in zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True):
            way = int(tracklets.cam[one]), int(tracklets.cam[other])
            if way[0] != way[1]:
                found.setdefault(way, []).append(float(tracklets.start[other] - tracklets.end[one]))
    enough = {way: np.quantile(taken, [0.25, 0.75]) for way, taken in sorted(found.items()) if len(taken) >= least}
    return [Window(*way, *_widened(float(low), float(high), OUTER)) for way, (low, high) in enough.items()]


def _widened(low: float, high: float, times: float) -> tuple[float, float]:
    """An interval of seconds with so many times its own length on both sides, as a ratio where it is above 0."""
    if low > 0:
        ratio = max(high / low, RATIO) ** times
        return low / ratio, high * ratio
    reach = times * max(high - low, 1.0)
    return low - reach, high + reach


def unlabelled(
    world: World,
    *,
    distance: Weight = 0.4,
    least: Annotated[Count, Within(3)] = 4,
    longest: Annotated[Weight, Within(0, 1e7)] = 3600.0,
    widen: Annotated[Weight, Within(0, 100)] = 3.0,
) -> list[Window]:
    """Windows from pairs that look alike, without labels.

    Pairs of tracklets of two cameras, each the other's nearest there, at ``distance`` or less; for every ordered
    pair of cameras the seconds from one to the other. Wrong pairs lie anywhere, right ones close together: the
    shortest interval with half of them, from a to b, becomes the window from ``a / r^widen`` to ``b r^widen``,
    where r is b / a or 1.1, whichever is larger; where a is 0 or less, ``widen`` times its length, or a second,
    are added on both sides. There is no window where fewer than ``least`` pairs lie in it.

    distance: in the unit of the recipe's appearance. 0.4 is the bound of LCFractal/AIC21-MTMC.
    longest:  seconds; who is longer away is taken for somebody else.
    widen:    the larger, the more is let through: a window that leaves somebody out costs more than one that
             lets a stranger in.
    """
    rows, tracklets = world.rows, world.tracklets
    apart = world.looks.among(rows)
    found: dict[tuple[int, int], list[float]] = {}
    for one, other in _alike(apart, tracklets.cam[rows], distance):
        first, second = sorted((int(rows[one]), int(rows[other])), key=lambda row: tracklets.start[row])
        way = int(tracklets.cam[first]), int(tracklets.cam[second])
        found.setdefault(way, []).append(float(tracklets.start[second] - tracklets.end[first]))
    windows = []
    for way, taken in sorted(found.items()):
        near = np.sort(np.array([seconds for seconds in taken if seconds <= longest]))
        if len(near) < least:
            continue
        half = -(-len(near) // 2)
        spans = near[half - 1 :] - near[: len(near) - half + 1]
        low = float(near[int(np.argmin(spans))])
        high = low + float(spans.min())
        low, high = _widened(low, high, widen)
        if np.count_nonzero((near >= low) & (near <= high)) >= least:
            windows.append(Window(*way, low, high))
    return windows


def direct(windows: Sequence[Window]) -> list[Window]:
    """Windows without those of ways that lead through another camera: whose middle is a sum of two others."""
    known = {(one.start, one.end): one for one in windows}

    def through(one: Window, camera: int) -> bool:
        parts = known.get((one.start, camera)), known.get((camera, one.end))
        if parts[0] is None or parts[1] is None:
            return False
        middles = [(part.low + part.high) / 2 for part in (*parts, one) if part is not None]
        low, high = parts[0].low + parts[1].low, parts[0].high + parts[1].high
        return low <= middles[2] <= high and middles[2] > max(middles[:2]) and min(middles) > 0

    cameras = sorted({camera for way in known for camera in way})
    return [one for one in windows if not any(through(one, camera) for camera in cameras)]


def _alike(apart: Floats, cam: Ints, distance: float) -> Iterator[tuple[int, int]]:
    """Pairs of two cameras that are each the other's nearest in its camera, ties by row."""
    nearest = {}
    for camera in np.unique(cam).tolist():
        there = np.flatnonzero(cam == camera)
        nearest[camera] = there[np.argmin(apart[:, there], axis=1)]
    for one in range(len(cam)):
        for camera, found in nearest.items():
            other = int(found[one])
            if camera > cam[one] and apart[one, other] <= distance and nearest[int(cam[one])][other] == one:
                yield one, other
