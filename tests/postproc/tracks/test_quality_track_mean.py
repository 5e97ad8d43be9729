"""Images drawn to the good ones of their track: by hand, against the definition, against released code."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from postproc import cluster_queries, l2_normalize, pool_distances, quality_track_mean, query_mean, track_mean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load
from tests.support.worlds import lattices

X = np.array([[1], [3], [8], [5], [9]], np.float32)
TRACK = np.array([4, 4, -1, 4, 0])


def test_by_hand():
    quality = np.array([20, 10, 30, 20, 5], np.float32)
    # of 1, 3, 5 the first and the last are good: mean 3. 8 and 9 are alone, the latter of low quality.
    wanted = [1 + 1.5, 3 + 1.5, 8 + 4, 5 + 1.5, 9 + 4.5]
    found = quality_track_mean(X, TRACK, quality, threshold=20, renormalize=False)
    assert_array_equal(found.ravel(), wanted)
    found = quality_track_mean(X, TRACK, quality, threshold=20, keep=0.5, add=2, renormalize=False)
    assert_array_equal(found.ravel(), [0.5 + 6, 1.5 + 6, 4 + 16, 2.5 + 6, 4.5 + 18])


def test_where_none_or_all_are_good_all_count():
    for quality in (np.zeros(5), np.ones(5)):
        found = quality_track_mean(X, TRACK, quality, threshold=0.5, keep=0, add=1, renormalize=False)
        assert_array_equal(found, track_mean(X, TRACK))


def test_good_begins_at_the_threshold():
    quality = np.array([1, 2, 0, 3, 0])
    setting = {"keep": 0, "add": 1, "renormalize": False}
    assert quality_track_mean(X, TRACK, quality, threshold=2, **setting)[0] == 4  # (3 + 5) / 2
    assert quality_track_mean(X, TRACK, quality, threshold=2.5, **setting)[0] == 5


@st.composite
def galleries(draw):
    gallery = draw(lattices(st.integers(1, 20)))
    one_each = {"min_size": len(gallery), "max_size": len(gallery)}
    track = np.array(draw(st.lists(st.sampled_from([-1, 0, 1, 10**12]), **one_each)), np.int64)
    return gallery, track, np.array(draw(st.lists(st.integers(-2, 3), **one_each)), np.float32)


@given(
    world=galleries(),
    threshold=st.sampled_from([-5.0, 0.0, 1.0, 9.0]),
    keep=st.sampled_from([0.0, 0.3, 1.0]),
    add=st.sampled_from([0.0, 0.7, 2.0]),
)
def test_equals_the_definition(world, threshold, keep, add):
    wanted = reference.tracks.quality_track_mean(*world, threshold, keep, add)
    found = quality_track_mean(*world, threshold=threshold, keep=keep, add=add, renormalize=False)
    assert_allclose(found, wanted, atol=1e-6)
    unit = quality_track_mean(*world, threshold=threshold, keep=keep, add=add)
    assert_array_equal(unit, l2_normalize(found))


@given(world=galleries(), threshold=st.sampled_from([-5.0, 0.0, 1.0, 9.0]))
def test_queries_are_drawn_in_the_same_way(world, threshold):
    setting = {"threshold": threshold, "keep": 0.3, "add": 0.7}
    assert_array_equal(query_mean(*world, **setting), quality_track_mean(*world, **setting))


def test_refuses():
    with pytest.raises(ValueError, match=r"^gallery_quality: wanted 5 values, one an image, got shape \(4,\)"):
        quality_track_mean(X, TRACK, np.ones(4))
    with pytest.raises(ValueError, match=r"^gallery_quality: wanted finite numbers, found NaN .* in row 3"):
        quality_track_mean(X, TRACK, np.array([1, 2, 3, np.nan, 5]))
    with pytest.raises(ValueError, match=r"^threshold: needs query_quality, or None"):
        query_mean(X, TRACK, threshold=1.0)


def test_released_features_of_layumi(shared):
    """There the length has 1e-5 added before division; features differ by that much."""
    golden = load(shared, "layumi2020")
    found = quality_track_mean(golden["g"], golden["g_track"], golden["g_area"])
    assert_allclose(found, golden["fused_gallery_area15000_plus0.5mean"], rtol=0, atol=2e-5)
    found = query_mean(golden["q"], None, golden["q_area"], group="clusters", threshold=15000)
    assert_allclose(found, golden["fused_query_area15000_clustermean"], rtol=0, atol=2e-5)


PARTS = ("back", "front", "left_right")


def part_scores(golden, name):
    """(nq, ng) the largest similarity of one part over the images of a track; -1 where nobody shows it."""
    found = -cosine_distances(golden[f"q_{name}"], golden[f"g_{name}"])
    if "left_right" in name:
        found = found * golden["skip_mask_left_right"]
    return largest_over_tracks(np.where(found == 0, -1, found), golden["g_track"])


def cosine_distances(query, gallery):
    return -(l2_normalize(query) @ l2_normalize(gallery).T)


def largest_over_tracks(scores, track):
    return -pool_distances(-scores, track)


def excluded(scores, cam, track, beta):
    """Go down each ranking; an image of rank j takes beta / (1 + j) from the other tracks of its camera."""
    scores = scores.astype(np.float64)
    for row in scores:
        for j in range(99):
            best = np.argsort(-row, kind="stable")[j]
            row[(cam == cam[best]) & (track != track[best])] -= beta / (1 + j)
    return scores


@each(
    ("key", "part_factor", "beta", "clipped"),
    [
        ("scene1_pf0_qg_sim_after_exclusion_beta0.15_clipped", 0.0, 0.15, True),
        ("scene1_qg_sim_after_exclusion_beta0.15_clipped", 0.5, 0.15, True),
        ("scene2_pf0.4_area15000_score_after_exclusion_beta0.1", 0.4, 0.1, False),
    ],
)
def test_released_scores_of_baidu_are_composed(shared, key, part_factor, beta, clipped):
    golden = load(shared, "baidu2021")
    track, cam = golden["g_track"], golden["g_cam"]
    clusters = cluster_queries(golden["q"], eps=0.6)
    assert_array_equal(clusters, golden["query_clusters_dbscan_eps0.6_min2"])
    query = query_mean(golden["q"], None, golden["q_area"], group="clusters", eps=0.6, threshold=15000, keep=1)
    score = -cosine_distances(query, quality_track_mean(golden["g"], track, golden["g_area"], add=1))
    score = score - (golden["q_cam"][:, None] == cam)
    parts = [part_scores(golden, name + flip) for flip in ("", "_flip") for name in PARTS]
    nothing_seen = np.all([part == -1 for part in parts[:3]], axis=0)
    part = np.where(nothing_seen, score, np.max(parts, axis=0))
    alike = sum(
        largest_over_tracks(-cosine_distances(golden[f"q_{kind}"], golden[f"g_{kind}"]), track)
        for kind in ("direction", "part_cls")
    )
    score = excluded(score - part_factor * (alike + 2) / 4 * (0.9 - part), cam, track, beta)
    wanted = golden[key]
    assert_allclose(np.clip(score, -1, 1) if clipped else score, wanted, rtol=0, atol=1e-5)
