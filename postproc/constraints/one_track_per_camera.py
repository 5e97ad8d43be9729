"""One track a camera: whoever has been found in a camera is not found there a second time.

Source: the rule behind the mutual exclusion of AI City 2020's first place, layumi/AICIty-reID-2020, in its
plainest form. There a vehicle passes a camera once, and everything of it that the camera sees is one track.
"""

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.one_set import is_one_set
from postproc.base.step import KEPT, step
from postproc.base.vocabulary import Distances, Ranking
from postproc.pairs import held, spent
from postproc.pairs.pairwise import read_only
from postproc.tracks.grouping import compact


@step(
    unit=KEPT,
    memory=held.images(100),
    work=spent.together(spent.matrix(29), spent.images(930)),
)
def one_track_per_camera(distances: Distances, gallery_cam: np.ndarray, gallery_track: np.ndarray) -> Distances:
    """Leave every camera to the track of its nearest image, and send its other images behind everything.

    ``out = distances + (largest - smallest)`` of the query's finite distances, for the images of a camera that are
    not of the track that owns it: the one of the camera's nearest image.

    Takes:   distances (nq, ng) float32, any unit; +inf stays +inf and owns nothing.
             gallery_cam (ng,) int: images of unknown camera, -1, stay where they are. gallery_track (ng,) int: an
             image of no track, -1, is a track of one; those at one distance are copies and stay together.
             Of one set (n, n) with +inf on the diagonal, cameras and tracks are those of the rows too: an image's
             own camera is owned by its own track, of which it is itself the first that was found there.
    Returns: (nq, ng) float32, same unit. What stays is unchanged. What is sent behind keeps its order, for which
             it is raised by a little more where float32 needs it. Of tracks as near as each other the lowest
             number owns the camera.
    Raises:  ValueError for NaN, -inf, no image or lengths that do not fit.
    Cost:    O(nq ng) time, sorted by digits; memory: the answer. Of queries the own camera is no special case.

    >>> cam, track = np.array([0, 0, 0, 1]), np.array([7, 8, 7, 8])
    >>> one_track_per_camera(np.array([[0.1, 0.2, 0.3, 0.5]], np.float32), cam, track)
    array([[0.1, 0.6, 0.3, 0.5]], dtype=float32)
    """
    given = read_only(checks.distances("distances", distances, cuda=True))
    checks.not_empty("distances", given)
    cam, track = _compact_labels(gallery_cam, gallery_track, given.shape[1])
    own = is_one_set(given)
    kernel, out = kernels.of(given), arrays.empty(given.shape, np.float32, given)

    def fill(start: int, stop: int) -> None:
        kernel.rewriting.move_other_tracks(given, cam, track, cam.max() + 1, own, start, stop, out)

    kernel.walk.over_rows(fill, len(given), what="tracks")
    return out


def one_track_per_camera_ranking(ranking: Ranking, gallery_cam: np.ndarray, gallery_track: np.ndarray) -> Ranking:
    """:func:`one_track_per_camera` for rankings, as short as they may be: the others go to the tail.

    Takes:   ranking (nq, k) int, gallery rows nearest first, -1 where there is none; cameras and tracks as there.
    Returns: (nq, k) int32, the same images; both parts keep their order, and -1 comes last.

    >>> one_track_per_camera_ranking(np.array([[0, 1, 2, 3]]), np.array([0, 0, 0, 1]), np.array([7, 8, 7, 8]))
    array([[0, 2, 3, 1]], dtype=int32)
    """
    cam, track = _compact_labels(gallery_cam, gallery_track, np.size(gallery_track))
    given = checks.ranking("ranking", ranking, len(track))
    kernel, out = kernels.of(given), np.empty_like(given)

    def fill(start: int, stop: int) -> None:
        kernel.rewriting.move_other_tracks_in_lists(given, cam, track, cam.max(initial=-1) + 1, start, stop, out)

    kernel.walk.over_rows(fill, len(given), what="tracks")
    return out


def _compact_labels(
    gallery_cam: np.ndarray, gallery_track: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    track = compact(checks.labels("gallery_track", gallery_track, count))
    return compact(checks.labels("gallery_cam", gallery_cam, count)), track
