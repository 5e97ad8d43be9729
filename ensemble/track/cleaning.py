"""What becomes of groups after the association: some are left out, some tracklets find one after all.

Every function takes the world and (t,) groups, -1 alone, -2 left out, and gives such groups back.
"""

from collections import Counter
from typing import Annotated

import numpy as np

from ensemble.base.kinds import Array, Ints
from ensemble.track import clusters
from ensemble.track.value import ALONE, LEFT_OUT, World
from postproc.base.settings import Count, Number, Within
from postproc.pairs.l2_normalize import l2_normalize


def drop_small(
    world: World,
    group: Ints,
    *,
    tracklets: Annotated[Count, Within(1)] = 2,
    cameras: Annotated[Count, Within(1)] = 1,
    boxes: Count = 0,
) -> Ints:
    """Leave out groups of fewer tracklets, cameras or boxes; who is alone is a group of one.

    ``cameras = 2`` leaves those whom AI City's truth of 2021 and 2022 has not: identities of one camera.
    """
    found, counts = group.copy(), world.tracklets.counts
    for part in _groups(group):
        few = len(part) < tracklets or len(np.unique(world.tracklets.cam[part])) < cameras
        if few or counts[part].sum() < boxes:
            found[part] = LEFT_OUT
    return found


def drop_repeated(world: World, group: Ints) -> Ints:
    """Leave out groups that have a camera twice (LCFractal/AIC21-MTMC)."""
    found = group.copy()
    for part in _groups(group):
        if len(np.unique(world.tracklets.cam[part])) < len(part):
            found[part] = LEFT_OUT
    return found


def split_repeated(world: World, group: Ints) -> Ints:
    """Of tracklets of one camera whose times overlap, only the longest stays in a group; the others are alone."""
    found, overlaps, counts = group.copy(), world.tracklets.overlapping(), world.tracklets.counts
    for part in _groups(group):
        kept: list[int] = []
        for row in part[np.lexsort((part, -counts[part]))].tolist():
            if overlaps[row, kept].any():
                found[row] = ALONE
            else:
                kept.append(row)
    return found


def leftovers(
    world: World, group: Ints, *, similarity: Annotated[Number, Within(-1, 1)] = 0.85, smallest: Count = 0
) -> Ints:
    """Tracklets that are alone join the group that is most often among those who look like them.

    Counted are tracklets in groups at a cosine of ``similarity`` or more; of several groups as frequent, the
    first. A group with a tracklet of the same camera at the same time is none to join.

    smallest: groups of fewer boxes are taken apart before, so that their tracklets look for another.
    Differs: riips/AIC24_Track1_YACHIYO_RIIPS does not look at times here.
    """
    found = group.copy()
    counts, overlaps = world.tracklets.counts, world.tracklets.overlapping()
    for part in _groups(group):
        if len(part) == 1 or counts[part].sum() < smallest:
            found[part] = ALONE
    looks = _side_by_side(world)
    placed = np.flatnonzero((found >= 0) & world.known)
    given = found.copy()
    for row in np.flatnonzero((found == ALONE) & world.known).tolist():
        alike = placed[looks[placed] @ looks[row] >= similarity]
        free = [one for one in alike.tolist() if not overlaps[row, np.flatnonzero(given == found[one])].any()]
        if free:
            ranked = Counter(found[free].tolist())
            given[row] = max(ranked.items(), key=lambda item: (item[1], -item[0]))[0]
    return given


def _side_by_side(world: World) -> Array:
    rows = np.concatenate([l2_normalize(np.nan_to_num(looks)) for looks in world.models.values()], axis=1)
    return l2_normalize(rows)


def _groups(group: Ints) -> list[Ints]:
    """The rows of every group; who is alone is one of one, who is left out is none."""
    there = np.flatnonzero(group != LEFT_OUT)
    number = group[there].copy()
    alone = number == ALONE
    number[alone] = number.max(initial=0) + 1 + np.arange(int(alone.sum()))
    return [there[part] for part in clusters.members(number)]
