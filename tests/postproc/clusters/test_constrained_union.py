"""Nearest pairs first, and never two that cannot be one."""

import itertools

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from postproc import constrained_union
from postproc.clusters.links import Conflict
from postproc.kernels.reference.uniting import unite
from tests.support.each import each
from tests.support.herds import cosine, passers, same

WORLD = passers()
FAR = cosine(WORLD["features"])
COLUMNS = [WORLD[name] for name in ("cam", "track", "frame")]


def test_without_links_it_is_single_linkage():
    from postproc import linkage

    for threshold in (0.02, 0.1, 0.3):
        assert (
            constrained_union(FAR, threshold=threshold) == linkage(FAR, method="single", threshold=threshold)
        ).all()


def test_by_hand():
    far = np.array([[0, 1, 2, 9], [1, 0, 3, 9], [2, 3, 0, 4], [9, 9, 4, 0]])
    assert constrained_union(far, threshold=5).tolist() == [0, 0, 0, 0]
    # 0 and 1 are one first; 2 cannot be with 1, so not with 0 either; 2 and 3 are one
    assert constrained_union(far, threshold=5, cannot=[(1, 2)]).tolist() == [0, 0, 1, 1]
    assert constrained_union(far, threshold=5, must=[(1, 3)], cannot=[(0, 1)]).tolist() == [0, 1, 0, 1]
    assert constrained_union(far, threshold=0, must=[(1, 3)]).tolist() == [-1, 0, -1, 0]
    assert constrained_union(far, threshold=5, count=2).tolist() == [0, 0, 0, -1]


links = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] != pair[1]), max_size=6
)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), links, links, st.sampled_from([0.2, 0.5, 1.0]))
def test_as_defined(seed, must, cannot, threshold):
    rng = np.random.default_rng(seed)
    far = np.round(rng.random((8, 8)), 1)
    far = np.maximum(far, far.T)
    pairs = [
        (i, j) for i, j in itertools.combinations(range(8), 2) if np.float32(far[i, j]) <= np.float32(threshold)
    ]
    pairs.sort(key=lambda pair: (np.float32(far[pair]), pair))
    together = unite(8, must, [], [])
    if any(together[i] == together[j] for i, j in cannot):
        with pytest.raises(Conflict):
            constrained_union(far, threshold=threshold, must=must, cannot=cannot)
        return
    found = constrained_union(far, threshold=threshold, must=must, cannot=cannot)
    assert same(found, unite(8, must, pairs, cannot))
    assert all(found[i] == found[j] >= 0 for i, j in must)
    assert not any(found[i] == found[j] >= 0 for i, j in cannot)


def test_tracks_that_overlap_are_two_vehicles():
    """Those that look alike pass together: only their times tell them apart."""
    assert same(constrained_union(FAR, *COLUMNS, threshold=0.2), WORLD["pid"])
    blind = constrained_union(FAR, threshold=0.2)
    assert len(set(WORLD["pid"][blind == 0].tolist())) == 2


def test_travel_times_hold_where_the_threshold_does_not():
    windows = [(cam, cam + 1, 80, 121) for cam in range(3)]
    found = constrained_union(FAR, *COLUMNS, threshold=0.6, windows=windows)
    assert same(found, WORLD["pid"])
    assert not same(constrained_union(FAR, *COLUMNS, threshold=0.6), WORLD["pid"])


def test_images_of_a_track_are_one_whatever_their_distance():
    found = constrained_union(FAR, *COLUMNS, threshold=-1.0)
    for track in np.unique(COLUMNS[1]):
        assert len(set(found[track == COLUMNS[1]].tolist())) == 1


def test_one_track_a_camera():
    far = np.zeros((4, 4))
    cam, track, frame = [0, 0, 1, -1], [1, 2, 3, 4], [0, 100, 50, 70]
    assert constrained_union(far, cam, track, frame).tolist() == [0, 0, 0, 0]  # one after the other
    found = constrained_union(far, cam, track, frame, one_track_per_camera=True)
    assert found.tolist() == [0, -1, 0, 0]  # an unknown camera is free
    with pytest.raises(ValueError, match="one_track_per_camera: needs query_cam and query_track"):
        constrained_union(far, one_track_per_camera=True)


@each(
    ("windows", "wanted"),
    [
        ([], [0, 0, 0]),
        ([(0, 1, 40, 60)], [0, 0, 0]),  # 50 frames from camera 0 to 1
        ([(0, 1, 60, 90)], [0, -1, 0]),
        ([(1, 0, 60, 90)], [0, 0, 0]),  # the other way is another matter
        ([(0, 1, 0, 49)], [0, -1, 0]),
        ([(0, 1, 50, 50), (0, 2, 0, 1)], [0, 0, -1]),
    ],
)
def test_travel_times(windows, wanted):
    far, cam, frame = np.zeros((3, 3)), [0, 1, 2], [0, 50, 20]
    assert constrained_union(far, cam, None, frame, windows=windows).tolist() == wanted


def test_windows_want_frames():
    with pytest.raises(ValueError, match="windows: wanted query_frame too"):
        constrained_union(np.zeros((2, 2)), [0, 1], windows=[(0, 1, 0, 9)])


def test_links_that_cannot_all_hold_are_named():
    with pytest.raises(Conflict, match=r"must be together, directly or through others, and cannot be: 0 and 2$"):
        constrained_union(np.zeros((3, 3)), must=[(0, 1), (1, 2)], cannot=[(0, 2)])
    with pytest.raises(Conflict, match="0 and 1"):  # two tracks of a camera at one time
        constrained_union(np.zeros((2, 2)), [0, 0], [1, 2], [5, 5], must=[(0, 1)])


@each(
    ("bad", "message"),
    [
        ({"must": [(0, 9)]}, "must: wanted rows 0 to 2, got .0, 9."),
        ({"cannot": [(0.5, 1)]}, "cannot: wanted pairs of rows"),
        ({"cannot": [(0, 1, 2)]}, "cannot: wanted pairs of rows"),
        ({"windows": [(0, 1, 9, 3)]}, "windows: wanted windows"),
        ({"windows": 3}, "windows: wanted windows"),
    ],
)
def test_bad_links_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        constrained_union(np.zeros((3, 3)), [0, 1, 2], None, [0, 1, 2], **bad)


def test_many_images_of_one_cluster_stay_quick():
    """A chain of 20,000 pairs with 20,000 that are forbidden far away from them."""
    from postproc.clusters.known_pairs import Pairs
    from postproc.clusters.united import unite as united

    count = 20_001
    left = np.arange(count - 1, dtype=np.int32)
    pairs = Pairs(count + 2, left, left + 1, np.arange(count - 1, dtype=np.float32))
    cannot = np.stack([np.full(count, count), np.arange(count)], axis=1)
    roots, kept = united(pairs, None, cannot)
    assert kept.all()
    assert (roots[:count] == 0).all()
