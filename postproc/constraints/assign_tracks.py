"""One to one: who is which track of a camera is decided for all queries at once.

Where a camera sees everybody at most once, in one track, its tracks are assigned to the queries' identities: the
linear assignment problem (Kuhn 1955), or its entropic form (Cuturi, "Sinkhorn Distances", NIPS 2013) with a
dustbin for those without a partner, as in Sarlin et al., "SuperGlue", CVPR 2020. No released re-identification
system does this; the nearest, :func:`postproc.exclude`, looks at one query at a time.
"""

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import checks, runtime
from postproc.base.one_set import is_one_set
from postproc.base.settings import Count, Weight, Within
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances, Floats, Ints
from postproc.pairs import held, spent
from postproc.tracks.grouping import compact


@step(
    unit=KEPT,
    host_only=True,
    memory=held.times(6, held.by_track),
    loads=("scipy",),
    work=spent.only("method", ("hungarian",), spent.together(spent.matrix(7.2), spent.images(81))),
)
def assign_tracks(
    distances: Distances,
    gallery_cam: np.ndarray,
    gallery_track: np.ndarray,
    query_track: np.ndarray | None = None,
    *,
    method: Literal["hungarian", "sinkhorn"] = "hungarian",
    threshold: Weight = 0.5,
    bonus: Annotated[Weight, Within(0, 1e6)] = 0.1,
    malus: Annotated[Weight, Within(0, 1e6)] = 0.3,
    temperature: Annotated[Weight, Within(0.0001, 1e6)] = 0.05,
    rounds: Annotated[Count, Within(1)] = 50,
) -> Distances:
    """Pair the identities of the queries with the tracks of each camera, and favour the pairs.

    Per camera: ``maximise sum_{u,t} x[u, t] (threshold - m[u, t])``, with ``sum_t x <= 1`` and ``sum_u x <= 1``,
    m the mean finite distance between the queries of identity u and the images of track t. Then
    ``out = distances - bonus x[u, t] + malus max(sum of row u, sum of column t) - malus x[u, t]``: a chosen pair
    comes nearer by the bonus, a pair whose identity or whose track was given elsewhere goes away by the malus.

    Takes:   distances (nq, ng) float32, any unit; +inf stays +inf.
             gallery_cam, gallery_track (ng,) int: images of unknown camera or of no track, -1, are left as they
             are. A track that is seen in two cameras is one in each.
             query_track (nq,) int: queries of one number are one identity, tracks or
             :func:`postproc.cluster_queries`; a query of none, -1, is one by itself and with its copies, the
             queries at exactly its distances. Queries of one identity that nobody has put together compete for its
             tracks, and all but one lose.
             Of one set (n, n) with +inf on the diagonal, the tracks are the identities: those of every two cameras
             are paired, by the mean of both directions, and in its own camera a track has itself. Images of
             unknown camera or of no track are left as they are in rows and columns.
    Returns: (nq, ng) float32, same unit; of one set symmetric where the distances are. Ties go to the lowest track
             and to the identity of the lowest number.
    method:  "hungarian": x is 0 or 1 and the best there is. "sinkhorn": x is a share, so that doubt is divided:
             ``x = (1 - sum of row u) (1 - sum of column t) exp((threshold - m) / temperature)``.
    threshold: any number, in the unit of the distances: a pair at a larger mean is never chosen. Very large: as
             many pairs as there can be, right or wrong.
    bonus:   0 or more, to 1,000,000, in the unit of the distances.
    malus:   likewise. Both 0: nothing is changed.
    temperature: 0.0001 to 1,000,000, in the unit of the distances; small is the "hungarian" answer. Only for
             "sinkhorn".
    rounds:  1 or more scalings of rows and columns. Only for "sinkhorn".
    Raises:  ValueError for NaN, -inf, no image, lengths that do not fit or a setting out of range.
    Cost:    O(nq ng), and for each camera of T tracks O(U T min(U, T)) at worst for U identities, or 2 U T
             exponentials a round; memory: the answer, U by all tracks numbers, and for each thread some U by T.
             The answer of a query depends on the other queries. Of one set an assignment for every two cameras.

    >>> far = np.array([[0.1, 0.2], [0.2, 0.4]], np.float32)  # 0.2 + 0.2 is less than 0.1 + 0.4
    >>> assign_tracks(far, np.array([0, 0]), np.array([7, 8])).round(3)
    array([[0.4, 0.1],
           [0.1, 0.7]], dtype=float32)
    """
    given = checks.distances("distances", distances)
    checks.not_empty("distances", given)
    cam = compact(checks.labels("gallery_cam", gallery_cam, given.shape[1]))
    track = compact(checks.labels("gallery_track", gallery_track, given.shape[1]))
    names = np.full(len(given), -1)
    if query_track is not None:
        names = checks.labels("query_track", query_track, len(given))

    def added(means: Floats | None, count: int = 0) -> np.ndarray:
        """What is added between identities and tracks of a camera; without means, ``count`` have themselves."""
        if means is None:
            x = np.eye(count)
        elif method == "hungarian":
            x = _pairs(means, threshold)
        else:
            x = _shares(means, threshold, temperature, rounds)
        lost = np.maximum(x.sum(axis=1)[:, None], x.sum(axis=0)) - x
        return malus * np.maximum(lost, 0) - bonus * x

    pair, cameras = _tracks_of_cameras(cam, track)
    if is_one_set(given) and np.array_equal(compact(names), track):
        identity = np.where(pair < 0, cameras[-1], pair)
        change = _between_cameras(_means(given, identity, pair, cameras[-1]), cameras, added)
    else:
        identity = _identities(given, names)
        change = _means(given, identity, pair, cameras[-1])

        def assign(camera: int) -> None:
            own = change[:, cameras[camera] : cameras[camera + 1]]
            own[:] = added(np.ascontiguousarray(own))

        runtime.run(assign, range(len(cameras) - 1), what="assignment")
    out = np.empty_like(given)

    def fill(start: int, stop: int) -> None:
        for i in range(start, stop):
            np.add(given[i], change[identity[i], pair], out=out[i])

    runtime.over_rows(fill, len(given), what="assignment")
    return out


