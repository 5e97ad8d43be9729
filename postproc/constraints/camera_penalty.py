"""A vehicle or person seen by a camera is looked for in the others: images of the query's own camera step back.

Sources: michuanhaohao/AICITY2021_Track2_DMT (+10), vimar-gu/Bias-Eliminate-DA-ReID (+1, cameras predicted),
layumi/AICIty-reID-2020 (+0.3 for a predicted camera, 0.2 for a camera cluster, 0.1 for a direction),
Xuanmeng-Zhang/AICITY2021-Track2 (+2). In CityFlow 2020, 3 of 1052 queries have a match of their own camera.
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import checks, one_set
from postproc.base.settings import Needs, Neutral, Weight, Within
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances, Floats
from postproc.constraints.camera_rule import Alike, places_of_sides, rule_of
from postproc.constraints.penalties import LARGEST, Penalty, add_where_equal, change_rows, labelled
from postproc.kernels.rules import CameraRule, Places
from postproc.pairs import answering, held, spent
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.tiles import PairwiseTiles


@step(
    unit=KEPT,
    memory=held.images(48),
    work=spent.images(430),
)
def camera_penalty(
    distances: Distances,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_cam_group: np.ndarray | None = None,
    gallery_cam_group: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    *,
    penalty: Annotated[Weight, Within(-LARGEST, LARGEST), Neutral(0.0)] = 1.0,
    group: Annotated[Penalty, Needs("query_cam_group", "gallery_cam_group", instead="0")] = 0.0,
    direction: Annotated[Penalty, Needs("query_aux", "gallery_aux", instead="0")] = 0.0,
    alike: Alike = 0.25,
) -> Distances:
    """Add ``penalty`` where query and gallery image are of one camera.

    ``out[i, j] = distances[i, j] + penalty * (query_cam[i] == gallery_cam[j])``; -1, unknown, matches nothing.
    Where cameras are themselves guessed, two more rules: ``+ group`` where ``query_cam_group`` and
    ``gallery_cam_group`` are equal, and ``+ direction`` where the query's camera is unknown and both are seen from
    the same side.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; cameras, int, -1 unknown. Camera groups (nq,),
             (ng,) int, -1 unknown, looked at only with ``group``; query_aux (nq, a), gallery_aux (ng, a) float32,
             an orientation model's features of any length, only with ``direction``.
             Of one set (n, n) with +inf on the diagonal, columns are given once.
    Returns: (nq, ng) float32, a new array, same unit. Of one set symmetric where the distances are, but for
             ``direction``, which looks at the camera of the row.
    penalty: -1e30 to 1e30, in the unit of the distances. 0: none; beyond the largest distance: images of the own
             camera come last, in their order; below 0 draws them together. :func:`mask_same_camera` drops them.
    group:   likewise; the two sum. 0: none; 0.2 beside a penalty of 0.3, of cosine: layumi.
    direction: likewise. 0: none; 0.1: layumi.
    alike:   -1 to 1: the cosine of two orientation features from which on they are of one side.
    Raises:  ValueError for lengths that do not fit, NaN, -inf, a setting out of range or without its data.
    Cost:    O(nq ng), one pass, and a product for ``direction``; the answer beside the input. To have it count
             among all images, in the choice of neighbours too, use ``rerank(camera_penalty=...)``,
             :func:`postproc.same_camera` or :func:`postproc.rerank_constrained`.

    >>> camera_penalty(np.array([[0.25, 0.5, 0.5]], np.float32), np.array([3]), np.array([3, 4, -1]))
    array([[1.25, 0.5 , 0.5 ]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    if direction:
        checks.not_empty("distances", given)
    rule = rule_of(penalty, group, direction, alike)
    cams, groups, aux = (query_cam, gallery_cam), (query_cam_group, gallery_cam_group), (query_aux, gallery_aux)
    queries, images = places_of_sides(cams, groups, aux, given.shape, rule, like=given)
    out = add_where_equal(given, queries.cams, images.cams, rule.camera)
    if rule.group:
        out = add_where_equal(out, queries.groups, images.groups, rule.group)
    if not rule.direction:
        return out
    alone = one_set.with_columns(given, query_aux, gallery_aux)
    return _with_direction(out, queries, None if alone else images, rule)


def _with_direction(given: Floats, queries: Places, images: Places | None, rule: CameraRule) -> Floats:
    """``direction`` more where the query's camera is unknown and both are seen from the same side.

    Without ``images`` it is one set.
    """
    unknown = queries.cams < 0
    limits = np.float32(2 - 2 * rule.alike), np.float32(rule.direction)

    def change(strip: np.ndarray, rows: np.ndarray) -> None:
        change_rows(strip, kernels.of(strip).constraints.add_where_near, given, rows, unknown, *limits)

    tiles = PairwiseTiles(sqeuclidean(queries.orientations, None if images is None else images.orientations))
    return answering.answer(tiles, change, top_k=None)  # type: ignore[return-value]


@step(
    unit=KEPT,
    memory=held.images(48),
    work=spent.images(420),
)
def mask_same_camera(distances: Distances, query_cam: np.ndarray, gallery_cam: np.ndarray) -> Distances:
    """Never return an image of the query's own camera: its distance becomes +inf.

    Takes:   distances (nq, ng) float32, any unit; cameras, int; -1, unknown, matches nothing and is kept. Of one
             set cameras are given once.
    Returns: (nq, ng) float32, a new array. :func:`postproc.rank` fills up with -1 where nothing is left, so a list
             may be shorter than the gallery; :func:`camera_penalty` keeps everybody.
    Raises:  ValueError for lengths that do not fit, NaN or -inf. Cost: as :func:`camera_penalty`.

    >>> mask_same_camera(np.array([[0.25, 0.5, 0.5]], np.float32), np.array([3]), np.array([3, 4, -1]))
    array([[inf, 0.5, 0.5]], dtype=float32)
    """
    return add_where_equal(*labelled(distances, "cam", query_cam, gallery_cam), np.inf)
