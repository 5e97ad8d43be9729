"""The competition for tracks: by hand, against the definition, where shares underflow, in several threads."""

import re

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import compete, compete_tracks, rank, rewrite_tracks, using
from postproc.kernels import reference
from tests.support.each import each

ALONE = {"pool": "none", "lend": 0.0}


def world(nq=40, tracks=30, cameras=4, seed=0):
    random = np.random.default_rng(seed)
    votes = random.random((nq, tracks)) ** 6 * (random.random((nq, tracks)) < 0.6)
    return votes, random.integers(-1, cameras, nq), random.integers(-1, cameras, tracks)


def definition(votes, query_cam, track_cam, *, pool="camera", once=True, **chosen):
    own = (query_cam[:, None] == track_cam) & (track_cam >= 0)
    known = (track_cam[:, None] >= 0) & (track_cam >= 0)
    same = {"camera": query_cam[:, None] == query_cam, "all": True, "none": np.eye(len(votes), dtype=bool)}
    cameras = [np.flatnonzero(track_cam == cam).tolist() for cam in set(track_cam.tolist()) - {-1}]
    how = {"power": 8.0, "lend": 0.5, "sharpen": 0.5, "rounds": 4, "regroup": True} | chosen
    return reference.claims.compete(
        votes, own, same[pool], known & (track_cam[:, None] != track_cam), cameras if once else [], **how
    )


def test_one_round_by_hand():
    # columns add to 8 and 4. Shares of them, square roots, times the votes:
    #   4 sqrt(4/8) = 2.828   3 sqrt(3/4) = 2.598        over the largest, 2.828:  1      0.9186
    #   4 sqrt(4/8) = 2.828   1 sqrt(1/4) = 0.5                                    1      0.1768
    found = compete(np.array([[4, 3], [4, 1]]), rounds=1, **ALONE)
    assert_allclose(found, [[1, 0.9186], [1, 0.1768]], atol=1e-4)
    # one camera for both tracks: rows add to 5.427 and 3.328
    #   2.828 sqrt(2.828/5.427) = 2.042   2.598 sqrt(2.598/5.427) = 1.798
    #   2.828 sqrt(2.828/3.328) = 2.607   0.5 sqrt(0.5/3.328) = 0.1938
    found = compete(np.array([[4, 3], [4, 1]]), track_cam=[5, 5], rounds=1, **ALONE)
    assert_allclose(found * 2.607, [[2.042, 1.798], [2.607, 0.1938]], atol=2e-3)
    assert_allclose(compete(np.array([[4, 3], [4, 1]]), track_cam=[5, 5], once=False, rounds=1, **ALONE)[0, 0], 1)


def test_queries_of_one_camera_pool_and_tracks_lend_by_hand():
    votes = np.array([[1.0, 0], [1, 1], [0, 1]])
    # cosines: 1 / sqrt 2 between neighbours, 0 between the first and the last; to the 8th: 1/16
    # shares of the first: 16/17 and 1/17: [1, 1/17]; of the second: 1/18, 16/18, 1/18: [17/18, 17/18]
    found = compete(votes, rounds=0, lend=0)
    assert_allclose(found, [[1, 1 / 17], [17 / 18, 17 / 18], [1 / 17, 1]], atol=1e-8)
    assert_allclose(compete(votes, [3, 3, 4], rounds=0, lend=0)[2], [0, 1 / 1], atol=1e-8)  # another camera
    # columns [1 1 0] and [0 1 1]: cosine 1/2, squared 1/4; lend 1/2: claims + 1/8 of the other's, largest 1.125
    lent = compete(votes, track_cam=[0, 1], pool="none", rounds=0)
    assert_allclose(lent * 1.125, [[1, 1 / 8], [1.125, 1.125], [1 / 8, 1]], atol=1e-8)
    assert_array_equal(compete(votes, track_cam=[0, 0], pool="none", rounds=0)[0], [1 + 1e-9, 0])  # of one camera


CASES = st.fixed_dictionaries(
    {
        "pool": st.sampled_from(["camera", "all", "none"]),
        "lend": st.sampled_from([0.0, 0.5]),
        "sharpen": st.sampled_from([0.25, 0.5, 1.0]),
        "once": st.booleans(),
        "regroup": st.booleans(),
        "rounds": st.integers(0, 4),
    }
)


