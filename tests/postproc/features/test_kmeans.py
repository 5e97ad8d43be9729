"""Groups around centres: by hand, found again where they are planted, the same whatever the threads."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from postproc import kmeans, using
from tests.support.each import each


def planted(groups=12, images=15, seed=0):
    random = np.random.default_rng(seed)
    label = random.permutation(np.repeat(np.arange(groups), images))
    centres = 8 * random.normal(size=(groups, 6))
    return label, (centres[label] + random.normal(size=(len(label), 6))).astype(np.float32)


def by_appearance(label):
    first = {one: number for number, one in enumerate(dict.fromkeys(label.tolist()))}
    return np.array([first[one] for one in label.tolist()])


def test_by_hand():
    # two pairs: {0, 1} around 0.5, {10, 12} around 11; three groups: the wider pair is cut
    rows = np.array([[10], [0], [12], [1]], np.float32)
    assert_array_equal(kmeans(rows, clusters=2), [0, 1, 0, 1])
    assert_array_equal(kmeans(rows, clusters=3, starts=10), [0, 1, 2, 1])
    assert_array_equal(kmeans(rows, clusters=1), [0, 0, 0, 0])
    assert_array_equal(kmeans(rows, clusters=4), [0, 1, 2, 3])


@each("seed", [0, 1, 2])
def test_planted_groups_are_found(seed):
    label, rows = planted(seed=seed)
    found = kmeans(rows, clusters=12, starts=10, seed=seed)
    assert found.dtype == np.int64
    assert_array_equal(found, by_appearance(label))


def test_the_same_on_any_threads_and_by_seed():
    _, rows = planted(groups=40, images=20)
    with using(threads=1):
        alone = kmeans(rows, clusters=25, seed=3)
    with using(threads=2):
        assert_array_equal(kmeans(rows, clusters=25, seed=3), alone)
    assert not np.array_equal(kmeans(rows, clusters=25, seed=4), alone)
    assert set(alone.tolist()) == set(range(25))


def test_copies_are_together_and_count():
    rows = np.repeat(np.array([[0, 0], [4, 0], [5, 0]], np.float32), [1, 1, 30], axis=0)
    rows[0] *= -1  # minus zero is zero
    found = kmeans(rows, clusters=2, starts=10)
    assert_array_equal(found, [0, *[1] * 31])
    assert_array_equal(kmeans(rows, clusters=9), [0, 1, *[2] * 30])  # of three different images three groups


@each(
    ("settings", "message"),
    [
        ({"clusters": 0}, "clusters: wanted"),
        ({"clusters": 4}, "clusters: wanted at most 3, the number of images, got 4"),
        ({"clusters": 2, "starts": 0}, "starts: wanted"),
        ({"clusters": 2, "seed": -1}, "seed: wanted"),
    ],
)
def test_refusals(settings, message):
    with pytest.raises(ValueError, match=message):
        kmeans(np.eye(3, dtype=np.float32), **settings)


def test_numbers_that_are_none():
    with pytest.raises(ValueError, match="features"):
        kmeans(np.array([[np.nan], [1.0]]), clusters=1)
    with pytest.raises(ValueError, match="features"):
        kmeans(np.zeros((0, 2)), clusters=1)
