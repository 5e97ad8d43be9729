"""The vocabulary: what the data of every step is called, and what a step says that it returns.

A step's positional parameters carry these names and its return annotation one of these types; that is all
the pipeline in ``ensemble`` needs in order to connect steps. The name inside ``Annotated`` is the field that
the result replaces; ``features`` means "any one set of images": such a step is applied to each set in turn.
Steps of ``postproc.ON_CUDA`` take tensors on a CUDA device in the place of NumPy's matrices, and give such.
"""

from typing import Annotated, Literal, NamedTuple

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


class Datum(NamedTuple):
    """What a name of the vocabulary stands for: ``axes`` are ``nq`` queries, ``ng`` gallery images and so on."""

    axes: tuple[str, ...]
    kind: Literal["float32", "int"]
    meaning: str = ""


VOCABULARY = {
    "features": Datum(("n", "d"), "float32", "any one of the sets below; the step is applied to each"),
    "query": Datum(("nq", "d"), "float32"),
    "gallery": Datum(("ng", "d"), "float32"),
    "train": Datum(("train", "d"), "float32", "labelled, for what is learned"),
    "distances": Datum(("nq", "ng"), "float32", "smaller is nearer, +inf = never return"),
    "query_distances": Datum(("nq", "nq"), "float32", "between queries"),
    "gallery_distances": Datum(("ng", "ng"), "float32", "between gallery images"),
    "query_cam": Datum(("nq",), "int", "camera, -1 unknown"),
    "gallery_cam": Datum(("ng",), "int", "camera, -1 unknown"),
    "query_cam_group": Datum(
        ("nq",), "int", "a second grouping by camera, as clusters of a camera model, -1 unknown"
    ),
    "gallery_cam_group": Datum(("ng",), "int", "likewise"),
    "query_track": Datum(("nq",), "int", "tracklet, -1 none"),
    "gallery_track": Datum(("ng",), "int", "tracklet, -1 none"),
    "gallery_order": Datum(("ng",), "int", "place of the image inside its tracklet"),
    "query_frame": Datum(("nq",), "int", "frame number or time"),
    "gallery_frame": Datum(("ng",), "int", "frame number or time"),
    "query_scene": Datum(("nq",), "int", "a group of cameras between which nobody moves, -1 unknown"),
    "gallery_scene": Datum(("ng",), "int", "likewise"),
    "query_cam_prob": Datum(("nq", "c"), "float32", "how likely each of c cameras is; rows sum to 1 or less"),
    "gallery_cam_prob": Datum(("ng", "c"), "float32", "likewise"),
    "query_quality": Datum(("nq",), "float32", "higher is better, as the area of the crop"),
    "gallery_quality": Datum(("ng",), "float32", "likewise"),
    "query_aux": Datum(("nq", "a"), "float32", "features of a side model: camera, orientation, type"),
    "gallery_aux": Datum(("ng", "a"), "float32", "likewise"),
    "train_aux": Datum(("train", "a"), "float32", "likewise"),
    "train_pid": Datum(("train",), "int", "identity"),
    "train_cam": Datum(("train",), "int", "camera"),
    "train_frame": Datum(("train",), "int", "frame number or time"),
}
