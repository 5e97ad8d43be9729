import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc.tracks.track_lists import Tracks
from tests.cuda.twice import twice
from tests.support.each import each

TRACKS = Tracks.by(np.array([3, 7, 3, -1, 3, 9, 9, -1, 3, 7]))


def rows(count: int, width: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, width)).astype(np.float32)


@each("weights", [np.zeros(10), np.arange(10) % 4, np.ones(10)])
def test_means_of_tracks(on_device, weights):
    out = np.zeros((TRACKS.count, 6), np.float32)
    weights = weights.astype(np.float32)
    for start, stop in ((0, TRACKS.count), (1, 3)):
        arguments = (rows(10, 6), TRACKS.offsets, TRACKS.members, weights, start, stop, out)
        ((cuda, cpu),) = twice(on_device, "tracks.means_of_tracks", *arguments, written=(6,))
        assert_allclose(cuda, cpu, rtol=1e-6)


@each("width", [1, 5, 70])  # 70: more columns than the threads of the simulator hold at a time
def test_augment_in_tracks(on_device, width):
    images = rows(10, width)
    images[4] = images[0]
    arguments = (images, TRACKS.offsets, TRACKS.members, TRACKS.of, 0.01, 1, 9, np.zeros_like(images))
    ((cuda, cpu),) = twice(on_device, "tracks.augment_in_tracks", *arguments, written=(7,))
    assert_allclose(cuda, cpu, rtol=1e-5)


@each("how", [0, 1, 2])
@each("k", [0, 1, 2, 3, 9])
def test_reduce_tracks(on_device, how, k):
    distances = np.random.default_rng(k).integers(0, 4, (5, 10)).astype(np.float32)
    distances[1, ::2] = np.inf
    distances[2] = np.inf
    out = np.zeros((5, TRACKS.count), np.float32)
    arguments = (distances, TRACKS.offsets, TRACKS.members, how, k, 1, 5, out)
    ((cuda, cpu),) = twice(on_device, "tracks.reduce_tracks", *arguments, written=(7,))
    assert_array_equal(cuda, cpu)


def test_give_nearest_first(on_device):
    strip = np.random.default_rng(0).integers(0, 3, (4, 10)).astype(np.float32)
    by_track, queries = rows(6, TRACKS.count), np.array([5, 0, 3, 2])
    arguments = (strip, queries, by_track, TRACKS.offsets, TRACKS.members, np.float32(1e-3), 0, 4)
    ((cuda, cpu),) = twice(on_device, "tracks.give_nearest_first", *arguments, written=(0,))
    assert_array_equal(cuda, cpu)


@each("threshold", [0.0, 1.0, 9.0])
def test_weigh_by_queries(on_device, threshold):
    strip = np.random.default_rng(2).integers(1, 5, (8, 6)).astype(np.float32)
    offsets = np.array([0, 1, 4, 8])
    for start, stop in ((0, 3), (1, 2)):
        arguments = (strip, offsets, np.float32(threshold), 0.01, start, stop, np.zeros(8, np.float32))
        ((cuda, cpu),) = twice(on_device, "tracks.weigh_by_queries", *arguments, written=(6,))
        assert_allclose(cuda, cpu, rtol=1e-6)


def test_spread_tracks(on_device):
    by_track, queries = rows(6, TRACKS.count), np.array([5, 0, 3, 2])
    arguments = (by_track, queries, TRACKS.of, np.zeros((4, 10), np.float32), 1, 4)
    ((cuda, cpu),) = twice(on_device, "tracks.spread_tracks", *arguments, written=(3,))
    assert_array_equal(cuda, cpu)
