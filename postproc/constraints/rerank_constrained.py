"""k-reciprocal re-ranking in which tracks and cameras count between queries and between gallery images too.

Sources: layumi/AICIty-reID-2020, ``pytorch/fast_submit_baidu.py`` (AI City 2020, first);
Xuanmeng-Zhang/AICITY2021-Track2, ``post-processing/scene1`` (second of 2021). Both write their constraints into
three similarity matrices before they re-rank; here they are computed with the tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Mutual, Needs, Neighbours, Neutral, Number, Share, TopK, Weight, Within
from postproc.base.step import JACCARD, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Ints, Nearest, Query
from postproc.constraints.camera_rule import Alike, places_of_sides, rule_of
from postproc.context.kreciprocal import rerank_tiles
from postproc.kernels.rules import APART, EXEMPT, TOGETHER, Places, SideRules, TrackRule, plain
from postproc.pairs import held
from postproc.pairs.pairwise import among, sqeuclidean
from postproc.pairs.tiles import SMALLEST, Tiles, copies
from postproc.tracks.grouping import compact

ALONE = {"apart": APART, "together": TOGETHER, "exempt": EXEMPT}
NOT_ALIKE = 9.0  # a cosine that nobody reaches


@step(
    unit=JACCARD,
    memory=held.either(
        held.before(held.together(held.matrix, held.features)),
        held.together(held.times(1.5, held.features), held.times(1.5, held.tiles), held.reciprocal, held.strip),
    ),
)
def rerank_constrained(
    distances: Distances,
    query: Query,
    gallery: Gallery,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    query_cam_group: np.ndarray | None = None,
    gallery_cam_group: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    *,
    k1: Annotated[Neighbours, Mutual()] = 20,
    k2: Neighbours = 6,
    lambda_value: Annotated[Share, Neutral(1.0)] = 0.3,
    power: Annotated[Weight, Within(0.01, 64)] = 4.0,
    camera: Annotated[Number, Needs("query_cam", "gallery_cam", instead="0")] = 0.0,
    query_camera: Annotated[Number | None, Needs("query_cam", "gallery_cam", instead="0")] = None,
    group: Annotated[Number, Needs("query_cam_group", "gallery_cam_group", instead="0")] = 0.0,
    direction: Annotated[Number, Needs("query_aux", "gallery_aux", instead="0")] = 0.0,
    alike: Alike = 0.25,
    together: Number | None = None,
    between: Number = 0.0,
    alone: Literal["apart", "together", "exempt"] = "apart",
    clip: bool = False,
    top_k: TopK = None,
) -> Distances | Nearest:
    """:func:`postproc.rerank` by finished ``distances``, and by features, tracks and cameras inside both sides.

    Neighbours and weights are by ``|2 - 2 s|``. Between query and gallery ``s = 1 - distances``. Among queries and
    among gallery images, with x of unit length, it is ``x_i · x_j``; 1 for gallery images of one track; and less
    what the cameras say for images of different tracks: ``camera`` for one camera; ``direction`` where the camera
    of i is unknown and both are seen from the same side; ``group`` for one camera group.

    Takes:   distances (nq, ng) float32, finite, in the unit of 1 - cosine, whatever has been added to them; query
             (nq, d), gallery (ng, d) float32, of unit length. All else is int, -1 unknown, and optional:
             query_track are tracks or clusters of queries (:func:`postproc.cluster_queries`); cameras are looked
             at only with ``camera``, ``query_camera`` or ``direction``, camera groups with ``group``; query_aux
             (nq, a), gallery_aux (ng, a) float32, an orientation model's features of any length, with
             ``direction``.
    Returns: (nq, ng) float32 in 0..1, no unit, smaller is nearer; with ``top_k`` the :class:`Nearest` of every
             query instead.
    k1, k2, lambda_value, top_k: as in :func:`postproc.rerank`.
    power:   0.01 to 64, of the Euclidean distance: 2 is 2 - 2 s, 4 its square, as in both systems.
    camera:  any number, in units of cosine. 0: none. 2 with ``clip``: images of one camera and different tracks
             are as far as can be, Baidu 2021.
    query_camera: the same among queries; None: as ``camera``.
    group, direction, alike: any numbers, ``alike`` -1 to 1, as in :func:`postproc.camera_penalty`.
    together: added to s of two queries of one track or cluster. None: s is 1.
    between: taken off s of two queries of different tracks or clusters. 0: none.
    alone:   what the cameras say of a query of no track or cluster. "apart": the same as of others. "together":
             all of them count as one cluster, among which cameras say nothing (layumi). "exempt": nothing, seen
             from them; seen from the others the same as ever (Baidu 2021).
    clip:    cut s to -1 .. 1, but not between queries, as Baidu 2021.
    Raises:  ValueError for a setting out of range or without its data, sizes that do not fit, NaN or infinity.
    Cost:    two products of all by all, neither of them halved; memory: the answer, a copy of the distances, the
             sparse V, three 16 MB tiles a thread.
    Differs: the last query cluster is not left out where every query is in one, as layumi's loops have it.

    layumi: ``k1=70, k2=10, lambda_value=0.2, camera=0.3, group=0.2, direction=0.1, together=0.1, between=0.1,
    alone="together"``. Baidu 2021: ``k1=80, k2=15, lambda_value=0.6, camera=2, query_camera=0.5, alone="exempt",
    clip=True``.

    >>> x = np.array([[1, 0], [0.94, 0.34], [0.64, 0.77], [0.5, 0.87]], np.float32)  # 0, 20, 50 and 60 degrees
    >>> sides, setting = (1 - x[:1] @ x[1:].T, x[:1], x[1:]), {"k1": 2, "k2": 1, "lambda_value": 0.0}
    >>> rerank_constrained(*sides, **setting).round(2)
    array([[0.42, 0.82, 1.  ]], dtype=float32)
    >>> rerank_constrained(*sides, gallery_track=np.array([4, 5, 4]), **setting).round(2)  # 20 and 60 degrees
    array([[0.52, 1.  , 0.8 ]], dtype=float32)
    """
    query, gallery = checks.sides(query, gallery, cuda=True)
    sizes = len(query), len(gallery)
    across = checks.features("distances", distances, cuda=True)
    if across.shape != sizes:
        raise ValueError(f"distances: wanted shape {sizes} to match query and gallery, got {across.shape}")
    query_camera = camera if query_camera is None else query_camera
    across, query, gallery = arrays.together(across, query, gallery)
    rule = rule_of(camera, group, direction, alike if direction else NOT_ALIKE)
    looked_at = bool(camera or query_camera or direction)
    cams = checks.labels_of_sides(
        "cam", *((query_cam, gallery_cam) if looked_at else (None, None)), sizes, optional=True
    )
    groups, aux = (query_cam_group, gallery_cam_group), (query_aux, gallery_aux)
    places = places_of_sides(cams, groups, aux, sizes, rule, like=across)
    tracks = checks.labels_of_sides("track", query_track, gallery_track, sizes, optional=True)
    within = np.nan if together is None else float(together)
    rules = (
        SideRules(
            rule._replace(camera=float(query_camera)), TrackRule(within, float(between), ALONE[alone], False)
        ),
        SideRules(rule, TrackRule(np.nan, 0.0, APART, bool(clip))),
    )
    tiles = ConstrainedTiles(across, (query, gallery), tracks, places, rules)
    return rerank_tiles(tiles, k1=k1, k2=k2, lambda_value=lambda_value, power=power, top_k=top_k)


Both = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Rows:
    """Rows of all classes that are equal for equal ``number``s: what is alike is multiplied once in a tile."""

    rows: Floats
    number: Ints

    def products(self, left: slice, right: slice, out: np.ndarray) -> np.ndarray:
        """Inner products of two ranges of classes, in ``out`` (flat), the same bits wherever rows are the same."""
        tall, wide = left.stop - left.start, right.stop - right.start
        tile = out[: tall * wide].reshape(tall, wide)
        (first, a), (second, b) = (
            np.unique(self.number[part], return_index=True, return_inverse=True)[1:] for part in (left, right)
        )
        kernel, x, y = kernels.of(tile), self.rows[left], self.rows[right]
        if len(first) == tall and len(second) == wide:
            kernel.tiles.multiply(x, y, tile)
            return tile
        found = arrays.empty((len(first), len(second)), np.float32, tile)
        kernel.tiles.multiply(x[first], y[second], found)
        a, b = (arrays.beside(each, found) for each in (a, b))
        for start in range(0, tall, SMALLEST):
            part = slice(start, start + SMALLEST)
            tile[part] = found[a[part]][:, b]
        return tile

    def of_pairs(self, left: Ints, right: Ints) -> Floats:
        kernel, out = kernels.of(self.rows), arrays.empty(len(left), np.float32, self.rows)
        signs, count = arrays.full(self.rows.shape[1], 1, np.float32, self.rows), len(self.rows)
        kernel.walk.over_rows(
            lambda start, stop: kernel.rows.products_of_pairs(
                self.rows, self.rows, count, signs, left, right, start, stop, out
            ),
            len(left),
            what="distances",
        )
        return out


class ConstrainedTiles(Tiles):
    """Tiles of ``[[queries, across], [acrossᵀ, gallery]]``, read down its columns; only ``across`` exists."""

    def __init__(
        self,
        across: Floats,
        sides: Both,
        tracks: Both,
        places: tuple[Places, Places],
        rules: tuple[SideRules, SideRules],
    ) -> None:
        kernel = kernels.of(across)
        self.across, self.rules = across, rules
        cams, groups, view = zip(*places, strict=True)
        pairs = sqeuclidean(*sides)
        views = copies(sqeuclidean(*view)).inverse if rules[0].cameras.direction else None
        labels = [compact(np.concatenate(label)) for label in (tracks, cams, groups)]
        self.layout = copies(pairs, _told_apart(across, labels, views))
        first = self.layout.first
        self.features = _Rows(arrays.joined(*sides)[first], copies(pairs).inverse[first])
        self.views = None if views is None else _Rows(arrays.joined(*view)[first], views[first])
        self.labels = tuple(arrays.beside(label[first], across) for label in labels)
        self.change, self.change_pairs = kernel.constrained.constrain_tile, kernel.constrained.constrain_pairs

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        border = self.layout.query_classes
        if (rows.start < border) != (columns.start < border):
            return self._across(rows, columns, out)
        tile = self.features.products(rows, columns, out)
        nothing = np.empty((0, 0), np.float32)
        views = nothing
        if self.views is not None:
            views = self.views.products(rows, columns, arrays.empty(tile.shape, np.float32, tile).reshape(-1))
        rules = self.rules[rows.start >= border]
        self.change(tile, views, rows.start, columns.start, self.labels, plain(rules))
        return tile

    def _across(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        tile = out[: tall * wide].reshape(tall, wide)
        nq, first = self.layout.nq, self.layout.first
        if rows.start < self.layout.query_classes:
            tile[:] = self.across[np.ix_(first[rows], first[columns] - nq)]
        else:
            tile[:] = self.across[np.ix_(first[columns], first[rows] - nq)].T
        return self._doubled(tile)

    def _doubled(self, distances: np.ndarray) -> np.ndarray:
        """|2 - 2 s| in the place of 1 - s."""
        distances *= 2
        xp = arrays.namespace(distances)
        if not self.rules[1].tracks.clip:
            return xp.abs(distances, out=distances)
        xp.maximum(distances, 0, out=distances)
        return xp.minimum(distances, 4, out=distances)

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        nq, inverse = self.layout.nq, self.layout.inverse_there
        out = arrays.empty(len(left), np.float32, self.across)
        a, b = left < nq, right < nq
        for here, (queries, images) in ((a & ~b, (left, right)), (~a & b, (right, left))):
            out[here] = self._doubled(self.across[queries[here], images[here] - nq])
        for here, rules in zip((a & b, ~a & ~b), self.rules, strict=True):
            out[here] = self._pairs(inverse[left[here]], inverse[right[here]], rules)
        return out

    def _pairs(self, left: Ints, right: Ints, rules: SideRules) -> Floats:
        values = self.features.of_pairs(left, right)
        views = np.empty(0, np.float32) if self.views is None else self.views.of_pairs(left, right)

        def change(start: int, stop: int) -> None:
            self.change_pairs(values, views, left, right, self.labels, plain(rules), start, stop)

        kernels.of(values).walk.over_rows(change, len(left), what="distances")
        return values


def _told_apart(across: Floats, labels: Sequence[Ints], views: Ints | None) -> Both:
    """(nq,), (ng,) numbers that are equal where nothing but features can tell two images apart."""
    nq, ng = across.shape
    columns = [*labels, np.repeat([0, 1], [nq, ng]), _equal_rows(across, arrays.contiguous(across.T))]
    columns += [] if views is None else [views]
    number = np.unique(np.stack(columns), axis=1, return_inverse=True)[1].reshape(-1)
    return number[:nq], number[nq:]


def _equal_rows(*parts: Floats) -> Ints:
    """Numbers of rows, equal within a part for equal rows."""
    return np.concatenate([copies(among(part)).inverse for part in parts])
