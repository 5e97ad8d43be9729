"""Temporal lifting: who came along with somebody in one camera comes along in the next.

Source: Liao and Shao, "Interpretable and Generalizable Person Re-identification with Query-Adaptive Convolution
and Temporal Lifting", ECCV 2020, and the code released with it (QAConv).
"""

from typing import Annotated, NamedTuple

import numpy as np

from postproc import kernels
from postproc.base import checks
from postproc.base.settings import Neighbours, Weight, Within
from postproc.base.sizes import Sizes
from postproc.base.step import KEPT, Chosen, step
from postproc.base.vocabulary import Distances, Floats
from postproc.pairs import held, spent
from postproc.pairs.pairwise import read_only

LONGEST = 1e12  # of a time


def _lists(sizes: Sizes, chosen: Chosen) -> int:
    """Of every query the nearest in every camera, as many as queries of one camera may want of them."""
    return held.ENTRY * sizes.nq * int(chosen["k"]) * CAMERAS


CAMERAS = 16  # in which the queries of one camera are looked for; more where the gallery has more


@step(
    unit=KEPT,
    host_only=True,
    memory=held.together(held.images(100), held.scratch(8), _lists),
    work=spent.together(spent.matrix(4), spent.images(900)),
)
def tlift(
    distances: Distances,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    *,
    tau: Annotated[Weight, Within(0, LONGEST)] = 100.0,
    sigma: Annotated[Weight, Within(0.001, LONGEST)] = 200.0,
    k: Neighbours = 10,
    alpha: Annotated[Weight, Within(0, 1e6)] = 0.2,
) -> Distances:
    """Lift gallery images that passed their camera at about the time when the query's companions did.

    ``out = 1 - s (w + alpha) / (1 + alpha)``, s = 1 - distance. Companions of a query are the queries
    of its camera less than ``tau`` away in time, itself among them; pivots in a camera are the ``k`` nearest pairs
    of a companion and an image of that camera; w is the mean over the pivots p of ``exp(-((t - t_p) / sigma)^2)``.
    No labels are used.

    Takes:   distances (nq, ng) float32 whose s lies in 0..1 and is .01 to .1 in the mean, as after ``rerank``;
             cameras and frames (n,) int, frames in one unit inside each camera, clocks of different cameras need
             not agree. A distance above 1 keeps its order behind those that are below, unlifted; +inf stays +inf
             and is no pivot. Where a camera is unknown (-1), w is 0. Of one set (n, n) with +inf on the diagonal
             cameras and frames are given once.
    Returns: (nq, ng) float32, same unit; where w is 1 a distance is what it was.
    tau:     0 to 1e12, in frames. 0: the query alone, so that images of one passage lift each other.
    sigma:   0.001 to 1e12, in frames: how far from a pivot lifts. Large: w is 1 for all, and nothing changes.
    k:       1 or more pivots a camera, ties by gallery row. About as many as the companions have images.
    alpha:   0 to 1,000,000. Large: time does not count. 0: who is far from all pivots is at 1.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    O(nq ng k) exponentials, and companions times cameras times k a query; memory: the answer, and k
             neighbours a camera of one camera's queries.
    Differs: the released score is (w + alpha) s, the same order; it takes all pairs that tie with the last pivot.

    >>> far = np.array([[0.2, 0.5, 0.5]], np.float32)
    >>> tlift(far, np.array([1]), np.array([2, 2, 2]), np.array([0]), np.array([900, 5000, 910]), k=1).round(3)
    array([[0.2  , 0.917, 0.501]], dtype=float32)
    """
    given = read_only(checks.distances("distances", distances))
    checks.not_empty("distances", given)
    query_cam, gallery_cam = checks.labels_of_sides("cam", query_cam, gallery_cam, given.shape)
    query_frame, gallery_frame = checks.labels_of_sides("frame", query_frame, gallery_frame, given.shape)
    seen, out = _gallery(gallery_cam, gallery_frame), np.empty_like(given)
    for camera in np.unique(query_cam):
        queries = np.flatnonzero(query_cam == camera)
        queries = queries[np.argsort(query_frame[queries], kind="stable")]
        known = seen if camera >= 0 else seen._replace(ends=np.zeros(1, np.int64))
        _lift(given, queries, query_frame[queries], known, k, (tau, sigma, alpha), out)
    return out


class Seen(NamedTuple):
    """Gallery rows in the ``order`` of their cameras, unknown ones last; ``ends`` (cameras + 1,) of these.

    ``frames`` are times by row, ``times`` in this order.
    """

    order: np.ndarray
    ends: np.ndarray
    frames: np.ndarray
    times: np.ndarray


def _gallery(cam: np.ndarray, frame: np.ndarray) -> Seen:
    known, count = np.unique(cam[cam >= 0], return_counts=True)
    order = np.argsort(np.where(cam >= 0, cam, known.max(initial=0) + 1), kind="stable").astype(np.int32)
    frames = (frame - frame.min(initial=2**62)).astype(np.float64)  # gaps know no origin
    return Seen(order, np.concatenate([[0], np.cumsum(count)]).astype(np.int64), frames, frames[order])


def _lift(
    given: Floats,
    queries: np.ndarray,
    frames: np.ndarray,
    seen: Seen,
    k: int,
    settings: tuple[float, float, float],
    out: Floats,
) -> None:
    """The rows of one camera's queries, which ascend in time."""
    tau, sigma, alpha = (float(value) for value in settings)
    first, last = _companions(frames, tau)
    kernel, shape = kernels.of(given), (len(queries), len(seen.ends) - 1, min(k, given.size))
    values, rows = np.empty(shape, np.float32), np.empty(shape, np.int32)

    def find(start: int, stop: int) -> None:
        kernel.lifting.nearest_in_cameras(given, queries, seen.order, seen.ends, start, stop, values, rows)

    def fill(start: int, stop: int) -> None:
        kernel.lifting.lift(given, queries, *seen, first, last, values, rows, sigma, alpha, start, stop, out)

    kernel.walk.over_rows(find, len(queries), what="pivots")
    kernel.walk.over_rows(fill, len(queries), what="lifting")


def _companions(frames: np.ndarray, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """Of every query, of which times ascend, the first and behind the last that are less than ``tau`` away."""
    times = (frames - frames.min(initial=2**62)).astype(np.float64)
    first = np.searchsorted(times, times - tau, side="right")
    last = np.searchsorted(times, times + tau, side="left")
    own = np.arange(len(times))
    return np.minimum(first, own), np.maximum(last, own + 1)
