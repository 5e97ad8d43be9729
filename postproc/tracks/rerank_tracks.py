"""k-reciprocal re-ranking of queries against tracks instead of images: fewer neighbours, and each says more.

Sources: heshuting555/AICITY2020_DMT_VehicleReID, ``utils/metrics.py`` (AI City, third in 2020): plain means,
nearest image first; michuanhaohao/AICITY2021_Track2_DMT, ``utils/metrics.py`` (first in 2021): means weighted by
the queries; corner100/2020-aicitychallenge-IOSB-VeRi (fourth in 2020): track features of a network.
"""

from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Mutual, Neighbours, Number, Share, TopK, Weight, Within
from postproc.base.step import JACCARD, Chosen, Range, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.kreciprocal import rerank_tiles
from postproc.pairs import answering, held, nearest, spent
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.tiles import PairwiseTiles, Tiles
from postproc.tracks.track_distances import track_change
from postproc.tracks.track_lists import Tracks
from postproc.tracks.weighted_track_mean import weighted_means

LATER = np.float32(1e-6)  # what puts the other images of a track behind the nearest


def _range(chosen: Chosen) -> Range:
    return (0, 1 + 1e-6) if chosen["order"] == "nearest" else (0, 1)


@step(
    unit=JACCARD,
    range=_range,
    memory=held.compared(held.by_track),
    work=spent.together(spent.across(), spent.nearest, spent.matrix(8), spent.read(95), spent.images(970)),
)
def rerank_tracks(
    query: Query,
    gallery: Gallery | None,
    gallery_track: np.ndarray,
    *,
    k1: Annotated[Neighbours, Mutual("track")] = 7,
    k2: Neighbours = 2,
    lambda_value: Share = 0.6,
    pool: Literal["mean", "weighted"] = "mean",
    threshold: Annotated[Weight, Within(0, 1e6)] = 0.6,
    epsilon: Annotated[Number, Within(1e-9, 1e9)] = 0.01,
    order: Literal["nearest", "row"] = "nearest",
    normalize_twice: bool = False,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Re-rank the tracks of the gallery as ``rerank`` does images, and give every image what its track gets.

    ``out[q, i] = rerank(query, tracks)[q, track of i]``, the feature of a track being a mean over its images.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are, as a rule of unit length; gallery_track
             (ng,) int, -1 for an image of no track, which is a track of its own. Where a network gives features
             of tracks, every image has that of its track. Or one set (n, d) and its tracks: each track against all
             others, ``out[i, j] = rerank(tracks)[track of i, track of j]``, and 0 inside a track.
    Returns: (nq, ng) float32, 0..1 and no unit, smaller is nearer; up to 1.000001 for those that ``order`` puts
             later. With ``top_k`` the :class:`Nearest` of every query instead. Of one set (n, n) with +inf on the
             diagonal.
    k1, k2:  1 or more neighbours among queries and tracks, as in ``rerank``. About as many as an identity has
             tracks and queries, so far fewer than among images. Of one set they are tracks alone.
    lambda_value: 0 (neighbourhoods only) to 1 (the normalised distance itself).
    pool:    "mean": the plain mean, of the length it has. "weighted": ``weighted_track_mean``.
    threshold, epsilon: as there, for "weighted" only.
    order:   of the images of a track. "nearest": those that nobody of their track is nearer to the query than
             come first, the others 1e-6 later. "row": all tie, so that gallery rows decide.
    normalize_twice: divide distances by the largest from their other end before they are divided by that of the
             row, as DMT 2020 does. The first division favours neighbours that are far from somebody, so it
             changes who is near.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted; TypeError for an array of no back end.
    Cost:    with t tracks half a product of (nq + t) by (nq + t), three times that for ``normalize_twice``;
             one of queries by gallery for "nearest" and one for "weighted". Memory: the answer, a matrix of
             queries by tracks even with ``top_k``, and what ``rerank`` needs for nq + t images.
    Differs: the released code keeps neighbourhoods in float16 and is off by up to 0.002; DMT 2020 puts one image
             of a track first, here copies of it stay beside it. Ties as in ``rerank``.

    Released code, in our settings, on features of unit length: DMT 2020 ``normalize_twice=True``; DMT 2021
    ``pool="weighted", order="row"``; IOSB 2020 ``k1=6, k2=3, lambda_value=0.3, order="row"``.

    >>> q, g = np.array([[0.0, 0.0]], np.float32), np.array([[0, 1], [4, 0], [0, 2], [4, 1]], np.float32)
    >>> rerank_tracks(q, g, np.array([0, -1, 0, -1]), k1=1, k2=1, lambda_value=1).round(6)  # mean (0, 1.5)
    array([[0.132353, 0.941176, 0.132354, 1.      ]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = checks.sides_or_one(query, gallery, cuda=True)
    images = sqeuclidean(query, None if one_set else gallery)
    tracks = Tracks.by(checks.labels("gallery_track", gallery_track, len(gallery)))
    if pool == "weighted":
        means = weighted_means(query, gallery, tracks, threshold, epsilon, one_set=one_set)
    else:
        means = tracks.means(gallery)
    tiles: Tiles = PairwiseTiles(sqeuclidean(means) if one_set else sqeuclidean(query, means))
    by_track = rerank_tiles(
        _OverLargest(tiles) if normalize_twice else tiles,
        k1=k1, k2=k2, lambda_value=lambda_value, power=2, top_k=None,
    )  # fmt: skip
    assert not isinstance(by_track, Nearest)
    if one_set:
        answering.set_own(by_track, np.arange(tracks.count), 0)  # a track has the neighbourhood that it has
        by_track = tracks.of_images(by_track)
    if order == "row":
        spread = track_change(by_track, tracks)
        return answering.answer_without_distances(
            *images.sizes, spread, top_k=top_k, like=by_track, one_set=one_set
        )
    kernel = kernels.of(by_track)

    def give(strip: np.ndarray, queries: np.ndarray) -> None:
        if one_set:
            answering.set_own(strip, queries)  # of its track each image comes first to another one

        def fill(start: int, stop: int) -> None:
            kernel.tracks.give_nearest_first(
                strip, queries, by_track, tracks.offsets, tracks.members, LATER, start, stop
            )

        kernel.walk.over_rows(fill, len(strip), what="images")

    return answering.answer(PairwiseTiles(images), give, top_k=top_k)


class _OverLargest(Tiles):
    """Tiles of ``D[i, j] / max_l D[j, l]``: every distance over the largest from its other end."""

    def __init__(self, tiles: Tiles) -> None:
        self.tiles, self.layout = tiles, tiles.layout
        self.scale = arrays.copied(nearest.of_all(tiles, 1).largest)
        self.scale[self.scale <= 0] = 1
        self.of_classes = self.scale[arrays.beside(tiles.layout.first, self.scale)]

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.tiles.tile(rows, columns, out)
        tile /= self.of_classes[columns]
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self.tiles.between(left, right) / self.scale[right]
