"""Tracks weighted by their queries: by hand, against the definition, against released code."""

import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

from postproc import l2_normalize, track_mean, weighted_track_mean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load
from tests.support.tracked import labels
from tests.support.worlds import lattices, world


def test_by_hand():
    query = np.array([[0.0], [1.0], [9.0]], np.float32)
    gallery = np.array([[0.0], [2.0], [20.0]], np.float32)
    # squared distances to 0 and 2: from 0: 0, 4; from 1: 1, 1; from 9: 81, 49. Within 2 are the first two queries:
    # means 1/2 and 5/2, weights 1 / (1/2 + 1/2) = 1 and 1 / (5/2 + 1/2) = 1/3
    found = weighted_track_mean(query, gallery, np.array([8, 8, -1]), threshold=2, epsilon=0.5)
    assert_allclose(found.ravel(), [2 / 3 / (4 / 3), 0.5, 20], rtol=1e-6)
    # none within 0: the nearest is the first alone, weights 1 / (0 + 1/2) = 2 and 1 / (4 + 1/2) = 2/9
    found = weighted_track_mean(query, gallery, np.array([8, 8, -1]), threshold=0, epsilon=0.5)
    assert_allclose(found[0], 2 * 2 / 9 / (2 + 2 / 9), rtol=1e-6)


def test_queries_as_near_as_the_nearest_all_count():
    query, gallery = np.array([[-1.0], [3.0], [3.0]], np.float32), np.array([[0.0], [1.0]], np.float32)
    track = np.zeros(2, int)
    # nearest: -1 to 0 at 1. With 2 in the place of 3, it and its copy are as near, to 1: means (1 + 4 + 4) / 3 = 3
    # and (4 + 1 + 1) / 3 = 2
    assert_allclose(weighted_track_mean(query, gallery, track, threshold=0, epsilon=1)[0], 1 / 5 / (1 / 2 + 1 / 5))
    query = np.minimum(query, 2)
    found = weighted_track_mean(query, gallery, track, threshold=0, epsilon=1)
    assert_allclose(found[0], 1 / 3 / (1 / 4 + 1 / 3), rtol=1e-6)


@settings(max_examples=60)
@given(
    query=lattices(st.integers(1, 6)),
    gallery=lattices(st.integers(1, 20)),
    data=st.data(),
    threshold=st.sampled_from([0.0, 1.0, 2.5, 6.0, 100.0]),
    epsilon=st.sampled_from([0.01, 1.0]),
)
def test_equals_the_definition(query, gallery, data, threshold, epsilon):
    track = data.draw(labels(len(gallery)))
    wanted = reference.tracks.weighted_track_mean(query, gallery, track, threshold, epsilon)
    found = weighted_track_mean(query, gallery, track, threshold=threshold, epsilon=epsilon)
    assert_allclose(found, wanted, atol=1e-6)
    unit = weighted_track_mean(query, gallery, track, threshold=threshold, epsilon=epsilon, renormalize=True)
    if abs(np.linalg.norm(wanted, axis=1)).min() > 1e-3:
        assert_allclose(unit, l2_normalize(found), atol=1e-6)


def test_tracks_in_several_strips(monkeypatch):
    data = world(nq=20, ng=300)
    wanted = weighted_track_mean(data["query"], data["gallery"], data["gallery_track"], threshold=10)
    assert abs(wanted - track_mean(data["gallery"], data["gallery_track"])).max() > 0.1
    monkeypatch.setattr(
        sys.modules[weighted_track_mean.__module__], "STRIP", 4 * 20 * 17
    )  # 17 images at a time; no track is cut
    found = weighted_track_mean(data["query"], data["gallery"], data["gallery_track"], threshold=10)
    assert_allclose(found, wanted, atol=1e-5)


def test_refuses():
    x = np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match=r"^query and gallery: wanted the same width, got 2 and 1"):
        weighted_track_mean(x, x[:, :1], np.zeros(3, int))
    with pytest.raises(ValueError, match=r"^gallery_track: wanted 3 values"):
        weighted_track_mean(x, x, np.zeros(2, int))
    with pytest.raises(ValueError, match=r"^epsilon: wanted 1e-09 to 1000000000.0, got 0"):
        weighted_track_mean(x, x, np.zeros(3, int), epsilon=0)


@each(("prefix", "sides"), [("dmt21", ("q", "g")), ("dmt21_sharp", ("qs", "gs"))])
def test_released_features(shared, prefix, sides):
    golden = load(shared, "dmt2021")
    found = weighted_track_mean(*(golden[side] for side in sides), golden["g_track"])
    wanted = golden[f"{prefix}_track_feat_thr0p6_eps0p01"][golden["g_track"]]
    assert_allclose(found, wanted, rtol=0, atol=1e-5)
