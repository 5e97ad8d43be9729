"""The same words for NumPy arrays and CUDA tensors, where the glue between kernels touches what is large.

Large arrays (features, distances, lists, sparse rows) live where the caller's features live; labels and layouts,
one number an image, stay in NumPy. The functions of both kinds have one name in :func:`namespace`, that of the
Python array API standard; what the standard lacks is here.
"""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from postproc.base import older_numpy
from postproc.base.room import room
from postproc.base.vocabulary import Array


def on_cuda(array: Array) -> bool:
    """Whether this is a tensor in the memory of a CUDA device."""
    return bool(getattr(array, "is_cuda", False))


def namespace(array: Array) -> Any:
    """What holds the array functions for this kind of array: NumPy's module or torch's."""
    if not on_cuda(array):
        return older_numpy.namespace
    from array_api_compat import torch as namespace_of_torch

    return namespace_of_torch


def beside(array: Array, other: Array) -> Array:
    """``array`` where ``other`` is: a NumPy array as it is or as a tensor on the same device."""
    if not on_cuda(other) or on_cuda(array):
        return array
    import torch

    return torch.as_tensor(np.require(array, requirements=["C", "W"]), device=other.device)


def like(array: Array, other: Array) -> Array:
    """``array`` where ``other`` is, host or device."""
    return beside(array, other) if on_cuda(other) else host(array)


def joined(first: Array, second: Array) -> Array:
    """Both, one after the other; on the device if either is there."""
    if on_cuda(second):
        first = beside(first, second)
    return namespace(first).concat([first, beside(second, first)])


def together(*arrays: Array) -> list[Array]:
    """All of them on the device that any of them is on; as they are if there is none."""
    there = next(filter(on_cuda, arrays), None)
    return [beside(array, there) for array in arrays]


def blocks(array: Array, rows: int) -> Iterator[slice]:
    """Slices over all rows: ``rows`` at a time on the host, so that a cache holds them, many more on a device."""
    step = 32 * rows if on_cuda(array) else rows
    return (slice(start, start + step) for start in range(0, len(array), step))


def offsets(sizes: Array) -> Array:
    """(n,) sizes -> (n + 1,) int64: where each begins, and where the last ends."""
    if on_cuda(sizes):
        return namespace(sizes).cumulative_sum(sizes.long(), include_initial=True)
    out = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=out[1:])
    return out


def bits(array: Array) -> Array:
    """The same memory as whole numbers of 32 bits."""
    if on_cuda(array):
        import torch

        return array.view(torch.int32)
    return array.view(np.uint32)


def empty(shape: int | tuple[int, ...], dtype: DTypeLike, other: Array) -> Array:
    """Room of this shape and NumPy dtype, where ``other`` is."""
    if not on_cuda(other):
        return np.empty(shape, dtype)
    with room(f"an array of shape {shape}"):
        return other.new_empty(shape, dtype=_of_torch(dtype))


def full(shape: int | tuple[int, ...], value: float, dtype: DTypeLike, other: Array) -> Array:
    """An array of one value, where ``other`` is."""
    if not on_cuda(other):
        return np.full(shape, value, dtype)
    with room(f"an array of shape {shape}"):
        return other.new_full(shape if isinstance(shape, tuple) else (shape,), value, dtype=_of_torch(dtype))


def contiguous(array: Array) -> Array:
    """The array itself if its rows lie one after the other in memory, or such a copy."""
    return array.contiguous() if on_cuda(array) else np.ascontiguousarray(array)


def transposed(array: Array) -> Array:
    """A copy of a matrix with its rows as columns."""
    if on_cuda(array):
        return array.T.contiguous()
    out = np.empty(array.shape[::-1], array.dtype)
    for start in range(0, len(array), 32):  # rows whose parts of a column lie side by side: few lines of a cache
        out[:, start : start + 32] = array[start : start + 32].T
    return out


def copied(array: Array) -> Array:
    """A copy that may be written to."""
    return array.clone() if on_cuda(array) else array.copy()


def take(array: Array, rows: np.ndarray, out: Array) -> None:
    """``out <- array[rows]``."""
    if on_cuda(array):
        out[:] = array[rows]
    else:
        np.take(array, rows, axis=0, out=out)


def as_type(array: Array, dtype: DTypeLike) -> Array:
    """The array with entries of this NumPy dtype."""
    return array.to(_of_torch(dtype)) if on_cuda(array) else array.astype(dtype, copy=False)


def is_tensor(value: object) -> bool:
    """Whether this is a tensor of torch, wherever its memory is."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def host(array: Array) -> np.ndarray:
    """A tensor's values in a NumPy array, of whatever torch has computed them for; anything else as it is."""
    if not is_tensor(array):
        return array
    array = array.detach()
    if array.is_quantized:
        array = array.dequantize()
    if str(array.layout) != "torch.strided":
        array = array.to_dense()
    if array.dtype.is_floating_point and array.element_size() < 4 and str(array.dtype) != "torch.float16":
        array = array.float()  # bfloat16 and float8, which NumPy does not have
    return array.cpu().resolve_conj().resolve_neg().numpy()


def as_tensors(answer: Any) -> Any:
    """The same answer with tensors on the CPU in the place of arrays: one, or several as a tuple."""
    if isinstance(answer, tuple):
        parts = [as_tensors(part) for part in answer]
        return type(answer)(*parts) if hasattr(answer, "_fields") else tuple(parts)
    return sys.modules["torch"].from_numpy(answer) if isinstance(answer, np.ndarray) else answer


def _of_torch(dtype: DTypeLike) -> object:
    import torch

    return getattr(torch, np.dtype(dtype).name)
