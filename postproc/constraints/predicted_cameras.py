"""Cameras that nobody has written down: groups of images by a camera model's features.

Source: layumi/AICIty-reID-2020, ``pytorch/fast_submit_baidu.py`` (AI City 2020, first): features of four camera
models of length 1/2 side by side, DBSCAN over queries and gallery, then unknown ones from their track.
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Needs, Number, Within
from postproc.base.step import step
from postproc.base.vocabulary import Floats, GalleryCam, GalleryCamGroup, Ints, QueryCam, QueryCamGroup, Unchecked
from postproc.pairs import held, spent
from postproc.pairs.dbscan import clusters
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import among
from postproc.pairs.tiles import PairwiseTiles

Radius = Annotated[Number, Within(0, 4)]  # a squared distance of unit vectors
AtLeastOne = Annotated[Count, Within(1)]
Completed = Annotated[bool, Needs("query_track", "gallery_track", instead="false", any_of=True)]


@step(
    memory=held.together(held.tiles, held.side_models, held.images(1000)),
    loads=("scipy",),
    work=spent.together(spent.looked(6.9), spent.images(4000)),
)
def predict_cameras(
    query_aux: Floats,
    gallery_aux: Floats | None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    eps: Radius = 0.3,
    min_samples: AtLeastOne = 50,
    shortest: Number = 0.0,
    complete: Completed = False,
) -> tuple[QueryCam, GalleryCam] | QueryCam:
    """Groups of images that a camera model finds alike, as cameras: ``query_cam`` and ``gallery_cam``.

    An image with ``min_samples`` images, queries and gallery, within ``eps`` of it, itself counted, is a core;
    cores within ``eps`` of each other are of one camera, and another image is of the camera of the nearest core
    within ``eps``, or unknown.

    Takes:   query_aux (nq, a), gallery_aux (ng, a) float32 of any length; tracks (nq,), (ng,) int, -1 none, looked
             at only to ``complete``. Or those of one set alone.
    Returns: (nq,) and (ng,) int64, cameras numbered by their first core, -1 unknown: data for
             :func:`postproc.camera_penalty` and everything else that takes cameras. In NumPy, also for tensors.
             Of one set (n,).
    eps:     0 to 4, in 2 - 2 cosine. Small: few images in many groups; 2 and more: one camera.
    min_samples: 1 or more. Less than a camera has images, more than an object has, whose images are alike too.
    shortest: an image whose feature is shorter is unknown and counts nowhere. A mean of several models' unit
             vectors is short where they disagree. 0: all count but rows of zeros, which tell nothing.
    complete: then :func:`complete_cameras`, from the tracks of the sides that have any.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity, no track to complete from.
    Cost:    two products of all by all, half of each computed; memory: a tile a thread.
    Differs: of several cameras within reach, an image that is no core takes the nearest; scikit-learn takes the
             one with the first core. There, similarities of features as given are clustered: what is much shorter
             than 1 is near nobody, here by ``shortest``.

    >>> predict_cameras([[1.0, 0.0], [0.0, 1.0]], [[2.0, 0.1], [0.1, 3.0], [-1.0, 0.0]], min_samples=2)
    (array([0, 1]), array([ 0,  1, -1]))
    """
    images = query = checks.features("query_aux", query_aux, cuda=True)
    if gallery_aux is not None:
        gallery = checks.features("gallery_aux", gallery_aux, cuda=True)
        checks.same_width("query_aux", query, "gallery_aux", gallery)
        images = arrays.joined(query, gallery)
    checks.not_empty("query_aux" if gallery_aux is None else "gallery_aux", images)
    cams = np.full(len(images), -1)
    lengths = arrays.namespace(images).linalg.vector_norm(images, axis=1)
    clear = (lengths > 0) & (lengths >= shortest)
    if clear.any():
        near = PairwiseTiles(among(l2_normalize(images[clear])))
        cams[arrays.host(clear)] = clusters(near, eps, min_samples)
    sides = ("query", cams[: len(query)], query_track), ("gallery", cams[len(query) :], gallery_track)
    query_cam, gallery_cam = (
        _completed(f"{side}_cam", cam, f"{side}_track", track) if complete and track is not None else cam
        for side, cam, track in sides
    )
    return query_cam if gallery_aux is None else (query_cam, gallery_cam)


@step(
    memory=held.together(held.tiles, held.side_models, held.images(1000)),
    loads=("scipy",),
    work=spent.together(spent.looked(6.7), spent.images(4000)),
)
def predict_camera_groups(
    query_aux: Floats,
    gallery_aux: Floats | None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    eps: Radius = 0.3,
    min_samples: AtLeastOne = 50,
    shortest: Number = 0.0,
    complete: Completed = False,
) -> tuple[QueryCamGroup, GalleryCamGroup] | QueryCamGroup:
    """:func:`predict_cameras` for a second grouping, beside cameras that are known already.

    Everything as there, but for the names, ``query_cam_group`` and ``gallery_cam_group``: data for ``group`` of
    :func:`postproc.camera_penalty`, :func:`postproc.exclude` and :func:`postproc.rerank_constrained`. layumi
    completes them from query clusters and tracks.

    >>> predict_camera_groups([[1.0, 0.0]], [[2.0, 0.1], [0.1, 3.0]], [0], [4, 4], min_samples=2, complete=True)
    (array([0]), array([0, 0]))
    """
    return predict_cameras(
        query_aux, gallery_aux, query_track, gallery_track,
        eps=eps, min_samples=min_samples, shortest=shortest, complete=complete,
    )  # fmt: skip


@step(work=spent.images(220))
def complete_cameras(
    query_cam: Ints, gallery_cam: Ints | None, query_track: Ints, gallery_track: Ints | None
) -> tuple[QueryCam, GalleryCam] | QueryCam:
    """Give unknown cameras the one that the rest of the track has, where the known ones there agree.

    Takes:   cameras and tracks (nq,), (ng,) int, -1 unknown and none. Queries have no tracks in most competitions:
             their clusters, by :func:`postproc.cluster_queries`, do as well. Or those of one set alone.
    Returns: ``query_cam`` and ``gallery_cam`` (nq,), (ng,) int64, new arrays; of one set (n,).
    Raises:  ValueError for lengths that do not fit.
    Cost:    O(n log n).

    >>> complete_cameras([3, -1, -1], [-1, 4, 5, -1], [0, 0, -1], [7, 7, 8, 8])
    (array([ 3,  3, -1]), array([4, 4, 5, 5]))
    """
    completed = _completed("query_cam", query_cam, "query_track", query_track)
    if gallery_cam is None:
        return completed
    return completed, _completed("gallery_cam", gallery_cam, "gallery_track", gallery_track)


def _completed(cam_name: str, cam: Ints, track_name: str, track: Unchecked) -> Ints:
    images = max(np.size(cam), np.size(track))  # so that the shorter is refused
    cams, tracks = checks.labels(cam_name, cam, images), checks.labels(track_name, track, images)
    known = (cams >= 0) & (tracks >= 0)
    pairs = np.unique(np.stack([tracks[known], cams[known]]), axis=1)  # every track with every camera in it
    found, first, count = np.unique(pairs[0], return_index=True, return_counts=True)
    agreed = dict(zip(found[count == 1], pairs[1, first[count == 1]], strict=True))
    unknown = np.flatnonzero((cams < 0) & (tracks >= 0))
    cams[unknown] = [agreed.get(track, -1) for track in tracks[unknown]]
    return cams
