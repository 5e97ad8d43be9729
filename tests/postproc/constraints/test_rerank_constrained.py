"""Constraints in all three blocks: against the definition, by hand, against two winners' re-ranking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    camera_penalty,
    cluster_queries,
    distances,
    l2_normalize,
    quality_track_mean,
    query_mean,
    rank,
    rerank,
    rerank_constrained,
    using,
)
from postproc.kernels import reference
from tests.support import golden
from tests.support.realised import views_of
from tests.support.worlds import cubes, world

NAMES = ("cam", "track", "group", "view")


@st.composite
def sides(draw, most):
    """Unit vectors with exact products, and labels of every kind, some unknown."""
    x = draw(cubes(st.integers(1, most), (0.5,)))
    labels = {
        name: draw(arrays(np.int64, len(x), elements=st.integers(-1, 2))) for name in ("cam", "track", "group")
    }
    view = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)[
        draw(arrays(np.int64, len(x), elements=st.integers(0, 2)))
    ]
    return {"features": x, **labels, "view": view}


def given_to(function, far, query, gallery, **setting):
    labels = [side[name] for name in NAMES for side in (query, gallery)]
    return function(far, query["features"], gallery["features"], *labels, **setting)


@settings(max_examples=60, deadline=None)
@given(
    query=sides(5),
    gallery=sides(12),
    together=st.sampled_from([None, 0.25, 0.0]),
    alone=st.sampled_from(["apart", "together", "exempt"]),
    clip=st.booleans(),
    weights=st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 2.0])] * 5),
    data=st.data(),
)
def test_equals_the_definition(query, gallery, together, alone, clip, weights, data):
    shape = len(query["features"]), len(gallery["features"])
    far = data.draw(arrays(np.float32, shape, elements=st.sampled_from([-0.5, 0, 0.25, 0.5, 1, 1.5, 2.5])))
    setting = dict(zip(("camera", "query_camera", "group", "direction", "between"), weights, strict=True))
    setting |= {"alike": 0.5, "together": together, "alone": alone, "clip": clip}
    wanted = reference.constrained.rerank_constrained(far, query, gallery, 3, 2, 0.5, **setting)
    found = given_to(rerank_constrained, far, query, gallery, k1=3, k2=2, lambda_value=0.5, **setting)
    assert_allclose(found, wanted, atol=3e-6)
    head = given_to(rerank_constrained, far, query, gallery, k1=3, k2=2, lambda_value=0.5, top_k=3, **setting)
    assert_array_equal(head.rows, rank(found, top_k=3))


def test_without_any_constraint_it_is_plain_re_ranking():
    data = world(nq=15, ng=200)
    x = l2_normalize(data["query"]), l2_normalize(np.delete(data["gallery"], [17, 60], axis=0))
    plain = rerank(*x, k1=12, k2=4, power=4)
    found = rerank_constrained(distances(*x, metric="cosine"), *x, k1=12, k2=4, together=0.0)
    assert_allclose(found, plain, atol=2e-5)


def test_tracks_and_clusters_bring_images_together():
    # 0, 20, 50 and 60 degrees: the last is in the first's neighbourhood only by its track
    x = np.array([[1, 0], [0.94, 0.34], [0.64, 0.77], [0.5, 0.87]], np.float32)
    far = 1 - x[:1] @ x[1:].T
    setting = {"k1": 2, "k2": 1, "lambda_value": 0.0}
    alone = rerank_constrained(far, x[:1], x[1:], **setting)
    tracked = rerank_constrained(far, x[:1], x[1:], gallery_track=np.array([4, 5, 4]), **setting)
    assert alone[0, 2] == 1
    assert tracked[0, 2] < 0.9
    # two queries that look like nothing of each other, and one cluster
    queries, far = x[[0, 3]], 1 - x[[0, 3]] @ x[1:3].T
    apart = rerank_constrained(far, queries, x[1:3], **setting)
    one = rerank_constrained(far, queries, x[1:3], query_track=np.array([0, 0]), **setting)
    assert not np.array_equal(apart, one)


def test_several_blocks_and_any_number_of_threads():
    data = world(nq=150, ng=900, d=12, people=40)
    x = l2_normalize(data["query"]), l2_normalize(data["gallery"])
    x[0][10:20] = x[0][10]  # as the means of a cluster are
    far = distances(*x, metric="cosine")
    labels = [
        data[f"{side}_{name}"] for name in ("cam", "track", "cam_group", "aux") for side in ("query", "gallery")
    ]
    setting = {
        "k1": 15,
        "k2": 4,
        "camera": 0.25,
        "group": 0.125,
        "direction": 0.125,
        "together": 0.125,
        "between": 0.1,
    }
    found = rerank_constrained(far, *x, *labels, **setting)
    with using(threads=3):
        assert_array_equal(rerank_constrained(far, *x, *labels, **setting), found)
    both = [
        dict(zip(("features", *NAMES), (array, *labels[place::2]), strict=True)) for place, array in enumerate(x)
    ]
    chosen = {"query": both[0], "gallery": {name: value[:250] for name, value in both[1].items()}}
    few = [value[:250] if place % 2 else value for place, value in enumerate(labels)]
    found = rerank_constrained(far[:, :250], x[0], x[1][:250], *few, **setting)
    rules = {"query_camera": 0.25, "alike": 0.25, "alone": "apart", "clip": False}
    rules |= {name: value for name, value in setting.items() if name not in ("k1", "k2")}
    wanted = reference.constrained.rerank_constrained(far[:, :250], *chosen.values(), 15, 4, 0.3, **rules)
    assert (abs(found - wanted) < 1e-4).mean() > 0.999  # nearly equal distances change places by rounding


def test_what_it_refuses():
    x = np.eye(2, dtype=np.float32)
    for name in ("camera", "query_camera", "group", "direction"):
        with pytest.raises(ValueError, match=rf"^{name}: needs query_"):
            rerank_constrained(x, x, x, **{name: 0.5})
    with pytest.raises(
        ValueError, match=r"^distances: wanted shape \(2, 2\) to match query and gallery, got \(1, 2\)"
    ):
        rerank_constrained(x[:1], x, x)
    with pytest.raises(ValueError, match=r"^distances: wanted finite numbers"):
        rerank_constrained(np.where(x > 0, np.inf, x), x, x)
    with pytest.raises(ValueError, match=r"^query_aux: wanted 2 rows, one an image"):
        rerank_constrained(x, x, x, query_aux=x[:1], gallery_aux=x, direction=0.1)


def test_features_longer_than_1_are_no_cosines():
    x = np.eye(3, dtype=np.float32)
    for sides, name in (((x, 2 * x), "gallery"), ((2 * x, x), "query"), ((2 * x,), "query")):
        with pytest.raises(
            ValueError, match=rf"^{name}: wanted features of unit length, .* of length 2; normalise"
        ):
            rerank_constrained(1 - x, *sides)
    with pytest.raises(ValueError, match="of length inf"):
        rerank_constrained(1 - x, x * np.float32(1e30))
    rerank_constrained(1 - x, x * np.float32(1.001), x / 2)  # rounded, and a mean


def test_winner_of_2020(shared):
    """From the similarities after exclusion to the list that was handed in, directions as features."""
    released = golden.load(shared, "layumi2020")
    x = released["fused_query_area15000_clustermean"], released["fused_gallery_area15000_plus0.5mean"]
    cams = released["q_cam_pred"], released["g_cam_pred"]
    clusters = released["camcluster_completed_q"], released["camcluster_completed_g"]
    views = views_of(released["direction_table"], released["q_direction"], released["g_direction"])
    tracks = released["qlabels_dbscan_eps0.5_min2"], released["g_track"]
    rules = {"direction": 0.1, "group": 0.2}
    found = rerank_constrained(
        1 - released["score_after_exclusion_ntop99"], *x, *cams, *tracks, *clusters, *views,
        k1=20, k2=6, lambda_value=0.2, camera=0.3, together=0.1, between=0.1, alone="together", **rules,
    )  # fmt: skip
    stable = golden.load(shared, "layumi2020_rerank_stable")["rerank_stable_k20_6_0.2"]
    assert_allclose(found, stable, rtol=0, atol=1e-6)
    before = camera_penalty(distances(*x, metric="cosine"), *cams, *clusters, *views, penalty=0.3, **rules)
    assert_allclose(1 - before, released["score_before_exclusion"], rtol=0, atol=3e-5)  # lengths there are + 1e-5
    found = camera_penalty(found, *cams, *clusters, *views, penalty=0.3, **rules)
    assert_allclose(found, released["final_k20_6_0.2_pen0.3_0.1_0.2"], rtol=0, atol=1e-6)
    listed = np.take_along_axis(found, released["list_track2_rerank_m_top100"] - 1, axis=1)
    assert_allclose(listed, np.sort(found, axis=1)[:, :100], rtol=0, atol=1e-6)


def test_runner_up_of_2021(shared):
    released = golden.load(shared, "baidu2021")
    cams, track = (released["q_cam"], released["g_cam"]), released["g_track"]
    cluster = cluster_queries(released["q"], eps=0.6)
    query = query_mean(released["q"], cluster, released["q_area"], threshold=15000, keep=1)
    gallery = quality_track_mean(released["g"], track, released["g_area"], add=1)
    far = 1 - released["scene1_qg_sim_after_exclusion_beta0.15_clipped"]
    found = rerank_constrained(
        far, query, gallery, *cams, cluster, track, k1=80, k2=15, lambda_value=0.6,
        camera=2.0, query_camera=0.5, alone="exempt", clip=True,
    )  # fmt: skip
    assert_allclose(found, released["scene1_rerank_k80_15_0.6"], rtol=0, atol=2e-6)
    found = camera_penalty(found, *cams, penalty=2.0)
    assert_allclose(found, released["scene1_final_plus2_samecam"], rtol=0, atol=2e-6)
    assert_array_equal(rank(found, top_k=100), released["scene1_pf0.5_area15000_top100_0based"])
