"""One to one assignment: by hand, against the best of all permutations, on passages."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.scores import score
from ensemble.scores.protocols import PROTOCOLS
from postproc import assign_tracks
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import passages

ONE = np.zeros(2, int)  # one camera
TWO = np.array([7, 8])  # two tracks
CHOSEN = {"bonus": 1.0, "malus": 0.0}  # what is taken off is x


def test_by_hand():
    far = np.array([[1, 2], [2, 4]], np.float32)
    # 2 + 2 is less than 1 + 4: both get what they like less
    assert_array_equal(assign_tracks(far, ONE, TWO, threshold=9.0, **CHOSEN), [[1, 1], [1, 4]])
    # query 0 has track 8, query 1 track 7, so the others lose
    assert_array_equal(assign_tracks(far, ONE, TWO, threshold=9.0, bonus=0.5, malus=2.0), [[3, 1.5], [1.5, 6]])
    # two apart: nobody is asked to share
    cams = np.array([0, 1])
    assert_array_equal(assign_tracks(far, cams, TWO, threshold=9.0, bonus=0.5, malus=2.0), [[0.5, 1.5], [4, 6]])


def test_the_threshold_by_hand():
    far = np.array([[1, 2], [2, 4]], np.float32)
    # at 2.5 the pairs gain 1.5, 0.5, 0.5 and nothing: 1.5 is more than 0.5 + 0.5
    found = assign_tracks(far, ONE, TWO, threshold=2.5, bonus=0.5, malus=2.0)
    assert_array_equal(found, [[0.5, 4], [4, 4]])  # track 8 and query 1 are free, for each other only
    assert_array_equal(assign_tracks(far, ONE, TWO, threshold=1.0), far)  # not below it, so no pair


def test_means_are_of_identities_and_tracks():
    far = np.array([[1, 3, 2.5], [5, 3, 2.5], [3.5, 3.5, 9]], np.float32)
    cam, track = np.zeros(3, int), np.array([7, 7, 8])
    # queries 0 and 1 are one: 3 to track 7 and 2.5 to track 8; query 2: 3.5 and 9
    found = assign_tracks(far, cam, track, np.array([4, 4, -1]), threshold=100.0, **CHOSEN)
    assert_array_equal(far - found, [[0, 0, 1], [0, 0, 1], [1, 1, 0]])


def test_copies_of_a_query_are_one():
    far = np.array([[1, 2], [1, 2], [2, 1.5]], np.float32)
    found = assign_tracks(far, ONE, TWO, threshold=9.0, **CHOSEN)
    assert_array_equal(far - found, [[1, 0], [1, 0], [0, 1]])
    found = assign_tracks(far[:2], ONE, TWO, np.array([3, 5]), threshold=9.0, **CHOSEN)  # unless told otherwise
    assert_array_equal(far[:2] - found, [[1, 0], [0, 1]])


def test_unknown_cameras_no_tracks_and_infinity_are_left_alone():
    far = np.array([[1, 2, np.inf, 4], [np.inf] * 4], np.float32)
    cam, track = np.array([-1, 0, 0, 0]), np.array([7, -1, 8, 8])
    found = assign_tracks(far, cam, track, threshold=9.0)
    assert_allclose(found, [[1, 2, np.inf, 4 - 0.1], [np.inf] * 4], rtol=1e-6)
    assert_array_equal(assign_tracks(far, cam, np.full(4, -1)), far)


@settings(max_examples=100)
@given(
    far=st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
        lambda shape: arrays(np.float32, shape, elements=st.integers(0, 40))
    ),
    threshold=st.integers(-1, 45),
)
def test_no_assignment_is_better(far, threshold):
    far += np.arange(len(far), dtype=np.float32)[:, None] / 64  # no copies
    images = np.arange(far.shape[1])
    x = far - assign_tracks(far, 0 * images, images, threshold=threshold, **CHOSEN)
    assert (x.sum(axis=0) <= 1).all()
    assert (x.sum(axis=1) <= 1).all()
    assert far[x > 0].max(initial=-np.inf) < threshold
    assert_allclose((x * (threshold - far)).sum(), reference.rewriting.best_assignment(far, threshold), rtol=1e-6)


def test_shares_by_hand():
    # one pair, at the threshold: x + what the dustbin takes of it is 1, and both are as good: 1 / (1 + 1/x) = x
    found = assign_tracks([[2.0]], ONE[:1], TWO[:1], method="sinkhorn", threshold=2.0, **CHOSEN)
    assert_allclose(2 - found, (3 - np.sqrt(5)) / 2, rtol=1e-6)  # x = (1 - x)^2


@each("temperature", [0.05, 0.5])
def test_shares_are_the_optimum_with_entropy(temperature):
    """x = a b exp((threshold - m) / temperature) where a and b are left to the dustbin in row and column."""
    far = np.random.default_rng(3).random((6, 4)).astype(np.float32)
    images = np.arange(4)
    setting = {"threshold": 0.5, "temperature": temperature, "rounds": 2000, "method": "sinkhorn"}
    x = np.float64(far) - assign_tracks(far, 0 * images, images, **setting, **CHOSEN)
    left = (1 - x.sum(axis=1))[:, None] * (1 - x.sum(axis=0))
    assert_allclose(x, left * np.exp((0.5 - np.float64(far)) / temperature), atol=1e-5)
    found = assign_tracks(far, 0 * images, images, **setting, bonus=0.0, malus=1.0)
    lost = np.maximum(x.sum(axis=1)[:, None], x.sum(axis=0)) - x
    assert_allclose(np.float64(found) - far, lost, atol=1e-6)


def test_cold_shares_are_the_assignment():
    far = np.random.default_rng(3).random((9, 12)).astype(np.float32)
    cam = np.arange(12) % 3
    found = [
        assign_tracks(far, cam, np.arange(12), method=method, temperature=1e-3, rounds=3000)
        for method in ("hungarian", "sinkhorn")
    ]
    assert_allclose(*found, atol=0.01)


@each("method", ["hungarian", "sinkhorn"])
@each("seed", range(3))
def test_it_helps_where_it_is_true(seed, method):
    data = passages(seed)
    labels, protocol = (data["query_pid"], data["gallery_pid"]), PROTOCOLS["none"]
    where = (data["gallery_cam"], data["gallery_track"], data["query_track"])
    before, after = (
        score(far, *labels, protocol=protocol).mAP
        for far in (data["distances"], assign_tracks(data["distances"], *where, method=method))
    )
    assert after > before + 0.2
