"""One track a camera: by hand, against the definition, on passages and on submissions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from ensemble.scores import score
from ensemble.scores.protocols import PROTOCOLS
from postproc import one_track_per_camera, one_track_per_camera_ranking, rank
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import passages

CAM = np.array([0, 0, 1, 0, 1, -1])
TRACK = np.array([7, 8, 3, 7, 4, 8])
FAR = np.array([[1, 2, 4, 3, 3.5, 5]], np.float32)


@st.composite
def galleries(draw):
    """A ranking of some of the images, with -1 in between, their cameras and tracks."""
    ng = draw(st.integers(1, 12))
    cam, track = (draw(arrays(np.int64, ng, elements=st.integers(-1, 2))) for _ in range(2))
    ranking = draw(st.permutations([*range(ng), -1, -1]))
    return np.array([ranking[: draw(st.integers(1, ng + 2))]]), cam, track


def test_by_hand():
    # camera 0 is of track 7, so image 1 goes behind; camera 1 is of track 4, so image 2 does; all is 4 wide
    assert_array_equal(one_track_per_camera(FAR, CAM, TRACK), [[1, 6, 8, 3, 3.5, 5]])
    assert_array_equal(one_track_per_camera_ranking(rank(FAR), CAM, TRACK), [[0, 3, 4, 5, 1, 2]])
    assert_array_equal(one_track_per_camera_ranking(np.array([[1, -1, 3, 0]]), CAM, TRACK), [[1, 3, 0, -1]])


def test_infinity_stays_and_owns_nothing():
    far = np.array([[np.inf, 2, np.inf], [np.inf] * 3], np.float32)
    assert_array_equal(one_track_per_camera(far, np.zeros(3, int), np.array([1, 2, 3])), far)


def test_of_tracks_that_are_level_the_lowest_owns():
    cam = np.zeros(4, int)
    assert_array_equal(one_track_per_camera(np.ones((1, 4)), cam, np.array([5, 2, -1, 5])) > 1, [[1, 0, 1, 1]])
    assert_array_equal(one_track_per_camera([[1.0, 1, 2, 3]], cam, np.array([-1] * 4)) > 3, [[0, 0, 1, 1]])


def test_what_goes_behind_keeps_its_order():
    """Where float32 would round it away: distances a bit apart, moved by a thousand times what they are."""
    near = np.nextafter(np.float32(1e-3), np.float32(1), dtype=np.float32)
    far = np.array([[0, 1e3, near, 1e-3, near, 1e3]], np.float32)
    found = one_track_per_camera(far, np.zeros(6, int), np.array([1, 1, 2, 3, 4, 5]))
    assert_array_equal(rank(found), [[0, 1, 3, 2, 4, 5]])
    assert found[0, 2] == found[0, 4] > found[0, 3] > 1e3
    largest = np.finfo(np.float32).max
    assert np.isfinite(one_track_per_camera([[-largest, largest]], np.zeros(2, int), np.arange(2))).all()


@settings(max_examples=100)
@given(gallery=galleries())
def test_equals_the_definition(gallery):
    ranking, cam, track = gallery
    kept, moved = reference.rewriting.one_track_per_camera(ranking[0].tolist(), cam, track)
    missing = [-1] * (ranking.size - len(kept) - len(moved))
    assert_array_equal(one_track_per_camera_ranking(ranking, cam, track), [kept + moved + missing])
    far = np.full((1, len(cam)), np.inf, np.float32)
    far[0, kept + moved] = [list(ranking[0]).index(image) for image in kept + moved]
    found = one_track_per_camera(far, cam, track)
    assert_array_equal(rank(found, top_k=ranking.size), [(kept + moved + missing)[: len(cam)]])
    assert_array_equal(found[0, kept], far[0, kept])


@each("seed", range(3))
def test_it_helps_where_it_is_true(seed):
    data = passages(seed)
    labels, where = (data["query_pid"], data["gallery_pid"]), (data["gallery_cam"], data["gallery_track"])
    before, after = (
        score(far, *labels, protocol=PROTOCOLS["none"]).mAP
        for far in (data["distances"], one_track_per_camera(data["distances"], *where))
    )
    assert after > before + 0.05


def test_real_submissions(shared):
    city = np.load(shared / "aicity2021_track2.npz")
    cam, track = city["gallery_cam"], city["gallery_track"]
    lists = city["submissions"].reshape(-1, 100).astype(int) - 1
    found = one_track_per_camera_ranking(lists, cam, track)
    assert_array_equal(np.sort(found), np.sort(lists))
    first = np.array([[np.unique(pair).size for pair in (cam[row], track[row])] for row in found])
    assert (first[:, 0] < first[:, 1]).mean() > 0.5  # most lists had a camera with two tracks
    for before, after in zip(lists[:200], found[:200], strict=True):
        kept, moved = reference.rewriting.one_track_per_camera(before.tolist(), cam, track)
        assert_array_equal(after, kept + moved)


@each("own", [False, True])
def test_wide_rows_equal_narrow_ones(own):
    """Rows of several stretches, with ties, +inf side by side and apart, unknown cameras and tracks, against the
    rule in loops."""
    rng = np.random.default_rng(0)
    count = 300
    far = rng.integers(0, 40, (count if own else 6, count)).astype(np.float32)
    far[1, 60:200] = far[2, ::7] = far[3] = np.inf
    if own:
        far = np.minimum(far, far.T)
        np.fill_diagonal(far, np.inf)
    cam, track = rng.integers(-1, 7, count), rng.integers(-1, 50, count)
    found = one_track_per_camera(far, cam, track)
    for i in (0, 1, 2, 3, 4, 5):
        stays = np.ones(count, bool)
        for c in range(7):
            there = np.flatnonzero((cam == c) & np.isfinite(far[i]))
            if not len(there):
                continue
            nearest = there[far[i, there] == far[i, there].min()]
            named = track[nearest][track[nearest] >= 0]
            owner = named.min() if len(named) else -1
            if own and c == cam[i]:
                owner, nearest = track[i], there[:0]
            stays[there] = track[there] == owner if owner >= 0 else np.isin(there, nearest)
        assert_array_equal(found[i, stays], far[i, stays])
        assert (found[i, ~stays] > far[i, stays & np.isfinite(far[i])].max(initial=-1)).all()
