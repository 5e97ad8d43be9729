"""Every kernel of the CUDA back end, found rather than listed."""

import importlib
import pkgutil
from typing import Any

from numba import config

import postproc.kernels.cuda as package

BESIDE = ("ensemble.scores.counting.cuda",)


def kernels() -> dict[str, Any]:
    """All kernels (not the device functions that they call) by the name under which a launch is counted."""
    found: dict[str, Any] = {}
    names = [module.name for module in pkgutil.iter_modules(package.__path__, package.__name__ + ".")]
    for name in (*names, *BESIDE):
        for value in vars(importlib.import_module(name)).values():
            if not _is_kernel(value):
                continue
            if found.setdefault(value.__name__, value) is not value:
                raise ValueError(
                    f"{value.__name__}: two kernels have this name, so that launches cannot be told apart"
                )
    return found


def _is_kernel(value: Any) -> bool:
    if config.ENABLE_CUDASIM:
        return type(value).__name__ == "FakeCUDAKernel" and not value._device
    return type(value).__name__ == "CUDADispatcher" and not value.targetoptions.get("device")
