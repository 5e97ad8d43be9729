"""With which types the kernels are launched: what a compiler without a GPU has to be asked for.

The tests in numba's simulator note every launch; where the environment says ``CUDA_SIGNATURES=FILE``, they write
the types to that file, and ``test_compile.py`` reads it. Arrays are "float32 2 C" (dtype, dimensions, layout),
scalars "int64".
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

FILE = os.environ.get("CUDA_SIGNATURES")
seen: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)


def noting(launch: Callable) -> Callable:
    """The same launch, noted."""

    def noted(kernel: Any, grid: Any, *arguments: Any) -> None:
        seen[f"{kernel.__module__}.{kernel.__name__}"].add(tuple(map(_type, arguments)))
        launch(kernel, grid, *arguments)

    return noted


def _type(argument: Any) -> str:
    if isinstance(argument, np.ndarray):  # uploaded: torch takes no negative strides, and closes gaps
        argument = torch.empty_like(torch.from_numpy(np.require(argument, requirements="W")))
    if isinstance(argument, torch.Tensor):
        layout = "C" if argument.is_contiguous() else "F" if argument.mT.is_contiguous() else "A"
        return f"{str(argument.dtype).removeprefix('torch.')} {argument.ndim} {layout}"
    if isinstance(argument, np.generic):
        return argument.dtype.name
    return {bool: "bool", int: "int64", float: "float64"}[type(argument)]


def write() -> None:
    if FILE and seen:
        Path(FILE).write_text(json.dumps({name: sorted(seen[name]) for name in sorted(seen)}, indent=1) + "\n")


def read() -> dict[str, list[list[str]]]:
    """The launches of each kernel by its full name; none where there is no file."""
    return json.loads(Path(FILE).read_text()) if FILE and Path(FILE).exists() else {}
