import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from tests.cuda.twice import twice

RNG = np.random.default_rng(0)


def test_write_to_copies(on_device):
    classes = np.array([[0, 0, 3], [2, 1, 1], [3, 0, 2]], np.int32)
    values = 100.0 + classes.astype(np.float32)
    offsets, members = np.array([0, 2, 4, 5, 6]), np.array([0, 4, 1, 5, 2, 3], np.int32)
    arguments = (values, classes, offsets, members, np.zeros((3, 6), np.float32), 1, 3)
    ((cuda, cpu),) = twice(on_device, "shortlists.write_to_copies", *arguments, written=(4,))
    assert_array_equal(cuda, cpu)


def test_average_by_nearness(on_device):
    values, within = RNG.random((4, 5)).astype(np.float32), RNG.random((4, 10)).astype(np.float32)
    within[2] -= 1
    arguments = (values, within, 3.0, np.zeros((4, 5), np.float32), 1, 4)
    ((cuda, cpu),) = twice(on_device, "shortlists.average_by_nearness", *arguments, written=(3,))
    assert_allclose(cuda, cpu, rtol=1e-6)


def test_mix_with_means(on_device):
    strip, limits = RNG.random((5, 11)).astype(np.float32), np.full(5, 0.8, np.float32)
    query_cams, gallery_cams, crowd = np.array([0, 1, -1, 2, 0]), np.arange(11) % 3, np.arange(11) % 4 - 1
    near, beyond = RNG.integers(-1, 11, (11, 4)).astype(np.int32), RNG.integers(-1, 11, (11, 6)).astype(np.int32)
    weights = [RNG.random(rows.shape).astype(np.float32) for rows in (near, beyond)]
    arguments = (
        strip, limits, query_cams, gallery_cams, near, weights[0], crowd, beyond, weights[1],
        2, 0.5, 0.5, 0.25, 1, 5,
    )  # fmt: skip
    ((cuda, cpu),) = twice(on_device, "shortlists.mix_with_means", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)