def _identities(given: Floats, names: Ints) -> np.ndarray:
    """(nq,) which identity each query is: numbers first, in their order, then the queries of none, by row."""
    kernel = kernels.of(given)
    keys = np.zeros(len(given), np.uint64)
    runtime.over_rows(
        lambda a, b: kernel.rows.hash_rows(given.view(np.uint32), keys, a, b), len(given), what="copies"
    )
    alone = np.flatnonzero(names < 0)
    _, first, inverse = np.unique(keys[alone], return_index=True, return_inverse=True)
    same_as = alone[first[inverse]]
    for at in np.flatnonzero(same_as != alone):
        if not np.array_equal(given[alone[at]], given[same_as[at]]):  # equal keys are only a hint
            same_as[at] = alone[at]
    out = compact(names)
    out[alone] = out.max() + 1 + compact(same_as)
    return out


def _tracks_of_cameras(cam: np.ndarray, track: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ng,) the pair of camera and track of every image, -1 none; and where those of each camera begin, and end.

    Pairs are numbered by camera, then by track.
    """
    both = np.where((cam >= 0) & (track >= 0), cam.astype(np.int64) * (track.max() + 1) + track, -1)
    pair = compact(both)
    used, first = np.unique(pair, return_index=True)
    of_pair = cam[first[used >= 0]]
    return pair, np.append(np.flatnonzero(np.diff(of_pair, prepend=-1)), len(of_pair))


def _between_cameras(means: Floats, cameras: np.ndarray, added: Callable[..., np.ndarray]) -> Floats:
    """(tracks + 1, tracks + 1) what is added between the tracks of one set, the last row and column 0.

    ``means`` (tracks or more, tracks or more) are from either end.
    """
    out = np.zeros((cameras[-1] + 1, cameras[-1] + 1), np.float32)
    blocks = [slice(start, stop) for start, stop in pairwise(cameras.tolist())]
    for block in blocks:
        out[block, block] = added(None, block.stop - block.start)

    def assign(two: tuple[slice, slice]) -> None:
        first, second = two
        there, back = means[first, second], means[second, first].T
        both = np.where(np.isinf(back), there, np.where(np.isinf(there), back, 0.5 * there + 0.5 * back))
        found = added(np.ascontiguousarray(both))
        out[first, second], out[second, first] = found, found.T

    runtime.run(assign, list(combinations(blocks, 2)), what="assignment")
    return out


def _means(given: Floats, identity: np.ndarray, pair: np.ndarray, pairs: int) -> Floats:
    """(identities, pairs + 1) mean finite distances, +inf where there is none; the last column is 0."""
    kernel = kernels.of(given)
    sizes = np.bincount(identity)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    members = np.argsort(identity, kind="stable")
    out = np.zeros((len(sizes), pairs + 1), np.float32)

    def fill(start: int, stop: int) -> None:
        kernel.exclusion.means_of_blocks(given, offsets, members, pair, start, stop, out[:, :-1])

    runtime.over_rows(fill, len(sizes), what="assignment")
    return out


def _pairs(means: Floats, threshold: float) -> np.ndarray:
    """The best assignment, 0 or 1. What is no gain is no loss either, so it may stand for having no partner."""
    from scipy.optimize import linear_sum_assignment

    cost = np.minimum(means.astype(np.float64) - threshold, 0)
    rows, columns = linear_sum_assignment(cost)
    x = np.zeros(cost.shape)
    x[rows, columns] = cost[rows, columns] < 0
    return x


def _shares(means: Floats, threshold: float, temperature: float, rounds: int) -> np.ndarray:
    """The assignment with entropy; a dustbin at the threshold takes what is left of every row and every column.

    Logarithms of the factors are what is kept, so that nothing overflows.
    """
    kernel = kernels.of(means)
    scale, shift = -1 / float(temperature), threshold / float(temperature)
    rows, columns = np.zeros(means.shape[0]), np.zeros(means.shape[1])
    for _ in range(rounds):
        sums = np.empty(len(rows))
        kernel.hubness.log_sums_of_rows(means, scale, columns + shift, 0, len(rows), sums)
        rows = -np.logaddexp(0, sums)
        peaks, totals = np.full(len(columns), -np.inf), np.zeros(len(columns))
        kernel.hubness.add_to_columns(means, scale, rows + shift, 0, len(columns), peaks, totals)
        columns = -np.logaddexp(0, peaks + np.log(np.maximum(totals, 1)))
    return np.exp(scale * means.astype(np.float64) + shift + rows[:, None] + columns)
