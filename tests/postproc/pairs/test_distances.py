"""Distances, unit length and ranking: by hand, against the definition, and on real features."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, l2_normalize, rank, same_camera, sqeuclidean
from postproc.base.arrays import transposed
from postproc.kernels import reference
from postproc.pairs import layout
from postproc.pairs.l2_normalize import unit_rows
from tests.support.each import each
from tests.support.worlds import cubes, lattices, world

SIDES = st.tuples(lattices(st.integers(1, 12)), lattices(st.integers(1, 30)))
CORNERS = st.tuples(cubes(st.integers(1, 9), (0.0, 1.0, 0.5)), cubes(st.integers(1, 30), (0.0, 1.0, 4.0)))
X = np.eye(3, dtype=np.float32)


def test_by_hand():
    query = np.array([[3, 0], [0, 0]], np.float32)
    gallery = np.array([[0, 4], [3, 0], [-1, 0], [0, 0]], np.float32)
    #                            3² + 4²  0  (3 + 1)²  3²          4²  3²  1²  0
    assert_array_equal(distances(query, gallery), [[25, 0, 16, 9], [16, 9, 1, 0]])
    assert_array_equal(distances(query, gallery, metric="euclidean"), [[5, 0, 4, 3], [4, 3, 1, 0]])
    #                  1 - 0, 1 - 1, 1 + 1, and 1 where one of the two has no direction
    assert_array_equal(distances(query, gallery, metric="cosine"), [[1, 0, 2, 1], [1, 1, 1, 1]])


@settings(max_examples=50)
@given(sides=SIDES)
def test_euclidean_distances_equal_the_definition(sides):
    wanted = reference.basic.sqeuclidean(*sides)
    assert_array_equal(distances(*sides), wanted)
    assert_array_equal(distances(*sides, metric="euclidean"), np.sqrt(wanted.astype(np.float32)))


@settings(max_examples=50)
@given(sides=CORNERS)
def test_cosine_distances_equal_the_definition(sides):
    query, gallery = (side.astype(np.float64) for side in sides)
    lengths = np.linalg.norm(query, axis=1)[:, None] * np.linalg.norm(gallery, axis=1)
    cosine = query @ gallery.T / np.where(lengths > 0, lengths, 1)
    assert_array_equal(distances(*sides, metric="cosine"), 1 - cosine)


@each("metric", ["sqeuclidean", "euclidean", "cosine"])
def test_copies_are_at_zero_and_nothing_is_below(metric):
    data = world(nq=40, ng=300, d=64)
    query = np.vstack([data["query"], data["gallery"][[7, 100]], data["query"][:3]])
    found = distances(query, np.vstack([data["gallery"], query]), metric=metric)
    assert (found >= 0).all()
    assert_array_equal(np.diagonal(found[:, 300:]), 0)
    assert_array_equal(found[40:42, [7, 100]].diagonal(), 0)
    assert_array_equal(found[42:], found[:3])


def test_a_pairwise_is_its_own_metric():
    cams = np.array([0, 1, 0])
    pairs = sqeuclidean(X, X) + 0.25 * same_camera(cams, cams, np.array([1, 2, 3]), np.array([1, 2, 3]))
    # 2 between different corners, 0.25 more between images 0 and 2: one camera and two tracks
    assert_array_equal(distances(pairs), [[0, 2, 2.25], [2, 0, 2], [2.25, 2, 0]])
    with pytest.raises(ValueError, match="metric: a Pairwise is its own metric"):
        distances(pairs, metric="cosine")
    with pytest.raises(ValueError, match="metric: a Pairwise is its own metric"):
        distances(pairs, X)


@each("metric", ["sqeuclidean", "euclidean", "cosine", "pairwise", "tiny"])
def test_the_nearest_are_the_first_of_all(metric):
    gallery = world(nq=40, ng=300, d=6)["gallery"].round()
    query, gallery = gallery[::7].copy(), np.vstack([gallery, gallery[:50]])  # ties, and copies on both sides
    sides = [sqeuclidean(query, gallery)] if metric == "pairwise" else [query, gallery]
    settings = {} if metric == "pairwise" else {"metric": metric}
    if metric == "tiny":  # lengths whose squares float32 cannot hold
        sides, settings = [side * np.float32(1e-25) for side in sides], {"metric": "euclidean"}
    whole, found = distances(*sides, **settings), distances(*sides, **settings, top_k=20)
    rows = rank(whole, top_k=20)
    assert_array_equal(found.rows, rows)
    assert_array_equal(found.distances, np.take_along_axis(whole, rows.astype(np.int64), axis=1))


def test_for_the_nearest_there_is_no_matrix(monkeypatch):
    monkeypatch.setattr(layout, "STRIP", 1)  # the fewest rows
    data = world(nq=1024, ng=4096, d=4)
    distances(data["query"][:3], data["gallery"][:9], top_k=2)  # compiled
    tracemalloc.start()
    distances(data["query"], data["gallery"], top_k=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.6 * 4 * 1024 * 4096


def test_distances_refuse():
    with pytest.raises(ValueError, match=r"^metric: wanted one of sqeuclidean, euclidean, cosine, got 'l2'$"):
        distances(X, X, metric="l2")
    for metric in ("sqeuclidean", "cosine"):
        with pytest.raises(ValueError, match=r"^query and gallery: wanted the same width, got 3 and 2 numbers"):
            distances(X, X[:, :2], metric=metric)


@each("metric", ["sqeuclidean", "cosine"])
def test_distances_refuse_by_name(metric):
    spoilt = X.copy()
    spoilt[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"^query: wanted finite numbers, found NaN or infinity first in row 1"):
        distances(spoilt, X, metric=metric)
    with pytest.raises(ValueError, match=r"^gallery: wanted finite numbers, found NaN or infinity first in row 1"):
        distances(X, spoilt, metric=metric)


def test_unit_length_by_hand():
    found = l2_normalize(np.array([[3, 4], [0, 0], [-2, 0]], np.float32))
    assert_array_equal(found, np.array([[0.6, 0.8], [0, 0], [-1, 0]], np.float32))


@each("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_unit_length_at_any_scale(scale):
    x = world(ng=1500)["gallery"]  # more rows than one block of work
    found = l2_normalize(x * np.float32(scale))
    assert found.dtype == np.float32
    assert_allclose(np.linalg.norm(found.astype(np.float64), axis=1), 1, rtol=1e-6)
    assert_allclose(found, l2_normalize(x), rtol=2e-6, atol=1e-9)
    assert_allclose(l2_normalize(found), found, rtol=2e-7)


@each("unit", [0, 3, 7])
def test_unit_length_is_that_of_each_row_and_a_copy(unit):
    """Rows are looked at some at a time; the first of them may be of length 1 already, or all."""
    x = np.random.default_rng(1).standard_normal((7, 1 << 16)).astype(np.float32)
    for _ in range(2):
        x[:unit] = l2_normalize(x[:unit])
    found = l2_normalize(x)
    assert_array_equal(found, np.concatenate([l2_normalize(row[None]) for row in x]))
    assert_array_equal(found[:unit], x[:unit])
    assert not np.shares_memory(found, x)
    assert np.shares_memory(unit_rows(x), x) == (unit == 7)


def test_a_transposed_copy():
    for shape in ((70, 33), (32, 1), (0, 4)):
        x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        found = transposed(x[:, ::-1])
        assert_array_equal(found, x[:, ::-1].T)
        assert found.flags.c_contiguous


def matrices(rows, columns):
    numbers = st.sampled_from([-1.5, 0.0, -0.0, 1.0, 2.0, np.inf])
    return arrays(np.float32, st.tuples(rows, columns), elements=numbers)


def test_ranking_by_hand():
    d = np.array([[0.5, 0.1, np.inf, 0.1], [np.inf] * 4, [3, -2, -1, 3]], np.float32)
    assert_array_equal(rank(d), [[1, 3, 0, -1], [-1, -1, -1, -1], [1, 2, 0, 3]])
    assert_array_equal(rank(d, top_k=2), [[1, 3], [-1, -1], [1, 2]])


@given(d=matrices(st.integers(0, 5), st.integers(0, 60)), top_k=st.none() | st.integers(1, 70))
def test_ranking_equals_the_definition(d, top_k):
    found = rank(d, top_k=top_k)
    assert found.dtype == np.int32
    assert_array_equal(found, reference.ranking.rank(d)[:, :top_k])


@each("top_k", [1, 100, 437, 438, 3499, 3500, None])
def test_short_and_long_lists_agree(top_k):
    d = np.random.default_rng(0).integers(0, 300, (40, 3500)).astype(np.float32)
    d[d == 299] = np.inf
    assert_array_equal(rank(d, top_k=top_k), reference.ranking.rank(d)[:, :top_k])


def test_ranking_refuses():
    for value in (np.nan, -np.inf):
        with pytest.raises(
            ValueError, match=r"^distances: wanted numbers or \+inf, found NaN or -inf first in row 2"
        ):
            rank(np.where(np.arange(3)[:, None] == 2, value, X))


@each(
    ("model", "first"),
    [("osnet_x0_25", 36.08), ("omz0288", 39.08), ("omz0287", 53.96), ("omz0286", 58.23), ("omz0277", 65.19)],
)
def test_real_features_reach_their_known_rank_1(shared, model, first):
    """VIPeR, 632 people under two cameras, one image each: how many find themselves first."""
    stored = np.load(shared / "viper_feats.npz")
    query, gallery = (stored["cam"] == cam for cam in np.unique(stored["cam"]))
    d = distances(stored[model][query], stored[model][gallery], metric="cosine")
    hits = stored["id"][gallery][rank(d, top_k=1)[:, 0]] == stored["id"][query]
    assert round(100 * hits.mean(), 2) == first


@each("width", [2, 3, 16, 500])
def test_unit_length_twice_is_once(width):
    x = np.random.default_rng(width).normal(size=(3000, width)).astype(np.float32)
    once = l2_normalize(x)
    np.testing.assert_array_equal(l2_normalize(once), once)
