"""What is known of the images of one set: columns are given once, no image is in a pair with itself."""

from itertools import combinations

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    assign_tracks,
    camera_penalty,
    camera_topology,
    complete_cameras,
    exclude,
    expected_camera_penalty,
    mask_same_camera,
    one_track_per_camera,
    orientation_rule,
    part_penalty,
    predict_camera_groups,
    predict_cameras,
    scene_gate,
    subtract_auxiliary,
)
from postproc.kernels import reference
from tests.support.alone import CAM, TRACK, WORLD, N, far, one_by_one
from tests.support.each import each

FAR = far()
AUX, PROB, SCENE, GROUP = (WORLD[f"gallery_{name}"] for name in ("aux", "cam_prob", "scene", "cam_group"))
SOME = np.where(np.arange(N) % 7, CAM, -1)  # with unknown cameras
NEVER = np.eye(N, dtype=bool)


def symmetric(found):
    assert_array_equal(found, found.T)
    assert_array_equal(np.diagonal(found), np.inf)
    return found


def test_penalties_by_label_are_the_same_from_both_ends():
    by_label = reference.constraints.label_penalty
    found = symmetric(camera_penalty(FAR, SOME, penalty=0.5))
    assert_allclose(found, by_label(FAR, SOME, SOME, 0.5), rtol=1e-6)
    assert_array_equal(found, camera_penalty(FAR, gallery_cam=SOME, penalty=0.5))
    found = symmetric(camera_penalty(FAR, SOME, query_cam_group=GROUP, penalty=0.5, group=0.25))
    assert_allclose(found, by_label(by_label(FAR, SOME, SOME, 0.5), GROUP, GROUP, 0.25), rtol=1e-6)
    found = symmetric(mask_same_camera(FAR, SOME))
    assert_array_equal(found, by_label(FAR, SOME, SOME, np.inf))
    found = symmetric(scene_gate(FAR, SCENE, penalty=3.0))
    assert_allclose(found, by_label(FAR, SCENE, SCENE, 3.0, equal=False), rtol=1e-6)


def test_directions_are_looked_at_where_the_camera_of_the_row_is_unknown():
    given = {"query_cam": SOME, "query_aux": AUX}
    found = camera_penalty(FAR, **given, penalty=0.0, direction=2.0, alike=0.3)
    near = reference.basic.unit(AUX) @ reference.basic.unit(AUX).T >= 0.3
    assert_allclose(found, FAR + 2 * ((SOME < 0)[:, None] & near), rtol=1e-6)
    assert_array_equal(np.diagonal(found), np.inf)


def test_expected_camera_penalty_is_the_same_from_both_ends():
    prob = np.random.default_rng(0).dirichlet(np.ones(5), N).astype(np.float32)
    for columns in (PROB, prob):
        found = symmetric(expected_camera_penalty(FAR, columns, penalty=-0.7))
        shared = columns.astype(np.float64) @ columns.T.astype(np.float64)
        assert_allclose(found, FAR - 0.7 * shared, rtol=1e-5)


def test_camera_topology_asks_for_the_camera_of_the_row_first():
    train = WORLD["train_pid"], WORLD["train_cam"]
    cameras, shares = reference.constraints.topology_matrix(*train, "images")
    wanted = reference.constraints.apply_topology(FAR, SOME, SOME, cameras, np.minimum(shares, 0.9), 0.5)
    found = camera_topology(FAR, SOME, train_pid=train[0], train_cam=train[1], weight=0.5)
    assert_allclose(found, wanted, rtol=1e-6)


@each("metric", ["sqeuclidean", "euclidean", "cosine"])
def test_subtract_auxiliary_is_the_same_from_both_ends(metric):
    found = symmetric(subtract_auxiliary(FAR, AUX, metric=metric))
    wanted = reference.constraints.subtract_auxiliary(FAR, AUX, AUX, 0.1, metric)
    assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@each("track", [None, TRACK])
