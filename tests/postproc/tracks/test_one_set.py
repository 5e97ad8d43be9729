"""Tracks of one set: against each other, and of a track with itself the pairs of two of its images."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    pool_distances,
    rerank,
    rerank_tracks,
    rewrite_tracks,
    sqeuclidean,
    track_distances,
    track_mean,
    weighted_track_mean,
)
from postproc.kernels import reference
from tests.support.alone import INSIDE, TRACK, WORLD, N, X, far, one_by_one
from tests.support.each import each

FAR = far()
SINGLE = TRACK < 0
SAME = (TRACK[:, None] == TRACK) & ~SINGLE[:, None] & INSIDE


@each("reduce", ["min", "mean", "max"])
@each("query_reduce", ["min", "mean", "max"])
@each("k", [None, 2])
def test_track_distances_are_of_pairs_of_two_images(reduce, query_reduce, k):
    plain = reference.basic.sqeuclidean(X, X)
    np.fill_diagonal(plain, np.inf)
    wanted = reference.tracks.pool_distances(plain, TRACK, TRACK, reduce, k, query_reduce)
    settings = {"reduce": reduce, "query_reduce": query_reduce, "k": k}
    found = track_distances(X, gallery_track=TRACK, **settings)
    assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)
    assert_array_equal(found, track_distances(sqeuclidean(X), query_track=TRACK, **settings))
    pooled = pool_distances(FAR, TRACK, **settings)
    assert_allclose(pooled, wanted, rtol=1e-5, atol=1e-4)
    if reduce == query_reduce and k is None:
        assert_array_equal(found, found.T)
        assert_array_equal(pooled, pooled.T)


def test_pooled_by_hand():
    distances = np.array([[np.inf, 1, 4], [1, np.inf, 8], [4, 8, np.inf]], np.float32)
    track = np.array([7, 7, -1])
    # 0 and 1 are a track: 1 between them, the mean of 4 and 8 to image 2
    found = pool_distances(distances, track, reduce="mean", query_reduce="mean")
    assert_array_equal(found, [[np.inf, 1, 6], [1, np.inf, 6], [6, 6, np.inf]])


def test_pairs_that_are_left_out_count_for_nobody():
    some = FAR.copy()
    some[3, 40] = some[40, 3] = some[11, 70] = np.inf
    for reduce in ("min", "mean", "max"):
        wanted = reference.tracks.pool_distances(some, TRACK, TRACK, reduce, None, reduce)
        assert_allclose(pool_distances(some, TRACK, reduce=reduce, query_reduce=reduce), wanted, rtol=1e-5)
    one_way = np.random.default_rng(0).random((N, N)).astype(np.float32)  # not the same from both ends
    np.fill_diagonal(one_way, np.inf)
    wanted = reference.tracks.pool_distances(one_way, TRACK, TRACK, "mean", None, "mean")
    assert_allclose(pool_distances(one_way, TRACK, reduce="mean", query_reduce="mean"), wanted, rtol=1e-5)


def test_lists_of_tracks_never_name_the_own_image():
    found = track_distances(X, gallery_track=TRACK)
    lists = track_distances(X, gallery_track=TRACK, top_k=4)
    assert_array_equal(lists.rows, np.argsort(found, axis=1, kind="stable")[:, :4])


@each("order", ["row", "nearest"])
@each("pool", ["mean", "weighted"])
def test_rerank_tracks_is_the_reranking_of_tracks_as_one_set(order, pool):
    settings = {"k1": 5, "k2": 2, "lambda_value": 0.4}
    images = track_mean(X, TRACK) if pool == "mean" else weighted_track_mean(X, gallery_track=TRACK)
    groups = reference.tracks.groups_of(TRACK)
    by_track = rerank(images[[group[0] for group in groups]], **settings)
    np.fill_diagonal(by_track, 0)
    of = np.empty(N, int)
    for number, group in enumerate(groups):
        of[group] = number
    wanted = by_track[of[:, None], of]
    if order == "nearest":
        wanted = reference.tracks.nearest_first(wanted, FAR, TRACK, 1e-6)
    np.fill_diagonal(wanted, np.inf)
    found = rerank_tracks(X, gallery_track=TRACK, order=order, pool=pool, **settings)
    assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert found[SAME].max() <= 1.1e-6
    lists = rerank_tracks(X, gallery_track=TRACK, order=order, pool=pool, top_k=6, **settings)
    assert_array_equal(lists.rows, np.argsort(found, axis=1, kind="stable")[:, :6])


def test_rerank_tracks_of_one_track_and_of_one_image():
    found = rerank_tracks(X[:3], gallery_track=np.zeros(3, int), order="row")
    assert_array_equal(found, np.where(np.eye(3), np.inf, 0))
    assert rerank_tracks(X[:1], gallery_track=np.array([-1])).tolist() == [[np.inf]]


@each("threshold", [0.0, 12.0, 1e6])
def test_weighted_track_mean_has_the_images_of_other_tracks_as_queries(threshold):
    track = np.where(SINGLE, 1000 + np.arange(N), TRACK)  # each its own
    wanted = np.empty(X.shape)
    for name in np.unique(track):
        own = track == name
        wanted[own] = reference.tracks.weighted_track_mean(X[~own], X[own], track[own], threshold, 0.01)
    found = weighted_track_mean(X, gallery_track=TRACK, threshold=threshold)
    assert_allclose(found, wanted, atol=1e-4)
    assert_allclose(found[SINGLE], X[SINGLE], rtol=1e-6)


def test_weighted_track_mean_of_one_track_is_plain():
    found = weighted_track_mean(X[:3], gallery_track=np.zeros(3, int))
    assert_allclose(found, np.tile(X[:3].mean(axis=0), (3, 1)), rtol=1e-5)


@each("settings", [{}, {"by": "vote"}, {"by": "vote", "depth": 7, "offset": 0.5}, {"inside": "listed"}])
def test_rewrite_tracks_is_that_of_each_image_before_all_others(settings):
    wanted = one_by_one(
        rewrite_tracks,
        distances=FAR,
        gallery_track=TRACK,
        gallery_order=np.asarray(WORLD["gallery_order"]),
        **settings,
    )
    assert_array_equal(rewrite_tracks(FAR, TRACK, WORLD["gallery_order"], **settings), wanted)


def test_the_own_image_is_none_of_those_that_share_a_vote():
    """Track 7 is images 0 and 1, track 8 images 2 and 3. By hand for image 0, offset 1."""
    row = np.array([np.inf, 1.5, 1, 3], np.float32)
    distances = np.tile(row, (4, 1))
    np.fill_diagonal(distances, np.inf)
    # track 8 gives (1 / 1 + 1 / 3) / sqrt(2) = .94, track 7 1 / 2 of one image; of two it would be .35
    found = rewrite_tracks(distances, np.array([7, 7, 8, 8]), by="vote", offset=1.0)
    assert_array_equal(found[0], [np.inf, 2, 0, 1])
    # at an offset of 0.1: 8 (1 / .1 + 1 / 2.1) / 1.41 = 7.4; alone first with 1 / .1, image 1 is first
    distances[0] = [np.inf, 1, 1.5, 1.75]
    found = rewrite_tracks(distances, np.array([7, 7, 8, 8]), by="vote", offset=1.0)
    # 7: 1 / 1 = 1; as one of two it would be .71, and 8 with (1 / 2 + 1 / 3) / 1.41 = .59 stays behind
    assert_array_equal(found[0], [np.inf, 0, 1, 2])
    distances[0] = [np.inf, 1.5, 1, 9]
    found = rewrite_tracks(distances, np.array([7, 7, 8, 9]), by="vote", offset=10.0)
    # 8: 1 / 10; 7: 1 / 11; 9: 1 / 12. As one of two images 7 would have .064, less than 9
    assert_array_equal(found[0], [np.inf, 1, 0, 2])
