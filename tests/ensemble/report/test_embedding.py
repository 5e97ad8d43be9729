"""The map of images by principal components."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.report import embedding
from tests.support.each import each

RNG = np.random.default_rng(0)


@each("shape", [(90, 7), (40, 200), (2, 5), (5, 1)])
def test_the_two_directions_of_the_largest_variance(shape):
    rows = (RNG.standard_normal(shape) * np.linspace(9, 1, shape[1]) + 40).astype(np.float32)
    points, shares = embedding.principal(rows)
    centred = rows - rows.mean(axis=0, dtype=np.float64)
    left, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    sizes[sizes < 1e-9 * sizes[0]] = 0
    wanted = np.zeros((shape[0], 2))
    for at, axis in enumerate(axes[:2]):
        sign = np.sign(axis[np.abs(axis).argmax()])
        wanted[:, at] = sign * left[:, at] * sizes[at]
    assert_allclose(points, wanted, atol=1e-5 * sizes[0])
    assert_allclose(shares[: len(sizes)], (sizes**2 / (sizes**2).sum())[:2], atol=1e-9)


def test_images_that_are_all_the_same_are_in_one_place():
    for rows in (np.ones((4, 9), np.float32), np.ones((9, 4), np.float32), np.ones((1, 3), np.float32)):
        points, shares = embedding.principal(rows)
        assert_array_equal(points, 0)
        assert_array_equal(shares, 0)
