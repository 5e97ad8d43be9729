"""Every kernel compiles to PTX for each set of types with which it is launched; the simulator takes any Python.

This wants numba-cuda with its compiler (NVVM), but no GPU.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from numba import config, cuda, from_dtype, types

from tests.cuda import signatures
from tests.cuda.kernels import kernels
from tests.support.each import each

CAPABILITY = (9, 0)  # H100, H200
LAUNCHES = signatures.read()

pytestmark = [
    pytest.mark.skipif(bool(config.ENABLE_CUDASIM), reason="the simulator compiles nothing"),
    pytest.mark.skipif(importlib.util.find_spec("numba_cuda") is None, reason="pip install 'reid-ensemble[cuda]'"),
    pytest.mark.skipif(
        not LAUNCHES,
        reason="no types of launches: export CUDA_SIGNATURES=FILE; NUMBA_ENABLE_CUDASIM=1 python -m pytest "
        "tests/cuda; python -m pytest tests/cuda/test_compile.py",
    ),
]


@pytest.fixture(autouse=True)
def a_device_to_compile_for() -> Iterator[None]:
    """Device functions are compiled for the present GPU, which there need not be."""
    if cuda.is_available():
        pytest.skip("the tests that run on the GPU compile the kernels")
    device = SimpleNamespace(compute_capability=CAPABILITY)
    with mock.patch("numba.cuda.dispatcher.get_current_device", return_value=device):
        yield


@each(("name", "launch"), [(name, launch) for name, launches in LAUNCHES.items() for launch in launches])
def test_compiles(name, launch):
    module, kernel = name.rsplit(".", 1)
    function = getattr(importlib.import_module(module), kernel).py_func
    ptx, _ = cuda.compile_ptx(function, tuple(map(_type, launch)), cc=CAPABILITY)
    assert ".visible .entry" in ptx


def test_every_kernel_was_launched():
    assert {name.rsplit(".", 1)[1] for name in LAUNCHES} == set(kernels())


def _type(noted: str) -> Any:
    dtype, *array = noted.split()
    numba_type = from_dtype(np.dtype(dtype))
    return types.Array(numba_type, int(array[0]), array[1]) if array else numba_type
