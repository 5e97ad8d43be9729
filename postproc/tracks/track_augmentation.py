"""Every image is smoothed by the images of its track that look like it.

Source: VOC-ReID, second in AI City 2020's Track 2, Xiangyu-CAS/AICity2020-VOC-ReID, ``lib/utils/post_process.py``
(track_aug).
"""

from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Neutral, Number, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery
from postproc.pairs import held, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.tracks.track_lists import Tracks


@step(
    memory=held.together(held.gallery, held.block),
    work=spent.together(spent.read(53), spent.images(46)),
)
def track_augmentation(
    gallery: Gallery,
    gallery_track: np.ndarray,
    *,
    epsilon: Annotated[Number, Within(1e-09, 1000000000.0), Neutral(1e-09, (("renormalize", False),))] = 0.01,
    renormalize: bool = True,
) -> Gallery:
    """Replace each gallery feature by a mean over its track, in which the images like it weigh more.

    ``y_i = sum_j w_ij x_j / sum_j w_ij`` over the track of i, itself included, ``w_ij = 1 / (|x_i - x_j|^2 +
    epsilon)``, then ``y / |y|``.

    Takes:   gallery (ng, d) float32, or one set, as a rule of unit length, which is what ``epsilon`` is measured
             against; gallery_track (ng,) int, -1 for an image of no track, which keeps its direction.
    Returns: (ng, d) float32.
    epsilon: 1e-9 to 1e9, squared distance. Small: an image hardly moves, 0.01 gives it 100 times the weight of one
             at distance 1; large: the plain mean of the track.
    renormalize: bring all images to unit length afterwards.
    Raises:  ValueError for lengths that do not fit, a setting out of range, NaN or infinity.
    Cost:    O(n^2 d) a track of n images; memory: the result.
    Differs: the source divides by the number of images, which shows only if one does not normalise.

    >>> x = np.array([[0.0], [1.0], [5.0]], np.float32)
    >>> track_augmentation(x, np.array([0, 0, -1]), epsilon=1, renormalize=False).ravel()  # weights 1 and 1/2
    array([0.33333334, 0.6666667 , 5.        ], dtype=float32)
    """
    rows = checks.features("gallery", gallery, cuda=True)
    tracks = Tracks.by(checks.labels("gallery_track", gallery_track, len(rows)))
    out = arrays.namespace(rows).empty_like(rows)
    kernel = kernels.of(rows)

    def augment(start: int, stop: int) -> None:
        kernel.tracks.augment_in_tracks(
            rows, tracks.offsets, tracks.members, tracks.of, float(epsilon), start, stop, out
        )

    kernel.walk.over_rows(augment, len(rows), what="tracks")
    return l2_normalize(out) if renormalize else out
