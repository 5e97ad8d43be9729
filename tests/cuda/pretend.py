"""Tensors that say they lie on a CUDA device and keep host memory, for machines that have no GPU.

They are as strict as the real ones where code goes wrong: they do not become NumPy arrays by themselves, do not
mix with host tensors, and move only where torch moves tensors. They also refuse what adds up floats in another
order every time on a GPU. What they are asked to compute, torch computes on the host. Inside :func:`device` the
factories of torch make them too (``torch.empty(3, device="cuda")``).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

CUDA = torch.device("cuda", 0)
HOST = torch.device("cpu")
MOVES = {torch.Tensor.to, torch.Tensor.copy_}  # these take tensors of two devices
INDEXING = {torch.Tensor.__getitem__, torch.Tensor.__setitem__}
MIX = MOVES | INDEXING
UNORDERED = {"bincount", "cumsum", "histc", "index_add", "index_reduce", "put", "scatter_add", "scatter_reduce"}
ADVANCED = (torch.Tensor, np.ndarray, list)  # what makes an index a gather and not a view


class Pretend(torch.Tensor):
    """A shell around a host tensor; views and in-place operations reach the same memory."""

    inner: torch.Tensor
    device = property(lambda self: CUDA)
    is_cuda = property(lambda self: True)
    is_cpu = property(lambda self: False)

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Pretend":
        assert not isinstance(inner, Pretend)
        shell = torch.Tensor._make_wrapper_subclass(cls, inner.shape, inner.stride(), dtype=inner.dtype)
        shell.inner = inner
        return shell

    @classmethod
    def __torch_function__(cls, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(func, args, dict(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> NoReturn:
        raise _mixed(func)  # only a host tensor's own operation comes this way

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(self.unbind(0))

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self.numpy()

    def numpy(self, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. "
            "Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __dlpack__(self, **kwargs: Any) -> NoReturn:
        raise BufferError("Unsupported device in DLTensor.")

    def __repr__(self, **kwargs: Any) -> str:
        return f"Pretend({self.inner})"


class _Mode(TorchFunctionMode):
    def __torch_function__(self, func: Callable, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _call(func, args, dict(kwargs or {}))


def _call(func: Callable, args: tuple, kwargs: dict) -> Any:
    """One call of torch on the inner tensors; what comes out lies where it would lie."""
    if getattr(func, "__name__", "") == "__get__":
        return _attribute(func, args[0])
    if func is torch.Tensor.pin_memory:
        return args[0]
    if func in INDEXING:
        _check_index(*args)
    if func in (torch.Tensor.cpu, torch.Tensor.cuda):
        func, args = torch.Tensor.to, (args[0], HOST if func is torch.Tensor.cpu else CUDA)
    args, target = _target(func, args, kwargs)
    tensors = [*_tensors(args), *_tensors(kwargs)]
    shells = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, Pretend)}
    if shells and func not in MIX:
        outputs = [*_tensors(kwargs.get("out"))]
        for tensor in tensors:
            written = any(tensor is out for out in outputs)
            if not isinstance(tensor, Pretend) and (tensor.ndim or written):
                raise _mixed(func)
        name = getattr(func, "__name__", "").rstrip("_")
        if name in UNORDERED and any(tensor.dtype.is_floating_point for tensor in tensors):
            raise RuntimeError(f"{name}: on CUDA floats are added up in no certain order, two runs may differ")
    found = func(*_inner(args), **_inner(kwargs))

    def place(tensor: torch.Tensor) -> torch.Tensor:
        if target == HOST:
            return tensor.clone() if shells else tensor
        if id(tensor) in shells:
            return shells[id(tensor)]  # in place, out=, or already where it was wanted
        if target == CUDA:
            return Pretend(tensor.clone())
        if not shells or any(tensor is given for given in tensors):
            return tensor
        return Pretend(tensor)

    if isinstance(found, torch.Tensor):
        return place(found)
    several = isinstance(found, tuple | list) and not isinstance(found, torch.Size)
    return tree_map_only(torch.Tensor, place, found) if several else found


def _attribute(get: Callable, tensor: torch.Tensor) -> Any:
    """``tensor.shape``, ``tensor.T`` and the like: by far the most calls, so nothing else is looked at."""
    if not isinstance(tensor, Pretend):
        return get(tensor)
    found = get(tensor.inner)
    if not isinstance(found, torch.Tensor):
        return found
    return tensor if found is tensor.inner else Pretend(found)


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """All tensors among arguments."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _tensors(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _tensors(each)


def _target(func: Callable, args: tuple, kwargs: dict) -> tuple[tuple, torch.device | None]:
    """The arguments with every wish for a device turned into "cpu", and the device wished for, if any."""
    kwargs.pop("pin_memory", None)
    wish = kwargs.get("device")
    if func is torch.Tensor.to and len(args) > 1 and not isinstance(args[1], torch.dtype):
        wish = args[1]
        if isinstance(wish, torch.Tensor):
            args = (args[0], wish.dtype, *args[2:])
            wish = wish.device
        else:
            args = (args[0], HOST, *args[2:])
    if wish is None:
        return args, None
    if "device" in kwargs:
        kwargs["device"] = HOST
    return args, CUDA if torch.device(wish).type == "cuda" else HOST


def _check_index(tensor: torch.Tensor, index: Any, value: Any = None) -> None:
    """A pretend tensor takes indices of either device; values of the other one are copied to views only."""
    parts = index if isinstance(index, tuple) else (index,)
    advanced = any(isinstance(part, ADVANCED) for part in parts)
    if not isinstance(tensor, Pretend) and any(isinstance(part, Pretend) for part in parts):
        raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
    mixed = isinstance(value, torch.Tensor) and isinstance(value, Pretend) != isinstance(tensor, Pretend)
    if advanced and mixed and (value.ndim or isinstance(value, Pretend)):
        raise _mixed(torch.Tensor.index_put_)


def _inner(value: Any) -> Any:
    """The same arguments with the host tensors in place of their shells."""
    if isinstance(value, Pretend):
        return value.inner
    if isinstance(value, slice):
        return slice(*map(_inner, (value.start, value.stop, value.step)))
    if type(value) in (tuple, list):
        return type(value)(map(_inner, value))
    return {name: _inner(item) for name, item in value.items()} if type(value) is dict else value


def _mixed(func: Any) -> RuntimeError:
    return RuntimeError(
        "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! "
        f"(in {getattr(func, '__name__', func)})"
    )


@contextmanager
def device() -> Iterator[None]:
    """Within, ``device="cuda"`` means pretend tensors."""
    with _Mode():
        yield


def up(array: np.ndarray) -> torch.Tensor:
    """A copy on the pretended device."""
    return Pretend(torch.from_numpy(np.array(array)))


def down(tensor: torch.Tensor) -> np.ndarray:
    """A copy on the host, of what must be a tensor on the device."""
    return memory(tensor).copy()


def memory(tensor: torch.Tensor) -> np.ndarray:
    """The memory behind a tensor on the device, for a kernel to read and write."""
    assert isinstance(tensor, Pretend), f"wanted a tensor on the device, got {type(tensor).__name__}"
    return tensor.inner.numpy()
