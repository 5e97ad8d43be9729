"""Sparse rows do what dense matrices do."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc.context.sparse import Sparse


def dense(sparse, columns):
    out = np.zeros((sparse.rows, columns))
    for i in range(sparse.rows):
        place = slice(sparse.offsets[i], sparse.offsets[i + 1])
        np.add.at(out[i], sparse.members[place], sparse.weights[place])
    return out


def draw(seed, n=15, k=4):
    """Neighbour lists with nobody in places, and whole-number weights, so that sums are exact."""
    random = np.random.default_rng(seed)
    rows = np.stack([random.permutation(n)[:k] for _ in range(n)]).astype(np.int32)
    rows[random.random((n, k)) < 0.3] = -1
    return rows, random.integers(1, 9, (n, k)).astype(np.float32)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_like_a_matrix(seed):
    (rows, weights), (near, factors) = draw(seed), draw(seed + 1)
    sparse = Sparse.of_lists(rows, weights)
    matrix = np.zeros((15, 15))
    for i, j in zip(*np.nonzero(rows >= 0), strict=True):
        matrix[i, rows[i, j]] = weights[i, j]
    assert_array_equal(dense(sparse, 15), matrix)
    assert_array_equal(dense(sparse.times(0.5), 15), matrix / 2)
    assert_array_equal(dense(sparse.plus_transposed(), 15), matrix + matrix.T)
    assert_array_equal(
        dense(sparse.join_rows(Sparse.of_lists(near, factors)), 15),
        matrix + dense(Sparse.of_lists(near, factors), 15),
    )
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    assert_allclose(dense(sparse.unit(), 15), matrix / np.where(length > 0, length, 1), atol=1e-6)
    there = (near >= 0).astype(float)
    wanted = sum((there * factors)[:, [s]] * matrix[near[:, s]] for s in range(4))
    assert_array_equal(dense(sparse.sum(near, factors), 15), wanted)
    total, counts = sum(there[:, [s]] * matrix[near[:, s]] for s in range(4)), there.sum(axis=1, keepdims=True)
    assert_allclose(dense(sparse.mean(near), 15), total / np.where(counts > 0, counts, 1), rtol=1e-6)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), first=st.integers(0, 14))
def test_products_with_the_rows_behind(seed, first):
    sparse = Sparse.of_lists(*draw(seed))
    matrix, queries = dense(sparse, 15), np.array([0, 7, 3])
    strip = np.ones((3, 15 - first), np.float32)
    sparse.products(sparse.inverted(first))(strip, queries, 1, 3)
    assert_array_equal(strip[1:], 1 + matrix[queries[1:]] @ matrix[first:].T)
    assert_array_equal(strip[0], 1)
