"""Cameras and scenes known or probable: by hand, against the definition, against released chains."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    camera_penalty,
    expected_camera_penalty,
    mask_same_camera,
    rank,
    rerank,
    scene_gate,
    weighted_track_mean,
)
from postproc.kernels import reference
from tests.support import golden
from tests.support.each import each

INF = np.inf
D = np.array([[1, 2, INF, 4], [5, 6, 7, 8]], np.float32)
CAMS = np.array([3, -1]), np.array([3, 4, 3, -1])


@st.composite
def labelled(draw):
    """Distances with some +inf, and labels of both sides."""
    nq, ng = draw(st.integers(0, 5)), draw(st.integers(0, 12))
    row = st.lists(st.sampled_from([-1.5, 0.0, 2.0, INF]), min_size=ng, max_size=ng)
    matrix = draw(st.lists(row, min_size=nq, max_size=nq))
    query, gallery = (
        draw(st.lists(st.sampled_from([-1, 0, 3, 10**12]), min_size=count, max_size=count)) for count in (nq, ng)
    )
    return np.array(matrix, np.float32).reshape(nq, ng), np.array(query, int), np.array(gallery, int)


def test_by_hand():
    # the first query is of camera 3, as are images 0 and 2; of the second nothing is known
    assert_array_equal(camera_penalty(D, *CAMS), [[2, 2, INF, 4], [5, 6, 7, 8]])
    assert_array_equal(camera_penalty(D, *CAMS, penalty=-0.5), [[0.5, 2, INF, 4], [5, 6, 7, 8]])
    assert_array_equal(mask_same_camera(D, *CAMS), [[INF, 2, INF, 4], [5, 6, 7, 8]])
    assert_array_equal(rank(mask_same_camera(D, *CAMS)), [[1, 3, -1, -1], [0, 1, 2, 3]])
    # only image 1 is known to be elsewhere
    assert_array_equal(scene_gate(D, *CAMS), [[1, 12, INF, 4], [5, 6, 7, 8]])


def test_three_rules_by_hand():
    groups, view = ([1, 0], [1, -1, 1, 0]), np.array([[1, 0], [0.5, 0.75**0.5], [0, 1]], np.float32)
    given_aux = view[[0, 0]], view[[0, 1, 2, 2]]  # 0; 0, 60, 90 and 90 degrees
    setting = {"penalty": 1.0, "group": 0.25, "direction": 0.5, "alike": 0.4}
    # camera and group of image 0, group of image 2; of the second query, images 0 and 1 are seen from its side,
    # and 3 is of its group
    found = camera_penalty(D, *CAMS, *map(np.array, groups), *given_aux, **setting)
    assert_array_equal(found, [[2.25, 2, INF, 4], [5.5, 6.5, 7, 8.25]])
    with pytest.raises(ValueError, match=r"^group: needs query_cam_group and gallery_cam_group, or 0$"):
        camera_penalty(D, *CAMS, group=0.1)
    with pytest.raises(ValueError, match=r"^direction: needs query_aux and gallery_aux, or 0$"):
        camera_penalty(D, *CAMS, direction=0.1)


@settings(max_examples=40, deadline=None)
@given(data=labelled(), seed=st.integers(0, 99), weights=st.tuples(*[st.sampled_from([0.0, 0.5, -0.25])] * 3))
def test_three_rules_equal_the_definition(data, seed, weights):
    far, query, gallery = data
    assume(far.size)
    random = np.random.default_rng(seed)
    groups = [random.integers(-1, 2, len(side)) for side in (query, gallery)]
    view = [np.eye(3, dtype=np.float32)[random.integers(0, 3, len(side))] for side in (query, gallery)]
    penalty, group, direction = weights
    wanted = far + reference.constrained.camera_rules((query, gallery), groups, view, *weights, 0.5)
    setting = {"penalty": penalty, "group": group, "direction": direction, "alike": 0.5}
    assert_array_equal(camera_penalty(far, query, gallery, *groups, *view, **setting), wanted)


def test_probable_cameras_by_hand():
    query, gallery = [[0.75, 0.25]], [[1, 0], [0.5, 0.5], [0, 0]]
    #                   0.75 * 1   0.75 * 0.5 + 0.25 * 0.5   nothing known
    assert_array_equal(expected_camera_penalty([[1, 1, INF]], query, gallery, penalty=2.0), [[2.5, 2, INF]])


@settings(max_examples=60)
@given(data=labelled(), penalty=st.sampled_from([0.0, 1.0, -0.25, 10.0]))
def test_equals_the_definition(data, penalty):
    assert_array_equal(camera_penalty(*data, penalty=penalty), reference.constraints.label_penalty(*data, penalty))
    assert_array_equal(mask_same_camera(*data), reference.constraints.label_penalty(*data, INF))
    assert_array_equal(
        scene_gate(*data, penalty=penalty), reference.constraints.label_penalty(*data, penalty, equal=False)
    )


@settings(max_examples=60)
@given(data=labelled(), cameras=st.integers(1, 3), seed=st.integers(0, 99))
def test_probable_cameras_equal_the_definition(data, cameras, seed):
    matrix = data[0]
    random = np.random.default_rng(seed)
    prob = random.integers(0, 3, (sum(matrix.shape), cameras)) / (2 * cameras)
    nq = len(matrix)
    wanted = matrix + 2 * reference.constraints.expected_same_camera(prob, np.full(len(prob), -1))[:nq, nq:]
    assert_allclose(expected_camera_penalty(matrix, prob[:nq], prob[nq:], penalty=2.0), wanted, rtol=1e-6)


def test_certain_cameras_are_the_plain_penalty():
    random = np.random.default_rng(0)
    query, gallery = random.integers(0, 4, 20), random.integers(0, 4, 3000)  # several chunks of columns
    matrix = random.random((20, 3000)).astype(np.float32)
    found = expected_camera_penalty(matrix, np.eye(4)[query], np.eye(4)[gallery], penalty=0.5)
    assert_array_equal(found, camera_penalty(matrix, query, gallery, penalty=0.5))


@each("step", [camera_penalty, scene_gate])
def test_the_largest_numbers_stay_finite(step):
    largest = np.full((1, 2), np.finfo(np.float32).max)
    assert np.isfinite(step(largest, [1], [1, 2], penalty=1e30)).all()


def test_refuses():
    with pytest.raises(ValueError, match=r"^penalty: wanted -1e\+30 to 1e\+30, got 1e\+31$"):
        camera_penalty(D, *CAMS, penalty=1e31)
    with pytest.raises(ValueError, match=r"^gallery_scene: wanted 4 values, one an image, got shape \(3,\)$"):
        scene_gate(D, CAMS[0], CAMS[1][:3])
    with pytest.raises(
        ValueError, match=r"^query_cam_prob: wanted rows of 0 or more with a sum of 1 .* in row 1$"
    ):
        expected_camera_penalty(D, [[0.5, 0.5], [0.7, 0.7]], np.eye(4, 2))
    with pytest.raises(ValueError, match=r"^gallery_cam_prob: wanted rows of 0 or more with a sum .* in row 3$"):
        expected_camera_penalty(D, np.eye(2), [[1, 0], [0, 1], [0, 0], [-0.1, 0.1]])
    with pytest.raises(ValueError, match=r"^gallery_cam_prob: wanted 4 rows, one an image, got shape \(2, 2\)$"):
        expected_camera_penalty(D, np.eye(2), np.eye(2))
    with pytest.raises(
        ValueError, match=r"^query_cam_prob and gallery_cam_prob: wanted the same width, got 2 and 1"
    ):
        expected_camera_penalty(D, np.eye(2), np.ones((4, 1)))


def of_tracks(query, gallery, released):
    """DMT 2021: re-ranking among queries and weighted track features, less cameras and views of tracks."""
    track = released["g_track"]
    first = np.unique(track, return_index=True)[1]
    features = weighted_track_mean(query, gallery, track)[first]
    reranked = rerank(query, features, k1=7, k2=2, lambda_value=0.6)
    return (reranked - 0.1 * released["track_cam_rk"] - 0.05 * released["track_view_rk"])[:, track]


def test_released_chain(shared):
    """DMT 2021: mean of raw and whitened features, then +10 within a camera; V was kept in float16."""
    released, exact = golden.load(shared, "dmt2021"), golden.load(shared, "dmt_v32")
    raw = of_tracks(released["q"], released["g"], released)
    white = of_tracks(released["fic_q_la0p18"], released["fic_g_la0p18"], released)
    assert_allclose(raw, released["dmt21_image_dist_cam0p1_view0p05"], rtol=0, atol=5e-4)
    by_track = exact["dmt21_track_dist_k7_2_0p6_v32"]
    by_track = by_track - 0.1 * released["track_cam_rk"] - 0.05 * released["track_view_rk"]
    assert_allclose(raw, by_track[:, released["g_track"]], rtol=0, atol=1e-6)
    cams = released["q_cam"], released["g_cam"]
    found = camera_penalty((raw + white) / 2, *cams, penalty=10.0)
    assert_allclose(found, released["dmt21_final_raw_fic0p18_samecam10"], rtol=0, atol=5e-4)
    # the rule of scenes there, two of them: 10 more where exactly one camera is of the second
    second = [cam >= 4 for cam in cams]
    gated = scene_gate(found, *(side.astype(int) for side in second))
    assert_array_equal(gated - found > 5, second[0][:, None] != second[1])


def test_a_penalty_beyond_all_distances_and_a_mask(shared):
    """Beyond the largest distance a penalty leaves the order inside and outside of the camera alone."""
    released = golden.load(shared, "dmt2021")
    cams = released["q_cam"], released["g_cam"]
    plain = released["dmt21_image_dist_cam0p1_view0p05"]
    moved, kept = rank(camera_penalty(plain, *cams, penalty=10.0)), rank(plain)
    masked = rank(mask_same_camera(plain, *cams))
    for i, camera in enumerate(cams[0]):
        other = cams[1][kept[i]] != camera
        assert_array_equal(moved[i], np.concatenate([kept[i][other], kept[i][~other]]))
        assert_array_equal(masked[i], np.where(np.arange(len(other)) < other.sum(), moved[i], -1))
