"""How a numba.cuda kernel is started on the memory of torch tensors, on the stream that torch is using.

Three shapes of launch: a thread a row, a block of threads a row, a thread an entry. A NumPy array among the
arguments is uploaded for the launch and read only, so whatever a kernel writes to must be a tensor. Where the
environment says ``NUMBA_ENABLE_CUDASIM=1``, numba runs the same kernels in Python on the host's memory.
"""

from collections import Counter
from typing import Any

import numpy as np
import torch
from numba import config, cuda

SIMULATED = bool(config.ENABLE_CUDASIM)  # type: ignore[attr-defined]
THREADS = 4 if SIMULATED else 128  # of a block; the simulator runs each as a thread of Python
# Few rows make few blocks, of which numba would warn at every launch.
config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # type: ignore[attr-defined]
launched: Counter[str] = Counter()  # how often each kernel ran


def rows(kernel: Any, count: int, *arguments: Any) -> None:
    """Run ``kernel(count, *arguments)`` with a thread for each of ``count`` rows: ``i = cuda.grid(1)``."""
    _launch(kernel, -(-count // THREADS), count, *arguments)


def blocks(kernel: Any, count: int, *arguments: Any) -> None:
    """Run ``kernel(*arguments)`` with a block of THREADS for each of ``count`` rows: ``i = cuda.blockIdx.x``."""
    _launch(kernel, count, *arguments)


def entries(kernel: Any, shape: tuple[int, ...], *arguments: Any) -> None:
    """Run ``kernel(*arguments)`` with a thread for every entry of (n, m).

    ``i = cuda.blockIdx.x``, and ``j = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x`` may be m or more.
    """
    count, width = shape
    _launch(kernel, (count, -(-width // THREADS)), *arguments)


def _launch(kernel: Any, grid: Any, *arguments: Any) -> None:
    if not np.prod(grid):
        return
    device = next(each.device for each in arguments if isinstance(each, torch.Tensor))
    launched[kernel.__name__] += 1
    if SIMULATED:
        kernel[grid, THREADS](*map(_simulated, arguments))
        return
    with torch.cuda.device(device):
        stream = cuda.external_stream(torch.cuda.current_stream(device).cuda_stream)
        kernel[grid, THREADS, stream](*(_handed(each, device) for each in arguments))


def _handed(argument: Any, device: torch.device) -> Any:
    """What numba takes: device memory without a copy, scalars as they are."""
    if isinstance(argument, np.ndarray):
        argument = torch.from_numpy(np.require(argument, requirements="W")).to(device)
    if isinstance(argument, torch.Tensor):
        return cuda.as_cuda_array(argument.detach(), sync=False)
    return argument


def _simulated(argument: Any) -> Any:
    from numba.cuda.simulator.cudadrv.devicearray import FakeCUDAArray

    if isinstance(argument, torch.Tensor):
        argument = memory(argument)
    elif isinstance(argument, np.ndarray):
        argument = argument.view()
        argument.flags.writeable = False
    return FakeCUDAArray(argument) if isinstance(argument, np.ndarray) else argument


def memory(tensor: torch.Tensor) -> np.ndarray:
    """The host memory of a tensor in the simulator."""
    return tensor.numpy()
