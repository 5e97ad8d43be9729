"""The numerical kernels, one module a back end, and the choice between them by the array one was handed.

``reference``  plain NumPy in float64: the definition. Tests compare with it, nothing else calls it.
``cpu``        numba, compiled at first use and cached: sequential functions over a tile or a range of rows that
               release the interpreter lock; :mod:`postproc.base.runtime` runs them in threads. No fast-math.
``cuda``       the same functions for tensors on a CUDA device: torch for products and sorting, numba.cuda for the
               sparse parts, on the tensors' own memory. No TF32, no float atomics.

Both have the same families of kernels, one module each: ``kernels.of(array).cas.walk_halves``. Their ``walk`` goes
over the ranges and tiles that the others take. What crosses the seam is float32, int32 and int64 offsets; inputs
are never written. Importing this package imports no back end.
"""

from types import ModuleType

import numpy as np

from postproc.base import arrays
from postproc.base.stored import Stored
from postproc.base.vocabulary import Unchecked


def of(array: Unchecked) -> ModuleType:
    """The back end for this array; TypeError for a kind that has none."""
    if isinstance(array, (np.ndarray, Stored)):
        from postproc.kernels import cpu

        return cpu
    if arrays.on_cuda(array):
        from postproc.kernels import cuda

        return cuda
    raise TypeError(f"wanted a NumPy array or a CUDA tensor, got {type(array).__module__}.{type(array).__name__}")
