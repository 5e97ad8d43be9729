"""Diffusion of a query's similarity over the graph of the gallery, solved for every query.

Sources: Iscen et al., "Efficient Diffusion on Region Manifolds", CVPR 2017, in its form for one vector an image,
and the code released with it (``solver="cg"``); Iscen et al., "Fast Spectral Ranking for Similarity Search", CVPR
2018 (``eigenpairs``); ducha-aiki's manifold-diffusion (``solver="minres"``).
"""

import threading
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays, runtime
from postproc.base.settings import Count, Neighbours, Neutral, Number, TopK, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.context import graph
from postproc.context.graph import Graph
from postproc.pairs import answering, held, nearest, one_sided, pairwise, spent
from postproc.pairs.known import tiles_of, tiles_of_gallery
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.pairwise import Pairwise

Solve = Callable[[np.ndarray, np.ndarray], np.ndarray]  # entries, and values there -> (nodes, columns)
Kind = type[np.float32] | type[np.float64]

SINGLE = 1e-7  # the least tolerance for which float32 is exact enough
FEW = (
    2048  # images: where nearly all is done after some steps, what is left is rounding, and float64 takes no time
)
EVEN = 1e20  # how many times the least mass the largest may be: roots are divided by, in float32
SPECTRAL_COLUMNS = 128  # queries side by side in dense products
ROUNDING = 1e-9
DIGITS = 6  # to which eigenvalues are equal: pairs of images alone have 1 and -1, and the first comes first
DENSE = 2048  # up to this many images all eigenpairs are found at once


