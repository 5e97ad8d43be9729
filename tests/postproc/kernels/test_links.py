"""Products with a graph: many columns in registers are the few, bit for bit."""

import numpy as np
from numpy.testing import assert_array_equal
from scipy.sparse import random as random_matrix

from postproc.kernels.cpu import links

GRAPH = tuple[np.ndarray, np.ndarray, np.ndarray]


def graph(n: int, share: float = 0.2) -> GRAPH:
    """A symmetric matrix of row sums below 1; node 3 and the last one have no links."""
    matrix = random_matrix(n, n, density=share, random_state=np.random.default_rng(0), dtype=np.float32)
    matrix = (matrix + matrix.T).tolil()
    for alone in (3, n - 1):
        matrix[alone, :] = matrix[:, alone] = 0
    matrix = matrix.tocsr()
    matrix.eliminate_zeros()
    matrix.data /= matrix.sum(axis=1).max()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)


def products(s: GRAPH, x: np.ndarray) -> np.ndarray:
    out = np.full_like(x, np.nan)
    for i in range(len(x)):
        links.product(*s, x, i, out[i])
    return out


def test_columns_in_registers_are_those_one_by_one():
    for kind, columns in ((np.float32, links.LANES), (np.float64, links.DOUBLES)):
        for n, share in ((40, 0.2), (150, 0.5), (5, 0.3)):
            s, x = graph(n, share), np.random.default_rng(n).normal(size=(n, columns)).astype(kind)
            found = products(s, x)
            assert_array_equal(found, np.concatenate([products(s, x[:, [b]]) for b in range(columns)], axis=1))
            assert not found[[3, -1]].any()


def test_a_graph_without_links_gives_nothing():
    s = np.zeros(4, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    assert not products(s, np.ones((3, links.LANES), np.float32)).any()
