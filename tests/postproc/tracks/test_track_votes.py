"""Votes of ranked images for tracks: by hand, and against the definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import track_votes
from postproc.kernels import reference
from postproc.tracks.track_lists import Tracks
from postproc.tracks.track_votes import track_cameras

TRACK = np.array([7, -1, 7, 3])


def test_by_hand():
    # tracks by number: 3 (image 3), 7 (images 0 and 2), then image 1. Ranks 1 to 4 are images 2, 1, 3, 0.
    # track 7: (1/6 + 1/9) / sqrt 2 = 0.19642   image 1: 1/7 = 0.14286   track 3: 1/8 = 0.125   together 0.46428
    found = track_votes(np.array([[2, 1, 3, 0]]), TRACK)
    assert_allclose(found, [[0.26924, 0.42306, 0.30770]], atol=1e-5)


def test_images_of_the_own_camera_take_nobodys_place():
    # image 2 is of the query's camera: it has rank 1, and so has the first of the others
    cam = np.array([0, 1, 5, 1])
    found = track_votes(np.array([[2, 1, 3, 0]]), TRACK, np.array([5]), cam)
    raw = np.array([1 / 7, (1 / 6 + 1 / 8) / np.sqrt(2), 1 / 6])
    assert_allclose(found, [raw / raw.sum()], rtol=1e-12)
    unknown = track_votes(np.array([[2, 1, 3, 0]]), TRACK, np.array([-1]), np.array([0, 1, -1, 1]))
    assert_array_equal(unknown, track_votes(np.array([[2, 1, 3, 0]]), TRACK))  # -1 is nobody's own camera


def test_an_image_listed_twice_and_an_empty_list():
    found = track_votes(np.array([[2, 2, -1, 1, 2], [-1, -1, -1, -1, -1]]), TRACK)
    assert_array_equal(found[0], track_votes(np.array([[2, 1]]), TRACK)[0])
    assert_array_equal(found[1], [0, 0, 0])
    assert track_votes(np.zeros((0, 3), int), TRACK).shape == (0, 3)


@settings(max_examples=40)
@given(st.data())
def test_the_definition(data):
    ng = data.draw(st.integers(1, 9))
    rows = data.draw(st.lists(st.lists(st.integers(-1, ng - 1), min_size=4, max_size=4), min_size=1, max_size=3))
    names = st.lists(st.integers(-1, 3), min_size=ng, max_size=ng)
    track, cam = (np.array(data.draw(names)) for _ in range(2))
    query_cam = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=len(rows), max_size=len(rows))))
    own = (cam == query_cam[:, None]) & (cam >= 0)
    wanted = reference.claims.track_votes(np.array(rows), reference.tracks.groups_of(track), own, 2.0)
    assert_allclose(track_votes(np.array(rows), track, query_cam, cam, offset=2.0), wanted, atol=1e-15)


def test_a_track_is_of_one_camera_or_of_none_that_is_known():
    tracks = Tracks.by(np.array([4, 4, 8, 8, 9, 9, -1]))
    assert_array_equal(track_cameras(tracks, np.array([2, -1, 0, 1, -1, -1, 6])), [2, -1, -1, 6])


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"^ranking: wanted gallery rows 0 to 3, or -1, got 4"):
        track_votes(np.array([[4]]), TRACK)
    with pytest.raises(ValueError, match=r"^gallery_cam: wanted "):
        track_votes(np.array([[0]]), TRACK, np.array([0]), np.array([0]))
    with pytest.raises(ValueError, match=r"^offset: wanted 0.001 to 1000000.0, got 0"):
        track_votes(np.array([[0]]), TRACK, offset=0)
