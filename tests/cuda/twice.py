"""One kernel, or one step, on both back ends, on copies of the same small arrays."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from postproc.kernels import cpu, cuda

Pairs = list[tuple[np.ndarray, np.ndarray]]


def twice(on_device: Any, name: str, *arguments: Any, written: tuple[int, ...]) -> Pairs:
    """(CUDA, CPU) of the arguments at the places ``written``, after the kernel ``family.name`` has run.

    Matrices and what is written are tensors for CUDA; other vectors stay in NumPy, as labels and layouts do.
    """
    host = [each.copy() if isinstance(each, np.ndarray) else each for each in arguments]
    device = [
        on_device.up(each) if isinstance(each, np.ndarray) and (each.ndim == 2 or at in written) else each
        for at, each in enumerate(host)
    ]
    kernel = attrgetter(name)
    kernel(cuda)(*device)
    kernel(cpu)(*host)
    return [(on_device.down(device[at]), host[at]) for at in written]


def same_step(
    on_device: Any, step: Callable[..., Any], *arguments: Any, rtol: float = 1e-5, **settings: Any
) -> None:
    """Features and distances as tensors give what they give in NumPy: numbers up to rounding, rows exactly."""
    wanted = step(*arguments, **settings)
    device = [
        on_device.up(each) if isinstance(each, np.ndarray) and each.ndim == 2 else each for each in arguments
    ]
    found = step(*device, **settings)
    if not isinstance(wanted, tuple):
        found, wanted = (found,), (wanted,)
    for one, other in zip(found, wanted, strict=True):
        one = on_device.down(one)
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        if np.issubdtype(other.dtype, np.integer):
            assert_array_equal(one, other)
        else:
            assert_allclose(one, other, rtol=rtol, atol=rtol * abs(other[np.isfinite(other)]).max(initial=0))
