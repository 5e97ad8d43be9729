"""Mutual exclusion, step by step: by hand, against the definition, against two winners' loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.scores import score
from ensemble.scores.protocols import PROTOCOLS
from postproc import distances, exclude, exclude_kinds, pool_distances, quality_track_mean, query_mean, rank
from postproc.kernels import reference
from tests.support import golden
from tests.support.each import each
from tests.support.realised import views_of
from tests.support.worlds import passages

CAM = np.array([0, 0, 0, 1])
TRACK = np.array([7, 8, 7, 8])
FAR = np.array([[1.0, 1.5, 3.0, 2.75]], np.float32)


@st.composite
def galleries(draw):
    """Distances with ties and +inf, tracks, kinds and the table of what they do to each other."""
    ng = draw(st.integers(1, 10))
    shape = (draw(st.integers(1, 3)), ng)
    far = draw(arrays(np.float32, shape, elements=st.sampled_from([0, 0.25, 0.5, 1, 2, np.inf])))
    track, kind = (draw(arrays(np.int64, ng, elements=st.integers(-1, 2))) for _ in range(2))
    return far, track, kind, draw(arrays(np.float32, (3, 3), elements=st.sampled_from([0, 0.5, 1])))


def test_by_hand():
    # place 0 is image 0, of track 7 in camera 0: image 1 + 1
    assert_array_equal(exclude(FAR, CAM, TRACK, beta=1.0, depth=1), [[1, 2.5, 3, 2.75]])
    # place 1 is still image 1, of track 8: images 0 and 2 + 1/2
    assert_array_equal(exclude(FAR, CAM, TRACK, beta=1.0, depth=2), [[1.5, 2.5, 3.5, 2.75]])
    # place 2 is image 3, alone in camera 1; place 3 is image 2, of track 7: image 1 + 1/4
    assert_array_equal(exclude(FAR, CAM, TRACK, beta=1.0, depth=3), [[1.5, 2.5, 3.5, 2.75]])
    assert_array_equal(exclude(FAR, CAM, TRACK, beta=1.0), [[1.5, 2.75, 3.5, 2.75]])


def test_places_change_on_the_way():
    far = np.array([[1.0, 1.5, 2.0]], np.float32)
    cam, track = np.array([0, 0, 1]), np.array([7, 8, 8])
    # image 1 goes to 3.5, so place 1 is image 2, alone in its camera
    assert_array_equal(exclude(far, cam, track, beta=2.0, depth=2), [[1, 3.5, 2]])


def test_tracks_that_have_one_place_by_hand():
    far = np.array([[1, 1.25, 4, 5]], np.float32)
    cam, track = np.zeros(4, int), np.array([7, 7, 8, 9])
    # places 0 and 1 are both track 7: + 1 + 1/2; place 2 is track 8: + 1/3; place 3 is track 9: + 1/4
    assert_allclose(exclude(far, cam, track, beta=1.0), [[1 + 7 / 12, 1.25 + 7 / 12, 5.75, 6 + 5 / 6]])
    # place 0 is track 7, place 1 is track 8, place 2 is track 9, nobody is left
    wanted = [[1 + 5 / 6, 1.25 + 5 / 6, 5 + 1 / 3, 6.5]]
    assert_allclose(exclude(far, cam, track, beta=1.0, level="track"), wanted, rtol=1e-6)


def test_unknown_cameras_and_infinity_have_no_part():
    far = np.array([[1, 2, 3, np.inf]], np.float32)
    assert_array_equal(exclude(far, np.array([-1, -1, 0, 0]), np.arange(4)), far)


def test_images_of_no_track_exclude_all_but_their_copies():
    far = np.array([[1, 1, 2]], np.float32)
    assert_array_equal(exclude(far, np.zeros(3, int), np.array([-1, -1, -1]), beta=1.0, depth=2), [[1, 1, 3.5]])


@settings(max_examples=150)
@given(gallery=galleries(), depth=st.integers(0, 12), level=st.sampled_from(["image", "track"]))
def test_equals_the_definition(gallery, depth, level):
    far, track, kind, table = gallery
    wanted = reference.exclusion.exclude(far, track, kind, table, depth, level)
    assert_allclose(exclude_kinds(far, track, kind, table, depth=depth, level=level), wanted, rtol=1e-6)
    wanted = reference.exclusion.exclude(far, track, kind, 0.5 * np.eye(3), depth, level)
    assert_allclose(exclude(far, kind, track, beta=0.5, depth=depth, level=level), wanted, rtol=1e-6)


SIDES = np.array([[1, 0], [0.5, 0.75**0.5], [0, 1]], np.float32)  # 0, 60 and 90 degrees


def test_three_rules_by_hand():
    far = np.array([[1, 1.5, 2, 3]], np.float32)
    cam, track, group = np.array([-1, 0, 0, -1]), np.array([7, 8, 9, 9]), np.array([1, 1, -1, 1])
    side = SIDES[[0, 1, 2, 0]]
    setting = {"beta": 0.5, "group": 0.25, "direction": 0.125, "alike": 0.5, "depth": 1}
    # image 0 has no camera: images 1 and 3 are seen from its side and in its group, image 2 is in neither
    assert_array_equal(exclude(far, cam, track, group, side, **setting), [[1, 1.875, 2, 3.375]])
    # then image 1, at place 1, halves: its group has 0 and 3, its camera 2; its camera is known, so no side counts
    wanted = [[1 + 0.125, 1.875, 2 + 0.25, 3.375 + 0.125]]
    assert_array_equal(exclude(far, cam, track, group, side, **setting | {"depth": 2}), wanted)


@settings(max_examples=60)
@given(gallery=galleries(), data=st.data(), depth=st.integers(0, 12), level=st.sampled_from(["image", "track"]))
def test_three_rules_equal_the_definition(gallery, data, depth, level):
    far, track, cam, _ = gallery
    ng = far.shape[1]
    group, view = (data.draw(arrays(np.int64, ng, elements=st.integers(-1, 2))) for _ in range(2))
    labels = np.column_stack([np.unique(np.append(x, -1), return_inverse=True)[1][:-1] - 1 for x in (cam, group)])
    known, kind = np.unique(np.column_stack([labels, SIDES[view]]), axis=0, return_inverse=True)
    cams, groups, views = ([side] * 2 for side in (known[:, 0], known[:, 1], known[:, 2:]))
    table = reference.constrained.camera_rules(cams, groups, views, 0.5, 0.25, 0.125, 0.4)
    wanted = reference.exclusion.exclude(far, track, kind.reshape(-1), table, depth, level)
    setting = {"beta": 0.5, "group": 0.25, "direction": 0.125, "alike": 0.4}
    found = exclude(far, cam, track, group, SIDES[view], depth=depth, level=level, **setting)
    assert_allclose(found, wanted, rtol=1e-6)


@each("depth", [1, 5, 99])
def test_layumi_with_directions_as_features(shared, depth):
    file = golden.load(shared, "layumi2020")
    key = f"score_after_exclusion_ntop{depth}"
    if key not in file:
        pytest.skip(f"{key} is not in this file")
    view = views_of(file["direction_table"], file["q_direction"], file["g_direction"])[1]
    labels = file["g_cam_pred"], file["g_track"], file["camcluster_completed_g"]
    found = exclude(
        -file["score_before_exclusion"], *labels, view, beta=0.3, group=0.1, direction=0.1, depth=depth
    )
    assert_allclose(-found, file[key], rtol=0, atol=1e-6)
    if depth == 99:
        assert_array_equal(rank(found, top_k=100) + 1, file["list_track2m_top100"])


@each("level", ["image", "track"])
@each("seed", range(3))
def test_it_helps_where_it_is_true(seed, level):
    data = passages(seed)
    labels, where = (data["query_pid"], data["gallery_pid"]), (data["gallery_cam"], data["gallery_track"])
    before, after = (
        score(far, *labels, protocol=PROTOCOLS["none"]).mAP
        for far in (data["distances"], exclude(data["distances"], *where, level=level))
    )
    assert after > before + 0.04


@each("depth", [1, 5, 99])
def test_layumi(shared, depth):
    """Three rules in one loop: predicted camera; direction where that is unknown; camera cluster."""
    file = golden.load(shared, "layumi2020")
    key = f"score_after_exclusion_ntop{depth}"
    if key not in file:
        pytest.skip(f"{key} is not in this file")
    labels = np.stack([file[name] for name in ("g_cam_pred", "camcluster_completed_g", "g_direction")])
    (cam, cluster, direction), kind = np.unique(labels, axis=1, return_inverse=True)
    kind = kind.reshape(-1)
    same_cam = (cam[:, None] == cam) & (cam[:, None] >= 0)
    alike = (file["direction_table"][direction][:, direction].T >= 0.25) & (cam[:, None] < 0)
    same_cluster = (cluster[:, None] == cluster) & (cluster[:, None] >= 0)
    table = 0.3 * same_cam + 0.1 * alike + 0.1 * same_cluster
    found = exclude_kinds(-file["score_before_exclusion"], file["g_track"], kind, table, depth=depth)
    assert_allclose(-found, file[key], rtol=0, atol=1e-5)
    if depth == 99:
        assert_array_equal(rank(found, top_k=100) + 1, file["list_track2m_top100"])


def similarity(query, gallery):
    return 1 - distances(query, gallery, metric="cosine")


def best_of_track(scores, track):
    return -pool_distances(-scores, track)


def baidu_score(file, factor):
    """What goes into the loop: appearance, less the camera, less what direction and parts speak against."""
    query = query_mean(file["q"], None, file["q_area"], group="clusters", eps=0.6, threshold=15000, keep=1)
    gallery = quality_track_mean(file["g"], file["g_track"], file["g_area"], add=1)
    score = similarity(query, gallery) - (file["q_cam"][:, None] == file["g_cam"])
    parts = []
    for name in ("back", "front", "left_right", "back_flip", "front_flip", "left_right_flip"):
        query, gallery = file[f"q_{name}"], file[f"g_{name}"]
        seen = query.any(axis=1)[:, None] & gallery.any(axis=1)
        if name.startswith("left_right"):
            seen &= file["skip_mask_left_right"] > 0
        parts.append(best_of_track(np.where(seen, similarity(query, gallery), -1), file["g_track"]))
    unseen = np.all([part == -1 for part in parts[:3]], axis=0)
    part = np.where(unseen, score, np.max(parts, axis=0))
    alike = sum(
        best_of_track(similarity(file[f"q_{name}"], file[f"g_{name}"]), file["g_track"])
        for name in ("direction", "part_cls")
    )
    return score - factor * (alike + 2) / 4 * (0.9 - part)


@each(
    ("key", "factor", "beta"),
    [
        ("scene1_pf0_qg_sim_after_exclusion_beta0.15_clipped", 0, 0.15),
        ("scene1_qg_sim_after_exclusion_beta0.15_clipped", 0.5, 0.15),
        ("scene2_pf0.4_area15000_score_after_exclusion_beta0.1", 0.4, 0.1),
    ],
)
def test_baidu(shared, key, factor, beta):
    file = golden.load(shared, "baidu2021")
    if key not in file:
        pytest.skip(f"{key} is not in this file")
    found = exclude(-baidu_score(file, factor), file["g_cam"], file["g_track"], beta=beta)
    score = np.clip(-found, -1, 1) if key.endswith("clipped") else -found
    assert_allclose(score, file[key], rtol=0, atol=1e-5)
    if key.startswith("scene2"):
        assert_array_equal(rank(found, top_k=100), file["scene2_top100_0based"])


def test_refuses_what_it_cannot_use():
    far, track = np.zeros((1, 2)), np.array([0, 1])
    with pytest.raises(ValueError, match=r"^gallery_kind: wanted kinds below 1, as the weights have, got 1$"):
        exclude_kinds(far, track, np.array([0, 1]), np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"^weights: wanted a square table of 0 or more, got shape \(1, 2\)"):
        exclude_kinds(far, track, np.array([0, 1]), np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"^weights: wanted a square table of 0 or more, .*least -1"):
        exclude_kinds(far, track, np.array([0, 0]), -np.ones((1, 1)))
    for setting, data in (("group", "gallery_cam_group"), ("direction", "gallery_aux")):
        with pytest.raises(ValueError, match=rf"^{setting}: needs {data}, or 0$"):
            exclude(far, track, track, **{setting: 0.1})
    with pytest.raises(ValueError, match=r"^beta: wanted 0 to 1000000.0, got -0.1$"):
        exclude(far, track, track, beta=-0.1)
