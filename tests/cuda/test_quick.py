"""The quick simulator does what numba's does, and sees where threads of a block do not meet but should."""

import numba
import numpy as np
import pytest
from numba import cuda

from tests.cuda.conftest import SIMULATED

pytestmark = pytest.mark.skipif(not SIMULATED, reason="not in numba's simulator")
THREADS = 4


@cuda.jit(device=True)
def neighbours_value(values, meet):
    shared = cuda.shared.array(THREADS, np.int32)
    shared[cuda.threadIdx.x] = values[cuda.grid(1)]
    if meet:
        cuda.syncthreads()
    return shared[(cuda.threadIdx.x + 1) % THREADS]


@cuda.jit
def turn(values, out, meet):
    out[cuda.grid(1)] = neighbours_value(values, meet)
    cuda.syncthreads()
    if cuda.threadIdx.x == 0 and values[0] < 0:
        raise ValueError("below 0")


@cuda.jit
def double(values):
    values[:] = values * 2


def test_threads_of_a_block_meet(on_device):
    values, out = np.arange(8, dtype=np.int32), np.zeros(8, np.int32)
    turn[2, THREADS](values, out, True)
    assert out.tolist() == [1, 2, 3, 0, 5, 6, 7, 4]


def test_who_does_not_meet_gets_something_else(on_device):
    values, out = np.arange(1, 9, dtype=np.int32), np.zeros(8, np.int32)
    turn[2, THREADS](values, out, False)
    assert out.tolist() != [2, 3, 4, 1, 6, 7, 8, 5]


def test_an_error_of_one_is_that_of_the_kernel(on_device):
    values, out = np.arange(-1, 3, dtype=np.int32), np.zeros(4, np.int32)
    for _ in range(2):  # and leaves nothing behind
        with pytest.raises(ValueError, match="below 0"):
            turn[1, THREADS](values, out, True)
        assert cuda is numba.cuda


def test_whole_arrays_are_not_for_computing(on_device):
    with pytest.raises(TypeError, match="does not support ufuncs"):
        double[1, 1](np.ones(3, np.float32))
