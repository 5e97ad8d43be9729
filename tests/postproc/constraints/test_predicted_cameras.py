"""Cameras found and completed, and probable cameras among all images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    complete_cameras,
    distances,
    expected_same_camera,
    predict_camera_groups,
    predict_cameras,
    rank,
    rerank,
    same_camera,
    sqeuclidean,
    using,
)
from postproc.kernels import reference
from tests.support import golden
from tests.support.worlds import lattices, world


def test_found_by_hand():
    # two directions; a query between them; one image too short to tell
    query, gallery = [[1, 0], [1, 1]], [[0, 2], [0.1, 3], [5, 0.1], [0, 0.1]]
    found = predict_cameras(query, gallery, min_samples=2)
    assert_array_equal(np.concatenate(found), [0, -1, 1, 1, 0, 1])
    found = predict_cameras(query, gallery, min_samples=2, shortest=0.5)
    assert_array_equal(np.concatenate(found), [0, -1, 1, 1, 0, -1])
    found = predict_cameras(query, gallery, min_samples=2, shortest=9.0)
    assert_array_equal(np.concatenate(found), [-1] * 6)
    assert_array_equal(np.concatenate(predict_cameras(query, gallery, min_samples=4)), [-1] * 6)


def test_found_and_completed_at_once():
    query, gallery = [[1, 0], [1, 1]], [[0, 2], [0.1, 3], [5, 0.1], [0, 0]]
    tracks = np.array([3, 3]), np.array([0, 0, 1, 0])
    for function in (predict_cameras, predict_camera_groups):
        found = function(query, gallery, *tracks, min_samples=2, complete=True)
        assert_array_equal(np.concatenate(found), [0, 0, 1, 1, 0, 1])
        found = function(query, gallery, None, tracks[1], min_samples=2, complete=True)
        assert_array_equal(np.concatenate(found), [0, -1, 1, 1, 0, 1])
        with pytest.raises(ValueError, match=r"^complete: needs query_track or gallery_track, or false$"):
            function(query, gallery, complete=True)
    assert_array_equal(predict_cameras(query, gallery, min_samples=1)[1], [2, 2, 0, -1])  # zeros tell nothing


def test_completed_by_hand():
    # track 4 knows camera 7 alone; track 5 knows two, so nothing is said; track 6 knows none; -1 is no track
    track = np.array([4, 4, 4, 5, 5, 5, 6, -1, -1])
    cam = np.array([7, -1, 7, 1, 2, -1, -1, 3, -1])
    nobody = np.array([], int)
    wanted = [7, 7, 7, 1, 2, -1, -1, 3, -1]
    assert_array_equal(complete_cameras(cam, nobody, track, nobody)[0], wanted)
    assert_array_equal(complete_cameras(nobody, cam, nobody, track)[1], wanted)
    # queries and gallery are apart: the same number is not the same track
    found = complete_cameras(np.array([-1]), np.array([8]), np.array([0]), np.array([0]))
    assert_array_equal(np.concatenate(found), [-1, 8])


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 4)), max_size=25))
def test_completed_equals_the_definition(images):
    cam, track = (np.array([image[i] for image in images], int) for i in (0, 1))
    wanted = cam.copy()
    for i in np.flatnonzero((cam < 0) & (track >= 0)):
        known = set(cam[track == track[i]].tolist()) - {-1}
        wanted[i] = known.pop() if len(known) == 1 else -1
    for found in complete_cameras(cam, cam, track, track):
        assert_array_equal(found, wanted)


def test_what_finding_refuses():
    with pytest.raises(ValueError, match=r"^min_samples: wanted a whole number, 1 or more, got 0"):
        predict_cameras([[1]], [[1]], min_samples=0)
    with pytest.raises(
        ValueError, match=r"^query_aux and gallery_aux: wanted the same width, got 1 and 2 numbers"
    ):
        predict_cameras([[1]], [[1, 2]])
    with pytest.raises(ValueError, match=r"^gallery_track: wanted 2 values, one an image, got shape \(1,\)"):
        complete_cameras(np.array([1]), np.array([1, 2]), np.array([1]), np.array([1]))


def test_released_cameras(shared):
    """AI City 2020's first: clusters with 15 images for a smaller world, completed from clusters and tracks."""
    released = golden.load(shared, "layumi2020")
    nq = len(released["q"])
    aux = released["cam_feat"][:nq], released["cam_feat"][nq:]
    found = predict_cameras(*aux, min_samples=15, shortest=0.85)
    for side, ours in zip("qg", found, strict=True):
        assert_array_equal(ours, released[f"camcluster_raw_{side}_eps0.3_min15"])
    tracks = released["qlabels_dbscan_eps0.5_min2"], released["g_track"]
    for side, ours in zip("qg", complete_cameras(*found, *tracks), strict=True):
        assert_array_equal(ours, released[f"camcluster_completed_{side}"])


