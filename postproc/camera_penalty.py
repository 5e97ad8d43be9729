"""A vehicle or person seen by a camera is looked for in the others: images of the query's own camera step back.

Sources: michuanhaohao/AICITY2021_Track2_DMT (+10), vimar-gu/Bias-Eliminate-DA-ReID (+1, cameras predicted),
layumi/AICIty-reID-2020 (+0.3), Xuanmeng-Zhang/AICITY2021-Track2 (+2). In CityFlow 2020, 3 of 1052 queries have a
match of their own camera.
"""

import numpy as np

from postproc import checks
from postproc.adjusting import LARGEST, penalise
from postproc.types import Distances


def camera_penalty(
    distances: Distances, query_cam: np.ndarray, gallery_cam: np.ndarray, *, penalty: float = 1.0
) -> Distances:
    """Add ``penalty`` where query and gallery image are of one camera.

    ``out[i, j] = distances[i, j] + penalty * (query_cam[i] == gallery_cam[j])``; -1, unknown, matches nothing.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; cameras, int, -1 unknown.
    Returns: (nq, ng) float32, a new array, same unit.
    penalty: -1e30 to 1e30, in the unit of the distances. 0: none; beyond the largest distance: images of the own
             camera come last, in their order; below 0 draws them together. :func:`mask_same_camera` drops them.
    Raises:  ValueError for lengths that do not fit, NaN, -inf or ``penalty`` out of range.
    Cost:    O(nq ng), one pass; the answer beside the input. To have it count among all images, in the choice of
             neighbours too, use ``rerank(camera_penalty=...)`` or :func:`postproc.same_camera`.

    >>> camera_penalty(np.array([[0.25, 0.5, 0.5]], np.float32), np.array([3]), np.array([3, 4, -1]))
    array([[1.25, 0.5 , 0.5 ]], dtype=float32)
    """
    checks.between("penalty", penalty, -LARGEST, LARGEST)
    return penalise(distances, ("query_cam", query_cam), ("gallery_cam", gallery_cam), True, penalty)


def mask_same_camera(distances: Distances, query_cam: np.ndarray, gallery_cam: np.ndarray) -> Distances:
    """Never return an image of the query's own camera: its distance becomes +inf.

    Takes:   distances (nq, ng) float32, any unit; cameras, int; -1, unknown, matches nothing and is kept.
    Returns: (nq, ng) float32, a new array. :func:`postproc.rank` fills up with -1 where nothing is left, so a list
             may be shorter than the gallery; :func:`camera_penalty` keeps everybody.
    Raises:  ValueError for lengths that do not fit, NaN or -inf. Cost: as :func:`camera_penalty`.

    >>> mask_same_camera(np.array([[0.25, 0.5, 0.5]], np.float32), np.array([3]), np.array([3, 4, -1]))
    array([[inf, 0.5, 0.5]], dtype=float32)
    """
    return penalise(distances, ("query_cam", query_cam), ("gallery_cam", gallery_cam), True, np.inf)
