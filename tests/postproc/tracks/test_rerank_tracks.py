"""Re-ranking of tracks: by hand, against the definition, against released code."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    Nearest,
    camera_whitening,
    l2_normalize,
    rank,
    rerank,
    rerank_tracks,
    track_distances,
    track_mean,
    weighted_track_mean,
)
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load
from tests.support.tracked import tracked
from tests.support.worlds import lattices, world

LATER = 1e-6


def test_by_hand():
    query = np.array([[0, 0]], np.float32)
    gallery = np.array([[0, 1.5], [4, 0], [0, 0.5], [4, 1]], np.float32)
    track = np.array([7, -1, 7, -1])
    # The track is at (0, 1). From the query p is 0, 1/17, 16/17, 1; lists of two are query and track, (4, 0) and
    # (4, 1); nothing to expand.
    a, b = 1 / (1 + np.exp(-1 / 17)), np.exp(-1 / 17) / (1 + np.exp(-1 / 17))
    shared = 2 * min(a, b)  # V of the query is (a, b), that of the track (b, a)
    near = 0.7 * (1 - shared / (2 - shared)) + 0.3 / 17
    wanted = [[near + LATER, 0.7 + 0.3 * 16 / 17, near, 1.0]]  # (0, 0.5) is the nearest of its track
    setting = {"k1": 1, "k2": 1, "lambda_value": 0.3}
    found = rerank_tracks(query, gallery, track, **setting)
    assert_allclose(found, wanted, atol=2e-7)
    assert_array_equal(rank(found), [[2, 0, 1, 3]])
    assert_array_equal(rank(rerank_tracks(query, gallery, track, order="row", **setting)), [[0, 2, 1, 3]])


def test_normalised_twice_by_hand():
    query, gallery = np.array([[0.0]], np.float32), np.array([[1.0], [3.0]], np.float32)
    # squared distances  0 1 9 / 1 0 4 / 9 4 0, largest of each 9, 4, 9. Over that of the other end the query's are
    # 0, 1/4, 1, and over the largest of these the same; once gives 1/9.
    setting = {"lambda_value": 1, "order": "row"}
    found = rerank_tracks(query, gallery, np.array([-1, -1]), normalize_twice=True, **setting)
    assert_allclose(found, [[1 / 4, 1]], rtol=1e-6)
    assert_allclose(rerank_tracks(query, gallery, np.array([-1, -1]), **setting), [[1 / 9, 1]], rtol=1e-6)


@settings(max_examples=50)
@given(
    query=lattices(st.integers(1, 5)),
    side=tracked(),
    k1=st.integers(1, 9),
    k2=st.integers(1, 4),
    lambda_value=st.sampled_from([0.0, 0.6, 1.0]),
    twice=st.booleans(),
)
def test_equals_the_definition(query, side, k1, k2, lambda_value, twice):
    gallery, track = side
    setting = {"k1": k1, "k2": k2, "lambda_value": lambda_value}
    means = reference.tracks.track_mean(gallery, track, track, None)
    wanted = reference.tracks.rerank_tracks(query, means, track, **setting, twice=twice)
    found = rerank_tracks(query, gallery, track, **setting, order="row", normalize_twice=twice)
    assert_allclose(found, wanted, atol=2e-6)
    wanted = reference.tracks.nearest_first(found, reference.basic.sqeuclidean(query, gallery), track, LATER)
    found = rerank_tracks(query, gallery, track, **setting, normalize_twice=twice)
    assert_allclose(found, wanted, atol=2e-7)


@each("order", ["nearest", "row"])
@each("twice", [False, True])
@each("top_k", [1, 20, 700])
def test_top_k_is_the_head_of_the_full_answer(order, twice, top_k):
    data = world(nq=50, ng=600, people=60)
    given = data["query"], data["gallery"], data["gallery_track"]
    full = rerank_tracks(*given, order=order, normalize_twice=twice)
    head = rerank_tracks(*given, order=order, normalize_twice=twice, top_k=top_k)
    assert isinstance(head, Nearest)
    assert_array_equal(head.rows, rank(full)[:, :top_k])
    assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


def test_weighted_is_the_weighted_mean_before():
    data = world()
    query, gallery, track = (data[name] for name in ("query", "gallery", "gallery_track"))
    setting = {"threshold": 9.0, "epsilon": 0.1}
    pooled = weighted_track_mean(query, gallery, track, **setting)
    found = rerank_tracks(query, gallery, track, pool="weighted", order="row", **setting)
    assert_array_equal(found, rerank_tracks(query, pooled, track))  # nobody of a track is nearer than the others
    assert abs(found - rerank_tracks(query, gallery, track, order="row")).max() > 0.01


def test_without_tracks_it_is_image_by_image():
    data = world()
    found = rerank_tracks(data["query"], data["gallery"], np.full(len(data["gallery"]), -1))
    wanted = rerank(data["query"], data["gallery"], k1=7, k2=2, lambda_value=0.6)
    assert_allclose(found, wanted, atol=1e-6)


def test_copies_of_the_nearest_are_as_near():
    query, gallery = np.array([[0.0]], np.float32), np.array([[2.0], [1.0], [1.0], [3.0]], np.float32)
    found = rerank_tracks(query, gallery, np.zeros(4, int))[0]
    assert found[1] == found[2] < found[0] == found[3]


def test_refuses():
    x = np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match=r"^gallery_track: wanted 3 values, one an image, got shape \(2,\)"):
        rerank_tracks(x, x, np.zeros(2, int))
    with pytest.raises(ValueError, match=r"^order: wanted one of nearest, row, got 'far'"):
        rerank_tracks(x, x, np.zeros(3, int), order="far")
    with pytest.raises(ValueError, match=r"^threshold: wanted 0 to 1000000.0, got -1"):
        rerank_tracks(x, x, np.zeros(3, int), threshold=-1)


@each(("model", "sides"), [("m1", ("q", "g")), ("m2", ("q2", "g2"))])
def test_released_dmt_2020(shared, model, sides):
    """Its neighbourhoods are float16, which is worth 8e-4 here; the same code in float32 agrees. Divided once, as
    the paper has it, distances differ by a third."""
    golden, float32 = load(shared, "dmt2020"), load(shared, "dmt_v32")
    query, gallery, track = *(golden[side] for side in sides), golden["g_track"]
    found = rerank_tracks(query, gallery, track, normalize_twice=True, order="row")
    wanted = float32[f"dmt20_track_dist_{model}_v32"][:, track]
    assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert abs(rerank_tracks(query, gallery, track, order="row") - wanted).max() > 0.1
    assert_allclose(found, golden[f"dmt20_track_dist_{model}"][:, track], rtol=0, atol=2e-3)
    images = rerank_tracks(query, gallery, track, normalize_twice=True)
    assert_allclose(images, golden[f"dmt20_image_dist_{model}"], rtol=0, atol=2e-3)
    nearest = golden[f"dmt20_{model}_nearest_image_of_track"].astype(int)
    assert_array_equal(np.take_along_axis(images, nearest[:, track], axis=1), found)
    several = np.bincount(track)[track] > 1
    later = images - found
    assert_allclose(
        later[:, several][np.arange(len(track))[several] != nearest[:, track[several]]], LATER, atol=2e-7
    )


def test_released_dmt_2020_in_sum(shared):
    """Image numbers would agree only with its float16 distances, so distances along the two lists are compared."""
    golden = load(shared, "dmt2020")
    total = sum(
        rerank_tracks(golden[query], golden[gallery], golden["g_track"], normalize_twice=True)
        for query, gallery in (("q", "g"), ("q2", "g2"))
    )
    theirs = np.take_along_axis(total, golden["dmt20_sum_top100_stable"].astype(int), axis=1)
    ours = np.take_along_axis(total, rank(total)[:, :100], axis=1)
    assert_allclose(ours, theirs, rtol=0, atol=4e-3)


@each(("prefix", "sides"), [("dmt21", ("q", "g")), ("dmt21_sharp", ("qs", "gs"))])
def test_released_dmt_2021(shared, prefix, sides):
    """The mean over k2 neighbours is float16 there, which is worth 2e-4; in float32 the same code agrees."""
    golden, float32 = load(shared, "dmt2021"), load(shared, "dmt_v32")
    track = golden["g_track"]
    found = rerank_tracks(*(golden[side] for side in sides), track, pool="weighted", order="row")
    assert_allclose(found, float32[f"{prefix}_track_dist_k7_2_0p6_v32"][:, track], rtol=0, atol=1e-5)
    assert_allclose(found, golden[f"{prefix}_track_dist_k7_2_0p6"][:, track], rtol=0, atol=5e-4)
    wanted = golden[f"{prefix}_image_dist_cam0p1_view0p05"]
    assert_allclose(found - auxiliary(golden), wanted, rtol=0, atol=5e-4)


def auxiliary(golden):
    """(nq, ng) what camera and view models say of the tracks, columns in the order of their numbers."""
    return (0.1 * golden["track_cam_rk"] + 0.05 * golden["track_view_rk"])[:, golden["g_track"]]


def test_released_dmt_2021_to_the_end(shared):
    """The mean of two models, raw and whitened by camera, and 10 more in the query's own camera."""
    golden = load(shared, "dmt2021")
    raw = golden["q"], golden["g"]
    cams = golden["q_cam"], golden["g_cam"]
    whitened = camera_whitening(*raw, *cams, ridge=0.18, min_images=1)
    models = [rerank_tracks(*x, golden["g_track"], pool="weighted", order="row") for x in (raw, whitened)]
    found = sum(models) / 2 - auxiliary(golden) + 10 * (cams[0][:, None] == cams[1])
    assert_allclose(found, golden["dmt21_final_raw_fic0p18_samecam10"], rtol=0, atol=5e-4)