@settings(max_examples=30, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(chosen=CASES, seed=st.integers(0, 20))
def test_the_definition(chosen, seed):
    votes, query_cam, track_cam = world(nq=12, tracks=9, seed=seed)
    found, wanted = (
        compete(votes, query_cam, track_cam, **chosen),
        definition(votes, query_cam, track_cam, **chosen),
    )
    assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


def test_no_query_claims_a_track_of_its_own_camera():
    votes, query_cam, track_cam = world()
    for pool in ("camera", "all", "none"):
        found = compete(votes, query_cam, track_cam, pool=pool)
        assert not found[(query_cam[:, None] == track_cam) & (track_cam >= 0)].any()
        assert (found >= 0).all()


def test_shares_that_underflow_float32_keep_an_order():
    votes = np.array([[1e-30, 1e-34, 1.0], [1e-60, 1, 1], [1e-250, 1e-300, 1]])
    found = compete(votes, pool="none")
    assert np.isfinite(found).all()
    assert_array_equal(rank((-found).astype(np.float64)[:1]), [[2, 0, 1]])
    assert (found[0] > 0).all()
    assert not compete(np.zeros((2, 3))).any()
    assert compete(np.zeros((0, 3))).shape == (0, 3)


def test_the_same_bits_in_any_number_of_threads_and_for_copies():
    votes, query_cam, track_cam = world(nq=150, tracks=70)
    votes[9], query_cam[9] = votes[3], query_cam[3]
    with using(threads=1):
        wanted = compete(votes, query_cam, track_cam)
    with using(threads=5):
        assert_array_equal(compete(votes, query_cam, track_cam), wanted)
    assert_array_equal(wanted[9], wanted[3])


def test_the_nearest_queries_alone_pool():
    votes, query_cam, track_cam = world()
    assert_array_equal(compete(votes, query_cam, track_cam, neighbours=40), compete(votes, query_cam, track_cam))
    one = compete(votes, query_cam, track_cam, neighbours=1, lend=0)
    assert_allclose(one, compete(votes, query_cam, track_cam, pool="none", lend=0), atol=1e-12)


@each(
    ("votes", "settings", "message"),
    [
        ([[-1.0]], {}, "votes: wanted a matrix of finite numbers of 0 or more, found others"),
        ([[np.nan]], {}, "votes: wanted a matrix of finite numbers of 0 or more, found others"),
        ([1.0], {}, "votes: wanted a matrix of finite numbers of 0 or more, found others"),
        ([[1.0]], {"query_cam": [1, 2]}, "query_cam: wanted "),
        ([[1.0]], {"track_cam": [1, 2]}, "track_cam: wanted "),
        (
            [[1.0]],
            {"pool": "cameras"},
            "pool: wanted one of camera, all, none, got 'cameras'; did you mean 'camera'?",
        ),
        ([[1.0]], {"sharpen": 2}, "sharpen: wanted 0 to 1, got 2"),
    ],
)
def test_what_is_refused(votes, settings, message):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        compete(votes, **settings)


def test_distances_become_votes_by_hand():
    # tracks 5 (images 0 and 2), 6, 7 at 0.1, 0.3, 0.3: ranks 1, 2, 2, and 1 / 2, 1 / 3, 1 / 3; nobody competes
    far = np.array([[0.1, 0.3, 0.7, 0.3]], np.float32)
    found = compete_tracks(far, np.array([5, 6, 5, 7]), rounds=0, pool="none")
    assert_allclose(found, [[-1, -2 / 3, -1, -2 / 3]], rtol=1e-6)
    # track 5 is of the query's own camera: no claim on it, and the others are the first
    found = compete_tracks(far, np.array([5, 6, 5, 7]), np.array([3]), np.array([3, 4, 3, 4]), rounds=0)
    assert_allclose(found, [[0, -1, 0.6, -1]], rtol=1e-6)


def test_images_without_a_claim_keep_their_order_behind():
    far = np.array([[0.1, 0.3, 0.7, np.inf, 0.5]], np.float32)
    found = compete_tracks(far, np.array([5, 6, -1, 6, -1]), depth=2)
    assert found[0, 3] == np.inf
    assert_allclose(found[0, [2, 4]], [0.6, 0.4], rtol=1e-6)
    assert_array_equal(rank(rewrite_tracks(found, np.array([5, 6, -1, 6, -1]))), [[0, 1, 4, 2, -1]])
    nothing = np.full((1, 5), np.inf, np.float32)
    assert_array_equal(compete_tracks(nothing, np.array([5, 6, -1, 6, -1])), nothing)
