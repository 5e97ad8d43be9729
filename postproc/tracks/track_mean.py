"""Every image of a track gets the mean feature of its track: the gallery merge of AI City 2020's fifth place.

Source: gggcy/AIC2020_ReID, ``post_processing/gallery_feature.py`` (arXiv 2005.04463), whose chunk length T = 100
covers every track of that competition.
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Neutral, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery
from postproc.features import linear
from postproc.pairs import held, spent
from postproc.tracks import track_lists as tracks
from postproc.tracks.grouping import group_by_track


@step(
    memory=held.gallery,
    work=spent.images(270),
)
def track_mean(
    gallery: Gallery,
    gallery_track: np.ndarray,
    gallery_order: np.ndarray | None = None,
    *,
    chunk: Annotated[Count, Within(1), Neutral(1)] | None = None,
    renormalize: bool = False,
) -> Gallery:
    """Replace each gallery feature by the mean over its track, or over its run of ``chunk`` images there.

    Takes:   gallery (ng, d) float32, or one set; gallery_track (ng,) int, -1 for an image of no track, which stays
             as it is; gallery_order (ng,) int, its place in the track, as the track file lists it. Without it,
             gallery rows are the order (it matters only for ``chunk``).
    Returns: (ng, d) float32; the images of one run are identical, so they tie exactly in all that follows.
    chunk:   None: the whole track. T: means over consecutive runs of T images, the last may be shorter.
             1 changes nothing.
    renormalize: bring the means to unit length; the mean of unit vectors is shorter where a track disagrees
             with itself, and S1 keeps that as a weight.
    Raises:  ValueError for lengths that do not fit or ``chunk`` < 1. Cost: O(ng d), the result and the means.

    >>> track_mean(np.array([[1.0], [3.0], [8.0]], np.float32), np.array([0, 0, -1])).ravel()
    array([2., 2., 8.], dtype=float32)
    """
    rows = checks.features("gallery", gallery, cuda=True)
    track = checks.labels("gallery_track", gallery_track, len(rows))
    place = np.zeros(len(rows), np.int64)
    if gallery_order is not None:
        place = checks.labels("gallery_order", gallery_order, len(rows))
    groups = group_by_track(track, place=place)
    starts = _cut(groups.offsets, min(chunk or len(rows), max(len(rows), 1)))
    sizes = np.diff(starts)
    changed = (track[groups.members[starts[:-1]]] >= 0) & (renormalize | (sizes > 1))
    members, sizes = groups.members[np.repeat(changed, sizes)], sizes[changed]
    means = tracks.means(rows, arrays.offsets(sizes), members, dtype=np.float64 if renormalize else np.float32)
    if renormalize:
        means = linear.to_unit_length(means)
    of, members = (arrays.beside(each, rows) for each in (np.repeat(np.arange(len(sizes)), sizes), members))
    out = arrays.copied(rows)
    out[members] = arrays.as_type(means, np.float32)[of]
    return out


def _cut(offsets: np.ndarray, most: int) -> np.ndarray:
    """The offsets of runs of ``most`` members inside groups, the last of each shorter."""
    pieces = -(-np.diff(offsets) // most)
    before = np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = np.repeat(offsets[:-1], pieces) + most * (np.arange(len(before)) - before)
    return np.append(starts, offsets[-1])