def test_sides_and_parts_are_those_of_the_other_images_of_a_track(track):
    tracks = {} if track is None else {"gallery_track": track}
    settings = {"near": 0.5, "far": 20.0, "penalty": 5.0}
    found = orientation_rule(FAR, AUX, **tracks, **settings)
    assert_allclose(
        found, one_by_one(orientation_rule, distances=FAR, gallery_aux=AUX, **tracks, **settings), rtol=1e-6
    )
    assert (found != FAR).any()
    settings = {"views": (1,), "parts": (2, 1), "enough": 0.5}
    parts = AUX.copy()
    parts[::6, 1:3] = 0  # not seen
    looked_at = part_penalty(FAR, parts, **tracks, **settings)
    wanted = one_by_one(part_penalty, distances=FAR, gallery_aux=parts, **tracks, **settings)
    assert_allclose(looked_at, wanted, rtol=1e-4, atol=1e-4)
    if track is None:
        symmetric(found)
        symmetric(looked_at)


def test_the_own_image_is_not_of_its_track_as_others_see_it():
    """Images 0 and 1 are a track, seen from two sides. Image 0 is of the side of 0 and 2, not of that of 1."""
    distances = np.full((3, 3), 9, np.float32)
    np.fill_diagonal(distances, np.inf)
    side = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    found = orientation_rule(distances, side, gallery_track=np.array([7, 7, -1]), penalty=1.0)
    # 0 and 1: not one side; 0 and 2: one; 1 and 2: not; 2 and the track of 0 and 1: one of the two is
    assert_array_equal(found, [[np.inf, 9, 10], [9, np.inf, 9], [10, 10, np.inf]])


@each("settings", [{}, {"level": "track"}, {"depth": 3, "beta": 2.0}, {"group": 0.5}])
def test_exclude_is_that_of_each_image_before_all_others(settings):
    columns = {"gallery_cam": CAM, "gallery_track": TRACK, "gallery_cam_group": GROUP}
    found = exclude(FAR, **columns, **settings)
    assert_allclose(found, one_by_one(exclude, distances=FAR, **columns, **settings), rtol=1e-6)
    assert_array_equal(np.diagonal(found), np.inf)


def test_the_own_camera_belongs_to_the_own_track():
    cam, track = np.array([0, 0, 0, 1, 1]), np.array([7, 7, 8, 8, 9])
    distances = np.array([[np.inf, 2, 1, 4, 3]] * 5, np.float32)
    np.fill_diagonal(distances, np.inf)
    found = one_track_per_camera(distances, cam, track)
    # image 0: camera 0 is that of its track, so image 2 goes back by 4 - 1, though nearest; camera 1 is track 9's
    assert_array_equal(found[0], [np.inf, 2, 4, 7, 3])
    # image 2 is track 8 in camera 0, where the others go back: distances inf, 2, inf, 4, 3 of image 2
    distances[2] = [2, 2.5, np.inf, 4, 3]
    found = one_track_per_camera(distances, cam, track)
    assert_array_equal(found[2], [4, 4.5, np.inf, 6, 3])


@each("cam", [CAM, SOME])
def test_other_cameras_go_to_the_nearest_track_in_them(cam):
    """Beside its own camera an image is a query like any other; images of no track own theirs alone."""
    found = one_track_per_camera(FAR, cam, TRACK)
    for i in range(N):
        mine = (cam == cam[i]) & (cam[i] >= 0)
        if mine.sum() < N - 1:
            elsewhere = np.flatnonzero(~mine & (np.arange(N) != i))
            wanted = one_track_per_camera(FAR[i : i + 1, elsewhere], cam[elsewhere], TRACK[elsewhere])[0]
            stays = wanted == FAR[i, elsewhere]
            assert_array_equal(found[i, elsewhere] == FAR[i, elsewhere], stays)
        stays = (TRACK[i] == TRACK) & (TRACK[i] >= 0)
        others = np.flatnonzero(mine & (np.arange(N) != i))
        assert_array_equal(found[i, others] == FAR[i, others], stays[others])
        assert (found[i, others][~stays[others]] > found[i, others][stays[others]].max(initial=0)).all()


def test_assigned_by_hand():
    """Tracks 1 and 2 of camera 0, 3 and 4 of camera 1, an image each."""
    between = np.array([[1, 2], [2, 4]], np.float32)
    distances = np.full((4, 4), 5, np.float32)
    distances[:2, 2:], distances[2:, :2] = between, between.T
    np.fill_diagonal(distances, np.inf)
    found = assign_tracks(distances, [0, 0, 1, 1], [1, 2, 3, 4], threshold=9.0, bonus=0.5, malus=2.0)
    # 2 + 2 is less than 1 + 4; the two of one camera have themselves there, and cannot be each other
    inf = np.inf
    assert_array_equal(found, [[inf, 7, 3, 1.5], [7, inf, 1.5, 6], [3, 1.5, inf, 7], [1.5, 6, 7, inf]])


