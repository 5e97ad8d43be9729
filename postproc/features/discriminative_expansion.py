"""Discriminative query expansion: the direction that tells an image and its nearest from those who are far away.

Source: Arandjelović and Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012,
section 3; hard margin, bias and counts as in jifeiluo/reranking. The machine is solved as a problem of
non-negative least squares (Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23), which ends
after finitely many steps however narrow the margin.
"""

from typing import Annotated, Literal

import numpy as np

from postproc.base import checks, runtime
from postproc.base.settings import Count, Neighbours, Neutral
from postproc.base.step import step
from postproc.base.vocabulary import Gallery, Query, Sides
from postproc.features.expansion import unexpanded
from postproc.pairs import held, nearest, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import among, sqeuclidean
from postproc.pairs.tiles import PairwiseTiles

BIAS = 1e4  # each sample's last coordinate, the factor of b: so large that b^2 / BIAS^2 adds nothing to |w|^2
TOUCHING = 1e-6  # hulls of unit vectors nearer than this are not separated


@step(
    host_only=True,
    memory=held.together(held.features, held.features, held.walk, held.strips),
    loads=("scipy",),
    keeps=unexpanded,
    work=spent.only("expand", ("query",), spent.together(spent.across(2), spent.images(3800), spent.across(6.2))),
)
def discriminative_expansion(
    query: Query,
    gallery: Gallery | None = None,
    *,
    k: Neighbours = 5,
    negatives: Annotated[Count, Neutral(0)] = 20,
    expand: Literal["query", "gallery"] = "query",
) -> Sides:
    """Replace an image by the normal ``w / |w|`` of the plane that separates its nearest from its farthest images.

    ``w`` is that of a linear support vector machine: least ``|w|^2`` such that ``w x + b >= 1`` for the image and
    its ``k`` nearest and ``w x + b <= -1`` for the ``negatives`` farthest. b is dropped; search by inner product.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length first; near and far are by cosine. Or
             one set (n, d): each image from the others.
    Returns: both, (nq, d) and (ng, d) float32; of unit length what was expanded, the other side is the one given.
             Of one set (n, d).
    k:       1 or more others, the image itself not counted, cut to what there is.
    negatives: 0 or more, cut to what the nearest leave over. 0 changes nothing, nor does a gallery of k or fewer.
    expand:  "query": queries from the gallery. "gallery": gallery images from the other gallery images. To expand
             both from the gallery as it was, run "query", then "gallery". Of one set both are the same.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    two products, for the nearest and for the farthest, and one machine of 1 + k + negatives images for
             every image that is expanded, some tenths of a millisecond each: seconds for queries, half a minute
             for a gallery of 80,000. Memory: the lists.
    Differs: an image is only brought to unit length where no plane separates, as between copies; the released
             solver fails there.

    >>> q, g = np.array([[0.8, 0.6]], np.float32), np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32)
    >>> discriminative_expansion(q, g, k=1, negatives=1)[0].round(3)
    array([[0.949, 0.316]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = checks.sides_or_one(query, gallery)
    others = len(gallery) - (one_set or expand == "gallery")
    k = min(k, others)
    negatives = min(negatives, others - k)
    if negatives == 0:
        return query if one_set else (query, gallery)
    bank = l2_normalize(gallery)
    if expand == "query" and not one_set:
        images = l2_normalize(query)
        pairs = sqeuclidean(images, bank)
        near = nearest.of_queries(PairwiseTiles(pairs), k).rows
        far = nearest.of_queries(PairwiseTiles(-1.0 * pairs), negatives).rows
        return _normals(images, bank, near, far), gallery
    pairs = among(bank)
    near = nearest.without_self(nearest.of_all(PairwiseTiles(pairs), k + 1)).rows
    far = nearest.of_all(PairwiseTiles(-1.0 * pairs), negatives).rows
    moved = _normals(bank, bank, near, far)
    return moved if one_set else (query, moved)


def _normals(images: np.ndarray, bank: np.ndarray, near: np.ndarray, far: np.ndarray) -> np.ndarray:
    """(n, d) unit normals, one a row of ``images``; ``near`` and ``far`` are rows of the bank."""
    out = images.copy()
    signs = np.repeat([1.0, -1.0], [1 + near.shape[1], far.shape[1]])

    def separate(start: int, stop: int) -> None:
        for i in range(start, stop):
            samples = np.concatenate([images[i : i + 1], bank[near[i]], bank[far[i]]]).astype(np.float64)
            normal = _normal(samples * signs[:, None], signs)
            if normal is not None:
                out[i] = normal

    runtime.over_rows(separate, len(images), what="separating planes", block=64)
    return out


def _normal(signed: np.ndarray, signs: np.ndarray) -> np.ndarray | None:
    """(d,) unit normal of the widest margin between samples; None if there is none.

    ``w = sum_i u_i y_i x_i``, where u >= 0 has the least ``|w|^2 + (BIAS sum_i u_i y_i)^2 + (sum_i u_i - 1)^2``.
    """
    from scipy.optimize import nnls

    rotated = np.linalg.qr(signed.T, mode="r")  # at most as many rows as samples, the same inner products
    system = np.concatenate([rotated, BIAS * signs[None], np.ones((1, len(signs)))])
    try:
        weights, _ = nnls(system, np.append(np.zeros(len(system) - 1), 1.0), maxiter=100 * len(signs))
    except RuntimeError:  # it did not come to an end
        return None
    normal = weights @ signed
    length = np.linalg.norm(normal)
    return normal / length if length > TOUCHING * weights.sum() / 2 else None
