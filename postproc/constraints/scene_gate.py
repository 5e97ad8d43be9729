"""Cameras of two places between which nobody moves: an image of the other place is no match.

Source: michuanhaohao/AICITY2021_Track2_DMT, ``utils/metrics.py`` (+10 where exactly one of two cameras is of the
second place, cameras 40 and above).
"""

from typing import Annotated

import numpy as np

from postproc.base.settings import Neutral, Weight, Within
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances
from postproc.constraints.penalties import LARGEST, add_where_different, labelled
from postproc.pairs import spent


@step(
    unit=KEPT,
    work=spent.images(420),
)
def scene_gate(
    distances: Distances,
    query_scene: np.ndarray,
    gallery_scene: np.ndarray,
    *,
    penalty: Annotated[Weight, Within(-LARGEST, LARGEST), Neutral(0.0)] = 10.0,
) -> Distances:
    """Add ``penalty`` where query and gallery image are of two different scenes.

    ``out[i, j] = distances[i, j] + penalty * (query_scene[i] != gallery_scene[j])`` where both are known.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; scenes, int: groups of cameras, -1 unknown,
             which contradicts nothing. For the released rule: ``cam >= 40``, as int. Of one set (n, n) with +inf
             on the diagonal, scenes are given once.
    Returns: (nq, ng) float32, a new array, same unit; of one set symmetric where the distances are.
    penalty: -1e30 to 1e30, in the unit of the distances. 0: none; beyond the largest distance: images of other
             scenes come last, in their order.
    Raises:  ValueError for lengths that do not fit, NaN, -inf or ``penalty`` out of range.
    Cost:    O(nq ng), one pass; the answer beside the input.

    >>> scene_gate(np.array([[0.25, 0.5, 0.75]], np.float32), np.array([0]), np.array([0, 1, -1]))
    array([[ 0.25, 10.5 ,  0.75]], dtype=float32)
    """
    return add_where_different(*labelled(distances, "scene", query_scene, gallery_scene), penalty)
