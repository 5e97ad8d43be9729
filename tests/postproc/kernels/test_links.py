"""Sums over the links of a graph: many columns in registers are the few, bit for bit."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from scipy.sparse import random as random_matrix

from postproc.kernels.cpu import diffusion, links
from tests.support.each import each

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
    for n, share in ((40, 0.2), (150, 0.5), (5, 0.3)):
        s, x = graph(n, share), np.random.default_rng(n).normal(size=(n, links.LANES)).astype(np.float32)
        found = products(s, x)
        for b in range(links.LANES):
            assert_array_equal(products(s, np.where(np.arange(links.LANES) == b, x, 0))[:, b], found[:, b])
        assert_allclose(found, csr_matrix((s[2], s[1], s[0]), (n, n)) @ x.astype(np.float64), atol=1e-5)
        assert not found[[3, -1]].any()


@each(("kind", "columns", "rtol"), [(np.float32, links.LANES, 1e-5), (np.float64, links.DOUBLES, 1e-12)])
def test_spread_is_the_matrix_and_its_products(kind, columns, rtol):
    offsets, members, weights = graph(40)
    shares = np.zeros((40, 40))
    shares[np.repeat(np.arange(40), np.diff(offsets)), members] = weights
    totals = shares.sum(axis=1, keepdims=True)
    shares /= np.where(totals > 0, totals, 1)
    weights = shares[np.repeat(np.arange(40), np.diff(offsets)), members].astype(kind)
    x = np.random.default_rng(0).normal(size=(40, columns)).astype(kind)
    rows, sums = np.full_like(x, np.nan), np.ones(columns)
    for i in range(40):
        links.spread(offsets, members, weights, 0.9, 0.5, x, i, rows[i], sums)
    matrix = np.eye(40) - 0.9 * shares
    assert_allclose(rows, matrix @ x, atol=10 * rtol)
    assert_array_equal(rows[[3, -1]], x[[3, -1]])  # no links
    assert_allclose(sums, 1 + 0.5 * (x * (matrix @ x)).sum(axis=0), rtol=1e-5)


def test_what_is_alike_loses_nothing():
    """On neighbours that differ in the last digits, the sum of differences is exact where a product is not."""
    offsets, members, shares = graph(40)
    shares[:] = 1 / np.repeat(np.diff(offsets), np.diff(offsets))
    x = (1 + np.random.default_rng(0).integers(0, 8, (40, links.LANES)) * 2.0**-23).astype(np.float32)
    row, sums = np.empty(links.LANES, np.float32), np.zeros(links.LANES)
    links.spread(offsets, members, shares, 1.0, 1.0, x, 0, row, sums)
    there = members[offsets[0] : offsets[1]]
    assert_allclose(row, x[0].astype(np.float64) - x[there].mean(axis=0, dtype=np.float64), rtol=1e-6, atol=1e-14)


def test_nodes_begin_with_a_line():
    for kind, columns in ((np.float32, links.LANES), (np.float64, links.DOUBLES)):
        found = diffusion.room_of(9, np.empty(0, kind), 2)
        assert (found.shape, found.dtype, found.ctypes.data % links.NODE) == ((2, 9, columns), kind, 0)


def test_a_graph_without_links_gives_nothing():
    s = np.zeros(4, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    assert not products(s, np.ones((3, links.LANES), np.float32)).any()
