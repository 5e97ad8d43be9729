import numpy as np
from numpy.testing import assert_array_equal

from postproc.kernels import cpu, cuda


def test_reciprocal_pairs(on_device):
    rng = np.random.default_rng(0)
    rows = np.argsort(rng.random((9, 9)), axis=1)[:, :4].astype(np.int32)
    rows[3, 2:] = rows[5] = -1  # shorter lists
    values = rng.random((9, 4)).astype(np.float32)
    wanted = cpu.cameras.reciprocal_pairs(rows, values, 2, 8)
    found = cuda.cameras.reciprocal_pairs(on_device.up(rows), on_device.up(values), 2, 8)
    for cuda_part, cpu_part in zip(found, wanted, strict=True):
        assert_array_equal(on_device.down(cuda_part), cpu_part)
    assert wanted[0].sum() > 0
