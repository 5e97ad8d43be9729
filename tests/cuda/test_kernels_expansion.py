import numpy as np
from numpy.testing import assert_allclose

from tests.cuda.twice import twice


def test_add_neighbours(on_device):
    rng = np.random.default_rng(0)
    images, bank = rng.normal(size=(5, 7)).astype(np.float32), rng.normal(size=(9, 7)).astype(np.float32)
    rows, weights = rng.integers(0, 9, (5, 3)).astype(np.int32), rng.normal(size=(5, 3)).astype(np.float32)
    rows[2, 1], weights[2, 1] = -1, 0  # nobody, of no weight
    arguments = (images, bank, rows, weights, np.zeros_like(images))
    ((cuda, cpu),) = twice(on_device, "expansion.add_neighbours", *arguments, written=(4,))
    assert_allclose(cuda, cpu, rtol=1e-6, atol=1e-7)


def test_similarities(on_device):
    rng = np.random.default_rng(1)
    images, bank = rng.normal(size=(5, 7)).astype(np.float32), rng.normal(size=(9, 7)).astype(np.float32)
    rows = rng.integers(0, 9, (5, 3)).astype(np.int32)
    ((cuda, cpu),) = twice(
        on_device, "expansion.similarities", images, bank, rows, np.zeros((5, 3), np.float32), written=(3,)
    )
    assert_allclose(cuda, cpu, rtol=1e-5, atol=1e-6)
