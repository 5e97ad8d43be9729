"""What the threads of one block find out together, in shared memory: every one calls, and all get the answer.

The order of a sum depends on the number of threads alone, so that two runs agree to the bit.
"""

import numpy as np
from numba import cuda

from postproc.kernels.cuda.launch import THREADS  # a power of two

HALF = THREADS // 2


@cuda.jit(device=True)
def total(value):
    """The sum of a float64 of every thread."""
    found = cuda.shared.array(THREADS, np.float64)
    thread = cuda.threadIdx.x
    found[thread] = value
    cuda.syncthreads()
    half = HALF
    while half > 0:
        if thread < half:
            found[thread] += found[thread + half]
        cuda.syncthreads()
        half //= 2
    answer = found[0]
    cuda.syncthreads()  # nobody writes before everybody has read
    return answer


@cuda.jit(device=True)
def greatest(value):
    """The greatest float64 of every thread."""
    found = cuda.shared.array(THREADS, np.float64)
    thread = cuda.threadIdx.x
    found[thread] = value
    cuda.syncthreads()
    half = HALF
    while half > 0:
        if thread < half and found[thread + half] > found[thread]:
            found[thread] = found[thread + half]
        cuda.syncthreads()
        half //= 2
    answer = found[0]
    cuda.syncthreads()
    return answer


@cuda.jit(device=True)
def count(value):
    """The sum of an int32 of every thread."""
    found = cuda.shared.array(THREADS, np.int32)
    thread = cuda.threadIdx.x
    found[thread] = value
    cuda.syncthreads()
    half = HALF
    while half > 0:
        if thread < half:
            found[thread] += found[thread + half]
        cuda.syncthreads()
        half //= 2
    answer = found[0]
    cuda.syncthreads()
    return answer


@cuda.jit(device=True)
def owner_of_least(value, owner):
    """Of every thread's float32 and its int32 owner: the owner of the least, of equal ones the lowest."""
    found = cuda.shared.array(THREADS, np.float32)
    owners = cuda.shared.array(THREADS, np.int32)
    thread = cuda.threadIdx.x
    found[thread] = value
    owners[thread] = owner
    cuda.syncthreads()
    half = HALF
    while half > 0:
        if thread < half:
            other = thread + half
            if found[other] < found[thread] or (found[other] == found[thread] and owners[other] < owners[thread]):
                found[thread] = found[other]
                owners[thread] = owners[other]
        cuda.syncthreads()
        half //= 2
    answer = owners[0]
    cuda.syncthreads()
    return answer
