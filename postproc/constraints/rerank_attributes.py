"""k-reciprocal re-ranking in which contradicting attributes keep images apart.

Source: ipl-uw/2019-CVPR-AIC-Track-2-UWIPL, ``Video-Person-ReID/re_ranking_metadata.py`` (AI City 2019, second), on
one feature a track.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from postproc.base import checks
from postproc.base.settings import Checked, Mutual, Needs, Neighbours, Share, TopK, Weight, Within, wholes
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query, Unchecked
from postproc.constraints.attributes import attribute_confusions, attribute_pairs, class_counts
from postproc.context.kreciprocal import rerank_tiles
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles, Tiles
from postproc.tracks.track_distances import track_change
from postproc.tracks.track_lists import Tracks


def _no_matrices(confusions: Unchecked) -> str | None:
    listed = isinstance(confusions, (Sequence, np.ndarray)) and not isinstance(confusions, str) and len(confusions)
    return None if confusions is None or listed else "wanted square matrices, one an attribute"


@step(
    host_only=True,
    memory=held.compared(held.times(2, held.tiles), held.encoded),
    work=spent.only(
        "level",
        ("image",),
        spent.together(
            spent.pairs(), spent.nearest, spent.looked(6.5), spent.lists(45, "k1", "k2"), spent.read(330)
        ),
    ),
)
def rerank_attributes(
    query: Query | Pairwise,
    gallery: Gallery | None,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    train_aux: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    *,
    confusions: Annotated[
        Sequence[Floats] | None,
        Checked(_no_matrices),
        Needs("train_aux", "train_pid", instead="matrices", when=None),
    ] = None,
    classes: Annotated[Sequence[int], wholes(2, "an attribute")] = (),
    weight: Annotated[Weight, Within(0, 1e6)] = 0.2,
    expected: bool = False,
    k1: Annotated[Neighbours, Mutual()] = 4,
    k2: Neighbours = 4,
    lambda_value: Share = 0.5,
    level: Annotated[
        Literal["image", "track"], Needs("gallery_track", instead='use "image"', when="track")
    ] = "image",
    top_k: TopK = None,
) -> Distances | Nearest:
    """:func:`postproc.rerank` of squared distances plus distances of attributes, in the choice of neighbours too.

    Neighbours and weights are by ``p = |x_i - x_j|^2 / (the largest of image i) + weight * attributes(i, j)``,
    with nothing divided after that: where :func:`postproc.rerank` of a sum divides by the largest sum, here one
    weight means the same for every image.

    Takes:   query (nq, d), gallery (ng, d) float32, or a :class:`Pairwise` and None, or one set (n, d) and None,
             each image against all others; query_aux (nq, k),
             gallery_aux (ng, k) float32, the classes of all attributes side by side, higher is more probable.
             train_aux (n, k) float32 and train_pid (n,) int, looked at where there are no ``confusions``;
             gallery_track (ng,) int, -1 none, only at the level of tracks.
    Returns: (nq, ng) float32, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query. Of one set
             (n, n), +inf on the diagonal.
    confusions: for every attribute a square matrix of counts or shares, true classes down, predicted across. None:
             :func:`postproc.attribute_confusions` of train_aux and train_pid.
    classes: how many columns each attribute has; nothing: as the confusions have it, or all are of one attribute.
    weight:  0 or more. 0: attributes do not matter. A pair of classes that are never mixed up costs about 3.
    expected: as in :func:`postproc.attribute_distances`.
    k1, k2, lambda_value, top_k: as in :func:`postproc.rerank`, lambda_value times p, attributes and all.
    level:   "track": the images of a track count as one, with the mean of their features and of their attributes,
             as released, and get the distance of their track; those of one set on both sides, where images of one
             track are at 0. "image": each for itself.
    Raises:  ValueError for a setting out of range, sizes that do not fit, NaN or infinity.
    Cost:    two products of all by all and more; memory: the answer, the sparse V, three 16 MB tiles a thread.
    Differs: the released code has the confusions of its classifier on labelled attributes; without these they are
             estimated, the class that an identity is given most often standing for the true one.

    >>> x, car, van = np.float32([[0], [1], [1.5], [4]]), [1.0, 0.0], [0.0, 1.0]
    >>> setting = {"confusions": [np.eye(2)], "k1": 1, "k2": 1, "lambda_value": 0.0}
    >>> rerank_attributes(x[:1], x[1:], [car], [van, car, car], **setting).round(2)
    array([[1.  , 0.22, 1.  ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery)
    nq, ng = pairs.sizes
    query_aux = _side("query_aux", query_aux, nq)
    gallery_aux = _side("gallery_aux", gallery_aux, ng)
    tables = _confusions(confusions, classes, query_aux, train_aux, train_pid)
    tracks = None
    if level == "track":
        if isinstance(query, Pairwise):
            raise ValueError('level: wanted features for "track", or "image", got a Pairwise')
        tracks = Tracks.by(checks.labels("gallery_track", gallery_track, ng))
        side, images = ("query", query) if gallery is None else ("gallery", gallery)
        means = tracks.means(checks.features(side, images))
        pairs = pairwise.of(means) if gallery is None else pairwise.of(query, means)
        gallery_aux = tracks.means(gallery_aux)
        query_aux = gallery_aux if gallery is None else query_aux
    attributes = attribute_pairs(query_aux, gallery_aux, tables, expected=expected)
    found = rerank_tiles(
        ShareTiles(pairs, weight * attributes), k1=k1, k2=k2, lambda_value=lambda_value, power=2,
        normalize=False, unit=1.0, top_k=top_k if tracks is None else None,
    )  # fmt: skip
    if tracks is None:
        return found
    assert isinstance(found, np.ndarray)
    spread, of = track_change(found, tracks), np.arange(nq)
    if gallery is None:
        np.fill_diagonal(found, 0)  # of a track to itself
        of = tracks.of
    return answering.answer_without_distances(
        nq, ng, lambda strip, queries: spread(strip, of[queries]), top_k=top_k, one_set=gallery is None
    )


def _side(name: str, value: Unchecked, count: int) -> Floats:
    rows = checks.features(name, value)
    checks.one_row_each(name, rows, count)
    return rows


def _confusions(
    confusions: Unchecked,
    classes: Sequence[int] | np.ndarray,
    aux: Floats,
    train_aux: Unchecked,
    train_pid: Unchecked,
) -> list[Floats]:
    """A matrix for every attribute, as they were given or from the training set."""
    counts = class_counts("query_aux", aux, classes)
    if confusions is None:
        train = checks.features("train_aux", train_aux)
        checks.same_width("query_aux", aux, "train_aux", train)
        return attribute_confusions(train, train_pid, counts)
    tables = [checks.features(f"confusions[{i}]", table) for i, table in enumerate(confusions)]
    if len(classes) and [len(table) for table in tables] != counts:
        raise ValueError(
            f"classes: wanted {', '.join(str(len(t)) for t in tables)} as confusions, got {classes!r}"
        )
    return tables


class ShareTiles(Tiles):
    """Tiles of distances as shares of the largest distance of the row's image, plus a penalty."""

    def __init__(self, pairs: Pairwise, penalty: Pairwise) -> None:
        self.layout = PairwiseTiles(pairs + penalty).layout
        self.distances = PairwiseTiles(pairs, layout=self.layout)
        self.penalty = PairwiseTiles(penalty, layout=self.layout)
        largest = nearest.of_classes(self.distances, 1).largest
        self.largest = np.where(largest > 0, largest, 1).astype(np.float32)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.distances.tile(rows, columns, out)
        tile /= self.largest[rows, None]
        tile += self.penalty.tile(rows, columns, np.empty(tile.size, np.float32))
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        shares = self.distances.between(left, right) / self.largest[self.layout.inverse[left]]
        return shares + self.penalty.between(left, right)
