"""Every image is drawn towards the good images of its track, so that small crops are told by large ones.

Sources: layumi/AICIty-reID-2020, ``pytorch/fast_submit_baidu.py`` (x + 0.5 mean, quality the area of the crop in
pixels); Xuanmeng-Zhang/AICITY2021-Track2, ``post-processing`` (x + mean); michuanhaohao/AICITY2021_Track2_DMT,
adaptation (0.3 x + 0.7 mean, every image counts).
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Neutral, Number, Weight, Within
from postproc.base.sizes import FEW, few
from postproc.base.step import step
from postproc.base.vocabulary import Floats, Gallery
from postproc.pairs import held, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.tracks.track_lists import Tracks


@step(
    memory=held.together(held.gallery, few),
    work=spent.together(spent.read(36), spent.images(9.4)),
)
def quality_track_mean(
    gallery: Gallery,
    gallery_track: np.ndarray,
    gallery_quality: np.ndarray,
    *,
    threshold: Weight = 15000.0,
    keep: Annotated[Number, Within(0, 1000)] = 1.0,
    add: Annotated[Number, Within(0, 1000), Neutral(0.0, (("renormalize", False),))] = 0.5,
    renormalize: bool = True,
) -> Gallery:
    """Add to each gallery feature the mean over the high-quality images of its track.

    ``x <- keep x + add mean(images of the track with quality >= threshold)``, of all images of the track where
    there is none, then ``x / |x|``.

    Takes:   gallery (ng, d) float32, or one set, used as given: normalise before if lengths should not count;
             gallery_track (ng,) int, -1 for an image of no track, which is a track of its own;
             gallery_quality (ng,) float32, higher is better, in any unit: the area of the crop, a blur score.
    Returns: (ng, d) float32.
    threshold: a finite number, in the unit of the quality. Very small or very large: every image counts.
    keep:    0 to 1000, how much of the image stays. 0: the images of a track become one, and tie in what follows.
    add:     0 to 1000. 0: nothing is added. 0.5: layumi; 1: Baidu 2021; 0.7 beside ``keep=0.3``: DMT's adaptation,
             0.9 beside 0.1 its second version.
    renormalize: bring all images to unit length afterwards.
    Raises:  ValueError for lengths that do not fit, a setting out of range, NaN or infinity.
    Cost:    O(ng d), one set of features beside the answer.
    Differs: Baidu 2021 adds nothing to anybody where the whole gallery is of high quality.

    >>> x = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    >>> quality_track_mean(x, np.array([0, 0, -1]), np.array([9, 5, 5]), threshold=7, add=0.75)
    array([[1. , 0. ],
           [0.6, 0.8],
           [0.6, 0.8]], dtype=float32)
    """
    rows = checks.features("gallery", gallery, cuda=True)
    track = checks.labels("gallery_track", gallery_track, len(rows))
    quality = checks.values("gallery_quality", gallery_quality, len(rows))
    out = draw_to_means(rows, Tracks.by(track), quality >= threshold, keep, add)
    return l2_normalize(out) if renormalize else out


def draw_to_means(rows: Floats, tracks: Tracks, good: np.ndarray | None, keep: float, add: float) -> Floats:
    """``keep x + add m``: m the mean over the ``good`` (n,) images of x's track, over all if there is none."""
    means = tracks.means(rows, None if good is None else good.astype(np.float32))
    out, of = arrays.namespace(rows).empty_like(rows), arrays.beside(tracks.of, rows)
    for part in arrays.blocks(rows, FEW):
        out[part] = float(keep) * rows[part] + float(add) * means[of[part]]
    return out
