"""Camera-aware Jaccard distance: neighbours inside the own camera and in all others count apart.

Source: Chen et al., "CA-Jaccard: Camera-aware Jaccard Distance for Person Re-identification", CVPR 2024, and the
code released with it, whose two functions (for clustering and for re-ranking) are settings here.
"""

from dataclasses import replace
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Mutual, Neighbours, Neutral, Share, TopK, Weight, Within
from postproc.base.step import JACCARD, MIXED, Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context import kreciprocal
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import Pairwise


def _unit(chosen: Chosen) -> str:
    if chosen["normalize"] or not chosen["lambda_value"]:
        return JACCARD
    return MIXED


@step(
    unit=_unit,
    memory=held.compared(held.tiles, held.lists("k1_intra", "k1_inter"), held.reciprocal, unit=True),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(0.89),
        spent.matrix(17),
        spent.lists(38, "k1", "k2"),
        spent.read(120),
    ),
)
def ca_jaccard(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k1_intra: Annotated[Neighbours, Within(0)] = 5,
    k1_inter: Annotated[Neighbours, Within(0)] = 20,
    k2_intra: Neighbours = 3,
    k2_inter: Annotated[Neighbours, Within(0)] = 3,
    camera_sets: bool = True,
    k1: Annotated[Neighbours, Mutual()] = 20,
    camera_means: bool = True,
    k2: Neighbours = 6,
    lambda_value: Annotated[Share, Neutral(1.0)] = 0.0,
    power: Annotated[Weight, Within(0.01, 64)] = 2.0,
    normalize: bool = False,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Overlap of neighbourhoods in which images of other cameras have places of their own.

    ``out = (1 - lambda_value) * (1 - sum_t min(V_q,t, V_g,t) / sum_t max(V_q,t, V_g,t)) + lambda_value * p`` as in
    ``rerank``. The set of image i holds those j of its camera with i and j among each other's ``k1_intra`` nearest
    there, and those of other cameras with both among each other's ``k1_inter`` nearest across. ``V_i`` is
    ``exp(-p)`` on it over its sum, then the mean over the first ``k2_intra`` images of its camera (i itself first)
    and the first ``k2_inter`` of other cameras.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here, so that p is 2 - 2 cosine at
             power 2; or one :class:`Pairwise` and None. Cameras (nq,), (ng,) int. An image of unknown camera (-1)
             is alone in its camera, with its copies. One set (n, d), None and its cameras is each image against
             all others: each is in every list once.
    Returns: (nq, ng) float32, 0..1 without mix or with ``normalize``, 0 or more otherwise; smaller is nearer. With
             ``top_k`` the :class:`Nearest` of every query. Of one set (n, n), +inf on the diagonal, symmetric
             where ``lambda_value`` is 0 or ``normalize`` is off.
    neighbours: lists of features of unit length in which each image finds enough of its own camera and enough of
             others, or all there are. Or those alone, as in :func:`rerank`: a camera's list then ends with what
             is known.
    k1_intra, k1_inter: 0 or more, the image itself not counted; cut to what there is.
    k2_intra: 1 or more, counting the image itself. k2_inter: 0 or more. 1 and 0 average nothing.
    camera_sets: if not, the expanded reciprocal set of ``rerank`` with ``k1`` takes the place of the two.
    k1:      1 or more neighbours of any camera, looked at only without ``camera_sets``.
    camera_means: if not, the mean over the ``k2`` nearest of any camera takes the place of that over the two.
    k2:      1 or more images of any camera, the image itself among them, only without ``camera_means``.
    lambda_value, power, normalize, top_k: as in ``rerank``. The released re-ranking is ``power=4, normalize=True``
             (squared distances squared again) with a lambda above 0.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all, two if only one of sets and means looks at cameras; memory: the answer,
             the sparse V and one 16 MB tile a thread. The released code holds all by all several times.
    Differs: the released code hides the other cameras by adding 999 to their distances, so where a camera has
             fewer images than a list is long, strangers at 999 enter it. Here such a list ends.

    >>> q, g = np.array([[1, 0]], np.float32), np.array([[9, 1], [9, 2], [1, 9], [0, 9]], np.float32)
    >>> cams = np.array([0]), np.array([0, 1, 0, 1])
    >>> ca_jaccard(q, g, *cams, k1_intra=1, k1_inter=1, k2_intra=1, k2_inter=0).round(2)
    array([[0.1 , 0.12, 1.  , 0.91]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    nq, ng = pairs.sizes
    cameras = checks.labels_of_sides("cam", query_cam, gallery_cam, pairs.sizes)
    tiles = tiles_of(pairs, neighbours, cameras, unit=True)
    answer = arrays.empty((nq, ng), np.float32, pairs.like) if top_k is None else None

    same, other = nearest.of_cameras(
        tiles, same=max(k1_intra + 1, k2_intra), other=max(k1_inter + 1, k2_inter), answer=answer
    )
    xp = arrays.namespace(same.largest)
    largest = xp.maximum(same.largest, other.largest)
    kreciprocal.refuse_power(largest, power)
    if lambda_value < 1 and not normalize:
        kreciprocal.refuse_weightless(xp.concat([same.values[:, 1:2], other.values[:, :1]], axis=1), power)
    plain = nearest.of_all(tiles, max(k1 + 1, k2)) if not (camera_sets and camera_means) else None
    scales = [largest if normalize else xp.full_like(largest, unit) for unit in (1, 2)]
    if plain is None or camera_sets:
        vectors = _encode(same, other, k1_intra, k1_inter, scales[0], power)
    else:
        plain_scaled = replace(plain, largest=scales[0])
        vectors = kreciprocal.encode(tiles, plain_scaled, k1=k1, length=k1 + 1, power=power)
    if plain is None or camera_means:
        near = xp.concat([same.rows[:, :k2_intra], other.rows[:, :k2_inter]], axis=1)
    else:
        near = plain.rows[:, :k2]
    if near.shape[1] > 1:
        vectors = vectors.mean(near)
    blend = kreciprocal.jaccard_change(vectors, tiles.layout, scales[1], lambda_value, power)
    return answering.answer(tiles, blend, top_k=top_k, filled=answer)


def _encode(same: Lists, other: Lists, k1_intra: int, k1_inter: int, largest: np.ndarray, power: float) -> Sparse:
    """Weights exp(-p) over their sum on the reciprocal neighbours within the camera and across."""
    kernel = kernels.of(same.values)
    halves = []
    for lists, length in ((same, k1_intra + 1), (other, k1_inter + 1)):
        rows, values = (arrays.contiguous(part[:, :length]) for part in (lists.rows, lists.values))

        def find(start: int, stop: int, rows: np.ndarray = rows, values: np.ndarray = values) -> tuple:
            return kernel.cameras.reciprocal_pairs(rows, values, start, stop)

        halves.append(Sparse(*Sparse.in_pieces(find, len(rows), rows)))
    joined = halves[0].join_rows(halves[1])
    kernel.walk.over_rows(
        lambda start, stop: kernel.reciprocal.to_weights(
            joined.offsets, joined.weights, largest, power / 2, start, stop
        ),
        joined.rows,
        what="weights",
    )
    return joined
