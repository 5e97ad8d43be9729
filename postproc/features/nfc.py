"""Nearest-neighbour feature centralisation: images that choose each other are pulled together.

Source: Yuan et al., "From Poses to Identity: Training-Free Person Re-Identification via Feature Centralization",
CVPR 2025 (Pose2ID), and the NFC released with it.
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Neighbours, Neutral, Within
from postproc.base.step import step
from postproc.base.vocabulary import Features
from postproc.features.expansion import add_neighbours
from postproc.pairs import held, nearest, spent
from postproc.pairs.known import tiles_of_gallery
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import sqeuclidean


@step(
    memory=held.together(held.times(2, held.features), held.walk, held.images(600)),
    work=spent.together(spent.pairs(), spent.looked(0.36), spent.read(120), spent.images(990)),
)
def nfc(
    features: Features,
    neighbours: NeighbourLists | None = None,
    *,
    k1: Annotated[Neighbours, Within(0), Neutral(0)] = 2,
    k2: Annotated[Neighbours, Within(0), Neutral(0)] = 2,
) -> Features:
    """Add to every image those of its neighbours that have it as a neighbour too.

    ``x_i <- x_i + sum_j x_j`` over the ``k1`` nearest j of i that have i among their own ``k2`` nearest, by cosine
    and inside this one set of images; then ``x / |x|``. All sums are of the features as they were.

    Takes:   features (n, d) float32, brought to unit length first.
    Returns: (n, d) float32 of unit length.
    neighbours: lists of the set, features of unit length, of k1 others.
    k1:      0 or more, the image itself not counted, cut to what there is; 0 changes nothing.
    k2:      0 or more; 0 changes nothing, more than k1 is as k1.
    Raises:  ValueError for a setting out of range, NaN or infinity.
    Cost:    half a product of all by all, n^2 d multiply-adds; memory: the lists.
    Differs: "among the k2 nearest" is no farther than the k2-th, so that copies of an image, which are equally far
             from everybody, get the same neighbours. Without equal distances that is the released function.

    >>> nfc(np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]], np.float32), k1=1, k2=1).round(3)
    array([[ 0.894,  0.447],
           [ 0.894,  0.447],
           [-1.   ,  0.   ]], dtype=float32)
    """
    images = checks.features("features", features, cuda=True)
    checks.not_empty("features", images)
    if k1 == 0 or k2 == 0:
        return images
    images = l2_normalize(images)
    tiles = tiles_of_gallery(sqeuclidean(images), neighbours, unit=True)
    lists = nearest.without_self(nearest.of_all(tiles, k1 + 1))
    if lists.rows.shape[1] == 0:
        return images
    reach = lists.values[:, min(k1, k2, lists.rows.shape[1]) - 1]
    mutual = lists.values <= reach[lists.rows]
    return l2_normalize(add_neighbours(images, images, lists.rows, arrays.as_type(mutual, np.float32)))
