"""Means over tracks, clusters and labelled images of queries: by hand, against definitions, against releases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import loadmat
from sklearn.cluster import DBSCAN

from postproc import cluster_queries, l2_normalize, multi_query, query_mean, track_mean, using
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, lattices, world

X = np.array([[3, 0], [0, 1], [4, 1], [-1, 0], [0, 2], [5, -1]], np.float32)


def angles(*degrees):
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1).astype(np.float32)


def test_by_hand():
    track = np.array([7, -1, 7, -1, 0, 7])
    mean = [4, 0]  # of (3, 0), (4, 1), (5, -1)
    wanted = np.array([mean, [0, 1], mean, [-1, 0], [0, 2], mean], np.float32)
    assert_array_equal(query_mean(X, track, renormalize=False), wanted)
    assert_allclose(query_mean(X, track), l2_normalize(wanted), rtol=1e-6)
    # the same three are within 25 degrees of each other, the second and the fifth are of one direction
    wanted[[1, 4]] = [0, 1.5]
    assert_array_equal(query_mean(X, group="clusters", renormalize=False), wanted)


def test_clusters_by_hand():
    # 10 degrees are 2 - 2 cos = 0.0304 apart, 20: 0.121, 30: 0.268
    x = angles(0, 100, 20, 40, 200, 130, 70)
    assert_array_equal(cluster_queries(x, eps=0.13), [0, -1, 0, 0, -1, -1, -1])
    assert_array_equal(cluster_queries(x, eps=0.27), [0, 0, 0, 0, -1, 0, 0])
    # of three: 0 and 20, 20 and 40, 40 and 70, 70 and 100, 100 and 130 are neighbours; 130 has one besides itself
    assert_array_equal(cluster_queries(x, eps=0.27, min_samples=3), [0, 0, 0, 0, -1, 0, 0])
    # of four nobody but 20 (with 0 and 40) would be near; none is a core
    assert_array_equal(cluster_queries(x, eps=0.27, min_samples=4), [-1] * 7)
    assert_array_equal(cluster_queries(x, eps=0.13, min_samples=1), [0, 1, 0, 0, 2, 3, 4])


def test_between_two_groups_the_nearer_is_joined():
    # nine images each, a degree apart; the last is 31 degrees from one, 29 from the other, and sees 1 and 3
    x = angles(*range(-8, 1), *range(60, 69), 31)
    eps = 2 - 2 * np.cos(np.radians(31.5))
    assert_array_equal(cluster_queries(x, eps=eps, min_samples=6), [0] * 9 + [1] * 10)
    assert_array_equal(cluster_queries(x[::-1], eps=eps, min_samples=6), [0] * 10 + [1] * 9)
    assert DBSCAN(eps=eps, min_samples=6, metric="sqeuclidean").fit_predict(x)[-1] == 0  # the first found


@settings(max_examples=60)
@given(
    x=cubes(st.integers(1, 30), (0.0, 1.0, 2.0)),
    eps=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5, 4.0]),
    min_samples=st.integers(1, 6),
)
def test_clusters_equal_the_definition(x, eps, min_samples):
    unit = reference.basic.unit(x)
    matrix = reference.basic.sqeuclidean(unit, unit)
    found = cluster_queries(x, eps=eps, min_samples=min_samples)
    assert_array_equal(found, reference.clusters.dbscan(matrix, eps, min_samples))
    sklearn = DBSCAN(eps=eps or 1e-9, min_samples=min_samples, metric="precomputed").fit(matrix)
    core = sklearn.core_sample_indices_ if min_samples > 2 else slice(None)
    assert_array_equal(found[core], sklearn.labels_[core])


@each(("eps", "min_samples"), [(0.3, 2), (0.45, 2), (0.45, 5), (0.6, 9)])
def test_clusters_over_several_tiles(eps, min_samples):
    x = world(nq=10, ng=900, people=40)["gallery"]
    unit = reference.basic.unit(x)
    wanted = reference.clusters.dbscan(reference.basic.sqeuclidean(unit, unit), eps, min_samples)
    assert len(set(wanted)) > 3
    for threads in (1, 2):
        with using(threads=threads):
            assert_array_equal(cluster_queries(x, eps=eps, min_samples=min_samples), wanted)


@given(query=lattices(st.integers(1, 20)), data=st.data())
def test_tracks_are_averaged_as_in_the_gallery(query, data):
    track = np.array(data.draw(st.lists(st.integers(-1, 4), min_size=len(query), max_size=len(query))))
    for renormalize in (True, False):
        wanted = track_mean(query, track)
        wanted = l2_normalize(wanted) if renormalize else wanted
        assert_array_equal(query_mean(query, track, renormalize=renormalize), wanted)


def test_what_it_refuses():
    with pytest.raises(ValueError, match=r'^group: "track" needs query_track, or use "clusters"'):
        query_mean(X)
    with pytest.raises(ValueError, match=r"^query_track: wanted 6 values, one an image"):
        query_mean(X, np.zeros(5, int))
    with pytest.raises(ValueError, match=r"^eps: wanted 0 to 4, got 5"):
        cluster_queries(X, eps=5)
    with pytest.raises(ValueError, match=r"^query and images: wanted the same width, got 2 and 3 numbers"):
        multi_query(X, [0] * 6, [0] * 6, np.eye(3), [0] * 3, [0] * 3)
    with pytest.raises(ValueError, match=r"^images_cam: wanted 6 values"):
        multi_query(X, [0] * 6, [0] * 6, X, [0] * 6, [0] * 5)


def test_images_of_the_same_label_and_camera():
    images, pid, cam = np.float32([[1], [3], [10], [30]]), [5, 5, 5, 6], [0, 0, 1, 0]
    found = multi_query(np.float32([[7], [8], [9]]), [5, 5, 6], [0, 2, 0], images, pid, cam)
    assert_array_equal(found.ravel(), [2, 8, 30])  # (1 + 3) / 2; nobody; 30


def test_released_clusters(shared):
    golden = np.load(shared / "golden" / "layumi2020.npz")
    assert_array_equal(cluster_queries(golden["q"]), golden["qlabels_dbscan_eps0.5_min2"])


def test_released_means_of_clusters(shared):
    """There only images of 15000 pixels and more count where a cluster has any, so others are compared."""
    golden = np.load(shared / "golden" / "layumi2020.npz")
    found = query_mean(golden["q"], group="clusters")
    labels, large = golden["qlabels_dbscan_eps0.5_min2"], golden["q_area"] >= 15000
    mixed = [label for label in set(labels) - {-1} if len(set(large[labels == label])) > 1]
    plain = ~np.isin(labels, mixed)
    assert (labels[plain] >= 0).any()
    wanted = golden["fused_query_area15000_clustermean"]
    assert_allclose(found[plain], wanted[plain], rtol=0, atol=2e-5)


def test_released_multi_query(shared):
    golden = np.load(shared / "golden" / "mat_files_expected.npz")
    file = loadmat(shared / "golden" / "layumi_multi_query.mat")
    images = file["mquery_f"], file["mquery_label"][0], file["mquery_cam"][0]
    found = multi_query(golden["q"], golden["q_pid"], golden["q_cam"], *images)
    assert_allclose(found, golden["multi_query_mean"], rtol=0, atol=1e-6)
