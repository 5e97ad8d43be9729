"""The camera penalty where cameras are predicted: as large as two images are likely to be of one camera."""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks, one_set
from postproc.base.settings import Neutral, Weight, Within
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances
from postproc.constraints.penalties import LARGEST, change_rows, changed_copy
from postproc.pairs import held, spent


@step(
    unit=KEPT,
    memory=held.images(100),
    work=spent.together(spent.matrix(3.8), spent.images(190)),
)
def expected_camera_penalty(
    distances: Distances,
    query_cam_prob: np.ndarray,
    gallery_cam_prob: np.ndarray,
    *,
    penalty: Annotated[Weight, Within(-LARGEST, LARGEST), Neutral(0.0)] = 1.0,
) -> Distances:
    """Add ``penalty`` times the probability that query and gallery image are of one camera.

    ``out[i, j] = distances[i, j] + penalty * sum_c query_cam_prob[i, c] gallery_cam_prob[j, c]``.

    Takes:   distances (nq, ng) float32, any unit, +inf stays +inf; query_cam_prob (nq, c), gallery_cam_prob
             (ng, c) float32, a probability for each of c cameras; a row may sum to less than 1, to 0 if nothing is
             known of the camera. Of one set (n, n) with +inf on the diagonal, probabilities are given once.
    Returns: (nq, ng) float32, a new array, same unit; of one set symmetric where the distances are. Of cameras
             known for certain it is :func:`camera_penalty`.
    penalty: -1e30 to 1e30, in the unit of the distances. 0: none.
    Raises:  ValueError for sizes that do not fit, NaN, -inf, a row that holds no probabilities.
    Cost:    nq ng c multiply-adds, c counted only where the query's probability is not 0; the answer beside the
             input. Among all images, before re-ranking: :func:`postproc.expected_same_camera`.

    >>> far, sure, unsure = np.zeros((1, 2), np.float32), [1.0, 0.0], [0.75, 0.25]
    >>> expected_camera_penalty(far, [unsure], [sure, unsure])
    array([[0.75 , 0.625]], dtype=float32)
    """
    given = checks.distances("distances", distances, cuda=True)
    there = arrays.on_cuda(given)
    query, gallery = checks.camera_probabilities(query_cam_prob, gallery_cam_prob, given.shape, cuda=there)
    kernel, columns = kernels.of(given).constraints.add_combinations, arrays.contiguous(gallery.T)
    if not one_set.with_columns(given, query_cam_prob, gallery_cam_prob):
        return changed_copy(given, kernel, query * float(np.float32(penalty)), columns)
    out = arrays.full(given.shape, 0, np.float32, given)
    change_rows(out, kernel, query, columns)  # what two images share first: it is the same from both ends
    for part in arrays.blocks(out, 256):
        out[part] = out[part] * float(np.float32(penalty)) + given[part]
    return out
