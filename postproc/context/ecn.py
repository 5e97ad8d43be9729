"""Expanded cross neighbourhood: the distance between an image and the neighbours of the other, both ways.

Source: Sarfraz et al., "A Pose-Sensitive Embedding for Person Re-Identification with Expanded Cross Neighborhood
Re-Ranking", CVPR 2018, and the code released with it, which returns gallery x query.
"""

from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Neighbours, TopK, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles


@step(
    memory=held.compared(held.lists("k", factor=34), unit=True),
    work=spent.only(
        "measure",
        ("rank_lists",),
        spent.together(
            spent.pairs(),
            spent.nearest,
            spent.looked(1.2),
            spent.matrix(8.9),
            spent.lists(270, "k"),
            spent.read(110),
        ),
    ),
)
def ecn(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 25,
    t: Neighbours = 3,
    q: Annotated[Neighbours, Within(0)] = 8,
    measure: Literal["rank_lists", "cosine"] = "rank_lists",
    top_k: TopK = None,
) -> Distances | Nearest:
    """Average a distance over the neighbours, and the neighbours' neighbours, of both images.

    E(i) holds the first ``t`` neighbours of i and the first ``q`` of each of these, repeated as they come;
    ``out = (sum_{e in E(q)} r(e, g) + sum_{e in E(g)} r(e, q)) / (2 t (1 + q))``.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise` in their
             place, for ``measure="rank_lists"``. One set (n, d) alone is each image against all others: each is in
             every list once.
    Returns: (nq, ng) float32, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query. Of one set
             (n, n), symmetric, +inf on the diagonal.
    neighbours: lists of features of unit length, of as many others as the largest of k - 1, t and q; or those
             alone, for "rank_lists", as in :func:`rerank`.
    k:       1 or more: how many places of a list count.
    t, q:    1 or more; 0 or more. Neighbours are the places 1 .. of a list, place 0 being the image itself.
    measure: "rank_lists": ``r(a, b) = - sum_x max(0, k - place of x in a's list) * max(0, k - place in b's)``,
             negative where lists have images in common. Where nothing is in common at all ``out`` is the cosine
             distance, 0 to 2, hence behind. "cosine": r is the cosine distance itself.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all; memory: k (1 + t + t q) numbers an image at most, the answer, and one
             16 MB tile a thread.

    >>> x = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)
    >>> ecn(x[:1], x[1:], k=2, t=1, q=0).round(3)
    array([[-5.  ,  1.  ,  0.89]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    if measure == "cosine" and isinstance(query, Pairwise | NeighbourLists):
        given = "a Pairwise" if isinstance(query, Pairwise) else "lists alone"
        raise ValueError(f'measure: wanted "rank_lists" with {given}, got "cosine", which needs features')
    tiles = tiles_of(pairs, neighbours, unit=True)
    border = tiles.layout.border
    lists = nearest.of_all(tiles, max(k, t + 1, q + 1)).rows
    xp, kernel = arrays.namespace(lists), kernels.of(lists)
    near = lists[:, 1 : t + 1]
    expanded = xp.concat([near, xp.reshape(lists[near][:, :, 1 : q + 1], (len(near), -1))], axis=1)
    if not expanded.shape[1]:  # one image of each kind at most: nobody has a neighbour
        expanded = lists[:, :1]
    if measure == "cosine":
        query, images = pairs.terms[0].query, pairs.terms[0].gallery  # type: ignore[union-attr]
        if pairs.one_set:
            return _among_means(images, expanded, top_k)
        return _between_means(arrays.joined(query, images), expanded, border, top_k)
    places = arrays.beside(np.arange(k, 0, -1, dtype=np.float32), lists)
    places = xp.broadcast_to(places, (len(lists), k))[:, : lists.shape[1]]
    lists_of = Sparse.of_lists(lists[:, :k], places)
    sums = lists_of.sum(expanded)  # whole numbers, so that sums of them are exact
    parts = (sums.products(lists_of.inverted(border)), lists_of.products(sums.inverted(border)))

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        def finish(start: int, stop: int) -> None:
            found = arrays.full((stop - start, strip.shape[1]), 0, np.float32, strip)
            for add in parts:
                add(found, queries[start:stop], 0, stop - start)
            found /= -2 * expanded.shape[1]
            strip[start:stop] *= 0.5
            strip[start:stop] = xp.where(found != 0, found, strip[start:stop])

        kernel.walk.over_rows(finish, len(strip), what="rank lists", block=16)

    return answering.answer(tiles, change, top_k=top_k)


def _between_means(images: np.ndarray, expanded: np.ndarray, nq: int, top_k: int | None) -> Distances | Nearest:
    """``1 - (mean of E(q) . g + mean of E(g) . q) / 2``: one product of twice the width."""
    xp, kernel = arrays.namespace(images), kernels.of(images)
    means = _means(images, expanded)
    left = xp.concat([means[:nq], images[:nq]], axis=1)
    right = xp.concat([images[nq:], means[nq:]], axis=1)
    norms = [_squares(side) for side in (left, right)]

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        def finish(start: int, stop: int) -> None:  # products from distances, which know copies
            strip[start:stop] -= norms[0][queries[start:stop]][:, None] + norms[1]
            strip[start:stop] *= 0.25
            strip[start:stop] += 1

        kernel.walk.over_rows(finish, len(strip), what="distances", block=64)

    return answering.answer(PairwiseTiles(pairwise.sqeuclidean(left, right)), change, top_k=top_k)


def _among_means(images: np.ndarray, expanded: np.ndarray, top_k: int | None) -> Distances | Nearest:
    """The same for one set x with means m, from distances of i and j that are those of j and i to the last bit.

    ``|s_i - s_j|^2 - |m_i - m_j|^2 - |x_i - x_j|^2 = 2 x_i . m_i + 2 x_j . m_j - 2 (m_i . x_j + m_j . x_i)`` with
    s = x + m.
    """
    kernel = kernels.of(images)
    means = _means(images, expanded)
    sums = images + means
    pairs = pairwise.sqeuclidean(sums) - pairwise.sqeuclidean(means) - pairwise.sqeuclidean(images)
    own = _squares(sums) - _squares(means) - _squares(images)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        def finish(start: int, stop: int) -> None:
            strip[start:stop] -= own[queries[start:stop]][:, None] + own
            strip[start:stop] *= 0.25
            strip[start:stop] += 1

        kernel.walk.over_rows(finish, len(strip), what="distances", block=64)

    return answering.answer(PairwiseTiles(pairs), change, top_k=top_k)


def _means(images: np.ndarray, expanded: np.ndarray) -> np.ndarray:
    """(n, d) float32: the mean of the images whose numbers stand in every row."""
    xp = arrays.namespace(images)
    means = xp.empty_like(images)

    def average(start: int, stop: int) -> None:
        means[start:stop] = xp.mean(images[expanded[start:stop]], axis=1)

    block = min(64, max(1, 2048 // expanded.shape[1]))
    kernels.of(images).walk.over_rows(average, len(images), what="means", block=block)
    return means


def _squares(side: np.ndarray) -> np.ndarray:
    """(n,) float32: the squared length of every row."""
    if not arrays.on_cuda(side):
        return np.einsum("ij,ij->i", side, side)
    out = arrays.empty(len(side), np.float32, side)
    kernels.of(side).rows.square_norms(side, arrays.full(side.shape[1], 1, np.float32, side), 0, len(side), out)
    return out
