"""The CUDA back end: the functions of :mod:`postproc.kernels.cpu` for tensors on a device, nothing to compile.

torch multiplies, sorts and adds up; numba.cuda compiles the rest at first use, on the tensors' own memory. Each
entry of an answer has one owner and its sums one order, so two runs agree bit for bit.
A family is imported when it is first asked for, as on the CPU; the two have the same ones.
"""

from types import ModuleType

from postproc.base.extras import install
from postproc.kernels.families import family

try:
    import array_api_compat  # noqa: F401
    import torch

    if torch.cuda.is_available():  # without a GPU, the simulator is numba's own
        import numba_cuda  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"CUDA tensors need torch, numba-cuda and array-api-compat, and {error.name or error} is missing: "
        f"{install('cuda')}",
        name=error.name,
    ) from error


def __getattr__(name: str) -> ModuleType:
    return family(__name__, name)
