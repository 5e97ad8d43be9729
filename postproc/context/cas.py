"""Cluster-aware similarity diffusion: similarity spreads inside the clusters of the neighbour graph, not across.

Source: Luo et al., "Cluster-Aware Similarity Diffusion for Instance Retrieval", ICML 2024, and the code released
with it, whose dense matrices of all by all are sparse rows here.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.settings import Count, Neighbours, Neutral, Number, Share, TopK, Weight, Within
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query
from postproc.base.work import Work
from postproc.context.sparse import Sparse
from postproc.pairs import answering, held, nearest, pairwise, spent
from postproc.pairs.known import tiles_of
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import Pairwise

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

CONFIDENT = 2  # the weight of confident neighbours in the graph of the diffusion
REACH = 100  # nearest images to which there is an edge
STEPS = 2.0**22  # of a path, to the unit, in one set
FARTHEST = 50  # the longest path that is told from no path
ENTRIES = 2**27  # kept during the diffusion if nothing else is said: 1.5 GB


def _halves(sizes: Sizes, chosen: Chosen) -> int:
    """The factors of F: most images are within five steps of each other, where identities are not far apart."""
    keep = chosen["keep"] or max(256, ENTRIES // max(1, sizes.images))
    return int(8.5 * min(keep, sizes.images) * sizes.images)


def _paths(sizes: Sizes, chosen: Chosen) -> Work:
    """The searches of the queries: over all images, or near them only."""
    return spent.matrix(190 if chosen["top_k"] is None else 3)(sizes, chosen)


@step(
    memory=held.compared(held.images(9000), _halves),
    loads=("scipy",),
    work=spent.together(spent.pairs(), spent.nearest, spent.looked(39), spent.images(160000), _paths),
)
def cas(
    query: Query | Pairwise | NeighbourLists,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k1: Neighbours = 5,
    k2: Neighbours = 20,
    k3: Neighbours = 25,
    k4: Neighbours = 6,
    k5: Neighbours = 25,
    level: Annotated[Number, Within(0, 1000)] = 2.0,
    sigma: Annotated[Weight, Within(0.05, 64)] = 0.3,
    mu: Annotated[Weight, Within(0, 64)] = 0.23,
    beta: Annotated[Weight, Within(0, 64)] = 0.0,
    lambda_value: Annotated[Share, Neutral(1.0)] = 0.3,
    keep: Annotated[Count, Within(1)] | None = None,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Mix each distance with the length of the shortest path over images whose diffused neighbourhoods are alike.

    p is the squared Euclidean distance divided by the largest from the same image, ``s = exp(-p / sigma^2)``.

    1. C_i: the confident neighbours of i, mutual among the first k1. K_i: its candidates, mutual among the first
       k2 + 1, and with them the half-long sets of those that share more than two thirds of theirs, as in
       :func:`rerank`.
    2. ``W = (A + A') / 2``, A = s on the first k1 without i, twice that on C_i; ``S = R^-1 W R^-1``, ``R^2`` its
       row sums; F = W, then ten times ``F <- (FS + SF) / (2 (1 + mu)) + mu / (1 + mu) I``.
    3. P is s on the first k3 without i, over its sum. a is the mean of (PP)_cc over C_i; w_j is a on C_i, else the
       mean of (PP)_jc over c in C_i, at most a. Then
       ``f_j = (F_ij (a w_j + 2 beta) + a^2 mean(F_i) - a mean(F_i w)) / (a^2 + 2 beta)``, j and means over K_i, or
       ``f_j = F_ij`` where C_i, or K_i without it, has one image at most; over its sum.
    4. M = the mean of f over the first k4 and ``level`` times that over C_i, over its sum; T = the k5 largest of
       MM, over their sum; V = TT, over its sum.
    5. A path of images, each among the first 100 of the one before or after it, is as long as its edges'
       Jensen-Shannon divergences (in bits) of V together, and at most 50.
       ``out = (1 - lambda_value) * path + lambda_value * p``.

    Takes:   query (nq, d), gallery (ng, d) float32, used as they are; or one :class:`Pairwise` in their place,
             whose distance then decides everything. One set (n, d) alone is each image against all others: each
             is in the graph once.
    Returns: (nq, ng) float32, no unit, smaller is nearer, mostly 0 to 4; with ``top_k`` the :class:`Nearest` of
             every query. Of one set (n, n), +inf on the diagonal, symmetric where ``lambda_value`` is 0.
    neighbours: lists of as many others as the largest of k1 to k4 and 100, copies of an image counted once; or
             those alone, as in :func:`rerank`.
    k1:      1 or more, counting the image itself, as all but k2 do, cut to what there is. 1: nothing spreads.
    k2:      1 or more others. About as many as an identity has images: 20 to 60.
    k3:      1 or more, usually a little more than k2. 1: nothing is smoothed.
    k4:      1 or more. 1: no mean over neighbours but the confident ones.
    k5:      1 or more, usually k3.
    level:   0 to 1000, how much the confident neighbours count in the mean beside all k4; 0: not at all.
    sigma:   0.05 to 64. Small: only the nearest count; large: all neighbours alike.
    mu:      0 to 64. Small: similarity spreads far; large: F is near the identity.
    beta:    0 to 64. 0: as smooth as can be; large: f is near F.
    lambda_value: 0 (paths only) to 1 (p itself).
    keep:    1 or more entries of F's factors an image, the largest. None: 2^27 divided by the number of images,
             256 at least: everything up to 11,000 images, 1,430 entries for 93,820.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all, about a millisecond an image, and for every query a search over all
             images and their edges; with ``top_k`` over those that may still be among the nearest. Memory: 12
             ``keep`` bytes an image (24 for a moment), some 10 KB an image beside that, the answer, one 16 MB tile
             a thread.
    Differs: images that nothing tells apart count as one, where the released code has each in the other's lists.
             No row is divided by zero. F is the same: a walk from i to j is one from i that meets one from j half
             way, so no matrix is multiplied. Only where more than ``keep`` images are within six steps of one,
             walks over those that it hardly reaches are left out, and F is too small by these. With ``keep=1000``
             of 20,000 images half of the distances moved by less than 1e-5, one in fifty by more than 1e-4 and
             none by more than 0.03: where another image became the last of the k5 of step 4.

    >>> x = np.array([[0, 0], [0, 1], [0, 2], [4, 0], [4, 1], [4, 3]], np.float32)
    >>> cas(x[:1], x[1:], k1=2, k2=3, k3=3, k4=2, k5=3).round(3)
    array([[0.012, 0.048, 0.892, 0.904, 1.   ]], dtype=float32)
    """
    tiles = tiles_of(pairwise.of(query, gallery, cuda=True), neighbours)
    images = tiles.layout.classes
    lists = nearest.of_classes(tiles, max(k1, k2 + 1, k3, k4, REACH))
    if keep is None:
        keep = max(256, ENTRIES // images)
    short = _on_the_host(lists, max(k1, k3, k4))
    confident = _mutual(short, k1)
    candidates = _candidates(lists, k2)
    diffused = _diffuse(_graph(short, k1, sigma, confident), candidates, mu, keep)
    _smooth(diffused, confident, _steps(short, k3, sigma), beta)
    rows = _expand(diffused, _mean(short, k4) + level * _over_sums(confident), k5)
    edges = _edges(rows, lists.rows[:, :REACH])
    if tiles.layout.one_set:
        edges = replace(edges, weights=_of_whole_steps(edges.weights))
    classes = tiles.layout.inverse_there
    sources, columns = classes[: tiles.layout.nq], classes[tiles.layout.border :]
    kernel = kernels.of(lists.values)
    wanted = len(columns) if top_k is None else min(top_k + tiles.layout.one_set, len(columns))

    def blend(strip: np.ndarray, queries: np.ndarray) -> None:
        kernel.walk.over_rows(
            lambda start, stop: kernel.geodesic.blend_geodesics(
                strip, sources[queries], columns, edges.offsets, edges.members, edges.weights,
                FARTHEST, lists.largest, float(lambda_value), wanted, start, stop,
            ),
            len(strip),
            what="shortest paths",
            block=16,
        )  # fmt: skip

    return answering.answer(tiles, blend, top_k=top_k)


def _on_the_host(lists: Lists, k: int) -> Lists:
    """The first ``k`` of every list, for the small sparse matrices, which are made in NumPy everywhere."""
    if not arrays.on_cuda(lists.rows):
        return lists
    return Lists(*(arrays.host(part) for part in (lists.rows[:, :k], lists.values[:, :k], lists.largest)))


def _mutual(lists: Lists, k: int) -> "csr_matrix":
    """1 where two images are among the first ``k`` of each other."""
    among = _matrix(lists.rows[:, :k], np.ones(1))
    return among.multiply(among.T).tocsr()


def _candidates(lists: Lists, k: int) -> Sparse:
    """The expanded reciprocal sets; as weights there will be F."""
    kernel = kernels.of(lists.values)
    images, columns = lists.rows.shape
    flags = [arrays.empty((images, min(length, columns)), np.bool_, lists.rows) for length in (k + 1, k // 2 + 1)]

    def find(start: int, stop: int) -> tuple[np.ndarray, ...]:
        for mutual in flags:
            kernel.reciprocal.mutual(lists.rows, mutual.shape[1], start, stop, mutual)
        return ()

    kernel.walk.over_rows(find, images, what="reciprocal neighbours")
    offsets, members = Sparse.in_pieces(
        lambda start, stop: kernel.reciprocal.reciprocal_sets(lists.rows, *flags, start, stop), images, lists.rows
    )
    return Sparse(offsets, members, arrays.full(len(members), 0, np.float32, members))


def _similarities(lists: Lists, k: int, sigma: float) -> "csr_matrix":
    """s of every image to the first ``k`` without itself."""
    scale = np.where(lists.largest > 0, lists.largest, 1).astype(np.float64)[:, None]
    others = nearest.without_self(Lists(lists.rows[:, :k], lists.values[:, :k], lists.largest))
    return _matrix(others.rows, np.exp(-np.maximum(others.values, 0) / scale / sigma**2))


def _graph(lists: Lists, k: int, sigma: float, confident: "csr_matrix") -> "tuple[csr_matrix, np.ndarray]":
    """S and the diagonal of R."""
    weights = _similarities(lists, k, sigma)
    weights = weights + (CONFIDENT - 1) * weights.multiply(confident)
    weights = ((weights + weights.T) / 2).tocoo()
    roots = np.sqrt(np.asarray(weights.sum(axis=1)).ravel())
    weights.data /= roots[weights.row] * roots[weights.col]
    return weights.tocsr(), roots.astype(np.float32)


def _diffuse(graph: "tuple[csr_matrix, np.ndarray]", candidates: Sparse, mu: float, keep: int) -> Sparse:
    """F on the candidates."""
    offsets, members, values = candidates.offsets, candidates.members, candidates.weights
    steps, roots = _sparse(graph[0], values), arrays.beside(graph[1], values)
    kernel = kernels.of(roots)
    halves = Sparse.in_pieces(
        lambda start, stop: kernel.cas.walk_halves(
            steps.offsets, steps.members, steps.weights, roots, 1 / (1 + mu), keep,
            offsets, members, start, stop, values,
        ),
        len(roots),
        roots,
    )  # fmt: skip
    kernel.walk.over_rows(
        lambda start, stop: kernel.cas.meet_halves(*halves, offsets, members, start, stop, values),
        len(roots),
        what="diffusion",
    )
    return candidates


def _steps(lists: Lists, k: int, sigma: float) -> "csr_matrix":
    """P."""
    return _over_sums(_similarities(lists, k, sigma))


def _smooth(diffused: Sparse, confident: "csr_matrix", steps: "csr_matrix", beta: float) -> None:
    """f in the place of F."""
    kernel = kernels.of(diffused.weights)
    returning = np.asarray(steps.multiply(steps.T).sum(axis=1), np.float32).ravel()
    sure, there, back = (_sparse(matrix, diffused.weights) for matrix in (confident, steps, steps.T.tocsr()))
    kernel.walk.over_rows(
        lambda start, stop: kernel.cas.smooth_candidates(
            diffused.offsets, diffused.members, sure.offsets, sure.members,
            there.offsets, there.members, there.weights, back.offsets, back.members, back.weights,
            returning, float(beta), start, stop, diffused.weights,
        ),
        diffused.rows,
        what="smoothing",
    )  # fmt: skip


def _expand(rows: Sparse, mean: "csr_matrix", k: int) -> Sparse:
    """V from f."""
    mixed = _product(_sparse(mean, rows.weights), rows)
    markov = _product(mixed, mixed, k)
    return _product(markov, markov)


def _product(left: Sparse, right: Sparse, keep: int | None = None) -> Sparse:
    """Rows of the product over their sums; of each the ``keep`` largest entries."""
    kernel = kernels.of(left.weights)
    return Sparse(
        *Sparse.in_pieces(
            lambda start, stop: kernel.cas.product_of_rows(
                left.offsets, left.members, left.weights, right.offsets, right.members, right.weights,
                keep or right.rows, start, stop,
            ),
            left.rows,
            left.weights,
        )
    )  # fmt: skip


def _edges(rows: Sparse, lists: np.ndarray) -> Sparse:
    """Both ways, each image's shortest first, without those for which two shorter ones do as well."""
    from scipy.sparse import csr_matrix

    kernel = kernels.of(rows.weights)
    lists = arrays.contiguous(lists)
    lengths = arrays.empty(lists.shape, np.float32, lists)
    mutual = arrays.empty(lists.shape, np.bool_, lists)

    def measure(start: int, stop: int) -> None:
        kernel.geodesic.divergences(rows.offsets, rows.members, rows.weights, lists, start, stop, lengths)
        kernel.reciprocal.mutual(lists, lists.shape[1], start, stop, mutual)

    kernel.walk.over_rows(measure, rows.rows, what="divergences")
    lists, lengths, mutual = (arrays.host(part) for part in (lists, lengths, mutual))
    owners = np.repeat(np.arange(rows.rows, dtype=np.int32), lists.shape[1]).reshape(lists.shape)
    back = ~mutual
    ends = [np.concatenate([here.ravel(), there[back]]) for here, there in ((owners, lists), (lists, owners))]
    both = csr_matrix((np.concatenate([lengths.ravel(), lengths[back]]), ends), shape=(rows.rows, rows.rows))
    edges = _sparse(both, rows.weights)
    needed = arrays.empty(len(edges.members), np.bool_, edges.members)
    kernel.walk.over_rows(
        lambda start, stop: kernel.geodesic.needed_edges(
            edges.offsets, edges.members, edges.weights, start, stop, needed
        ),
        rows.rows,
        what="edges",
    )
    xp = arrays.namespace(needed)
    starts, members, weights = edges.owners[needed], edges.members[needed], edges.weights[needed]
    order = xp.argsort(starts + arrays.as_type(weights, np.float64) / 2, stable=True)  # no length is above 1
    return Sparse(arrays.offsets(xp.bincount(starts, minlength=rows.rows)), members[order], weights[order])


def _of_whole_steps(weights: np.ndarray) -> np.ndarray:
    """Lengths in whole steps of 2^-22, whose sums are exact: a path is as long from either end."""
    return arrays.namespace(weights).round(weights * STEPS) / STEPS


def _mean(lists: Lists, k: int) -> "csr_matrix":
    """The mean over the first ``k`` as a matrix."""
    rows = lists.rows[:, :k]
    return _matrix(rows, np.ones(1) / rows.shape[1])


def _matrix(rows: np.ndarray, values: np.ndarray) -> "csr_matrix":
    """Neighbour lists (n, k) with values as a square sparse matrix in float64."""
    from scipy.sparse import csr_matrix

    count, width = rows.shape
    values = np.broadcast_to(values, rows.shape).ravel()
    return csr_matrix((values, rows.ravel(), width * np.arange(count + 1)), shape=(count, count))


def _over_sums(matrix: "csr_matrix") -> "csr_matrix":
    """Rows divided by their sums; empty ones stay."""
    from scipy.sparse import diags

    sums = np.asarray(matrix.sum(axis=1)).ravel()
    return (diags(1 / np.where(sums > 0, sums, 1)) @ matrix).tocsr()


def _sparse(matrix: "csr_matrix", like: np.ndarray) -> Sparse:
    """As rows for the kernels, members ascending, where ``like`` is."""
    matrix.sort_indices()
    parts = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
    return Sparse(*(arrays.beside(part, like) for part in parts))
