"""Clusters, tracks and cameras in all three blocks before re-ranking, as in AI City 2020 and 2021."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    camera_penalty,
    distances,
    l2_normalize,
    quality_track_mean,
    rerank_distances,
    same_camera,
    sqeuclidean,
)
from tests.support import golden


def squared(similarities):
    """(2 - 2 s)^2, of which the released code makes neighbours; 2 - 2 s may be below 0 here."""
    return ((2 - 2 * similarities.astype(np.float32)) ** 2).astype(np.float32)


def equal(left, right):
    return (left[:, None] == right) & (left >= 0)[:, None]


@pytest.fixture(scope="module")
def layumi(shared):
    return golden.load(shared, "layumi2020")


def rules(released, rows, columns):
    """AI City 2020's first: 0.3 for one predicted camera, else 0.1 for one direction; 0.2 for one cluster."""
    cams = {"q": released["q_cam_pred"], "g": released["g_cam_pred"]}
    clusters = {side: released[f"camcluster_completed_{side}"] for side in "qg"}
    directions = {side: released[f"{side}_direction"] for side in "qg"}
    alike = released["direction_table"][directions[rows]][:, directions[columns]] >= 0.25
    penalty = 0.3 * equal(cams[rows], cams[columns]) + 0.1 * ((cams[rows] < 0)[:, None] & alike)
    return penalty + 0.2 * equal(clusters[rows], clusters[columns])


def blocks(released):
    """Similarities of queries and of gallery images with all the constraints."""
    query, gallery = released["fused_query_area15000_clustermean"], released["fused_gallery_area15000_plus0.5mean"]
    label, track = released["qlabels_dbscan_eps0.5_min2"], released["g_track"]
    clustered, same = label >= 0, label[:, None] == label
    queries = query @ query.T + 0.1 * (clustered[:, None] & same)
    queries -= 0.1 * (clustered[:, None] & clustered & ~same) + rules(released, "q", "q") * ~same
    images = np.where(equal(track, track), 1, gallery @ gallery.T - rules(released, "g", "g"))
    return queries, images


def test_winner_of_2020(layumi, shared):
    queries, images = blocks(layumi)
    query, gallery = layumi["fused_query_area15000_clustermean"], layumi["fused_gallery_area15000_plus0.5mean"]
    before = query @ gallery.T - rules(layumi, "q", "g")
    assert_allclose(before, layumi["score_before_exclusion"], rtol=0, atol=1e-6)
    assert_allclose(queries, layumi["qq_block_constrained"], rtol=0, atol=1e-6)
    assert_allclose(images[:20], layumi["gg_block_constrained_rows0_20"], rtol=0, atol=1e-6)
    assert_allclose(images.sum(axis=1), layumi["gg_block_constrained_rowsum"], rtol=0, atol=2e-5)
    across = layumi["score_after_exclusion_ntop99"]
    found = rerank_distances(
        squared(across), squared(queries), squared(images), k1=20, k2=6, lambda_value=0.2, power=1
    )
    stable = golden.load(shared, "layumi2020_rerank_stable")["rerank_stable_k20_6_0.2"]
    assert_allclose(found, stable, rtol=0, atol=1e-6)
    assert_allclose(found, layumi["rerank_k20_6_0.2"], rtol=0, atol=1e-6)
    found += rules(layumi, "q", "g")
    assert_allclose(found, layumi["final_k20_6_0.2_pen0.3_0.1_0.2"], rtol=0, atol=1e-6)
    listed = np.take_along_axis(found, layumi["list_track2_rerank_m_top100"] - 1, axis=1)
    assert_allclose(listed, np.sort(found, axis=1)[:, :100], rtol=0, atol=1e-6)


def test_the_gallery_block_of_2020_as_a_sum_of_terms(layumi):
    """2 - 2 s: 0 in a track, 0.6 more within a predicted camera, 0.4 in a camera cluster.

    The rule of directions looks at an unknown camera on one side only and is not symmetric, so it is no term;
    rows of known cameras do not have it.
    """
    query, gallery = layumi["fused_query_area15000_clustermean"], layumi["fused_gallery_area15000_plus0.5mean"]
    track, nobody = layumi["g_track"], np.full(len(query), -1)
    sides = nobody, track
    pairs = sqeuclidean(l2_normalize(query), l2_normalize(gallery))
    pairs = pairs + 0.6 * same_camera(layumi["q_cam_pred"], layumi["g_cam_pred"], *sides)
    pairs = pairs + 0.4 * same_camera(layumi["camcluster_completed_q"], layumi["camcluster_completed_g"], *sides)
    found = distances(pairs.zero_within_tracks(*sides).of_gallery(np.arange(20)))
    known = layumi["g_cam_pred"][:20] >= 0
    wanted = 2 - 2 * layumi["gg_block_constrained_rows0_20"]
    assert known.sum() > 10
    assert_allclose(found[known], wanted[known], rtol=0, atol=5e-5)  # lengths there are divided by |x| + 1e-5


def test_runner_up_of_2021(shared):
    """1 in a track or cluster, -1 within a camera, everything cut to -1 .. 1; +2 within a camera at the end."""
    released = golden.load(shared, "baidu2021")
    track, cam = released["g_track"], released["g_cam"]
    gallery = quality_track_mean(released["g"], track, released["g_area"].astype(np.float32), add=1.0)
    images = np.where(equal(cam, cam), -1, gallery @ gallery.T)
    images = np.where(equal(track, track), 1, images)
    assert_allclose(images.sum(axis=1), released["scene1_gg_sim_rowsum"], rtol=0, atol=2e-5)
    across, queries = (
        released[name] for name in ("scene1_qg_sim_after_exclusion_beta0.15_clipped", "scene1_qq_sim_constrained")
    )
    found = rerank_distances(
        squared(across), squared(queries), squared(np.clip(images, -1, 1)), k1=80, k2=15, lambda_value=0.6, power=1
    )
    assert_allclose(found, released["scene1_rerank_k80_15_0.6"], rtol=0, atol=1e-6)
    found = camera_penalty(found, released["q_cam"], cam, penalty=2.0)
    assert_allclose(found, released["scene1_final_plus2_samecam"], rtol=0, atol=1e-6)
    # as a sum of terms, before the cut: 2 - 2 s is 4 or more within a camera
    nobody = np.full(len(released["q"]), -1)
    pairs = sqeuclidean(l2_normalize(released["q"]), gallery)
    pairs = pairs + 4.0 * same_camera(released["q_cam"], cam, nobody, track)
    pairs = pairs.zero_within_tracks(nobody, track).of_gallery(np.arange(len(gallery)))
    assert_allclose(np.minimum(distances(pairs), 4), 2 - 2 * images, rtol=0, atol=1e-5)


def test_a_negative_distance_keeps_its_sign_unless_squared_before():
    """Of 2 - 2 s to the power 2 and of its square: they differ where s is above 1, as inside clusters."""
    s = np.array([[1.1, 0.5, 0.2], [0.5, 1.0, 0.3], [0.2, 0.3, 1.0]])
    parts = [s[:1, 1:], s[:1, :1], s[1:, 1:]]
    kept = rerank_distances(*(2 - 2 * part for part in parts), k1=1, k2=1, power=2)
    square = rerank_distances(*map(squared, parts), k1=1, k2=1, power=1)
    assert not np.array_equal(kept, square)
    parts[1] = np.ones((1, 1))
    kept = rerank_distances(*(2 - 2 * part for part in parts), k1=1, k2=1, power=2)
    assert_array_equal(kept, rerank_distances(*map(squared, parts), k1=1, k2=1, power=1))
