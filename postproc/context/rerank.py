"""k-reciprocal re-ranking, exactly as published, without a matrix of all images by all images.

Source: Zhong et al., "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017, and the code
released with it, whose choices are followed where the paper leaves one: lists of k1 + 1 entries, the image
itself among them; half-length lists of round-half-even(k1 / 2) + 1; strictly more than two thirds; distances
divided by the largest of their row.
"""

import math
from typing import Annotated

import numpy as np

from postproc.base import checks
from postproc.base.settings import Mutual, Needs, Neighbours, Neutral, Number, Share, TopK, Weight, Within
from postproc.base.step import JACCARD, MIXED, RANGES, Chosen, Range, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query, Unchecked
from postproc.context.kreciprocal import rerank_tiles
from postproc.pairs import held, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.matrices import MatrixTiles, SquareTiles, of_one_set, refuse_similarities
from postproc.pairs.pairwise import Pairwise, same_camera


def _unit(chosen: Chosen) -> str:
    return JACCARD if chosen["normalize"] or not chosen["lambda_value"] else MIXED


def _range(chosen: Chosen) -> Range:
    low = -math.inf if chosen["camera_penalty"] < 0 or chosen["auxiliary_weight"] > 0 else 0
    return (low if chosen["lambda_value"] else 0, RANGES[_unit(chosen)][1])


