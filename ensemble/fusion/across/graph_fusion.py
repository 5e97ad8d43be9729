"""Graph fusion: models agree where their neighbour graphs do.

Source: Zhang et al., "Query Specific Fusion for Image Retrieval", ECCV 2012; TPAMI 2015 ("Query Specific Rank
Fusion for Image Retrieval"). No maintained code is known; this follows the papers.
Differs: the graphs are summed before the query's part is taken, which then grows by layers of neighbours up to
``reach`` images; the walk of the PageRank goes back to the query, not to any image (otherwise the images with most
links come first for everybody), and is solved, not iterated; images that the graph does not reach keep an order.
"""

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np

from ensemble.fusion import neighbours, parts
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import Inside, Weights, share_without
from ensemble.fusion.scaling import scaled
from postproc.base import runtime
from postproc.base.settings import Count, Neighbours, Number, Within
from postproc.base.vocabulary import Floats
from postproc.pairs import answering, held

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@join(
    host_only=True,
    memory=held.together(held.features, held.walk, held.times(2, held.matrix), parts.blocks(3), held.images(200)),
    loads=("scipy",),
)
def graph_fusion(
    query: Parts,
    gallery: Parts | None,
    train: Parts | None = None,
    train_pid: np.ndarray | None = None,
    *,
    k: Neighbours = 10,
    ranking: Literal["density", "pagerank"] = "density",
    reach: Annotated[Count, Within(1)] = 200,
    decay: Annotated[Number, Within(0, 1), share_without(0)] = 0.8,
    damping: Inside = 0.85,
    weights: Weights = None,
    metric: neighbours.Metric = "cosine",
) -> Floats:
    """Sum the graphs of reciprocal neighbours of all models and rank what the query's part of them holds.

    Two images that stand in each other's lists are linked by ``J = |N_i and N_j| / |N_i or N_j|``; the sum of all
    models' links is ``sum_m w_m J_m``, times ``decay^h`` for a link that begins h steps from the query. "density"
    adds, from the query on, the image with the most weight to those already there; "pagerank" orders by
    ``pi = damping P' pi + (1 - damping) query``, P the links over their sums.

    Takes:   query (nq, d_m), gallery (ng, d_m) float32 (None: one set), one of each a model; queries are images of
             the graph too. train, train_pid are not used.
    Returns: (nq, ng) float32: -1 to 0 for what the query reaches, behind it 0 to 1 by the mean of all models'
             distances, min-max by query.
    k:       1 or more neighbours of an image beside itself, cut to what there is.
    ranking: "density" (better where the graph is large) or "pagerank".
    reach:   1 or more images that a query's graph grows to.
    decay:   above 0, to 1; 1: a far link counts as much as a near one.
    damping: above 0, below 1, of "pagerank": how far from the query the walk goes.
    weights: one number of 0 or more a model, 0 leaves it out; not all 0. None: 1 each.
    metric:  "cosine" or "sqeuclidean", for the lists and for what is behind.
    Raises:  ValueError for a wrong setting, different widths, NaN or infinity.
    Cost:    per model all pairs of images and N k^2 comparisons, N = nq + ng; per query reach^2 ("density") or
             reach^3. Memory: N k links a model, two matrices of the answer's size.
    """
    numbers = parts.weights(weights, len(query))
    nq, ng = parts.shape(query, gallery)
    border = 0 if gallery is None else nq  # the number of the first gallery image
    links: csr_matrix | None = None
    out = np.zeros((nq, ng), np.float32)
    for weight, q, g in zip(numbers, query, parts.galleries(query, gallery), strict=True):
        if weight:
            answer = np.empty((nq, ng), np.float32)
            rows = neighbours.lists(q, g, k + 1, metric, answer)
            if g is None:
                answering.set_own(answer, np.arange(nq))
            out += np.float32(weight / numbers.sum()) * scaled(answer, "min-max")
            own = _links(rows) * weight
            links = own if links is None else links + own
    assert links is not None
    links.sort_indices()
    rank = _by_density if ranking == "density" else _by_pagerank

    def bring_forward(start: int, stop: int) -> None:
        for i in range(start, stop):
            nodes, near = _around(links, i, reach, decay)
            value = rank(near, damping)
            reached = (nodes >= border) & (nodes != i)
            if reached.any():
                best = value[reached].max()
                out[i, nodes[reached] - border] = -value[reached] / best

    runtime.over_rows(bring_forward, nq, what="graphs", block=16)
    return out


def _links(rows: np.ndarray) -> "csr_matrix":
    """(N, N) Jaccard overlap of the lists of images that stand in each other's."""
    from scipy.sparse import csr_matrix

    n, k = rows.shape
    left, place = np.nonzero(neighbours.mutual(rows))
    right = rows[left, place].astype(np.int64)
    once = left < right
    left, right = left[once], right[once]
    shared = np.empty(len(left))
    for block, same in neighbours.matches(rows[left], rows[right]):
        shared[block] = same.sum(axis=(1, 2))
    half = csr_matrix((shared / (2 * k - shared), (left, right)), shape=(n, n))
    return (half + half.T).tocsr()


def _around(links: "csr_matrix", start: int, reach: int, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """The images around one, itself first, layer by layer, the strongest first; and their decayed (n, n) links."""
    nodes, steps = np.array([start]), np.array([0])
    frontier = nodes
    while len(nodes) <= reach and len(frontier):
        found = [slice(links.indptr[i], links.indptr[i + 1]) for i in frontier]
        images = np.concatenate([links.indices[part] for part in found])
        strength = np.concatenate([links.data[part] for part in found])
        new, owner = np.unique(images, return_inverse=True)
        total = np.bincount(owner, strength, len(new))
        fresh = ~np.isin(new, nodes)
        new, total = new[fresh], total[fresh]
        frontier = new[np.argsort(-total, kind="stable")][: reach + 1 - len(nodes)]
        nodes = np.concatenate([nodes, frontier])
        steps = np.concatenate([steps, np.full(len(frontier), steps[-1] + 1)])
    near = links[nodes][:, nodes].toarray()
    return nodes, near * decay ** np.minimum(steps[:, None], steps)


def _by_density(near: np.ndarray, damping: float) -> np.ndarray:
    """(n,) 1 downwards in the order in which images join the first one, each the most linked with those inside."""
    n = len(near)
    value = np.zeros(n)
    inside = near[0].copy()
    inside[0] = -1
    for place in range(1, n):
        best = int(np.argmax(inside))
        value[best] = (n - place) / n
        inside += np.where(inside < 0, 0, near[best])
        inside[best] = -1
    return value


def _by_pagerank(near: np.ndarray, damping: float) -> np.ndarray:
    """(n,) the stationary share of a walker on the links who goes back to the first image now and then."""
    n = len(near)
    sums = near.sum(axis=1, keepdims=True)
    walk = np.where(sums > 0, near / np.where(sums > 0, sums, 1), 1 / n)
    return np.linalg.solve(np.eye(n) - damping * walk.T, (1 - damping) * np.eye(n)[0])
