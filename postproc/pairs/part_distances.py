"""Parts with visibility: images are compared by the parts that both show.

Source: the distance of part-based models for occluded persons, as Somers et al. state it ("Body Part-Based
Representation Learning for Occluded Person Re-Identification", WACV 2023, section 3.4; KPR, ECCV 2024).
"""

from functools import partial
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import checks
from postproc.base.settings import Number, TopK, Within
from postproc.base.sizes import DOUBLE, Sizes
from postproc.base.step import SQUARED, Chosen, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query
from postproc.pairs import answering, held, spent
from postproc.pairs.pairwise import sqeuclidean
from postproc.pairs.tiles import PairwiseTiles

FAR = 5.0  # without a part in common: behind everybody, who is at 4 or less


def _shown(sizes: Sizes, chosen: Chosen) -> int:
    """Parts of both sides, and a row of what is common in every thread."""
    return DOUBLE * (4 * sizes.images * max(1, sizes.aux) + 2 * sizes.threads * sizes.ng)


@step(
    unit=SQUARED,
    range=(0, FAR),
    host_only=True,
    memory=held.compared(_shown, copy=held.times(3, held.features)),
    work=spent.together(spent.across(), spent.nearest, spent.matrix(6), spent.read(300)),
)
def part_distances(
    query: Query,
    gallery: Gallery | None,
    query_aux: np.ndarray,
    gallery_aux: np.ndarray,
    *,
    seen: Annotated[Number, Within(0, 1)] = 0.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Squared Euclidean distance of unit parts, in the mean over the parts that both images show.

    ``out = sum_k w_k d_k / sum_k w_k``, ``w_k = sqrt(v_qk v_gk)``, ``d_k = 2 - 2 cosine`` of part k, v the
    visibility. Features hold the parts one after the other, all of one width; a part of the whole image may be
    among them, with visibility 1.

    Takes:   query (nq, p w), gallery (ng, p w) float32; query_aux (nq, p), gallery_aux (ng, p) float32 of 0 or
             more: how visible each part is, 0 or 1 where a model says yes or no. In files they are a side model
             of p columns, named by ``aux``. One set (n, p w), None and its visibility is each image against all
             others.
    Returns: (nq, ng) float32, 0 to 4, smaller is nearer, and 5 where no part is common; with ``top_k`` the
             :class:`Nearest` of every query instead: the first ``top_k`` of the full answer, which never
             exists. Of one set (n, n), symmetric, +inf on the diagonal.
    seen:    0 to 1. 0: visibility is a weight; above: parts of that visibility count alike, the others not at all.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for widths that are no multiple of p, a visibility below 0, NaN or infinity.
    Cost:    a product of queries by gallery, p multiply-adds a pair; memory: the answer, features of weighted
             parts.

    >>> q, g = np.array([[1, 0, 1, 0]], np.float32), np.array([[1, 0, 0, 1], [0, 1, 0, 1]], np.float32)
    >>> part_distances(q, g, np.array([[1.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 1.0]])).round(3)
    array([[0., 5.]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = checks.sides_or_one(query, gallery)
    if one_set:
        gallery = query
    shown = checks.side_model(query_aux, gallery_aux, (len(query), len(gallery)))
    (left, roots), (right, columns) = (
        _weighted(side, x, v, seen)
        for side, x, v in zip(("query", "gallery"), (query, gallery), shown, strict=True)
    )
    lengths = [np.square(x, dtype=np.float64).sum(axis=1) for x in (left, right)]
    tiles = PairwiseTiles(sqeuclidean(left) if one_set else sqeuclidean(left, right))
    columns, kernel = np.ascontiguousarray(columns.T), kernels.of(left)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        over = partial(
            kernel.parts.over_common_parts, strip, roots[queries], columns, lengths[0][queries], lengths[1], FAR
        )
        kernel.walk.over_rows(over, len(strip), what="parts", block=16)

    return answering.answer(tiles, change, top_k=top_k)


def _weighted(side: str, features: Floats, shown: Floats, seen: float) -> tuple[Floats, np.ndarray]:
    """Unit parts times the roots of their shares of what is visible, and these roots, as float64."""
    count = shown.shape[1]
    if features.shape[1] % max(1, count):
        raise ValueError(
            f"{side}: wanted parts of one width, {count} as {side}_aux has columns, "
            f"got {features.shape[1]} numbers"
        )
    if (shown < 0).any():
        raise ValueError(f"{side}_aux: wanted visibilities of 0 or more, got {shown.min()}")
    visible = np.where(shown >= seen, 1.0, 0.0) if seen else shown.astype(np.float64)
    total = visible.sum(axis=1, keepdims=True)
    roots = np.sqrt(visible / np.where(total > 0, total, 1))
    parts = features.reshape(len(features), count, -1)
    length = np.sqrt(np.square(parts, dtype=np.float64).sum(axis=2))
    scale = roots / np.where(length > 0, length, 1)
    return (parts * scale[:, :, None].astype(np.float32)).reshape(features.shape), roots
