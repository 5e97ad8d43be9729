"""What every step of the family takes: a square matrix or lists of one set."""

import numpy as np
import pytest

from postproc import Nearest, linkage
from postproc.clusters.known_pairs import given
from tests.support.each import each
from tests.support.herds import cosine, herd

INF = np.inf
FAR = np.array([[INF, 1, 2], [1, INF, 3], [2, 3, INF]], np.float32)


def pairs(value, symmetric="checked", at_most=INF):
    found = given("d", value, symmetric).pairs(at_most)
    return list(zip(found.left.tolist(), found.right.tolist(), found.distances.tolist(), strict=True))


def test_each_pair_once_nearest_first():
    assert pairs(FAR) == [(0, 1, 1.0), (0, 2, 2.0), (1, 2, 3.0)]
    assert pairs(FAR, at_most=2) == [(0, 1, 1.0), (0, 2, 2.0)]
    tied = np.ones((3, 3), np.float32)
    assert pairs(tied) == [(0, 1, 1.0), (0, 2, 1.0), (1, 2, 1.0)]


@each("diagonal", [0.0, INF, -3.0, 7.0])
def test_the_diagonal_means_nothing(diagonal):
    far = FAR.copy()
    np.fill_diagonal(far, diagonal)
    assert pairs(far) == pairs(FAR)


def test_similarities_are_refused():
    x = herd(people=9, largest=6)["features"]
    assert len(linkage(1 - x @ x.T)) == len(x)
    with pytest.raises(ValueError, match=r"^query_distances: wanted distances, .* as in similarities; of similar"):
        linkage(x @ x.T)


def test_infinity_is_no_pair():
    far = FAR.copy()
    far[0, 1] = far[1, 0] = INF
    assert pairs(far) == [(0, 2, 2.0), (1, 2, 3.0)]


def test_lists_say_a_pair_once_or_twice():
    lists = Nearest(
        np.array([[1, 2], [1, 3], [2, INF]], np.float32), np.array([[1, 2], [0, 2], [0, -1]], np.int32)
    )
    assert pairs(lists) == pairs(FAR)
    own = Nearest(np.array([[0, 1], [0, 1], [0, 2]], np.float32), np.array([[0, 1], [1, 0], [2, 0]], np.int32))
    assert pairs(own) == [(0, 1, 1.0), (0, 2, 2.0)]
    nobody = Nearest(np.full((2, 1), INF, np.float32), np.full((2, 1), -1, np.int32))
    assert pairs(nobody) == []


TWO = np.array([[0, 1, 2], [3, 0, 5], [2, 5, 0]], np.float32)  # 1 from 0 to 1, and 3 back


@each(("symmetric", "wanted"), [("mean", 2.0), ("min", 1.0), ("max", 3.0)])
def test_two_numbers_for_one_pair(symmetric, wanted):
    assert (0, 1, wanted) in pairs(TWO, symmetric)
    lists = Nearest(np.array([[1], [3], [2]], np.float32), np.array([[1], [0], [0]], np.int32))
    assert (0, 1, wanted) in pairs(lists, symmetric)


def test_two_numbers_are_refused_by_name():
    with pytest.raises(
        ValueError, match=r"^d: wanted one distance for images 0 and 1, .* got 1 and 3; set symmetric"
    ):
        pairs(TWO)
    lists = Nearest(np.array([[1], [3], [2]], np.float32), np.array([[1], [0], [0]], np.int32))
    with pytest.raises(ValueError, match=r"^d: wanted one distance for images 0 and 1"):
        pairs(lists)
    pairs(FAR + np.float32(1e-6) * np.arange(9).reshape(3, 3).astype(np.float32))  # rounding


@each(
    ("value", "message"),
    [
        (np.zeros((2, 3)), "d: wanted a square matrix, each image against all, got shape"),
        (np.zeros((0, 0)), "d: wanted at least one image"),
        (np.full((2, 2), np.nan), "d: wanted numbers or .inf, found NaN"),
        (np.full((2, 2), -np.inf), "d: wanted numbers or .inf, found NaN or -inf"),
        (np.zeros(3), "d: wanted 2 dimensions"),
        (
            Nearest(np.zeros((2, 1), np.float32), np.full((2, 1), 9, np.int32)),
            "d.rows: wanted gallery rows 0 to 1",
        ),
        (Nearest(np.zeros((2, 2), np.float32), np.zeros((2, 1), np.int32)), "d: wanted one distance a row"),
    ],
)
def test_what_is_no_set_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        given("d", value)


def test_a_step_takes_what_another_gives():
    x = herd()["features"]
    far = cosine(x)
    rows = np.argsort(far, axis=1, kind="stable")[:, :-1].astype(np.int32)
    lists = Nearest(np.take_along_axis(far, rows.astype(np.int64), 1), rows)
    assert (linkage(far, threshold=0.4) == linkage(lists, threshold=0.4)).all()
