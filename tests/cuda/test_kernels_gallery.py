import numpy as np
from numpy.testing import assert_array_equal

from tests.cuda.twice import twice


def test_nearest_before(on_device):
    tile = np.random.default_rng(1).integers(0, 5, (6, 11)).astype(np.float32)
    tile[3] = np.inf
    for first_row, first_column in ((0, 0), (12, 3), (14, 9)):
        values = np.full(20, 2.0, np.float32)
        rows = np.full(20, -1, np.int32)
        arguments = (tile, first_row, first_column, values, rows)
        for cuda, cpu in twice(on_device, "gallery.nearest_before", *arguments, written=(3, 4)):
            assert_array_equal(cuda, cpu)
