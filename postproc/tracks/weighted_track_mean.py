"""A track is the weighted mean of its images, and the queries say which of them count.

Source: the winners of AI City 2021's Track 2, michuanhaohao/AICITY2021_Track2_DMT, ``utils/metrics.py``.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Number, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Floats, Gallery, Query
from postproc.pairs import answering, held, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.layout import STRIP, STRIP_ON_CUDA
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.tiles import PairwiseTiles
from postproc.tracks.track_lists import Tracks


@step(
    memory=held.either(
        held.together(held.gallery, held.some_rows, held.walk),
        held.together(held.times(2, held.gallery), held.times(0.5, held.block)),
    ),
    work=spent.together(spent.across(), spent.read(26), spent.images(900), spent.matrix(0.66)),
)
def weighted_track_mean(
    query: Query,
    gallery: Gallery | None,
    gallery_track: np.ndarray,
    *,
    threshold: Annotated[Weight, Within(0, 1e6)] = 0.6,
    epsilon: Annotated[Number, Within(1e-09, 1000000000.0)] = 0.01,
    renormalize: bool = False,
) -> Gallery:
    """Replace each gallery feature by the mean over its track, in which images near its queries weigh more.

    ``T <- sum_i w_i x_i / sum_i w_i`` with ``w_i = 1 / (mean_q |q - x_i|^2 + epsilon)`` over the queries q of the
    track: those nearer than ``threshold`` to any of its images or, where there is none, the nearest one.

    Takes:   query (nq, d), gallery (ng, d) float32, as a rule of unit length, which is what ``threshold`` and
             ``epsilon`` are measured against; gallery_track (ng,) int, -1 for an image of no track, which stays
             as it is. Or one set (n, d) and its tracks: the images of other tracks stand as the queries of a
             track; where there are none, its mean is the plain one.
    Returns: (ng, d) float32, of one set (n, d); the images of one track are identical, so they tie exactly in all
             that follows. They depend on all queries.
    threshold: 0 to 1e6, a *squared* Euclidean distance, 2 - 2 cosine for unit features. 0: always the nearest
             query alone (and others exactly as near); large: all queries.
    epsilon: 1e-9 to 1e9, squared distance. The larger, the nearer to the plain mean.
    renormalize: bring the means to unit length. Those of unit vectors are shorter, which the source keeps.
    Raises:  ValueError for lengths that do not fit, a setting out of range, NaN or infinity.
    Cost:    one product, nq ng d multiply-adds; memory: the result and a strip of 128 MiB, or of the queries by
             the longest track.

    >>> q, g = np.array([[0.0]], np.float32), np.array([[0.1], [0.3], [7.0]], np.float32)
    >>> weighted_track_mean(q, g, np.array([0, 0, -1])).ravel()  # weights 1 / 0.02 and 1 / 0.1
    array([0.13333334, 0.13333334, 7.        ], dtype=float32)
    """
    one_set = gallery is None
    queries, rows = arrays.together(*checks.sides_or_one(query, gallery, cuda=True))
    track = checks.labels("gallery_track", gallery_track, len(rows))
    tracks = Tracks.by(track)
    means = weighted_means(queries, rows, tracks, threshold, epsilon, one_set=one_set)
    if renormalize:
        means = l2_normalize(means)
    return tracks.of_images(means)


def weighted_means(
    query: Floats, gallery: Floats, tracks: Tracks, threshold: float, epsilon: float, *, one_set: bool = False
) -> Floats:
    """(tracks, d) float32, as :func:`weighted_track_mean` has it; of one set both sides are all of it."""
    weights = arrays.full(len(gallery), 1, np.float32, gallery)
    strip_bytes = STRIP_ON_CUDA if any(map(arrays.on_cuda, (query, gallery))) else STRIP
    for some in _whole_tracks(tracks, max(1, strip_bytes // (4 * len(query)))):
        offsets = tracks.offsets[some.start : some.stop + 1]
        members = arrays.beside(tracks.members[offsets[0] : offsets[-1]], gallery)
        strip = answering.everything(PairwiseTiles(sqeuclidean(gallery[members], query)))
        if one_set:
            _leave_out_own(strip, offsets - offsets[0], members)
        weights[members] = arrays.like(_weights(strip, offsets - offsets[0], threshold, epsilon), weights)
    return tracks.means(gallery, weights)


def _leave_out_own(strip: Floats, offsets: np.ndarray, members: np.ndarray) -> None:
    """No image of a track is a query of it: the rows ``offsets[t]:offsets[t + 1]`` are its images ``members``."""
    for start, stop in pairwise(offsets.tolist()):
        strip[start:stop, members[start:stop]] = np.inf


def _weights(strip: Floats, offsets: np.ndarray, threshold: float, epsilon: float) -> Floats:
    """(n,) weights of images from their distances to queries (n, nq); track t is ``offsets[t]:offsets[t + 1]``."""
    kernel, out = kernels.of(strip), arrays.empty(len(strip), np.float32, strip)
    limits = np.float32(threshold), float(epsilon)

    def weigh(start: int, stop: int) -> None:
        kernel.tracks.weigh_by_queries(strip, offsets, *limits, start, stop, out)

    kernel.walk.over_rows(weigh, len(offsets) - 1, what="weights")
    return out


def _whole_tracks(tracks: Tracks, most: int) -> Iterator[slice]:
    """Ranges of tracks with ``most`` images together, or of one track where it alone has more."""
    start = 0
    while start < tracks.count:
        reach = np.searchsorted(tracks.offsets, tracks.offsets[start] + most, side="right") - 1
        stop = max(start + 1, int(reach))
        yield slice(start, stop)
        start = stop
