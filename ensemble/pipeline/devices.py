"""Where the large arrays of a run live: in NumPy on the host, or in tensors on a CUDA device.

Features, distances and lists of neighbours move; labels and names, a number an image, stay in NumPy. What has no
CUDA version gets its data from the device and gives them back.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

import postproc
from ensemble.base.kinds import Array
from ensemble.fusion import join
from postproc.base import arrays, step
from postproc.base.extras import install
from postproc.base.room import room

Value = TypeVar("Value")


@dataclass(frozen=True)
class Device:
    """``name``: cpu, cuda or cuda:N, as torch calls it; one that :func:`problem` does not refuse."""

    name: str = "cpu"

    @property
    def is_cuda(self) -> bool:
        """Whether it is not the host."""
        return self.name != "cpu"

    def runs(self, function: Callable[..., object]) -> bool:
        """Whether a step or a join runs here; if not, it runs on the host."""
        return not self.is_cuda or not (
            step.declared_by(function).host_only or join.declared_by(function).host_only
        )

    def up(self, value: Value) -> Value:
        """A matrix on this device; what is none, as it is.

        One that would take more than half of the room stays on the host: techniques that walk over tiles fetch its
        blocks, and others run there, or say that they have no room.
        """
        if not self.is_cuda or not isinstance(value, np.ndarray) or value.ndim != 2:
            return value
        if value.nbytes > self.free() // 2:
            return value
        import torch

        tensor: Any = torch.as_tensor(np.require(value, requirements=["C", "W"]), device=self.name)
        return tensor

    def free(self) -> int:
        """Bytes of the device that nothing has taken, what torch keeps for itself included."""
        import torch

        free, _ = torch.cuda.mem_get_info(self.name)
        return free + torch.cuda.memory_reserved(self.name) - torch.cuda.memory_allocated(self.name)

    def wait(self) -> None:
        """Until everything that was started is done, so that a clock tells the truth."""
        if self.is_cuda:
            import torch

            torch.cuda.synchronize(self.name)

    @contextmanager
    def room(self, where: str) -> Iterator[None]:
        """Too little memory on the device ends in a sentence that says where."""
        if not self.is_cuda:
            yield
            return
        import torch

        try:
            with room("data of the run"):
                yield
        except MemoryError as error:
            if not isinstance(error.__cause__, torch.OutOfMemoryError):  # that of the host
                raise
            raise MemoryError(f"{where}: {error}; or take --device cpu") from error

    def describe(self) -> str:
        """Its name, and what it is."""
        if not self.is_cuda:
            return self.name
        import torch

        return f"{self.name} ({torch.cuda.get_device_name(self.name)})"


CPU = Device()


class OnHost(Mapping[str, Array]):
    """A state of a run whose tensors come to the host when somebody asks for them, once."""

    def __init__(self, state: Mapping[str, Array]) -> None:
        self.state = dict(state)

    def __getitem__(self, name: str) -> Array:
        value = self.state[name] = arrays.host(self.state[name])
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def __len__(self) -> int:
        return len(self.state)


def on_host(nearest: postproc.Nearest) -> postproc.Nearest:
    """The same lists in NumPy."""
    return postproc.Nearest(arrays.host(nearest.distances), arrays.host(nearest.rows))


def problem(name: str) -> str | None:
    """Why nothing can run on this device, with what to do about it; None if all is well."""
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        return f"wanted cpu, cuda or cuda:N, found {name!r}"
    if name == CPU.name:
        return None
    try:
        import array_api_compat  # noqa: F401
        import torch
        from numba import cuda

        import postproc.kernels.cuda  # noqa: F401
    except ImportError as error:
        return f"wanted the packages for {name!r}, found no {error.name or error}; {_install()}"
    count = torch.cuda.device_count() if torch.cuda.is_available() and cuda.is_available() else 0
    if not count:
        return f"wanted a CUDA device for {name!r}, found none; with an NVIDIA GPU and its driver: {_install()}"
    if int(name.partition(":")[2] or 0) >= count:
        return f"wanted cuda:0 to cuda:{count - 1}, found {name!r}"
    return None


def _install() -> str:
    """The command that brings what CUDA needs; for a torch that was built for CUDA 12, what goes with it."""
    try:
        import torch

        built_for = str(torch.version.cuda)
    except ImportError:
        built_for = ""
    return install("cuda12" if built_for.startswith("12.") else "cuda")
