"""Means over tracks, whole and in runs: by hand, against the definition, against the released script."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, track_mean
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import lattices, world

X = np.array([[1], [3], [8], [5], [9]], np.float32)
TRACK = np.array([4, 4, -1, 4, 0])


@st.composite
def galleries(draw):
    """Features, tracks (-1 none) and places in the track, some of them equal."""
    gallery = draw(lattices(st.integers(0, 25)))
    one_each = {"min_size": len(gallery), "max_size": len(gallery)}
    track = draw(st.lists(st.sampled_from([-1, 0, 1, 7, 10**12]), **one_each))
    place = draw(st.lists(st.integers(-3, 5), **one_each))
    return gallery, np.array(track, np.int64), np.array(place, np.int64)


def test_by_hand():
    #                                            (1 + 3 + 5) / 3
    assert_array_equal(track_mean(X, TRACK).ravel(), [3, 3, 8, 3, 9])


def test_runs_follow_the_order_of_the_track():
    #                                                     (1 + 3) / 2, and 5 is left alone
    assert_array_equal(track_mean(X, TRACK, chunk=2).ravel(), [2, 2, 8, 5, 9])
    order = np.array([20, 30, 0, 10, 0])  # image 3 is first: (5 + 1) / 2
    assert_array_equal(track_mean(X, TRACK, order, chunk=2).ravel(), [3, 3, 8, 3, 9])
    order = np.array([30, 20, 0, 10, 0])  # 5 and 3, then 1
    assert_array_equal(track_mean(X, TRACK, order, chunk=2).ravel(), [1, 4, 8, 4, 9])


def test_equal_places_are_taken_in_the_order_of_rows():
    same = np.zeros(5, int)
    assert_array_equal(track_mean(X, TRACK, same, chunk=2), track_mean(X, TRACK, chunk=2))


@given(world=galleries(), chunk=st.none() | st.integers(1, 9))
def test_equals_the_definition(world, chunk):
    gallery, track, place = world
    wanted = reference.tracks.track_mean(gallery, track, place, chunk)
    assert_allclose(track_mean(gallery, track, place, chunk=chunk), wanted, rtol=1e-7)


@given(world=galleries())
def test_order_matters_only_to_runs(world):
    gallery, track, place = world
    assert_allclose(track_mean(gallery, track, place), track_mean(gallery, track), rtol=1e-7)
    assert_array_equal(track_mean(gallery, track, place, chunk=1), gallery)


def test_images_of_a_track_tie_exactly():
    data = world(ng=300)
    gallery, track = track_mean(data["gallery"], data["gallery_track"]), data["gallery_track"]
    d = distances(data["query"], gallery)
    for name in set(track.tolist()) - {-1}:
        members = track == name
        assert (gallery[members] == gallery[members][0]).all()
        assert (d[:, members] == d[:, members][:, :1]).all()
    assert_array_equal(gallery[track == -1], data["gallery"][track == -1])


def test_renormalize_makes_unit_means():
    gallery = np.array([[1, 0], [0, 1], [0, 2], [3, 0], [-3, 0]], np.float32)
    track = np.array([0, 0, 1, 2, 2])
    h = np.sqrt(0.5)  # (1/2, 1/2) over its length; one image alone; 3 - 3 has no direction and stays zero
    wanted = [[h, h], [h, h], [0, 1], [0, 0], [0, 0]]
    assert_allclose(track_mean(gallery, track, renormalize=True), wanted, rtol=1e-7)


@each(
    ("arguments", "setting", "error", "message"),
    [
        ((X, TRACK), {"chunk": 0}, ValueError, "chunk: wanted a whole number, 1 or more, got 0"),
        ((X, TRACK[:4]), {}, ValueError, r"gallery_track: wanted 5 values, one an image, got shape \(4,\)"),
        ((X, TRACK, TRACK[:, None]), {}, ValueError, r"gallery_order: wanted 5 values, .* got shape \(5, 1\)"),
        ((X, TRACK / 2), {}, TypeError, "gallery_track: wanted whole numbers, got float64"),
        ((X[0], TRACK), {}, ValueError, r"gallery: wanted 2 dimensions, got shape \(1,\)"),
    ],
)
def test_refuses(arguments, setting, error, message):
    with pytest.raises(error, match=f"^{message}"):
        track_mean(*arguments, **setting)


def test_released_merge_of_whole_tracks(shared):
    """Chunks of 100 hold every track there, so both settings are the released one."""
    golden = np.load(shared / "golden" / "gggcy.npz")
    for chunk in (None, 100):
        found = track_mean(golden["g"], golden["g_track"], chunk=chunk)
        assert_allclose(found, golden["gallery_merge_T100"], rtol=0, atol=1e-6)


def test_released_merge_in_chunks(shared):
    golden = np.load(shared / "golden" / "gggcy.npz")
    order = np.empty(len(golden["g"]), int)
    order[golden["chunk_file_order_ids"] - 1] = np.arange(len(order))  # 1-based numbers, as the file lists them
    found = track_mean(golden["g"], golden["chunk_track_of_row"], order, chunk=6)
    assert_allclose(found, golden["gallery_merge_T6_chunk"], rtol=0, atol=1e-6)
    by_row = track_mean(golden["g"], golden["chunk_track_of_row"], chunk=6)
    assert abs(by_row - golden["gallery_merge_T6_chunk"]).max() > 0.01