@step(
    memory=held.compared(held.lists("k", factor=10), held.scratch(400), unit=True),
    work=spent.only(
        "solver",
        ("cg",),
        spent.together(
            spent.across(),
            spent.gallery_pairs(),
            spent.nearest,
            spent.gallery_looked(2.2),
            spent.for_setting("iterations", spent.matrix(1.2)),
            spent.lists(150, "k"),
        ),
    ),
)
def diffusion(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Neighbours = 50,
    k_query: Neighbours = 10,
    alpha: Annotated[Weight, Within(0, 0.9999)] = 0.99,
    gamma: Annotated[Weight, Within(0, 64)] = 3.0,
    query_gamma: Annotated[Number, Within(0, 64)] | None = None,
    solver: Literal["cg", "minres"] = "cg",
    iterations: Annotated[Count, Neutral(0)] = 20,
    tolerance: Annotated[Number, Within(0, 1)] = 1e-6,
    eigenpairs: Annotated[Count, Within(1)] | None = None,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Rank by how much of the query's similarity arrives at an image by way of neighbours of neighbours.

    ``f = (I - alpha S)^-1 y``, where y is ``max(s, 0)^query_gamma`` on the ``k_query`` gallery images most similar
    to the query and ``S = D^(-1/2) W D^(-1/2)`` with ``W_ij = max(s_ij, 0)^gamma`` between gallery images that are
    in each other's lists, D the sums of its rows, s the cosine. ``out = -f``.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; or one :class:`Pairwise` in their
             place, whose distance then stands for 2 - 2 s. One set (n, d) alone is each image against all others:
             each is in the graph once, and enters there at itself first.
    Returns: (nq, ng) float32, smaller is nearer, no unit: below 0 where something arrives. Images that nothing
             reaches come behind, at their squared distance 2 - 2 s. With ``top_k`` the :class:`Nearest` of every
             query instead. No query sees another. Of one set (n, n), +inf on the diagonal.
    neighbours: lists of the gallery as one set, features of unit length, of k - 1 others; or of queries and
             gallery, as long as each holds so many gallery images. Of both sides, or of one set, also those
             alone, as in :func:`rerank`.
    k:       1 or more images in a list of the gallery graph, the image itself counted (1: no graph).
    k_query: 1 or more gallery images at which a query enters; of one set the image itself counted. Both are cut
             to the gallery.
    alpha:   0 (``f = y``: nothing spreads) to 0.9999 (hardly anything but the graph counts).
    gamma:   0 (all neighbours count alike) to 64. query_gamma: the same for y; None: as ``gamma``.
    solver:  "cg": conjugate gradients, the iterate of the smallest residual. "minres": the minimal residual
             solution. Far from convergence they differ, at convergence they do not.
    iterations: 0 (``f = 0``) or more steps a query; few keep f near the query.
    tolerance: 0 to 1: the residual, as a share of y, at which a query is done. Below 1e-7, and in a gallery of up
             to 2,048 images, steps are in float64; in a larger one they are in float32, twice as fast.
    eigenpairs: None: solve by steps. 1 or more, cut to the gallery: instead approximate S by that many eigenpairs
             of largest absolute value, of two that are as large the positive one first. It suits a graph in one
             piece: a part that none of them stands for is not reached.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of gallery by gallery, one of queries by gallery; of features by whole numbers where
             that is sooner, and then with ``top_k`` distances are computed for queries alone that reach fewer.
             Then nq * ng * (k or fewer links) * iterations multiply-adds, the larger part: 0.01 to 0.02 s a query
             and core in a gallery of 80,000 at the defaults; 650 bytes a gallery image and thread. With
             ``eigenpairs`` once about ten times
             eigenpairs^2 * ng, on the host wherever the features are, then nq * ng * eigenpairs, and 8 bytes * ng
             * eigenpairs. Copies cost nothing.
    Differs: copies of an image are in or out of a list together. An image without links is reached by the query
             alone, where the released code divides by zero. The released "minres" applies its kernel twice to y
             (``query_gamma=gamma**2``) and stops after 10 steps, or where the residual is 1e-3 of |f| times an
             estimate of the norm of the matrix; the spectral code multiplies f by 1 - alpha. Negative f is
             "not reached".

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]], np.float32)
    >>> diffusion(q, g, k=2, k_query=1, alpha=0.5, gamma=1).round(3)
    array([[-1.067, -0.533,  4.   ]], dtype=float32)
    """
    pairs = pairwise.of(query, gallery, unit=True, cuda=True)
    tiles = tiles_of_gallery(pairs, neighbours, unit=True)
    rows, values = graph.class_lists(tiles.layout, nearest.of_all(tiles, k))
    links, places = graph.rearranged(graph.mutual_graph(tiles.layout, rows, values, gamma))
    classes = places[tiles.layout.inverse_there]
    kernel = kernels.of(rows)
    kind: Kind = np.float64
    if eigenpairs is not None:
        inward, columns = links.roots, SPECTRAL_COLUMNS
        solve = _spectrum(links, eigenpairs, float(alpha))
    else:
        inward, kind, columns = _walk(links, float(tolerance), kernel.diffusion.COLUMNS)
        solve = _steps(links, kind, float(alpha), iterations, float(tolerance), solver == "minres")
    outward = 1 / inward
    near = one_sided.of_pairs(pairs, k_query)  # None: the strips say it

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if near is None:
            entered = answering.smallest(strip, min(k_query, strip.shape[1]))
        else:
            entered = Nearest(near.distances[queries], near.rows[queries])
        entry = classes[entered.rows]
        weights = graph.similarity(entered.distances, gamma if query_gamma is None else query_gamma)
        weights = arrays.as_type(weights * inward[entry], kind)

        def diffuse(start: int) -> None:
            some = slice(start, min(start + columns, len(strip)))
            kernel.diffusion.reached_first(solve(entry[some], weights[some]), classes, outward, start, strip)

        kernel.walk.run(diffuse, range(0, len(strip), columns), what="diffusion")

    answer = answering.answer if near is None else answering.answer_of_reached
    return answer(tiles_of(pairs), change, top_k=top_k)


def _walk(links: Graph, tolerance: float, columns: dict[Kind, int]) -> tuple[np.ndarray, Kind, int]:
    """For :func:`_steps`: what a similarity is multiplied by at a node, and the kind of numbers, with how many
    columns of it there are side by side."""
    masses = links.masses / links.masses.max()
    exact = len(masses) <= FEW or tolerance < SINGLE or float(masses.min()) * EVEN < 1
    kind = np.float64 if exact else next(iter(columns))
    return links.roots / arrays.namespace(masses).sqrt(masses), kind, columns[kind]


def _steps(links: Graph, kind: Kind, alpha: float, iterations: int, tolerance: float, smooth: bool) -> Solve:
    """``f = (I - alpha S)^-1 y`` for some columns, each as far as it takes.

    With M the masses, ``S = M^(1/2) P M^(-1/2)`` where the links of a node have a sum of 1 in P; what is solved
    for is ``M^(-1/2) f``, which is alike on neighbours. So differences are all that is added up, and nothing
    cancels that would need more digits.
    """
    s, xp = links.links, arrays.namespace(links.masses)
    still = xp.sqrt(links.masses)
    shares = arrays.as_type(s.weights * still[s.members] / xp.repeat(still, s.sizes), kind)
    masses = links.masses / links.masses.max()
    own = threading.local()  # a thread's room; an answer in it is read before the thread solves again

    def solve(entry: np.ndarray, weights: np.ndarray) -> np.ndarray:
        kernel = kernels.of(weights).diffusion
        if not hasattr(own, "room"):
            own.room = kernel.room_of(len(masses), weights)
        return kernel.conjugate_gradients(
            s.offsets, s.members, shares, masses, alpha, entry, weights, iterations, tolerance, smooth, own.room
        )

    return solve


def _spectrum(links: Graph, count: int, alpha: float) -> Solve:
    """The same for S cut to ``count`` eigenpairs, which are found on the host."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import eigsh

    s, n = links.links, links.links.rows
    weights, members, offsets = (arrays.host(part) for part in (s.weights, s.members, s.offsets))
    matrix = csr_matrix((weights.astype(np.float64), members, offsets), (n, n))
    found: list[np.ndarray] = []

    def decompose(_: None) -> None:
        if n <= DENSE:
            values, vectors = np.linalg.eigh(matrix.toarray())
            largest = np.lexsort((-values, -abs(values).round(DIGITS)))[:count]
            found[:] = values[largest], vectors[:, largest]
        else:
            start = np.random.default_rng(0).normal(size=n)
            found[:] = eigsh(matrix, min(count, n - 1), which="LM", v0=start, tol=1e-6)

    if len(members):
        runtime.run(decompose, [None], what="eigenpairs")
        values, vectors = found
    else:
        values, vectors = np.zeros(1), np.zeros((n, 1))
    scales = arrays.beside(1 / (1 - alpha * values)[:, None], s.weights)
    vectors, xp = arrays.beside(vectors, s.weights), arrays.namespace(s.weights)

    def solve(entry: np.ndarray, weights: np.ndarray) -> np.ndarray:
        y = arrays.full((n, len(entry)), 0, np.float64, weights)
        y[entry, np.arange(len(entry))[:, None]] = weights
        f = vectors @ (scales * (vectors.T @ y))
        f[f < ROUNDING * xp.max(f, axis=0)] = 0  # what parts of the graph without the query cancel to
        return f

    return solve
