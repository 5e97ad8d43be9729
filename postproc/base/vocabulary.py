"""The vocabulary: what the data of every step is called, and what a step says that it returns.

A step's positional parameters carry these names and its return annotation one of these types; that is all
the pipeline in ``ensemble`` needs in order to connect steps. The name inside ``Annotated`` is the field that
the result replaces; ``features`` means "any one set of images": such a step is applied to each set in turn.
Steps of ``postproc.ON_CUDA`` take tensors on a CUDA device in the place of NumPy's matrices, and give such.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = Any  # a NumPy array, or a tensor on a CUDA device, for which there are no types here
Unchecked: TypeAlias = Any  # what a caller hands over as an array, before anybody has looked at it
Floats = NDArray[np.float32]
Ints = NDArray[np.integer]

NOBODY = 2**31 - 1  # where lists still have room: a row behind every real one

Features = Annotated[Floats, "features"]  # (n, d)  one image a row
Query = Annotated[Floats, "query"]  # (nq, d)
Gallery = Annotated[Floats, "gallery"]  # (ng, d)
Distances = Annotated[Floats, "distances"]  # (nq, ng)  smaller is nearer; +inf is never returned
QueryTrack = Annotated[Ints, "query_track"]  # (nq,)  labels that a step finds
QueryCam = Annotated[Ints, "query_cam"]  # (nq,)
GalleryCam = Annotated[Ints, "gallery_cam"]  # (ng,)
QueryCamGroup = Annotated[Ints, "query_cam_group"]  # (nq,)
GalleryCamGroup = Annotated[Ints, "gallery_cam_group"]  # (ng,)
Clusters = Annotated[Ints, "clusters"]  # (nq,)  0, 1, … by the first image of each; -1 is alone
Ranking = Annotated[NDArray[np.int32], "ranking"]  # (nq, k)  gallery rows, nearest first; -1 is no image
Sides = tuple[Query, Gallery] | Query  # both; of one set, which has no gallery, one array


class Nearest(NamedTuple):
    """The ``k`` nearest gallery images of every query, nearest first, ties by gallery row.

    ``distances`` (nq, k) float32, ``rows`` (nq, k) int32. Where fewer than ``k`` images may be returned the
    rest is +inf and -1.
    """

    distances: Floats
    rows: NDArray[np.int32]


@dataclass(frozen=True)
class Data:
    """What the data of one name are.

    axes:    what each axis counts: "nq" queries, "ng" gallery images, "train" training images, "features" those
             of any one of these sets; "pairs" pairs of labelled images; "d", "a" and "c" are numbers, side-model
             numbers and cameras of an image.
    kind:    the kind of the numbers; "lists" is a :class:`postproc.NeighbourLists`, which has no axes of its own.
    meaning: what they say, in words.
    """

    axes: tuple[str, ...]
    kind: Literal["float32", "int", "lists"]
    meaning: str


_GROUP = "a second grouping by camera, as clusters of a camera model, -1 unknown"
VOCABULARY: Mapping[str, Data] = {
    "features": Data(("features", "d"), "float32", "any one of the sets below; the step is applied to each"),
    "query": Data(("nq", "d"), "float32", "features of the queries"),
    "gallery": Data(("ng", "d"), "float32", "features of the gallery images"),
    "train": Data(("train", "d"), "float32", "features of labelled images, for what is learned"),
    "distances": Data(("nq", "ng"), "float32", "smaller is nearer, +inf = never return"),
    "query_distances": Data(("nq", "nq"), "float32", "between queries"),
    "gallery_distances": Data(("ng", "ng"), "float32", "between gallery images"),
    "query_cam": Data(("nq",), "int", "camera, -1 unknown"),
    "gallery_cam": Data(("ng",), "int", "camera, -1 unknown"),
    "query_cam_group": Data(("nq",), "int", _GROUP),
    "gallery_cam_group": Data(("ng",), "int", _GROUP),
    "query_track": Data(("nq",), "int", "tracklet, -1 none"),
    "gallery_track": Data(("ng",), "int", "tracklet, -1 none"),
    "gallery_order": Data(("ng",), "int", "place of the image inside its tracklet"),
    "query_frame": Data(("nq",), "int", "frame number or time"),
    "gallery_frame": Data(("ng",), "int", "frame number or time"),
    "query_scene": Data(("nq",), "int", "a group of cameras between which nobody moves, -1 unknown"),
    "gallery_scene": Data(("ng",), "int", "a group of cameras between which nobody moves, -1 unknown"),
    "query_cam_prob": Data(("nq", "c"), "float32", "how likely each of c cameras is; rows sum to 1 or less"),
    "gallery_cam_prob": Data(("ng", "c"), "float32", "how likely each of c cameras is; rows sum to 1 or less"),
    "neighbours": Data((), "lists", "the nearest of every image, found already"),
    "clusters": Data(("nq",), "int", "cluster of each image of one set, -1 alone"),
    "query_quality": Data(("nq",), "float32", "higher is better, as the area of the crop"),
    "gallery_quality": Data(("ng",), "float32", "higher is better, as the area of the crop"),
    "query_aux": Data(("nq", "a"), "float32", "features of a side model: camera, orientation, type"),
    "gallery_aux": Data(("ng", "a"), "float32", "features of a side model: camera, orientation, type"),
    "train_aux": Data(("train", "a"), "float32", "features of a side model: camera, orientation, type"),
    "train_pid": Data(("train",), "int", "identity, -1 unknown"),
    "train_cam": Data(("train",), "int", "camera, -1 unknown"),
    "train_distances": Data(("pairs",), "float32", "what a model says of pairs of labelled images"),
    "train_hits": Data(("pairs",), "int", "1 where such a pair is of one identity, 0 where it is of two"),
    "train_hit_lists": Data(
        ("lists", "places"), "int", "1 where a labelled list has a match, 0 where not, -1 behind its end"
    ),
    "train_frame": Data(("train",), "int", "frame number or time"),
}
