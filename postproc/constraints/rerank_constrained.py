"""k-reciprocal re-ranking in which tracks and cameras count between queries and between gallery images too.

Sources: layumi/AICIty-reID-2020, ``pytorch/fast_submit_baidu.py`` (AI City 2020, first);
Xuanmeng-Zhang/AICITY2021-Track2, ``post-processing/scene1`` (second of 2021). Both write their constraints into
three similarity matrices before they re-rank; here they are computed with the tiles.
"""

from typing import Annotated, Literal

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Mutual, Needs, Neighbours, Neutral, Number, Share, TopK, Weight, Within
from postproc.base.step import JACCARD, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query
from postproc.constraints.camera_rule import Alike, places_of_sides, rule_of
from postproc.constraints.constrained_tiles import ConstrainedTiles, InsideTiles, doubled
from postproc.context.kreciprocal import jaccard_change, neighbourhoods, rerank_tiles
from postproc.kernels.rules import APART, EXEMPT, TOGETHER, SideRules, TrackRule
from postproc.pairs import answering, held, spent
from postproc.pairs.matrices import of_one_set

ALONE = {"apart": APART, "together": TOGETHER, "exempt": EXEMPT}
NOT_ALIKE = 9.0  # a cosine that nobody reaches
LONGEST = 1.01  # squared length of what may have been of unit length in float16


@step(
    unit=JACCARD,
    memory=held.either(
        held.before(held.matrix),
        held.together(
            held.times(1.5, held.tiles),
            held.reciprocal,
            held.strip,
            held.if_one_set(held.together(held.slab, held.some_rows)),
        ),
    ),
    work=spent.together(spent.nearest, spent.looked(18), spent.lists(63, "k1", "k2"), spent.pairs(1.1)),
)
def rerank_constrained(
    distances: Distances,
    query: Query,
    gallery: Gallery | None = None,
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
             (nq, d), gallery (ng, d) float32, of unit length, or shorter, as means of such are. All else is int,
             -1 unknown, and optional:
             query_track are tracks or clusters of queries (:func:`postproc.cluster_queries`); cameras are looked
             at only with ``camera``, ``query_camera`` or ``direction``, camera groups with ``group``; query_aux
             (nq, a), gallery_aux (ng, a) float32, an orientation model's features of any length, with
             ``direction``. One set is distances (n, n), +inf or 0 on the diagonal, and its features and columns
             once: all of its images are gallery images, so neighbourhoods are by features, tracks and cameras, and
             distances are what ``lambda_value`` mixes in. Nothing that is said of queries counts.
    Returns: (nq, ng) float32 in 0..1, no unit, smaller is nearer; with ``top_k`` the :class:`Nearest` of every
             query instead. Of one set (n, n), +inf on the diagonal.
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
    Raises:  ValueError for a setting out of range or without its data, sizes that do not fit, NaN or infinity,
             features that are longer than 1.
    Cost:    half a product of all by all; the whole where images of the same features differ in what is known of
             them, or with "exempt"; two with ``direction``. Many gallery images are compared by whole numbers
             first, as in :func:`postproc.rerank`, unless ``group``, ``direction``, ``clip`` or a ``camera`` below
             0 say more than a distance and what is added to it. Memory: the answer, a copy of the distances,
             the sparse V, three 16 MB tiles a thread; or a byte a value of the features and 1.5 kB an image.
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
    if gallery is None:
        features = [checks.images("query", query, cuda=True)]
        across = of_one_set("distances", distances)
    else:
        features = [*checks.sides(query, gallery, cuda=True)]
        across = checks.features("distances", distances, cuda=True)
    sizes = len(features[0]), len(features[-1])
    if across.shape != sizes:
        raise ValueError(f"distances: wanted shape {sizes} to match query and gallery, got {across.shape}")
    query_camera = camera if query_camera is None else query_camera
    for side, rows in zip(("query", "gallery"), features, strict=False):
        _refuse_long(side, rows)
    across, *features = arrays.together(across, *features)
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
    if gallery is None:
        return _of_one_set(
            across, InsideTiles(features[0], tracks[1], places[1], rules[1]),
            k1=k1, k2=k2, lambda_value=lambda_value, power=power, clip=clip, top_k=top_k,
        )  # fmt: skip
    tiles = ConstrainedTiles(across, (features[0], features[1]), tracks, places, rules)
    return rerank_tiles(tiles, k1=k1, k2=k2, lambda_value=lambda_value, power=power, top_k=top_k)


def _refuse_long(name: str, rows: np.ndarray) -> None:
    """Refuse features whose inner products are no cosines."""
    xp = arrays.namespace(rows)
    with np.errstate(over="ignore"):  # +inf is too long, too
        longest = max(float(xp.max((rows[part] * rows[part]).sum(1))) for part in arrays.blocks(rows, 256))
    if longest > LONGEST:
        raise ValueError(
            f"{name}: wanted features of unit length, or shorter, found one of length {longest**0.5:.3g}; "
            "normalise them before (l2_normalize)"
        )


def _of_one_set(
    distances: Floats,
    tiles: InsideTiles,
    *,
    k1: int,
    k2: int,
    lambda_value: float,
    power: float,
    clip: bool,
    top_k: int | None,
) -> Floats | Nearest:
    """Neighbourhoods from ``tiles``, mixed with the distances themselves."""
    count, xp = len(distances), arrays.namespace(distances)
    vectors, _ = neighbourhoods(tiles, k1=k1, k2=k2, power=power)

    def take(strip: np.ndarray, queries: np.ndarray) -> None:
        arrays.take(distances, queries, strip)
        answering.set_own(strip, queries, 0)
        doubled(strip, clip)

    largest = arrays.empty(count, np.float32, distances)
    for part in arrays.blocks(distances, 64):
        queries = np.arange(count)[part]
        strip = arrays.empty((len(queries), count), np.float32, distances)
        take(strip, queries)
        largest[part] = xp.max(strip, axis=1)
    blend = jaccard_change(vectors, tiles.layout, largest, lambda_value, power)

    def fill(strip: np.ndarray, queries: np.ndarray) -> None:
        take(strip, queries)
        blend(strip, queries)

    return answering.answer_without_distances(count, count, fill, top_k=top_k, like=distances, one_set=True)