@settings(max_examples=25, deadline=None)
@given(
    sides=st.tuples(lattices(st.integers(1, 5)), lattices(st.integers(2, 20))),
    weight=st.sampled_from([0.5, 2.0, -1.0]),
    within=st.booleans(),
    seed=st.integers(0, 99),
)
def test_probable_cameras_hold_between_all_images(sides, weight, within, seed):
    query, gallery = sides
    n, nq, random = len(query) + len(gallery), len(query), np.random.default_rng(seed)
    prob = (random.integers(0, 3, (n, 2)) / 4).astype(np.float32)  # products are exact
    track = random.integers(-1, 4, n)
    images = np.concatenate(sides)
    every = reference.basic.sqeuclidean(images, images) + weight * reference.constraints.expected_same_camera(
        prob, track
    )
    known = np.column_stack([images, prob, track])
    every[(known[:, None] == known).all(axis=2)] = 0  # an image and its copies
    pairs = sqeuclidean(*sides) + weight * expected_same_camera(prob[:nq], prob[nq:], track[:nq], track[nq:])
    if within:
        every[(track[:, None] == track) & (track >= 0)[:, None]] = 0
        pairs = pairs.zero_within_tracks(track[:nq], track[nq:])
    setting = {"k1": 4, "k2": 2, "lambda_value": 0.5}
    assert_array_equal(distances(pairs), every[:nq, nq:])
    found = rerank(pairs, **setting)
    assert_allclose(found, reference.reciprocal.rerank_matrix(every, nq, 4, 2, 0.5), atol=3e-6)
    assert_array_equal(rerank(pairs, top_k=3, **setting).rows, rank(found, top_k=3))
    assert_array_equal(distances(pairs.of_gallery(np.arange(2))), every[nq : nq + 2, nq:])


def test_certain_cameras_are_the_plain_term():
    """Several blocks of classes, copies among the images, any number of threads."""
    data = world(nq=140, ng=900, d=12, people=40, cameras=4)
    sides = data["query"], np.concatenate([data["gallery"], data["gallery"][:50]])
    cams = data["query_cam"], np.concatenate([data["gallery_cam"], data["gallery_cam"][:50]])
    tracks = data["query_track"], np.concatenate([data["gallery_track"], data["gallery_track"][:50]])
    plain = sqeuclidean(*sides) + 3.0 * same_camera(*cams, *tracks)
    probable = sqeuclidean(*sides) + 3.0 * expected_same_camera(*(np.eye(4)[cam] for cam in cams), *tracks)
    assert_allclose(distances(probable), distances(plain), rtol=1e-6)
    found = rerank(probable, k1=9, k2=3)
    assert_allclose(found, rerank(plain, k1=9, k2=3), atol=2e-6)
    with using(threads=3):
        assert_array_equal(rerank(probable, k1=9, k2=3), found)


def test_what_the_term_refuses():
    with pytest.raises(ValueError, match=r"^query_cam_prob: wanted rows of 0 or more with a sum of 1 or less"):
        expected_same_camera([[0.9, 0.2]], [[1, 0]])
    with pytest.raises(
        ValueError, match=r"^query_cam_prob and gallery_cam_prob: wanted the same width, got 2 and 1"
    ):
        expected_same_camera([[0.5, 0.2]], [[1]])
