import numpy as np
from numpy.testing import assert_allclose

from postproc.kernels import cpu, cuda
from tests.cuda.twice import twice
from tests.support.each import each


@each("width", [1, 6])  # 6: more than the simulator's threads
def test_propagate(on_device, width):
    rng = np.random.default_rng(width)
    offsets = np.array([0, 3, 3, 8, 10])
    members, weights = rng.integers(0, 4, 10).astype(np.int32), rng.normal(size=10)
    x = rng.normal(size=(4, width)).astype(np.float32)
    out = np.full((4, width), 7, np.float32)
    ((found, wanted),) = twice(
        on_device, "propagation.propagate", offsets, members, weights, x, 1, 4, out, written=(6,)
    )
    assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)


def test_products_and_sums(on_device):
    rng = np.random.default_rng(0)
    features, weights = rng.normal(size=(3, 4, 5)).astype(np.float32), rng.normal(size=(3, 4))
    up = on_device.up(features)
    found = on_device.down(cuda.propagation.products_within(up))
    assert_allclose(found, cpu.propagation.products_within(features), rtol=1e-5, atol=1e-6)
    found = on_device.down(cuda.propagation.weighted_sums(on_device.up(weights), up))
    assert found.dtype == np.float64
    assert_allclose(found, cpu.propagation.weighted_sums(weights, features), rtol=1e-6)
