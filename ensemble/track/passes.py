"""Camera pair by camera pair, and once more with what was found: AI City 2021's first place.

Source: LCFractal/AIC21-MTMC, ``reid/reid-matching/tools/sub_cluster.py``.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from ensemble.base.kinds import Array, Bools, Ints
from ensemble.track import clusters
from ensemble.track.pairs import PAIRS, of_pair, ways
from ensemble.track.travel import fitting, members
from ensemble.track.value import World
from postproc.base.settings import Weight


def passes(
    world: World,
    *,
    threshold: Weight = 0.5,
    second: Weight = 0.9,
    pairs: Annotated[Sequence[Mapping[str, Any]], PAIRS] = (),
) -> Ints:
    """Complete linkage between every two cameras that a travel window joins, then again with mean features.

    Pass one: of every ordered pair of cameras, the tracklets that leave the first for the second and those that
    come into the second from the first; complete linkage at ``threshold``. Clusters that share a tracklet are one,
    and their members get their mean feature. Pass two: of every pair, all tracklets of both cameras; complete
    linkage at ``second``. Tracklets of one camera, or outside the windows, are apart in both.

    Returns: (t,) groups; -1 for tracklets without features.
    threshold, second: in the unit of the recipe's appearance.
    pairs:   ``{from = 41, to = 42, threshold = 0.3}``: another threshold for one pair.
    Differs: the released code unites a cluster with the first that it shares a tracklet with, in the order of
             camera pairs; here with all of them. Its windows are a table of shortest times and rules for the six
             cameras of one scene; here they are a table, or learned. It hands each set to the re-ranking twice.
    """
    apart = ~_allowed(world)
    first = _pass(world, apart, _leaving(world), pairs, threshold, world.models)
    models = _with_means(world, first)
    both = [
        (way, np.union1d(*(world.rows[world.tracklets.cam[world.rows] == cam] for cam in way)))
        for way in sorted({tuple(sorted(way)) for way in ways(world.windows)})
    ]
    again = _pass(world, apart, both, (), second, models)
    again[~world.known] = -1
    return again


def _allowed(world: World) -> Bools:
    fits, _ = fitting(world.tracklets, world.windows)
    return fits & (world.tracklets.cam[:, None] != world.tracklets.cam)


def _leaving(world: World) -> list[tuple[tuple[int, int], Ints]]:
    """Every ordered pair of cameras with the tracklets that go that way."""
    found: dict[tuple[int, int], list[Ints]] = {}
    for window in world.windows:
        found.setdefault((window.start, window.end), []).extend(members(world.tracklets, window, world.rows))
    return [(way, np.unique(np.concatenate(parts))) for way, parts in sorted(found.items())]


def _pass(
    world: World,
    apart: Bools,
    sets: Sequence[tuple[tuple[int, ...], Ints]],
    pairs: Sequence[Mapping[str, Any]],
    threshold: float,
    models: Mapping[str, Array],
) -> Ints:
    """(t,) groups from 0 of one pass."""
    found: list[Ints] = []
    for way, rows in sets:
        if len(rows) < 2:
            continue
        distances = world.looks.among(rows, models)
        distances[apart[np.ix_(rows, rows)]] = np.inf
        np.fill_diagonal(distances, 0)
        limit = of_pair(pairs, (way[0], way[1])).get("threshold", threshold)
        group = clusters.linked(distances, "complete", limit)
        found += [rows[part] for part in clusters.members(group) if len(part) > 1]
    return clusters.together(len(world.tracklets), found)


def _with_means(world: World, group: Ints) -> dict[str, Array]:
    """Features in which every tracklet looks like the mean of its group."""
    models = {model: looks.copy() for model, looks in world.models.items()}
    for part in clusters.members(group):
        if len(part) > 1:
            for model, looks in world.models.items():
                models[model][part] = looks[part].mean(axis=0, dtype=np.float64)
    return models
