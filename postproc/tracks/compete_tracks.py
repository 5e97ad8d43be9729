"""The competition for tracks in the place of distances, so that it stands behind any re-ranking.

Source: our own, see :mod:`postproc.tracks.compete`.
"""

from typing import Any

import numpy as np

from postproc import kernels
from postproc.base import checks, runtime
from postproc.base.one_set import is_one_set
from postproc.base.settings import Neighbours as Most
from postproc.base.settings import Share
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances, Floats
from postproc.pairs import held, spent
from postproc.tracks.compete import Cameras, How, Lend, Pool, Power, Rounds, claims, held_by, looks
from postproc.tracks.track_lists import Tracks
from postproc.tracks.track_votes import Depth, Offset, track_cameras


@step(
    unit=KEPT,
    host_only=True,
    loads=("scipy",),
    memory=held.together(held_by, held.times(2, held.by_track), held.images(200)),
    work=spent.together(spent.matrix(10), looks),
)
def compete_tracks(
    distances: Distances,
    gallery_track: np.ndarray,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    *,
    depth: Depth = 100,
    offset: Offset = 1.0,
    pool: Pool = "camera",
    power: Power = 8.0,
    neighbours: Most = 1000,
    lend: Lend = 0.5,
    sharpen: Share = 0.5,
    once: bool = True,
    regroup: bool = True,
    rounds: Rounds = 4,
) -> Distances:
    """Let all queries compete for the gallery's tracks, by how far these are.

    A track is as far as its nearest image, and gets ``1 / (offset + r)`` of a query, r being 1 and how many tracks
    are nearer, without those of the query's own camera. With these votes, each query's over their sum,
    :func:`compete`. Images of a track are then ``-claim / largest claim of the query`` far. An image of a track
    without a claim keeps its order behind them: ``distance - smallest distance of the query``, 0 or more.

    Takes:   distances (nq, ng) float32, any unit; +inf stays +inf, such an image is not looked at. gallery_track
             (ng,) int; an image of no track, -1, is a track of one. query_cam (nq,), gallery_cam (ng,) int, -1
             unknown. A track in several cameras is as one of unknown camera. Or distances of one set, +inf on the
             diagonal, and its columns, given once.
    Returns: (nq, ng) float32, no unit; the images of a track are equally far. The answer of a query depends on the
             other queries, and is another one without them.
    depth:   1 or more, how many tracks have a vote, more where the last are as near as each other.
    offset:  0.001 to 1,000,000. Small: the nearest track has nearly all of the vote.
    pool:    "camera", "all" or "none": with whose queries a query pools, as in :func:`postproc.compete`.
    power:   0 to 100, of the cosine between queries that pool.
    neighbours: 1 or more: so many queries pool with a query, so many tracks lend to a track, the most alike ones.
    lend:    0 to 100, how much tracks of other cameras lend. 0: nothing.
    sharpen: 0 to 1, the exponent of shares. 0: no competition. 0.25 where many tracks are nobody's.
    once:    off where a camera may have several tracks of one vehicle.
    regroup: whether queries that pool are found again in every round.
    rounds:  0 to 1,000 of the competition.
    Raises:  ValueError for NaN, -inf, no image, lengths that do not fit or a setting out of range.
    Cost:    O(nq ng) and that of :func:`compete`; memory: the answer, and claims of queries on tracks in float64.

    >>> far = np.array([[0.1, 0.2, 0.9], [0.1, 0.9, 0.2]], np.float32)  # both want the first; each has one alone
    >>> compete_tracks(far, np.array([7, 8, 9]), pool="none").round(2)
    array([[-0.92, -1.  , -0.23],
           [-0.92, -0.23, -1.  ]], dtype=float32)
    """
    given = checks.distances("distances", distances)
    checks.not_empty("distances", given)
    nq, ng = given.shape
    tracks = Tracks.by(checks.labels("gallery_track", gallery_track, ng))
    if query_cam is None and is_one_set(given):
        query_cam = gallery_cam
    cameras = cameras_of(tracks, query_cam, gallery_cam, nq)
    votes = _votes(given, tracks, cameras, int(depth), float(offset))
    how = How(pool, float(power), int(neighbours), float(lend), float(sharpen), once, regroup, int(rounds))
    return spread(given, claims(votes, cameras, how), tracks)


def _votes(given: Floats, tracks: Tracks, cameras: Cameras, depth: int, offset: float) -> Any:
    """(nq, tracks) sparse, each row of sum 1."""
    from scipy.sparse import csr_array

    kernel = kernels.of(given)
    far = np.empty((len(given), tracks.count), np.float32)
    found: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0))] * len(given)

    def fill(start: int, stop: int) -> None:
        kernel.tracks.reduce_tracks(
            given, tracks.offsets, tracks.members, kernel.tracks.LEAST, 0, start, stop, far
        )  # fmt: skip
        for query in range(start, stop):
            row = far[query]
            own = (cameras.track == cameras.query[query]) & (cameras.track >= 0)
            others = np.sort(row[~own & (row < np.inf)])
            if not len(others):
                continue
            there = np.flatnonzero(row <= others[min(depth, len(others)) - 1])
            values = 1 / (offset + 1 + np.searchsorted(others, row[there]))
            found[query] = there, values / values.sum()

    runtime.over_rows(fill, len(given), what="votes")
    offsets = np.concatenate([[0], np.cumsum([len(of) for of, _ in found])]).astype(np.int64)
    members, values = (np.concatenate([np.empty(0), *each]) for each in zip(*found, strict=True))
    return csr_array((values, members.astype(np.int32), offsets), (len(given), tracks.count))


def cameras_of(tracks: Tracks, query_cam: Any, gallery_cam: Any, nq: int) -> Cameras:
    """The cameras of queries and of tracks, None where nobody knows them."""
    if gallery_cam is not None:
        gallery_cam = track_cameras(tracks, checks.labels("gallery_cam", gallery_cam, len(tracks.of)))
    return Cameras.of(query_cam, gallery_cam, nq, tracks.count)


def spread(given: Floats, found: np.ndarray, tracks: Tracks) -> Floats:
    """(nq, ng) from claims (nq, tracks): minus their share of the largest; distances without any behind them."""
    out = np.empty_like(given)

    def fill(start: int, stop: int) -> None:
        for query in range(start, stop):
            best, row = found[query].max(initial=0), given[query]
            share = (found[query] / (best or 1)).astype(np.float32)[tracks.of]
            nearest = row.min(initial=np.inf)
            behind = row - nearest if np.isfinite(nearest) else row
            out[query] = np.where((share > 0) & (row < np.inf), -share, behind)

    runtime.over_rows(fill, len(given), what="claims")
    return out