@each("threshold", [8.0, 20.0, 1e6])
def test_every_two_cameras_have_the_best_assignment(threshold):
    some = np.arange(0, N, 3)
    given, cam, track = FAR[np.ix_(some, some)], SOME[some], TRACK[some]
    found = symmetric(assign_tracks(given, cam, track, threshold=threshold, bonus=1.0, malus=0.0))
    known = (cam >= 0) & (track >= 0)
    x = np.where(np.isinf(given), 0, np.where(np.isinf(given), 0, given) - np.where(np.isinf(found), 0, found))
    x = x.round(4)
    assert not x[~known].any()
    assert not x[:, ~known].any()
    images = {name: np.flatnonzero(known & (track == name)) for name in set(track[known].tolist())}
    for one, other in combinations(sorted(set(cam[known].tolist())), 2):
        left, right = ([rows for rows in images.values() if cam[rows[0]] == c] for c in (one, other))
        means = np.array([[given[np.ix_(a, b)].astype(np.float64).mean() for b in right] for a in left])
        chosen = np.array([[x[np.ix_(a, b)].mean() for b in right] for a in left])
        assert np.isin(chosen, [0, 1]).all()
        assert (chosen.sum(axis=0) <= 1).all()
        assert (chosen.sum(axis=1) <= 1).all()
        gain = (chosen * (threshold - means)).sum()
        assert_allclose(gain, reference.rewriting.best_assignment(means, threshold), rtol=1e-5)
    own = (cam[:, None] == cam) & known[:, None] & known & ~np.eye(len(some), dtype=bool)
    assert_array_equal(x[own], (track[:, None] == track)[own])


def test_shares_are_the_same_from_both_ends():
    found = symmetric(assign_tracks(FAR, CAM, TRACK, method="sinkhorn", threshold=20.0, temperature=5.0))
    assert (found[~NEVER] != FAR[~NEVER]).any()


def test_assignment_of_one_way_distances_is_by_the_mean_of_both_ways():
    there = np.array([[np.inf, 1, 9], [np.inf, np.inf, 9], [2, 4, np.inf]], np.float32)
    # cameras 0, 1, 1: 0 to 1 is 1 (back is not known), 0 to 2 is (9 + 2) / 2
    found = assign_tracks(there, [0, 1, 1], [1, 2, 3], threshold=3.0, bonus=0.5, malus=0.0)
    assert_array_equal(found, [[np.inf, 0.5, 9], [np.inf, np.inf, 9], [2, 4, np.inf]])
    found = assign_tracks(there[:, [0, 2]][[0, 2]], [0, 1], [1, 3], threshold=6.0, bonus=0.5, malus=0.0)
    assert_array_equal(found, [[np.inf, 8.5], [1.5, np.inf]])


def test_a_set_without_tracks_is_left_as_it_is():
    assert_array_equal(assign_tracks(FAR, CAM, np.full(N, -1)), FAR)


@each("step", [predict_cameras, predict_camera_groups])
def test_cameras_of_one_set_are_those_of_its_halves_together(step):
    settings = {"eps": 0.05, "min_samples": 6, "complete": True}
    halves = step(AUX[:40], AUX[40:], gallery_track=TRACK[40:], **{**settings, "complete": False})
    whole = step(AUX, **{**settings, "complete": False})
    assert_array_equal(whole, np.concatenate(halves))
    assert_array_equal(step(AUX, query_track=TRACK, **settings), complete_cameras(whole, query_track=TRACK))
    assert_array_equal(step(gallery_aux=AUX, gallery_track=TRACK, **settings), step(AUX, None, TRACK, **settings))


def test_cameras_of_one_set_are_completed_by_hand():
    found = complete_cameras([3, -1, -1, 5, -1], query_track=[0, 0, 8, 8, -1])
    assert found.tolist() == [3, 3, 5, 5, -1]
