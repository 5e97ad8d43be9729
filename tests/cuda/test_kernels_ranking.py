import numpy as np
from numpy.testing import assert_array_equal

from tests.cuda.twice import twice
from tests.support.each import each


@each("k", [1, 5, 13])
def test_order_rows(on_device, k):
    values = np.random.default_rng(k).integers(-2, 3, (6, 13)).astype(np.float32)
    values[1, ::2], values[2] = np.inf, np.inf
    values[3, 4], values[3, 9] = 0.0, -0.0  # equal, so the column decides
    ((cuda, cpu),) = twice(on_device, "ranking.order_rows", values, 1, 6, np.zeros((6, k), np.int32), written=(3,))
    assert_array_equal(cuda, cpu)
