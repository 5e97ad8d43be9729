"""Distances to tracks: by hand, against the definition, against released code."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    Nearest,
    distances,
    l2_normalize,
    pool_distances,
    rank,
    same_camera,
    sqeuclidean,
    track_distances,
)
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load
from tests.support.tracked import labels
from tests.support.worlds import lattices, world

D = np.array([[1, 5, 3, 2], [7, 4, 8, 0]], np.float32)
TRACK = np.array([6, 6, 6, -1])
REDUCE = ("min", "mean", "max")


def test_by_hand():
    assert_array_equal(pool_distances(D, TRACK), [[1, 1, 1, 2], [4, 4, 4, 0]])
    assert_allclose(pool_distances(D, TRACK, reduce="mean"), [[3, 3, 3, 2], [19 / 3, 19 / 3, 19 / 3, 0]])
    assert_array_equal(pool_distances(D, TRACK, reduce="max"), [[5, 5, 5, 2], [8, 8, 8, 0]])
    # the two nearest images of the track: 1 and 3, 4 and 7
    assert_array_equal(pool_distances(D, TRACK, reduce="mean", k=2), [[2, 2, 2, 2], [5.5, 5.5, 5.5, 0]])
    assert_array_equal(pool_distances(D, TRACK, reduce="max", k=2), [[3, 3, 3, 2], [7, 7, 7, 0]])


def test_tracks_of_queries():
    one = np.array([0, 0])
    assert_array_equal(pool_distances(D, TRACK, one), [[1, 1, 1, 0]] * 2)
    assert_array_equal(pool_distances(D, TRACK, one, query_reduce="mean"), [[2.5, 2.5, 2.5, 1]] * 2)
    assert_array_equal(pool_distances(D, TRACK, one, query_reduce="max"), [[4, 4, 4, 2]] * 2)
    assert_array_equal(pool_distances(D, TRACK, np.array([-1, -1])), pool_distances(D, TRACK))


def test_what_is_never_returned_counts_for_nobody():
    far = D.copy()
    far[0, 0] = far[1, :3] = np.inf
    assert_allclose(pool_distances(far, TRACK, reduce="mean"), [[np.inf, 4, 4, 2], [np.inf, np.inf, np.inf, 0]])
    found = pool_distances(far, TRACK, np.array([0, 0]), reduce="max", query_reduce="mean")
    assert_array_equal(found, [[np.inf, 5, 5, 1], [np.inf, np.inf, np.inf, 1]])


@settings(max_examples=60)
@given(
    query=lattices(st.integers(1, 8)),
    gallery=lattices(st.integers(1, 15)),
    data=st.data(),
    reduce=st.sampled_from(REDUCE),
    k=st.sampled_from([None, 1, 2, 5]),
    query_reduce=st.sampled_from(REDUCE),
)
def test_equals_the_definition(query, gallery, data, reduce, k, query_reduce):
    tracks = data.draw(labels(len(gallery))), data.draw(labels(len(query)))
    setting = {"reduce": reduce, "k": k, "query_reduce": query_reduce}
    plain = reference.basic.sqeuclidean(query, gallery)
    wanted = reference.tracks.pool_distances(plain, *tracks, **setting)
    assert_allclose(track_distances(query, gallery, *tracks, **setting), wanted, rtol=1e-6)
    assert_allclose(pool_distances(plain, *tracks, **setting), wanted, rtol=1e-6)
    some = np.where(plain > data.draw(st.integers(0, 20)), np.inf, plain)
    wanted = reference.tracks.pool_distances(some, *tracks, **setting)
    assert_allclose(pool_distances(some, *tracks, **setting), wanted, rtol=1e-6)


@each("query_track", [False, True])
@each("top_k", [1, 7, 400])
def test_top_k_is_the_head_of_the_full_answer(query_track, top_k):
    data = world(nq=40, ng=300)
    given = [data[name] for name in ("query", "gallery", "gallery_track", "query_track")[: 3 + query_track]]
    full = track_distances(*given, reduce="mean", k=2)
    head = track_distances(*given, reduce="mean", k=2, top_k=top_k)
    assert isinstance(head, Nearest)
    assert_array_equal(head.rows, rank(full)[:, :top_k])
    assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


def test_takes_a_pairwise():
    data = world()
    pairs = sqeuclidean(data["query"], data["gallery"]) + 9 * same_camera(data["query_cam"], data["gallery_cam"])
    found = track_distances(pairs, None, data["gallery_track"], reduce="mean")
    assert_array_equal(found, pool_distances(distances(pairs), data["gallery_track"], reduce="mean"))


def test_refuses():
    with pytest.raises(ValueError, match=r"^gallery_track: wanted 4 values, one an image, got shape \(2,\)"):
        pool_distances(D, TRACK[:2])
    with pytest.raises(ValueError, match=r"^query_track: wanted 2 values, one an image, got shape \(4,\)"):
        pool_distances(D, TRACK, TRACK)
    with pytest.raises(ValueError, match=r"^query_reduce: wanted one of min, mean, max, got 'sum'"):
        track_distances(D, D, TRACK[:2], query_reduce="sum")


def test_released_orientations(shared):
    golden = load(shared, "iosb2020")
    x = l2_normalize(golden["orient"])
    query, gallery = np.split(x, [len(golden["q_pid"])])
    found = track_distances(query, gallery, golden["g_track"])
    assert_allclose(found, golden["orient_min_over_track"], rtol=0, atol=1e-5)
