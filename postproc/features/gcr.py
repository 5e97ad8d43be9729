"""Graph convolution: features move towards their neighbours', those in other cameras and those anywhere.

Source: Zhang et al., "Graph Convolution for Re-ranking in Person Re-identification", ICASSP 2022
(arXiv 2107.02220), and the code released with it.
"""

from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Count, Neighbours, Neutral, Number, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery, Query, Sides
from postproc.pairs import beyond, held, nearest, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.layout import Layout
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import Pairwise, sqeuclidean
from postproc.pairs.tiles import Tiles


@step(
    memory=held.together(held.times(4, held.features), held.walk, held.times(2, held.reciprocal)),
    loads=("scipy",),
    work=spent.only(
        "graph",
        ("directed", "symmetric"),
        spent.together(spent.pairs(3), spent.looked(3.7), spent.lists(250, "k1", "k2"), spent.read(370)),
    ),
)
def gcr(
    query: Query,
    gallery: Gallery | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    neighbours: NeighbourLists | None = None,
    *,
    k1: Neighbours = 15,
    k2: Neighbours = 3,
    beta1: Annotated[Number, Within(0.001, 1000)] = 0.2,
    beta2: Annotated[Number, Within(0.001, 1000)] = 0.2,
    scale: Annotated[Weight, Within(0, 1)] = 0.3,
    rounds: Annotated[Count, Neutral(0)] = 3,
    graph: Literal["directed", "symmetric", "local"] = "directed",
) -> Sides:
    """Replace every feature by a weighted sum over its neighbours on two graphs of all images.

    ``X <- norm(scale * L_cross X + (1 - scale) * L_all X)``, each ``L_ij = S_ij / sqrt(sum_t S_it * sum_t S_tj)``.
    S_ij of ``L_all`` is ``exp(s_ij / beta1)`` where j is among the ``k1`` nearest of i, that of ``L_cross``
    ``exp(s_ij / beta2)`` where j is i itself or among its ``k2 - 1`` nearest of other cameras; s is the cosine.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here. Cameras (nq,), (ng,) int; an
             image of unknown camera (-1) is alone in its camera, with its copies. Or one set (n, d) and its
             cameras, given once: each image is in the graphs once.
    Returns: both, (nq, d) and (ng, d) float32 of unit length; of one set (n, d).
    neighbours: lists for the first round, of features of unit length, that hold k1 images, and k2 - 1 of other
             cameras; for "local" one more of each.
    k1, k2:  1 or more, counting the image itself, cut to what there is; 1 is no neighbour.
    beta1, beta2: 0.001 to 1000. Small: only the most similar count. Large: all neighbours count alike.
    scale:   0 (no graph of other cameras) to 1 (that graph only).
    rounds:  0 or more; 0 changes nothing, not even lengths. Every round finds its neighbours anew.
    graph:   "directed": S as above. "symmetric": (S + S') / 2. "local": k1 and k2 count *others*, of similarity
             above 0, and these with the image form a small complete graph of which i takes its row: both sums
             run over that graph's own images.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    a round is half a product of all by all and (nq + ng) (k1 + k2) d multiply-adds, "local" k1 + k2
             times that. From 6,000 images on, if the k1 nearest, or 32, have enough of other cameras among them,
             nobody looks for these apart, and whole numbers may take the place of the product as in
             :func:`rerank`. Memory: the lists, two copies of the features and one 16 MB tile a thread.
    Differs: copies of an image share the places that are left to them in a list, so that they stay equal. A list
             of other cameras ends where these do; the released code fills it with images of the own camera.
             "local" moves all images at once, where the released code goes through them in order and lets
             earlier rows pull later ones with their new features, so that its answer hangs on the order.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.0, 1.0]], np.float32)
    >>> gcr(q, g, np.array([0]), np.array([1, 1]), k1=2, k2=1, rounds=1)[0].round(2)
    array([[0.99, 0.11]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = arrays.together(*checks.sides_or_one(query, gallery, cuda=True))
    cameras = checks.labels_of_sides("cam", query_cam, gallery_cam, (len(query), len(gallery)))
    if rounds == 0:
        return query if one_set else (query, gallery)
    nq = len(query)
    images = l2_normalize(query if one_set else arrays.joined(query, gallery))
    for round_ in range(rounds):
        pairs = sqeuclidean(images) if one_set else sqeuclidean(images[:nq], images[nq:])
        tiles = tiles_of(pairs, None if round_ else neighbours, cameras, unit=True)
        layout = tiles.layout
        move = _move_locally if graph == "local" else partial(_move, symmetric=graph == "symmetric")
        everybody = pairs if one_set else sqeuclidean(images)
        moved = move(images[layout.first], tiles, everybody, Mix((k1, k2), (beta1, beta2), (1 - scale, scale)))
        images = l2_normalize(moved)[layout.inverse]
    return images if one_set else (images[:nq], images[nq:])


class Mix(NamedTuple):
    """Of the graph of all images and of that of other cameras: neighbours, temperatures, and shares in the sum."""

    k: tuple[int, int]
    betas: tuple[float, float]
    shares: tuple[float, float]


def _move(x: np.ndarray, tiles: Tiles, everybody: Pairwise, mix: Mix, *, symmetric: bool) -> np.ndarray:
    """The features (classes, d) after one round on the graphs of all images."""
    k1, k2 = mix.k
    lists = beyond.of_all_and_others(tiles, everybody, every=k1, other=max(k2 - 1, 1))
    anywhere, across = (
        propagation(tiles.layout, found, length, beta, symmetric=symmetric)
        for found, length, beta in zip(lists, (k1, k2 - 1), mix.betas, strict=True)
    )
    return propagated(x, (mix.shares[0] * anywhere + mix.shares[1] * across).tocsr())


def propagated(x: np.ndarray, graph: Any) -> np.ndarray:
    """``graph @ x``: the features (classes, d) after a round on a sparse graph (classes, classes)."""
    graph = graph.tocsr()
    parts = graph.indptr.astype(np.int64), graph.indices.astype(np.int32), graph.data
    offsets, members, weights = (arrays.beside(part, x) for part in parts)
    kernel, out = kernels.of(x), arrays.namespace(x).empty_like(x)
    kernel.walk.over_rows(
        lambda start, stop: kernel.propagation.propagate(offsets, members, weights, x, start, stop, out),
        len(x),
        what="propagation",
    )
    return out


def propagation(layout: Layout, lists: Lists, length: int, beta: float, *, symmetric: bool) -> Any:
    """``L`` (classes, classes), sparse: entry (a, b) is what one image of a takes from all images of b.

    A list may hold a class several times, which adds up. That is how copies share the places left to them: one
    rather than another of them would make the sums over columns, and so their new features, differ. It is put
    together on the host.
    """
    from scipy.sparse import coo_array, diags_array

    rows, values = (arrays.host(part[:, :length])[layout.first] for part in (lists.rows, lists.values))
    there = rows >= 0
    members = np.where(there, layout.inverse[rows], -1)
    own = members == np.arange(layout.classes)[:, None]
    alone = np.flatnonzero(~own.any(axis=1))  # an image is always a neighbour of itself
    owners = np.nonzero(there)[0]
    weights = np.exp(values[there].astype(np.float64) / (-2 * beta))  # exp((s - 1) / beta): the factor cancels
    s = coo_array(
        (
            np.concatenate([weights, np.ones(len(alone))]),
            (np.concatenate([owners, alone]), np.concatenate([members[there], alone])),
        ),
        shape=(layout.classes, layout.classes),
    ).tocsr()
    copies = np.diff(layout.images[0]).astype(np.float64)
    if symmetric:
        s = 0.5 * (s + diags_array(1 / copies) @ s.T @ diags_array(copies))
    given, taken = s.sum(axis=1), (s.T @ copies) / copies
    return diags_array(1 / np.sqrt(given)) @ s @ diags_array(1 / np.sqrt(taken))


def _move_locally(x: np.ndarray, tiles: Tiles, everybody: Pairwise, mix: Mix) -> np.ndarray:
    """The features (classes, d) after one round in which every image has a small graph of its own."""
    layout, (k1, k2) = tiles.layout, mix.k
    anywhere, across = beyond.of_all_and_others(tiles, everybody, every=k1 + 1, other=k2)
    graphs = []
    for lists in (nearest.without_self(anywhere), across):
        rows, values = (arrays.host(part)[layout.first] for part in (lists.rows, lists.values))
        others = np.where((rows >= 0) & (values < 2), layout.inverse[rows], -1)  # s > 0
        graphs.append(arrays.beside(np.column_stack([np.arange(layout.classes), others]), x))
    kernel, xp = kernels.of(x), arrays.namespace(x)
    out = xp.empty_like(x)

    def fill(start: int, stop: int) -> None:
        total = arrays.full((stop - start, x.shape[1]), 0, np.float64, x)
        for members, beta, share in zip(graphs, mix.betas, mix.shares, strict=True):
            near = members[start:stop]
            features = x[near]
            s = xp.exp(arrays.as_type((kernel.propagation.products_within(features) - 1) / beta, np.float64))
            s *= (near >= 0)[:, None, :]
            sums = xp.sqrt(s.sum(axis=2))
            weights = share * s[:, 0] / (sums[:, :1] * sums)
            total += kernel.propagation.weighted_sums(weights, features)
        out[start:stop] = total

    kernel.walk.over_rows(fill, layout.classes, what="propagation", block=16)
    return out
