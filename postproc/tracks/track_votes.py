"""What a ranking says of tracks: votes of its images, and which camera a track is of.

Source: our own; the points are those of reciprocal ranks (Cormack et al., SIGIR 2009) with a constant of 5.
"""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np

from postproc.base import checks, runtime
from postproc.base.settings import Count, Number, Within
from postproc.base.step import checked
from postproc.base.vocabulary import Floats, Ranking, Unchecked
from postproc.tracks.track_lists import Tracks

Depth = Annotated[Count, Within(1)]
Offset = Annotated[Number, Within(0.001, 1e6)]


@checked
def track_votes(
    ranking: Ranking,
    gallery_track: np.ndarray,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    *,
    offset: Offset = 5.0,
) -> Any:
    """Count what a ranking says for every track.

    ``v[q, t] = sum over the listed images of t of 1 / (offset + r) / sqrt(images of t)``, each row over its sum.
    r is 1 for the first image. An image of the query's own camera takes no place from the others: theirs are
    counted without it, and its own is counted with all.

    Takes:   ranking (nq, k) int, gallery rows nearest first, -1 for none; an image that is listed twice counts at
             its first place. gallery_track (ng,) int; an image of no track, -1, is a track of one. query_cam (nq,)
             and gallery_cam (ng,) int, both or neither; -1 is unknown, and no own camera.
    Returns: (nq, tracks) float64, 0 or more. Tracks by their numbers, ascending, then the images of no track, by
             row. The row of an empty ranking is 0.
    offset:  0.001 to 1,000,000. Small: the first image decides; large: every listed image counts the same.
    Raises:  ValueError for lengths that do not fit, rows that are not in the gallery, a setting out of range.
    Cost:    O(nq k log k) time; memory: the answer.

    >>> track_votes(np.array([[0, 2, 1]]), np.array([7, -1, 7]), offset=1).round(4)
    array([[0.7021, 0.2979]])

    (1/2 + 1/3) / sqrt(2) = 0.5893 for track 7 and 1/4 for the image of none, over their sum 0.8393.
    """
    tracks = Tracks.by(checks.labels("gallery_track", gallery_track, np.size(gallery_track)))
    given = checks.ranking("ranking", ranking, len(tracks.of))
    own_of = own_cameras(query_cam, gallery_cam, *(len(given), len(tracks.of)))

    def listed(query: int) -> tuple[np.ndarray, np.ndarray]:
        row = given[query][given[query] >= 0]
        first = np.sort(np.unique(row, return_index=True)[1])
        return row[first], np.arange(len(first))

    return votes(listed, len(given), tracks, own_of, offset).toarray()


def votes_of_distances(
    given: Floats, tracks: Tracks, own_of: Callable[[int], Any], depth: int, offset: float
) -> Any:
    """The same for the first ``depth`` images of every row of distances, and those as near as the last of them.

    r of an image is 1 and how many are nearer; +inf and NaN have no vote. (nq, tracks) sparse, scipy's.
    """

    def listed(query: int) -> tuple[np.ndarray, np.ndarray]:
        there = np.flatnonzero(given[query] < np.inf)
        far = given[query][there]
        if len(far) > depth:
            kept = far <= np.partition(far, depth - 1)[depth - 1]
            there, far = there[kept], far[kept]
        order = np.argsort(far, kind="stable")
        far = far[order]
        return there[order], np.searchsorted(far, far)

    return votes(listed, len(given), tracks, own_of, offset)


def votes(
    listed: Callable[[int], tuple[np.ndarray, np.ndarray]],
    count: int,
    tracks: Tracks,
    own_of: Callable[[int], Any],
    offset: float,
) -> Any:
    """(count, tracks) sparse. ``listed(query)`` are rows, nearest first, and how many are nearer than each."""
    from scipy.sparse import csr_array

    found: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0))] * count
    roots = np.sqrt(np.diff(tracks.offsets))

    def fill(start: int, stop: int) -> None:
        for query in range(start, stop):
            rows, nearer = listed(query)
            own = own_of(query)[rows]
            others = np.concatenate([[0], np.cumsum(~own)])[nearer]
            points = 1 / (offset + 1 + np.where(own, nearer, others))
            of, track = np.unique(tracks.of[rows], return_inverse=True)
            values = np.bincount(track.ravel(), points, len(of)) / roots[of]
            found[query] = of, values / values.sum() if len(of) else values

    runtime.over_rows(fill, count, what="votes")
    offsets = np.concatenate([[0], np.cumsum([len(of) for of, _ in found])]).astype(np.int64)
    members = np.concatenate([np.empty(0), *(of for of, _ in found)]).astype(np.int32)
    values = np.concatenate([np.empty(0), *(values for _, values in found)])
    return csr_array((values, members, offsets), (count, tracks.count))


def own_cameras(query_cam: Unchecked, gallery_cam: Unchecked, nq: int, ng: int) -> Callable[[int], np.ndarray]:
    """A function from a query to the images (ng,) of its own camera, where both cameras are known."""
    if query_cam is None or gallery_cam is None:
        none = np.zeros(ng, bool)
        return lambda query: none
    query_cam = checks.labels("query_cam", query_cam, nq)
    gallery_cam = checks.labels("gallery_cam", gallery_cam, ng)
    return lambda query: (gallery_cam == query_cam[query]) & (gallery_cam >= 0)


def track_cameras(tracks: Tracks, cam: np.ndarray) -> np.ndarray:
    """(tracks,) int64: the camera of the images whose camera is known, -1 for several and for none."""
    out = np.full(tracks.count, -1, np.int64)
    other = np.zeros(tracks.count, bool)
    for image in np.flatnonzero(cam >= 0):
        track = tracks.of[image]
        other[track] |= out[track] >= 0 and out[track] != cam[image]
        out[track] = cam[image]
    out[other] = -1
    return out
