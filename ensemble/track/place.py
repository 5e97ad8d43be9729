"""Who stood where at the same time: nobody is at two places, and two at one place are one.

Source: riips/AIC24_Track1_YACHIYO_RIIPS: a mean distance on the ground below .5 m is the same person, a smallest
one above some metres is not.
"""

from typing import NamedTuple

import numpy as np

from ensemble.base.kinds import Floats
from ensemble.track.value import Tracklets


class Apart(NamedTuple):
    """(t, t) distances on the ground over the moments that tracklets of two cameras share; NaN: none."""

    mean: Floats
    least: Floats


def on_ground(tracklets: Tracklets, fps: float) -> Apart:
    """How far from each other tracklets stand; a moment is a frame of ``fps`` a second.

    Cost: the pairs whose times overlap, each as long as the shorter of them.
    """
    count = len(tracklets)
    found = Apart(np.full((count, count), np.nan), np.full((count, count), np.nan))
    there = ~np.isnan(tracklets.boxes.world).any(axis=1)
    moments = np.rint(tracklets.seconds * fps).astype(np.int64)
    paths = []
    for row in range(count):
        boxes = np.flatnonzero((tracklets.of == row) & there)
        when, at = np.unique(moments[boxes], return_index=True)
        paths.append((when, tracklets.boxes.world[boxes[at]]))
    for one in range(count):
        for other in range(one + 1, count):
            (when, points), (then, others) = paths[one], paths[other]
            if tracklets.cam[one] == tracklets.cam[other] or not len(when) or not len(then):
                continue
            if when[0] > then[-1] or then[0] > when[-1]:
                continue
            _, left, right = np.intersect1d(when, then, assume_unique=True, return_indices=True)
            if len(left):
                apart = np.linalg.norm(points[left] - others[right], axis=1)
                found.mean[one, other] = found.mean[other, one] = apart.mean()
                found.least[one, other] = found.least[other, one] = apart.min()
    return found
