"""Weighted fusion of neighbours from other cameras: a gallery image is seen from more than its own side.

Sources: Che et al., "A Re-ranking Method using K-nearest Weighted Fusion for Person Re-identification", ICPRAM
2025 (KWF); Che et al., "Enhancing Person Re-identification via Uncertainty Feature Fusion Method and Auto-weighted
Measure Combination", 2024 (arXiv 2405.01101: UFFM and AMC); and the code released with them.
"""

from functools import partial
from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Neighbours, Neutral, Number, TopK, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of_gallery
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles


@step(
    memory=held.compared(held.lists("k", factor=8), unit=True),
    work=spent.together(
        spent.across(),
        spent.gallery_pairs(),
        spent.nearest,
        spent.gallery_looked(1.4),
        spent.matrix(9.8),
        spent.lists(670, "k"),
        spent.read(110),
    ),
)
def kwf(
    query: Query | Pairwise,
    gallery: Gallery | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 6,
    shortlist: Neighbours | None = 100,
    weighting: Literal["uniform", "similarity", "exponential"] = "similarity",
    own: Annotated[Weight, Within(-1000, 1000)] = 0.0,
    mean: Annotated[Weight, Within(-1000, 1000), Neutral(0.0, (("own", 1.0),))] = 1.0,
    camera_penalty: Annotated[Number, Within(-1000, 1000)] = 0.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Measure the distance to the mean of a gallery image's nearest, none of them from the query's camera.

    ``out_qi = own * D_qi + mean * sum_j w_ij D_qj / sum_j w_ij + camera_penalty * [c_q = c_i]``, j over the ``k``
    nearest gallery images of i that are not of camera c_q (i itself, where it is of another), ``D = 2 - 2 s``, s
    the cosine. The sum is 2 - 2 q . m, m being the weighted mean of unit features.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise` and
             None, whose distance D then stands for 2 - 2 s. Cameras (nq,), (ng,) int; an unknown one (-1) equals
             no other. One set (n, d), None and its cameras is each image against all others: no image is in a mean
             seen from itself.
    Returns: (nq, ng) float32, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query. Of one set
             (n, n), +inf on the diagonal.
    neighbours: lists of the gallery, as in :func:`diffusion`, that hold 2 k images, and k of other cameras than
             their own.
    k:       1 or more, cut to what there is. Where all images are of the query's camera, i stands for itself.
    shortlist: 1 or more: only the so many nearest of a query, and what is exactly as near as the last of them, are
             replaced by means; others stand for themselves. None: all of the gallery.
    weighting: "similarity": w = s, at least 1e-6. "exponential": w = exp(s). "uniform": w = 1, so that images with
             the same neighbours are exactly tied.
    own, mean: -1000 to 1000, not both 0. 1 and 0: D itself.
    camera_penalty: -1000 to 1000, in units of D.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    a product of queries and gallery and half a product of gallery and gallery, and k to 2 k look-ups a
             pair; where more than k of the 2 k nearest of an image are of one foreign camera, its row once more.
             Memory: the answer, 4 k numbers a gallery image and one 16 MB tile a thread.

    Released code: KWF is ``k=6, shortlist=100`` and UFFM ``k=5, shortlist=None``, their similarity 1 - out / 2.
    AMC, ``alpha s + beta s_mean + theta [same camera]``, adds ``own=alpha, mean=beta, camera_penalty=-2 * theta``
    and is alpha + beta - out / 2.
    Differs: a weight by similarity is never below zero, nor a sum of weights zero.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], np.float32)
    >>> kwf(q, g, np.array([0]), np.array([0, 1, 1]), k=1).round(2)
    array([[0.4, 0.4, 2. ]], dtype=float32)
    """
    if own == 0 == mean:
        raise ValueError("own, mean: wanted one that is not 0, got 0 and 0, by which nothing is measured")
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    ng = pairs.sizes[1]
    query_cam, gallery_cam = checks.labels_of_sides("cam", query_cam, gallery_cam, pairs.sizes)
    near, crowd, beyond = _pools(pairs, gallery_cam, k, neighbours)
    cameras, crowd = (arrays.beside(part, near.rows) for part in (gallery_cam, crowd))
    lists = (near.rows, _weights(near, weighting), crowd, beyond.rows, _weights(beyond, weighting))
    factors = (min(k, ng), float(own), float(mean), float(camera_penalty))
    kernel = kernels.of(near.rows)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if pairs.one_set:
            answering.set_own(strip, queries)
        limits = arrays.full(len(strip), np.inf, np.float32, strip)
        if shortlist is not None and shortlist < ng:
            limits = arrays.copied(answering.smallest(strip, shortlist).distances[:, -1])
        mix = partial(
            kernel.shortlists.mix_with_means, strip, limits, query_cam[queries], cameras, *lists, *factors
        )
        kernel.walk.over_rows(mix, len(strip), what="means of neighbours", block=16)

    return answering.answer(PairwiseTiles(pairs), change, top_k=top_k)


def _pools(
    pairs: Pairwise, gallery_cam: np.ndarray, k: int, known: NeighbourLists | None
) -> tuple[Lists, np.ndarray, Lists]:
    """What holds, for every gallery image and every camera, the ``k`` nearest images outside that camera.

    The first are the 2 k nearest of any camera. They hold k outside a camera unless more than k are of it, which
    can be true of one camera only: the second names it, or -1, and the third are the k nearest outside that one.
    """
    ng = pairs.sizes[1]
    tiles = tiles_of_gallery(pairs, known, gallery_cam, unit=True)
    near, beyond = nearest.of_all_and_others(tiles, every=2 * k, other=k)
    if 2 * k >= ng:
        return near, np.full(ng, -1), beyond  # all images are there
    cams = gallery_cam[arrays.host(near.rows)]
    crowd = np.partition(cams, k, axis=1)[:, k]  # more than half of the entries take the middle
    crowd[(cams == crowd[:, None]).sum(axis=1) <= k] = -1
    foreign = np.flatnonzero((crowd >= 0) & (crowd != gallery_cam))
    cameras = arrays.beside(gallery_cam, near.rows)

    def search(strip: np.ndarray, rows: np.ndarray) -> None:
        images = foreign[rows]
        strip[cameras == arrays.beside(crowd[images, None], strip)] = np.inf
        found = answering.smallest(strip, beyond.rows.shape[1])
        beyond.rows[images], beyond.values[images] = found.rows, found.distances

    if len(foreign):
        answering.strips(PairwiseTiles(pairs.of_gallery(foreign)), search, what="other cameras")
    return near, crowd, beyond


def _weights(lists: Lists, weighting: str) -> np.ndarray:
    """(n, k) float32, one weight a neighbour; only their proportions within a row matter."""
    xp = arrays.namespace(lists.values)
    if weighting == "uniform":
        return xp.ones_like(lists.values)
    if weighting == "similarity":
        return xp.maximum(1 - lists.values / 2, 1e-6)
    nearest_of_all = xp.where(lists.rows[:, :1] >= 0, lists.values[:, :1], 0.0)
    return xp.maximum(xp.exp((nearest_of_all - lists.values) / 2), 1e-30)
