"""Associations over all tracklets at once: average, complete or single linkage, and constrained union.

Sources: riips/AIC24_Track1_YACHIYO_RIIPS (AI City 2024, second): average linkage inside a camera, then across,
with the ground plane; VIPL-VSU: constrained union.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.track import clusters
from ensemble.track.clusters import Method
from ensemble.track.place import on_ground
from ensemble.track.travel import fitting
from ensemble.track.value import World
from postproc.base.settings import Number, Weight, Within

Metres = Annotated[Number, Within(0, 1e6)]


@dataclass(frozen=True)
class Rules:
    """What may not be one, and what is one, beside appearance."""

    overlaps: bool
    one_per_camera: bool
    unlisted: Literal["any", "apart"]
    same_place: float | None
    apart_place: float | None


def linkage(
    world: World,
    *,
    threshold: Weight = 0.5,
    method: Method = "average",
    inside: Weight | None = None,
    overlaps: bool = False,
    one_per_camera: bool = False,
    unlisted: Literal["any", "apart"] = "any",
    same_place: Metres | None = None,
    apart_place: Metres | None = None,
) -> Ints:
    """Join the two nearest groups, again and again, until none are within ``threshold``.

    Returns: (t,) groups; -1 for tracklets without features.
    threshold: in the unit of the recipe's appearance.
    method:  how far groups are: the mean of all pairs, the largest, the smallest. "single" may bring together what
             must be apart, through others; the association ``union`` does not.
    inside:  first within every camera, at this threshold, so that a track that broke becomes one; None: not.
    overlaps: tracklets of one camera at the same time may be one; as a rule they may not.
    one_per_camera: no two tracklets of a camera are one, at whatever times.
    unlisted: pairs of cameras between which no travel window is known: "any" time fits, or "apart". Pairs outside
             the window of their cameras are always apart.
    same_place: metres; tracklets whose mean distance on the ground is below count as equal (distance 0).
    apart_place: metres; tracklets whose smallest distance on the ground is above are apart.
    """
    rules = Rules(overlaps, one_per_camera, unlisted, same_place, apart_place)
    return _associated(world, rules, inside, lambda apart, barred: clusters.linked(apart, method, threshold))


def union(
    world: World,
    *,
    threshold: Weight = 0.5,
    inside: Weight | None = None,
    overlaps: bool = False,
    one_per_camera: bool = False,
    unlisted: Literal["any", "apart"] = "any",
    same_place: Metres | None = None,
    apart_place: Metres | None = None,
) -> Ints:
    """Pairs within ``threshold``, nearest first; merge unless a pair across the two groups must be apart.

    Settings as in ``linkage``; ties by row.
    """
    rules = Rules(overlaps, one_per_camera, unlisted, same_place, apart_place)
    return _associated(world, rules, inside, lambda apart, barred: clusters.united(apart, barred, threshold))


def _associated(
    world: World, rules: Rules, inside: float | None, grouped: Callable[[Floats, Bools], Ints]
) -> Ints:
    """Inside cameras first, if asked for; then all together."""
    rows = world.rows
    group = np.arange(len(rows))
    barred = _forbidden(world, rules)[np.ix_(rows, rows)]
    if inside is not None:
        group = _inside(world, rows, barred, inside)
    apart, barred = _of_groups(world, rows, group, barred)
    near, far = _by_place(world, rules, rows, group)
    apart[near] = 0.0
    barred |= far
    apart[barred] = np.inf
    np.fill_diagonal(apart, 0)
    found = np.full(len(world.tracklets), -1, np.int64)
    found[rows] = grouped(apart, barred)[group]
    return found


def _forbidden(world: World, rules: Rules) -> Bools:
    """(t, t) tracklets that must not be one."""
    tracklets = world.tracklets
    barred = np.zeros((len(tracklets), len(tracklets)), bool)
    same = tracklets.cam[:, None] == tracklets.cam
    if not rules.overlaps:
        barred |= tracklets.overlapping()
    if rules.one_per_camera:
        barred |= same
    if world.windows:
        fits, listed = fitting(tracklets, world.windows)
        barred |= ~same & ~fits & (listed | (rules.unlisted == "apart"))
    np.fill_diagonal(barred, False)
    return barred


def _inside(world: World, rows: Ints, barred: Bools, threshold: float) -> Ints:
    """Groups within cameras: average linkage at ``threshold``."""
    group, before = np.empty(len(rows), np.int64), 0
    cams = world.tracklets.cam[rows]
    for cam in np.unique(cams):
        here = np.flatnonzero(cams == cam)
        apart = world.looks.among(rows[here])
        apart[barred[np.ix_(here, here)]] = np.inf
        np.fill_diagonal(apart, 0)
        group[here] = before + clusters.linked(apart, "average", threshold)
        before = int(group[here].max()) + 1
    return clusters.renumbered(group)


def _of_groups(world: World, rows: Ints, group: Ints, barred: Bools) -> tuple[Floats, Bools]:
    """Distances among groups, each looking like the mean of its tracklets, and which must be apart."""
    parts = clusters.members(group)
    if len(parts) == len(rows):
        return world.looks.among(rows), barred.copy()
    first = np.array([part[0] for part in parts], np.int64)
    models = {model: looks.copy() for model, looks in world.models.items()}
    weights = world.tracklets.counts[rows]
    for model, looks in world.models.items():
        for part in parts:
            share = weights[part] / weights[part].sum()
            models[model][rows[part[0]]] = share @ looks[rows[part]].astype(np.float64)
    apart = world.looks.among(rows[first], models)
    of_groups = np.zeros((len(parts), len(parts)), bool)
    one, other = np.nonzero(barred)
    of_groups[group[one], group[other]] = True
    np.fill_diagonal(of_groups, False)
    return apart, of_groups


def _by_place(world: World, rules: Rules, rows: Ints, group: Ints) -> tuple[Bools, Bools]:
    """Groups that stand at one place, and groups that stand at two, at the same time."""
    count = int(group.max(initial=-1)) + 1
    near, far = np.zeros((count, count), bool), np.zeros((count, count), bool)
    if rules.same_place is None and rules.apart_place is None:
        return near, far
    if np.isnan(world.tracklets.boxes.world).all():
        world.notes.append("same_place, apart_place: not used, since the tracks have no points on the ground")
        return near, far
    ground = on_ground(world.tracklets, world.fps)
    mean, least = (part[np.ix_(rows, rows)] for part in ground)
    with np.errstate(invalid="ignore"):
        close = mean < (rules.same_place if rules.same_place is not None else -1.0)
        away = least > (rules.apart_place if rules.apart_place is not None else np.inf)
    for mask, into in ((close, near), (away, far)):
        one, other = np.nonzero(mask)
        into[group[one], group[other]] = True
    np.fill_diagonal(near, False)
    np.fill_diagonal(far, False)
    return near, far