def test_released_iosb_2020(shared):
    """Features of tracks come from a network. Neighbourhoods are float16 there, which is worth 1.4e-3."""
    golden = load(shared, "iosb2020")
    track, nq = golden["g_track"], len(golden["q_pid"])

    def sides(x):
        query, gallery = np.split(l2_normalize(x), [nq])
        return query, gallery

    total = np.zeros((nq, len(track)), np.float32)
    for model in (1, 2):
        query, tracks = sides(golden[f"query_and_track_feats_model{model}"])
        gallery = tracks[track]
        assert_array_equal(track_mean(gallery, track), gallery)
        found = rerank_tracks(query, gallery, track, k1=6, k2=3, lambda_value=0.3, order="row")
        assert_allclose(found, golden[f"rerank_model{model}_k6_3_0.3_v32"], rtol=0, atol=1e-5)
        assert_allclose(found, golden[f"rerank_model{model}_k6_3_0.3"], rtol=0, atol=2e-3)
        total += found
    alike = track_distances(*sides(golden["orient"]), track) < 0.03
    final = total + 0.5 * (alike & (total > 0.3))
    assert_allclose(final, golden["final_orient0.03_sum0.3_plus0.5_v32"], rtol=0, atol=1e-5)
    assert_allclose(final, golden["final_orient0.03_sum0.3_plus0.5"], rtol=0, atol=4e-3)
    theirs = golden["submission_ids_v32"].astype(int) - 1  # within a track in no order
    ours = rank(final.astype(np.float32))[:, :100]
    near = [np.take_along_axis(final, rows, axis=1) for rows in (ours, theirs)]
    assert_allclose(*near, rtol=0, atol=1e-5)
