"""Gallery images drawn towards their neighbours round by round, as far as attributes agree.

Source: ipl-uw/2019-CVPR-AIC-Track-2-UWIPL, ``Video-Person-ReID/re_ranking_metadata.py`` (AI City 2019, second),
``cluster_gallery_soft``: a mean field over the graph of neighbours.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from postproc.base import checks, runtime
from postproc.base.settings import Count, Needs, Neighbours, Neutral, Number, Within, wholes
from postproc.base.step import step
from postproc.base.vocabulary import Floats, Gallery, Ints
from postproc.constraints.attributes import most_probable
from postproc.pairs import held, nearest, spent
from postproc.pairs.pairwise import among
from postproc.pairs.tiles import PairwiseTiles, Tiles
from postproc.tracks.track_lists import Tracks

BLOCK = 64  # images whose neighbours' features are gathered at a time


@step(
    host_only=True,
    memory=held.together(held.walk, held.times(2, held.gallery)),
    work=spent.only(
        "level",
        ("image",),
        spent.together(spent.gallery_pairs(27), spent.gallery_looked(32), spent.images(17000), spent.read(1300)),
    ),
)
def cluster_gallery_soft(
    gallery: Gallery,
    gallery_aux: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    k: Annotated[Neighbours, Within(0), Neutral(0)] = 5,
    rate: Annotated[Number, Within(0, 1), Neutral(0.0)] = 0.5,
    rounds: Annotated[Count, Neutral(0)] = 9,
    classes: Annotated[Sequence[int], wholes(2, "an attribute")] = (),
    level: Annotated[
        Literal["image", "track"], Needs("gallery_track", instead='use "image"', when="track")
    ] = "image",
) -> Gallery:
    """Move every gallery feature towards a mean of its neighbours, all at once, several times.

    ``x <- (1 - rate) x + rate sum_j w_j x_j`` over the k + 1 nearest, x itself among them; ``w_j`` is
    ``exp(-d_j / s)`` over its sum; d is the squared distance, plus the largest from x to anybody where one of the
    most probable attributes differs, and s the distance of the nearest other image, plus 1.

    Takes:   gallery (ng, d) float32, or one set, used as given, as a rule of unit length, which the 1 in s is
             measured against; gallery_aux (ng, a) float32, the classes of all
             attributes side by side, higher is more probable, or None: all agree; gallery_track (ng,) int, -1
             none, looked at only at the level of tracks.
    Returns: (ng, d) float32, shorter than before.
    k:       0 or more neighbours. 0: nothing moves.
    rate:    0 (nothing moves) to 1 (an image is forgotten but for its own weight in the mean).
    rounds:  0 or more.
    classes: how many columns each attribute has; nothing: all are of one attribute.
    level:   "track": the images of a track count as one, with the means of features and attributes, and all get
             what it gets, as released. "image": each for itself.
    Raises:  ValueError for a setting out of range, sizes that do not fit, NaN or infinity.
    Cost:    a round is a product and a half of all by all; memory: the lists and one 16 MB tile a thread.
    Differs: ties go by row.

    >>> x = np.array([[0.0], [1.0], [9.0]], np.float32)
    >>> cluster_gallery_soft(x, k=1, rounds=1).round(3)
    array([[0.189],
           [0.811],
           [7.912]], dtype=float32)
    """
    rows = checks.features("gallery", gallery)
    checks.not_empty("gallery", rows)
    aux = None
    if gallery_aux is not None:
        aux = checks.features("gallery_aux", gallery_aux)
        checks.one_row_each("gallery_aux", aux, len(rows))
    tracks = None
    if level == "track":
        tracks = Tracks.by(checks.labels("gallery_track", gallery_track, len(rows)))
        rows, aux = tracks.means(rows), None if aux is None else tracks.means(aux)
    kinds = np.zeros(len(rows), np.int64)
    if aux is not None:
        kinds = np.unique(most_probable("gallery_aux", aux, classes), axis=0, return_inverse=True)[1].reshape(-1)
    for _ in range(rounds if k and rate else 0):
        rows = _moved(rows, kinds, k, np.float32(rate))
    out = rows if tracks is None else rows[tracks.of]
    return out.copy() if out is gallery else out


def _moved(rows: Floats, kinds: Ints, k: int, rate: np.float32) -> Floats:
    """One round."""
    lists = nearest.of_all(MismatchTiles(rows, kinds), k + 1)
    scale = lists.values[:, 1:2] + 1 if len(rows) > 1 else np.ones((1, 1), np.float32)
    weights = np.exp(-lists.values / scale)
    weights /= weights.sum(axis=1, keepdims=True)
    out = np.empty_like(rows)

    def fill(start: int, stop: int) -> None:
        mean = np.einsum("ik,ikd->id", weights[start:stop], rows[lists.rows[start:stop]])
        out[start:stop] = (1 - rate) * rows[start:stop] + rate * mean

    runtime.over_rows(fill, len(rows), what="means", block=BLOCK)
    return out


class MismatchTiles(Tiles):
    """Tiles of squared distances, plus the largest of the row's image where two kinds differ."""

    def __init__(self, rows: Floats, kinds: Ints) -> None:
        self.distances = PairwiseTiles(among(rows), cameras=(kinds[:0], kinds))
        self.layout = self.distances.layout
        self.kinds = kinds[self.layout.first]
        self.largest = nearest.of_classes(self.distances, 1).largest

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.distances.tile(rows, columns, out)
        differ = self.kinds[rows, None] != self.kinds[columns]
        return np.add(tile, self.largest[rows, None], out=tile, where=differ)

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        a, b = self.layout.inverse[left], self.layout.inverse[right]
        return self.distances.between(left, right) + self.largest[a] * (self.kinds[a] != self.kinds[b])
