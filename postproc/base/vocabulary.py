"""The vocabulary: what the data of every step is called, and what a step says that it returns.

A step's positional parameters carry these names and its return annotation one of these types; that is all
the pipeline in ``ensemble`` needs in order to connect steps. The name inside ``Annotated`` is the field that
the result replaces; ``features`` means "any one set of images": such a step is applied to each set in turn.
Steps of ``postproc.ON_CUDA`` take tensors on a CUDA device in the place of NumPy's matrices, and give such.
"""

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.integer]

Features = Annotated[Floats, "features"]  # (n, d)  one image a row
Query = Annotated[Floats, "query"]  # (nq, d)
Gallery = Annotated[Floats, "gallery"]  # (ng, d)
Distances = Annotated[Floats, "distances"]  # (nq, ng)  smaller is nearer; +inf is never returned
QueryTrack = Annotated[Ints, "query_track"]  # (nq,)  labels that a step finds
QueryCam = Annotated[Ints, "query_cam"]  # (nq,)
GalleryCam = Annotated[Ints, "gallery_cam"]  # (ng,)
QueryCamGroup = Annotated[Ints, "query_cam_group"]  # (nq,)
GalleryCamGroup = Annotated[Ints, "gallery_cam_group"]  # (ng,)
Ranking = Annotated[NDArray[np.int32], "ranking"]  # (nq, k)  gallery rows, nearest first; -1 is no image


class Nearest(NamedTuple):
    """The ``k`` nearest gallery images of every query, nearest first, ties by gallery row.

    ``distances`` (nq, k) float32, ``rows`` (nq, k) int32. Where fewer than ``k`` images may be returned the
    rest is +inf and -1.
    """

    distances: Floats
    rows: NDArray[np.int32]


VOCABULARY = {
    "features": "(n, d) float32: any one of the sets below; the step is applied to each",
    "query": "(nq, d) float32",
    "gallery": "(ng, d) float32",
    "train": "(n, d) float32, labelled, for what is learned",
    "distances": "(nq, ng) float32, smaller is nearer, +inf = never return",
    "query_distances": "(nq, nq) float32, between queries",
    "gallery_distances": "(ng, ng) float32, between gallery images",
    "query_cam": "(nq,) int, camera, -1 unknown",
    "gallery_cam": "(ng,) int, camera, -1 unknown",
    "query_cam_group": "(nq,) int, a second grouping by camera, as clusters of a camera model, -1 unknown",
    "gallery_cam_group": "(ng,) int, likewise",
    "query_track": "(nq,) int, tracklet, -1 none",
    "gallery_track": "(ng,) int, tracklet, -1 none",
    "gallery_order": "(ng,) int, place of the image inside its tracklet",
    "query_frame": "(nq,) int, frame number or time",
    "gallery_frame": "(ng,) int, frame number or time",
    "query_scene": "(nq,) int, a group of cameras between which nobody moves, -1 unknown",
    "gallery_scene": "(ng,) int, likewise",
    "query_cam_prob": "(nq, c) float32, how likely each of c cameras is; rows sum to 1 or less",
    "gallery_cam_prob": "(ng, c) float32, likewise",
    "query_quality": "(nq,) float32, higher is better, as the area of the crop",
    "gallery_quality": "(ng,) float32, likewise",
    "query_aux": "(nq, a) float32, features of a side model: camera, orientation, type",
    "gallery_aux": "(ng, a) float32, likewise",
    "train_aux": "(n, a) float32, likewise",
    "train_pid": "(n,) int, identity",
    "train_cam": "(n,) int",
    "train_frame": "(n,) int",
}
