"""The competition for tracks in the place of distances, so that it stands behind any re-ranking.

Source: our own, see :mod:`postproc.tracks.compete`.
"""

from typing import Annotated, Any

import numpy as np

from postproc.base import checks, runtime
from postproc.base.one_set import is_one_set
from postproc.base.settings import Count, Share, Within
from postproc.base.settings import Neighbours as Most
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances, Floats
from postproc.pairs import held, spent
from postproc.tracks.compete import Cameras, How, Lend, Pool, Power, Rounds, claims, held_by, looks
from postproc.tracks.track_lists import Tracks
from postproc.tracks.track_votes import Offset, own_cameras, track_cameras, votes_of_distances

Depth = Annotated[Count, Within(1)]


@step(
    unit=KEPT,
    host_only=True,
    loads=("scipy",),
    memory=held.together(held_by, held.images(200)),
    work=spent.together(spent.matrix(40), looks),
)
def compete_tracks(
    distances: Distances,
    gallery_track: np.ndarray | None = None,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    *,
    depth: Depth = 100,
    offset: Offset = 5.0,
    pool: Pool = "camera",
    power: Power = 8.0,
    neighbours: Most = 1000,
    lend: Lend = 0.5,
    sharpen: Share = 0.5,
    once: bool = True,
    regroup: bool = True,
    rounds: Rounds = 4,
) -> Distances:
    """Let all queries compete for the gallery's tracks, by the votes of their nearest images.

    Votes are those of :func:`track_votes`, of the first ``depth`` images; then :func:`compete`. Images of a track
    are ``-claim / largest claim of the query`` far. An image whose track the query has no claim on keeps its order
    behind them: ``distance - smallest distance of the query``, 0 or more.

    Takes:   distances (nq, ng) float32, any unit; +inf stays +inf, such an image has no vote. gallery_track (ng,)
             int; without it, and for -1, an image is a track of one. query_cam (nq,), gallery_cam (ng,) int, -1
             unknown. A track in several cameras is as one of unknown camera. Or distances of one set, +inf on the
             diagonal, and its columns, given once.
    Returns: (nq, ng) float32, no unit; the images of a track are equally far. The answer of a query depends on the
             other queries, and is another one without them.
    depth:   1 or more, how many images of a query vote, more where the last are as near as each other. r is how
             many images are nearer, and 1.
    offset:  0.001 to 1,000,000. The other settings are those of :func:`compete`.
    Raises:  ValueError for NaN, -inf, no image, lengths that do not fit or a setting out of range.
    Cost:    O(nq ng) and that of :func:`compete`; memory: the answer, and claims of queries on tracks in float64.

    >>> far = np.array([[0.1, 0.2], [0.1, 0.4]], np.float32)  # both want the first; the second has nobody else
    >>> compete_tracks(far, np.array([7, 8]), depth=1).round(2)
    array([[-1. ,  0.1],
           [-1. ,  0.3]], dtype=float32)
    """
    given = checks.distances("distances", distances)
    checks.not_empty("distances", given)
    nq, ng = given.shape
    track = np.full(ng, -1) if gallery_track is None else checks.labels("gallery_track", gallery_track, ng)
    tracks = Tracks.by(track)
    if query_cam is None and is_one_set(given):
        query_cam = gallery_cam
    own_of = own_cameras(query_cam, gallery_cam, nq, ng)
    votes = votes_of_distances(given, tracks, own_of, int(depth), float(offset))
    how = How(pool, float(power), int(neighbours), float(lend), float(sharpen), once, regroup, int(rounds))
    return spread(given, claims(votes, cameras_of(tracks, query_cam, gallery_cam, nq), how), tracks)


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