@step(
    unit=_unit,
    range=_range,
    memory=held.compared(held.reciprocal),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(0.98),
        spent.matrix(4.8),
        spent.lists(30, "k1", "k2"),
        spent.overlaps(0.33, "k1", "k2"),
        spent.read(78),
    ),
    on_disk=True,
)
def rerank(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    query_track: np.ndarray | None = None,
    gallery_track: np.ndarray | None = None,
    query_aux: np.ndarray | None = None,
    gallery_aux: np.ndarray | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: Annotated[Neighbours, Mutual()] = 20,
    k2: Neighbours = 6,
    lambda_value: Annotated[Share, Neutral(1.0)] = 0.3,
    power: Annotated[Weight, Within(0.01, 64)] = 2.0,
    camera_penalty: Annotated[Number, Needs("query_cam", "gallery_cam", instead="0")] = 0.0,
    auxiliary_weight: Annotated[Number, Needs("query_aux", "gallery_aux", instead="0")] = 0.0,
    count_self: bool = False,
    normalize: bool = True,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Mix each distance with how much the neighbourhoods of its two ends overlap.

    ``out = (1 - lambda_value) * (1 - sum_t min(V_q,t, V_g,t) / sum_t max(V_q,t, V_g,t)) + lambda_value * p``,
    where ``V_i`` holds ``exp(-p)`` on the expanded k1-reciprocal set of i, divided by its sum and averaged over
    the k2 nearest, and ``p`` is the Euclidean distance to the ``power``, divided by its largest value from i to
    all.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are: normalise before if you mean cosine
             (squared Euclidean is then 2 - 2 cos). Or one :class:`Pairwise` in their place: a weighted sum of
             feature sets and penalties, which then decides neighbours and distances alike. Tensors on a CUDA
             device are worked on and answered there; a side that stays in NumPy comes there in blocks.
             Cameras and tracks, int, -1 unknown, are looked at only if ``camera_penalty`` is not 0; query_aux
             (nq, a), gallery_aux (ng, a) float32, a side model's features, only with ``auxiliary_weight``.
             One set (n, d) alone is each image against all others: each is in every neighbourhood once.
    Returns: (nq, ng) float32 in 0..1, no unit, smaller is nearer; with ``top_k`` the :class:`Nearest` of every
             query instead: the first ``top_k`` of the full answer (ties by gallery row), which is never there
             unless it is small.
             Of one set (n, n) with +inf on the diagonal, symmetric where ``normalize`` is off or
             ``lambda_value`` is 0; lists never name the own image.
             0 or more where ``lambda_value`` above 0 meets ``normalize=False``; with distances below 0 (a negative
             penalty, ``auxiliary_weight``, a Pairwise) the mix may be below 0, too.
    neighbours: ``NeighbourLists`` of the same distances, so that they need not be found, of k1
             others, or k2 - 1. Or those alone, ``rerank(neighbours=lists)``: two images of which neither is in the
             other's list are then taken to be as far apart as the ends of their lists.
    k1:      1 or more neighbours, cut to what there is. About as many as an identity has images.
    k2:      1 or more; 1 averages nothing. Usually a third of k1.
    lambda_value: 0 (neighbourhoods only) to 1 (the normalised distance itself).
    power:   0.01 to 64, of the *Euclidean* distance. 2: Zhong, fast-reid. 4: S1 of AI City 2020, layumi,
             who hand squared distances to a function that squares. Neighbours are the same, weights are not.
    camera_penalty: added to the squared distance of any two images of one known camera and of different
             tracks, queries and gallery alike. 0: none. Negative draws them together.
    auxiliary_weight: times the squared distance of the side model's features is taken off the squared distance, of
             any two images: what looks alike only because camera or pose is the same. 0: none; 0.1: VOC-ReID, with
             cameras and orientation side by side. :func:`postproc.subtract_auxiliary` does it afterwards.
    count_self: the image itself is one of the k1, as where neighbours come from a search of k1 entries. Of one set
             it is also at distance 0 from itself in the matrix, as published.
    normalize: divide p by its largest value; if not, weights are exp(-p) of the plain distance and the mix takes
             ``(|q - g|^2 / 2)^(power / 2)``, which is 1 - cosine for unit features and power 2.
             ``rerank(x, count_self=True, normalize=False, lambda_value=0)`` is the Jaccard distance of OpenUnReID,
             SpCL and Cluster-Contrast.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted, as a ``power`` to which float32
             does not hold the largest distance, or ``normalize=False`` where, with ``lambda_value`` below 1, most
             images have no other whose exp(-p) is 2^-24 or more; TypeError for an array of no back end.
    Cost:    half a product of all by all, (nq + ng)^2 d multiply-adds, and little more; memory: the answer, the
             sparse V (some hundred entries an image), one 16 MB tile a thread. Copies of an image cost nothing.
             With ``top_k`` the matrix stays where it has 256 MiB at most; else a product of queries and gallery
             more or, where sizes say that this is cheaper, lists as long and candidates
             (:mod:`postproc.context.overlaps`). Memory-mapped features stay on disk.
    Differs: images without distinguishable features are exactly tied and ordered by row, where the released
             code leaves them to rounding and to an unstable sort. No row is divided by zero.

    >>> x = np.array([[0, 0], [0, 1], [4, 0], [4, 1]], np.float32)
    >>> rerank(x[:1], x[1:], k1=1, k2=1).round(3)
    array([[0.058, 0.982, 1.   ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, cuda=True)
    if camera_penalty:
        cams = checks.labels_of_sides("cam", query_cam, gallery_cam, pairs.sizes)
        pairs = pairs + camera_penalty * same_camera(*cams, query_track, gallery_track)
    if auxiliary_weight:
        pairs = pairs - auxiliary_weight * pairwise.of_side_model(query_aux, gallery_aux, pairs.sizes)
    return rerank_tiles(
        tiles_of(pairs, neighbours), k1=k1, k2=k2, lambda_value=lambda_value, power=power,
        count_self=count_self, normalize=normalize, top_k=top_k,
    )  # fmt: skip


@step(
    unit=JACCARD,
    memory=held.together(held.encoded, held.tiles, held.strip),
    work=spent.together(
        spent.nearest, spent.looked(2.1), spent.lists(29, "k1", "k2"), spent.overlaps(0.44, "k1", "k2")
    ),
)
def rerank_distances(
    distances: Distances,
    query_distances: Floats | None = None,
    gallery_distances: Floats | None = None,
    *,
    k1: Annotated[Neighbours, Mutual()] = 20,
    k2: Neighbours = 6,
    lambda_value: Annotated[Share, Neutral(1.0)] = 0.3,
    power: Annotated[Weight, Within(0.01, 64)] = 2.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """:func:`rerank` for distances that exist already: query x gallery, query x query, gallery x gallery.

    Takes:   distances (nq, ng), query_distances (nq, nq), gallery_distances (ng, ng) float32, one unit, finite.
             Not symmetric: the neighbours of an image are read down its column, as in the released code. One
             square matrix (n, n) alone, +inf or 0 on all of its diagonal, is one set: each image against all
             others, each in every neighbourhood once.
             Similarities are refused, where an image is farthest from itself.
    power:   of the distances as given: 2 for Euclidean ones is what :func:`rerank` does with 2; 1 takes them as
             they are. A negative distance keeps its sign.
    Everything else as in :func:`rerank`. Cost: O((nq + ng)^2) time; the same memory beside the matrices.

    >>> x = np.array([0, 1, 4, 5], np.float32)
    >>> d = abs(x[:, None] - x)
    >>> rerank_distances(d[:1, 1:], d[:1, :1], d[1:, 1:], k1=1, k2=1).round(3)
    array([[0.047, 0.892, 1.   ]], dtype=float32)
    """
    if query_distances is None and gallery_distances is None:
        tiles = SquareTiles(of_one_set("distances", distances))
        return rerank_tiles(tiles, k1=k1, k2=k2, lambda_value=lambda_value, power=2 * power, top_k=top_k)
    across = _finite("distances", distances)
    nq, ng = map(int, across.shape)
    query = _square("query_distances", query_distances, nq)
    gallery = _square("gallery_distances", gallery_distances, ng)
    return rerank_tiles(
        MatrixTiles(across, query, gallery),
        k1=k1, k2=k2, lambda_value=lambda_value, power=2 * power, top_k=top_k,
    )  # fmt: skip


def _finite(name: str, value: Unchecked) -> np.ndarray:
    array = checks.features(name, value, cuda=True)
    checks.not_empty(name, array)
    return array


def _square(name: str, value: Unchecked, count: int) -> np.ndarray:
    array = _finite(name, value)
    if array.shape != (count, count):
        raise ValueError(f"{name}: wanted shape {(count, count)} to match distances, got {tuple(array.shape)}")
    refuse_similarities(name, array, "of similarities s of unit vectors give 2 - 2 s")
    return array
