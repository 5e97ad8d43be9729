"""Groups from distances, by hand and by their laws."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ensemble.track import clusters
from tests.support.each import each

INF = np.inf
FAR = np.array([[0, 0.2, 0.5, 0.9], [0.2, 0, 0.4, 0.9], [0.5, 0.4, 0, 0.9], [0.9, 0.9, 0.9, 0]])


@each(
    ("method", "threshold", "wanted"),
    [
        ("average", 0.45, [0, 0, 0, 1]),  # (0.5 + 0.4) / 2
        ("average", 0.44, [0, 0, 1, 2]),
        ("complete", 0.5, [0, 0, 0, 1]),
        ("complete", 0.49, [0, 0, 1, 2]),
        ("single", 0.4, [0, 0, 0, 1]),
        ("single", 0.1, [0, 1, 2, 3]),
    ],
)
def test_linkage(method, threshold, wanted):
    assert clusters.linked(FAR, method, threshold).tolist() == wanted


@each("method", ["average", "complete"])
def test_what_is_apart_never_comes_together(method):
    """0 and 2 are apart; 1 is near both and goes with the nearer one."""
    far = np.array([[0, 0.1, INF], [0.1, 0, 0.2], [INF, 0.2, 0]])
    assert clusters.linked(far, method, 0.5).tolist() == [0, 0, 1]


def test_union_takes_the_nearest_first_and_keeps_apart_what_must_be():
    far = np.array([[0, 0.1, 0.9], [0.1, 0, 0.2], [0.9, 0.2, 0]])
    barred = np.zeros((3, 3), bool)
    assert clusters.united(far, barred, 0.3).tolist() == [0, 0, 0]  # a chain
    barred[0, 2] = barred[2, 0] = True
    assert clusters.united(far, barred, 0.3).tolist() == [0, 0, 1]


def test_nobody_and_one():
    assert clusters.linked(np.zeros((0, 0)), "average", 1).tolist() == []
    assert clusters.linked(np.zeros((1, 1)), "average", 1).tolist() == [0]
    assert clusters.united(np.zeros((0, 0)), np.zeros((0, 0), bool), 1).tolist() == []


def test_what_lists_share_is_together():
    lists = [np.array([0, 1]), np.array([3, 4]), np.array([1, 3])]
    assert clusters.together(6, lists).tolist() == [0, 0, 1, 0, 0, 2]


@given(st.integers(2, 9), st.integers(0, 10_000))
def test_laws_of_constrained_union(count, seed):
    """No forbidden pair in a group; nobody within the threshold could still join but for a forbidden pair."""
    random = np.random.default_rng(seed)
    far = random.random((count, count))
    far = (far + far.T) / 2
    barred = random.random((count, count)) < 0.3
    barred |= barred.T
    np.fill_diagonal(barred, False)
    group = clusters.united(far, barred, 0.5)
    assert not (barred & (group[:, None] == group)).any()
    for one in range(count):
        for other in range(one):
            if far[one, other] <= 0.5 and group[one] != group[other]:
                assert barred[np.ix_(group == group[one], group == group[other])].any()
