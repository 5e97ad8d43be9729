"""Seen from the same side, the same car looks the same: if it does not, it is another.

Source: corner100/2020-aicitychallenge-IOSB-VeRi, ``tools/ensembling_different_models.py`` (AI City 2020, fourth).
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import checks, one_set
from postproc.base.settings import Neutral, Weight, Within
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances
from postproc.constraints.penalties import LARGEST, change_rows
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.distances import to_metric
from postproc.pairs.tiles import PairwiseTiles


@step(
    unit=KEPT,
    memory=held.together(held.tiles, held.side_models, held.by_track),
    work=spent.together(spent.matrix(2.7), spent.images(100)),
)
def orientation_rule(
    distances: Distances,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    gallery_track: np.ndarray | None = None,
    *,
    near: Annotated[Weight, Within(0, 4), Neutral(0.0)] = 0.03,
    far: Weight = 0.3,
    penalty: Annotated[Weight, Within(-LARGEST, LARGEST), Neutral(0.0)] = 0.5,
) -> Distances:
    """Add ``penalty`` where two images are of one orientation and yet far from each other.

    ``out = distances + penalty * (o < near) * (distances > far)``, ``o`` the smallest 2 - 2 cosine of orientation
    features between the query and the images of the gallery image's track.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; query_aux (nq, a), gallery_aux (ng, a) float32,
             an orientation model's features of any length, a row of zeros is near nobody; gallery_track (ng,) int,
             -1 none: such an image, or all without tracks, stands for itself. Of one set (n, n) with +inf on the
             diagonal, features are given once; of its own track the query's own image does not count.
    Returns: (nq, ng) float32, a new array, same unit; of one set symmetric where distances are, without tracks.
    near:    0 to 4, in 2 - 2 cosine. 0: nobody is penalised; 4: the orientation hardly matters.
    far:     any number, in the unit of the distances: about the largest between images of one vehicle, here for a
             sum of two re-ranked distances.
    penalty: -1e30 to 1e30, in the unit of the distances. 0: none.
    Raises:  ValueError for sizes that do not fit, NaN, -inf or a setting out of range.
    Cost:    one product, nq ng a multiply-adds; the answer and one 16 MB tile a thread beside the input.

    >>> side = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], np.float32)
    >>> far = np.array([[0.25, 0.5, 0.5]], np.float32)
    >>> orientation_rule(far, side[:1], side)
    array([[0.25, 1.  , 0.5 ]], dtype=float32)
    >>> orientation_rule(far, side[:1], side, np.array([4, 5, 4]))
    array([[0.25, 1.  , 1.  ]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    checks.not_empty("distances", given)
    other = None if one_set.with_columns(given, query_aux, gallery_aux) else gallery_aux
    pairs = pairwise.of_side_model(query_aux, other, given.shape, unit=True, like=given)
    ng = given.shape[1]
    track = checks.labels_or_none("gallery_track", gallery_track, ng)
    _, number = np.unique(np.where(track < 0, -1 - np.arange(ng), track), return_inverse=True)
    measure = to_metric(pairs, "cosine")

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        measure(strip, queries)  # 1 - cosine, half of what is compared with
        if pairs.one_set:
            answering.set_own(strip, queries)
        limits = near / 2, float(far), np.float32(penalty)
        kernel = kernels.of(strip).constraints.add_where_alike
        change_rows(strip, kernel, given, queries, number, int(number.max()) + 1, *limits)

    return answering.answer(PairwiseTiles(pairs), change, top_k=None)  # type: ignore[return-value]
