"""Graphs of neighbours, the normalised matrix S on which similarity diffuses.

A node is a class of indistinguishable images, which counts as often as it has images: its score is what each of
them would get if they all were in the lists where one of them is. So copies are treated alike, and cost nothing.
For classes c, d of m_c, m_d images at weight w_cd, S_cd = sqrt(m_c m_d) w_cd / sqrt(degree_c degree_d) is the
matrix between images seen from vectors that are equal on copies; a class meets it with sqrt(m_c) times the value
of one image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.context.sparse import Sparse
from postproc.pairs.layout import Layout
from postproc.pairs.nearest import Lists


@dataclass(frozen=True)
class Graph:
    """``links`` is S; ``roots`` (classes,) float64 are sqrt(m); ``masses`` likewise are m times the degree, or m
    without links: S leaves their roots as they are."""

    links: Sparse
    roots: np.ndarray
    masses: np.ndarray


def class_lists(layout: Layout, lists: Lists) -> tuple[np.ndarray, np.ndarray]:
    """The lists of images as lists of classes: (classes, k) int32, -1 for a repeated one, and the distances."""
    if layout.distinct:
        return lists.rows, lists.values
    rows = layout.inverse_there[lists.rows[layout.first]]
    kernel = kernels.of(rows)
    kernel.walk.over_rows(partial(kernel.diffusion.drop_repeats, rows, layout.classes), len(rows), what="copies")
    return rows, lists.values[layout.first]


def mutual_graph(layout: Layout, rows: np.ndarray, values: np.ndarray, gamma: float) -> Graph:
    """Links between classes that stand in each other's lists, weight ``max(1 - distance / 2, 0)^gamma``; no image
    is linked with itself."""
    rows = arrays.contiguous(rows)
    both = arrays.empty(rows.shape, np.bool_, rows)
    kernel = kernels.of(rows)
    kernel.walk.over_rows(
        lambda start, stop: kernel.reciprocal.mutual(rows, rows.shape[1], start, stop, both),
        len(rows),
        what="graph",
    )
    both &= rows >= 0
    counts = arrays.beside(_counts(layout), rows)
    owners, members = arrays.namespace(both).nonzero(both)[0], rows[both]
    partners = counts[members] - arrays.as_type(owners == members, np.int64)
    weights = similarity(values[both], gamma)
    kept = partners * weights > 0
    return _normalized(owners[kept], members[kept], weights[kept], partners[kept], counts)


def union_graph(
    layout: Layout, rows: np.ndarray, values: np.ndarray, weigh: Callable[[np.ndarray], np.ndarray]
) -> Graph:
    """Links from every class to those in its list, itself included, averaged over both directions.

    They are joined on the host, wherever the lists are.
    """
    from scipy.sparse import csr_matrix

    like = values
    rows, values = arrays.host(rows), arrays.host(values)
    there = rows >= 0
    shape = (layout.classes, layout.classes)
    owners, members = np.nonzero(there)[0], rows[there]
    directed = csr_matrix((weigh(values[there].astype(np.float64)), (owners, members)), shape)
    links = (directed + directed.T).tocoo()
    counts = _counts(layout)
    found = _normalized(links.row, links.col, links.data / 2, counts[links.col], counts)
    parts = found.links.offsets, found.links.members, found.links.weights
    sides = (arrays.beside(part, like) for part in (found.roots, found.masses))
    return Graph(Sparse(*(arrays.beside(part, like) for part in parts)), *sides)


def rearranged(graph: Graph) -> tuple[Graph, np.ndarray]:
    """The graph with its nodes in an order in which products with it are fast, and the new place of every node."""
    links, kernel = graph.links, kernels.of(graph.roots)
    order = kernel.diffusion.order_of_nodes(links.offsets, links.members, links.weights)
    places = arrays.empty(len(order), np.int32, order)
    places[order] = arrays.as_type(arrays.beside(np.arange(len(order)), order), np.int32)
    sizes = links.sizes[order]
    offsets = arrays.offsets(sizes)
    moved = arrays.namespace(order).repeat(links.offsets[order] - offsets[:-1], sizes)
    moved += arrays.beside(np.arange(len(links.members)), order)
    rows = Sparse(offsets, places[links.members[moved]], links.weights[moved])
    return Graph(rows, graph.roots[order], graph.masses[order]), places


def similarity(distances: np.ndarray, gamma: float) -> np.ndarray:
    """``max(s, 0)^gamma`` in float64, s = 1 - distance / 2; 0 where s is not above 0, also for gamma 0."""
    xp = arrays.namespace(distances)
    cosine = 1 - arrays.as_type(distances, np.float64) / 2
    return xp.where(cosine > 0, xp.maximum(cosine, 0.0) ** gamma, 0.0)


def _counts(layout: Layout) -> np.ndarray:
    return np.bincount(layout.inverse, minlength=layout.classes)


def _normalized(
    owners: np.ndarray, members: np.ndarray, weights: np.ndarray, partners: np.ndarray, counts: np.ndarray
) -> Graph:
    """``S = D^-1/2 W D^-1/2`` from links of ascending owners; ``partners`` images of the member count for each."""
    xp, kernel = arrays.namespace(counts), kernels.of(counts)
    roots = xp.sqrt(arrays.as_type(counts, np.float64))
    offsets = arrays.offsets(xp.bincount(owners, minlength=len(counts)))
    degrees = arrays.empty(len(counts), np.float64, counts)
    shares = weights * partners
    kernel.walk.over_rows(
        lambda start, stop: kernel.diffusion.sums_of_rows(offsets, shares, start, stop, degrees),
        len(counts),
        what="graph",
    )
    degrees = xp.where(degrees > 0, degrees, 1.0)
    scales = 1 / xp.sqrt(degrees)
    between = shares * (roots[owners] / roots[members]) * (scales[owners] * scales[members])
    links = Sparse(offsets, arrays.as_type(members, np.int32), arrays.as_type(between, np.float32))
    return Graph(links, roots, counts * degrees)
