"""Shortest paths of a few, against all paths by Dijkstra."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from postproc.kernels.cpu.geodesic import blend_geodesics
from tests.support.each import each

NODES, FARTHEST, SHARE = 400, 50, 0.3


def graph(rng, longest):
    """Ways (NODES, NODES) in groups of twenty, and between them: of length 1 where that is the longest."""
    group = np.arange(NODES) // 20
    ways = np.full((NODES, NODES), np.inf, np.float32)
    for there, length in ((group[:, None] == group, 0.2), (rng.random(ways.shape) < 0.02, longest)):
        ways[there] = np.minimum(ways[there], np.minimum(rng.random(there.sum()) + (length == 1), 1) * length)
    np.fill_diagonal(ways, 0)
    return np.minimum(ways, ways.T)


def edges(ways):
    """Offsets, members and lengths, every node's shortest first."""
    order = np.argsort(ways, axis=1, kind="stable")
    counts = np.isfinite(ways).sum(axis=1)
    members = [row[:count] for row, count in zip(order, counts, strict=True)]
    lengths = [ways[i, row] for i, row in enumerate(members)]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return offsets, np.concatenate(members).astype(np.int32), np.concatenate(lengths)


@each("wanted", [1, 30, 150, NODES])
@each("longest", [1.0, 0.9])
def test_the_wanted_are_those_of_all_paths(wanted, longest):
    rng = np.random.default_rng(wanted)
    ways = graph(rng, longest)
    strip = rng.random((20, NODES)).astype(np.float32)
    sources, largest = rng.integers(0, NODES, 20).astype(np.int32), rng.random(NODES).astype(np.float32) + 1
    there = np.nonzero(np.isfinite(ways) & (ways > 0))
    apart = dijkstra(coo_array((ways[there].astype(np.float64), there), ways.shape).tocsr(), indices=sources)
    right = (1 - SHARE) * np.minimum(apart, FARTHEST) + SHARE * strip / largest[sources, None]
    columns = np.arange(NODES, dtype=np.int32)
    blend_geodesics(strip, sources, columns, *edges(ways), FARTHEST, largest, SHARE, wanted, 0, 20)
    first = np.argsort(right, axis=1)[:, :wanted]
    assert_array_equal(np.argsort(strip, axis=1)[:, :wanted], first)
    assert_allclose(np.take_along_axis(strip, first, 1), np.take_along_axis(right, first, 1), rtol=1e-6)
    assert (strip >= right - 1e-6).all()
