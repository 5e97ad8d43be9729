"""The allow-list: everything that a pickle may build, each name with a constructor of our own behind it.

Nothing here imports what a pickle names. A name that is not in ``CONSTRUCTORS`` is refused, and a name that is
there leads to a short function that checks its arguments, because the arguments come from the file as well.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from reprlib import repr as short  # bounded: a small file can nest what prints for ever
from typing import Any

import numpy as np

from ensemble.io.bounds import EMPTY

NUMBERS_OR_TEXT = re.compile(r"b1|[iu][1248]|f[248]|c(8|16)|[SU]\d{1,9}")
OBJECTS = re.compile(r"O[48]?")
ODD_KEYS = 1000  # a thousand that collide cost half a million comparisons
ATOMS = (str, bytes, int, float, np.generic, type(None))


class Refused(Exception):
    """A pickle asks for something that is not allowed; the text says what."""


@dataclass(frozen=True)
class Class:
    """Stands for a class that a pickle passes around as an argument and that nobody may call."""

    name: str


@dataclass
class Dtype:
    """A NumPy dtype as pickles write it: first its code, in a second step its byte order."""

    code: str
    order: str = "="

    def numpy(self) -> np.dtype:
        return _ordered(self.code, self.order)


@dataclass
class Wrapper:
    """joblib's word for an array whose bytes follow in the file, outside the pickle."""

    state: dict | None = None


@dataclass(frozen=True)
class StorageType:
    """The element type of a torch storage: a NumPy code, or ``bf16``, which NumPy does not have."""

    code: str

    @property
    def itemsize(self) -> int:
        return 2 if self.code == "bf16" else np.dtype(self.code).itemsize

    def values(self, raw: bytes, order: str) -> np.ndarray:
        """The raw bytes as numbers; bfloat16 becomes float32, which holds each of its values exactly."""
        if self.code != "bf16":
            return np.frombuffer(raw, _ordered(self.code, order))
        return widen_bfloat16(np.frombuffer(raw, f"{order}u2"))


@dataclass(frozen=True)
class Storage:
    """A torch storage: the numbers that tensors look into."""

    values: np.ndarray


def _ordered(code: str, order: Any) -> np.dtype:
    return np.dtype(code).newbyteorder(order)


ARRAY, WRAPPER = Class("numpy.ndarray"), Class("joblib.numpy_pickle.NumpyArrayWrapper")


def widen_bfloat16(halves: np.ndarray) -> np.ndarray:
    """uint16 bit patterns of bfloat16 -> float32: they are the upper half of a float32."""
    return (halves.astype(np.uint32) << 16).view(np.float32)


def latin1(raw: object) -> bytes:
    """The bytes of an array. Python 2 wrote them as text, which was read as Latin-1, one byte a letter."""
    if isinstance(raw, str):
        return raw.encode("latin-1")
    if isinstance(raw, (bytes, bytearray)):
        return bytes(raw)
    raise Refused(f"numpy array data given as {type(raw).__name__}")


def fill_mapping(target: object, items: list) -> None:
    """Put ``[key, value, key, value, …]`` into a dictionary, each key once."""
    if not isinstance(target, dict) or len(items) % 2:
        raise Refused(f"items set on {type(target).__name__}")
    if len(target) + len(items) // 2 > ODD_KEYS and not all(map(_spreads, items[::2])):
        raise Refused(f"a dictionary of more than {ODD_KEYS} keys that are neither text nor whole numbers")
    for key, value in zip(plain(items[::2]), items[1::2], strict=True):
        if key in target:
            raise Refused(f"a dictionary with the key {short(key)} twice")
        target[key] = value


def _spreads(key: object) -> bool:
    """Whether no file can choose many keys of this kind that a dictionary finds in the same place."""
    return isinstance(key, (str, bytes)) or (isinstance(key, (int, np.integer)) and abs(int(key)) < 2**60)


def plain(keys: Iterable) -> list:
    """The keys, if they are atoms or tuples of atoms: hashing deeper nests can take for ever."""
    keys = list(keys)
    for key in keys:
        inner = key if isinstance(key, tuple) else (key,)
        if not all(isinstance(part, ATOMS) for part in inner):
            raise Refused(f"a dictionary or set with {type(key).__name__} as key")
    return keys


def members(target: set | frozenset, items: Iterable) -> list:
    """What a set is to take beside what it holds, if that is bounded as the keys of a dictionary are."""
    items = plain(items)
    if len(target) + len(items) > ODD_KEYS and not all(map(_spreads, items)):
        raise Refused(f"a set of more than {ODD_KEYS} values that are neither text nor whole numbers")
    return items


def fill_array(array: np.ndarray, state: object) -> None:
    """Give an array made by ``_reconstruct`` its shape, dtype and data; all three must agree."""
    if array.size or array.base is not None or not isinstance(state, tuple) or len(state) != 5:
        raise Refused("numpy array in an unknown form")
    version, shape, dtype, fortran, data = state
    if version != 1 or not isinstance(dtype, Dtype):
        raise Refused("numpy array in an unknown form")
    if dtype.code.startswith("O"):
        if not isinstance(data, list) or math.prod(whole_numbers(shape)) != len(data):
            raise Refused(f"numpy array of objects of shape {short(shape)} with something else than its objects")
        array.__setstate__((1, shape, np.dtype(object), bool(fortran), data))  # type: ignore[arg-type]
        return
    raw, kind = latin1(data), dtype.numpy()
    _check_size(shape, kind, raw)
    array.__setstate__((1, shape, kind, bool(fortran), raw))  # type: ignore[arg-type]


def fill_dtype(dtype: Dtype, state: object) -> None:
    """Give a dtype its byte order; fields, sub-arrays and metadata are refused."""
    if not isinstance(state, tuple) or len(state) not in (8, 9) or state[1] not in ("<", ">", "|", "="):
        raise Refused("numpy.dtype in an unknown form")
    if any(part is not None for part in state[2:5]) or any(state[8:]):
        raise Refused("numpy.dtype with fields")
    dtype.order = state[1]


def whole_numbers(shape: object) -> tuple[int, ...]:
    """A shape or strides, after proof that no product of them overflows and that no emptiness is endless."""
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise Refused(f"an array of shape {short(shape)}")
    if len(shape) > 32 or math.prod(n or 1 for n in shape) >= 2**56:
        raise Refused(f"an array of shape {short(shape)}")
    if not math.prod(shape) and math.prod(n or 1 for n in shape) > EMPTY:
        raise Refused(f"an array without a value, of shape {short(shape)}")
    return shape


def _check_size(shape: object, kind: np.dtype, raw: bytes | bytearray) -> None:
    count = math.prod(whole_numbers(shape))
    if count * kind.itemsize != len(raw) or (not raw and count > EMPTY):
        raise Refused(f"numpy array of shape {short(shape)} and {kind} with {len(raw)} bytes of data")


def _dtype(code: object, align: object = False, copy: object = True) -> Dtype:
    if isinstance(code, str) and NUMBERS_OR_TEXT.fullmatch(code):
        return Dtype(code)
    if isinstance(code, str) and OBJECTS.fullmatch(code):
        return Dtype(code)
    raise Refused(f"numpy.dtype {short(code)}")


def wrapped(wrapper: Wrapper) -> tuple[tuple[int, ...], np.dtype, str, int]:
    """Shape, dtype, order and alignment of an array that joblib wrote behind its wrapper; 0: not aligned."""
    state = wrapper.state or {}
    dtype, order, aligned = state.get("dtype"), state.get("order"), state.get("numpy_array_alignment_bytes")
    if state.get("subclass") is not ARRAY or not isinstance(dtype, Dtype) or order not in ("C", "F"):
        raise Refused("joblib array in an unknown form")
    if aligned is not None and (type(aligned) is not int or not 0 < aligned <= 255):
        raise Refused("joblib array in an unknown form")
    kind = np.dtype(object) if OBJECTS.fullmatch(dtype.code) else dtype.numpy()
    return whole_numbers(state.get("shape")), kind, order, aligned or 0


def _reconstruct(kind: object, shape: object, code: object) -> np.ndarray:
    if kind is not ARRAY:
        raise Refused(f"numpy _reconstruct of {short(kind)}")
    return np.empty(0, np.int8)


def _frombuffer(buffer: object, dtype: object, shape: object, order: object) -> np.ndarray:
    if not isinstance(dtype, Dtype) or order not in ("C", "F"):
        raise Refused("numpy array in an unknown form")
    raw = buffer if isinstance(buffer, bytearray) else latin1(buffer)  # large, so not copied
    kind = _values(dtype)
    _check_size(shape, kind, raw)
    return np.frombuffer(raw, kind).reshape(shape, order=order)  # type: ignore[call-overload]


def _scalar(dtype: object, raw: object = b"") -> np.generic:
    if not isinstance(dtype, Dtype) or len(latin1(raw)) != _values(dtype).itemsize:
        raise Refused("numpy scalar in an unknown form")
    return np.frombuffer(latin1(raw), dtype.numpy())[0]


def _values(dtype: Dtype) -> np.dtype:
    """The dtype of numbers or text that lie in the file; objects never do, and a dtype of theirs is no such."""
    if OBJECTS.fullmatch(dtype.code):
        raise Refused("numpy objects in the place of numbers")
    return dtype.numpy()


def _encode(text: object, encoding: object = "latin1") -> bytes:
    # Python 3 writes bytes this way in protocols 0 to 2, and in no other encoding.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused(f"_codecs.encode to {short(encoding)}")
    return text.encode("latin-1")


def _bytes(*arguments: object) -> bytes:
    if not arguments:
        return b""
    if len(arguments) == 1 and isinstance(arguments[0], list):
        return bytes(arguments[0])
    return _encode(*arguments) if isinstance(arguments[0], str) else latin1(*arguments)


def _bytearray(*arguments: object) -> bytearray:
    return bytearray(_bytes(*arguments))


def _items(values: object) -> list:
    if not isinstance(values, (list, tuple, set, frozenset)):
        raise Refused(f"a container made from {type(values).__name__}")
    return list(values)


def _list(values: object = ()) -> list:
    return _items(values)


def _tuple(values: object = ()) -> tuple:
    return tuple(_items(values))


def _set(values: object = ()) -> set:
    return set(members(set(), _items(values)))


def _frozenset(values: object = ()) -> frozenset:
    return frozenset(members(frozenset(), _items(values)))


def _ordered_dict(pairs: object = ()) -> OrderedDict:
    made: OrderedDict = OrderedDict()
    fill_mapping(made, [part for pair in _items(pairs) for part in _pair(pair)])
    return made


def _dict(pairs: object = ()) -> dict:
    return dict(_ordered_dict(pairs))


def _default_dict(factory: object = None) -> dict:
    return {}  # what it gives for a key that is not there, nobody asks


def _path(*parts: object) -> str:
    """A path as text, with ``/``: what a key or a name that is one means."""
    if not all(isinstance(part, str) for part in parts):
        raise Refused("a path made from something else than text")
    return "/".join(str(part).rstrip("/\\") for part in parts) if parts != ("/",) else "/"


def _pair(pair: object) -> list | tuple:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise Refused("a dictionary made from something else than pairs")
    return pair


def _rebuild_tensor(storage: object, offset: object, size: object, stride: object, *rest: object) -> np.ndarray:
    """A tensor as a view of its storage, after proof that it stays inside.

    It may repeat values, as after ``expand``: how many, :func:`~ensemble.io.bounds.refuse_repeats` says, which
    counts the storage once.
    """
    if not isinstance(storage, Storage) or type(offset) is not int or offset < 0:
        raise Refused("torch tensor in an unknown form")
    sizes, strides, values = whole_numbers(size), whole_numbers(stride), storage.values
    total = math.prod(sizes)
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True)) if total else -1
    if last >= len(values):
        raise Refused(f"torch tensor of size {sizes} that reaches outside its {len(values)} stored values")
    if not total:
        return np.empty(sizes, values.dtype)
    steps = [step * values.itemsize for step in strides]
    view: np.ndarray = np.ndarray(sizes, values.dtype, values, offset * values.itemsize, steps)
    view.flags.writeable = False
    return view


def _rebuild_parameter(tensor: object, *rest: object) -> object:
    return tensor


_TORCH_STORAGES = {
    "Float": "f4", "Double": "f8", "Half": "f2", "BFloat16": "bf16",
    "Long": "i8", "Int": "i4", "Short": "i2", "Char": "i1", "Byte": "u1", "Bool": "b1",
}  # fmt: skip

_BUILTINS: dict[str, Callable] = {
    "list": _list,
    "tuple": _tuple,
    "dict": _dict,
    "set": _set,
    "frozenset": _frozenset,
    "bytes": _bytes,
    "bytearray": _bytearray,
}

CONSTRUCTORS: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): _ordered_dict,
    ("collections", "defaultdict"): _default_dict,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): WRAPPER,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): ARRAY,
    ("numpy", "memmap"): ARRAY,
    ("numpy", "dtype"): _dtype,
    ("torch", "Size"): _tuple,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
}
for _core in ("numpy.core", "numpy._core"):  # NumPy 1 and NumPy 2
    CONSTRUCTORS[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    CONSTRUCTORS[f"{_core}.multiarray", "scalar"] = _scalar
    CONSTRUCTORS[f"{_core}.numeric", "_frombuffer"] = _frombuffer
for _module in ("pathlib", "pathlib._local"):
    for _kind in ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path"):
        CONSTRUCTORS[_module, _kind] = _path
for _builtin, _function in _BUILTINS.items():  # Python 3 and Python 2
    CONSTRUCTORS["builtins", _builtin] = CONSTRUCTORS["__builtin__", _builtin] = _function
for _torch, _code in _TORCH_STORAGES.items():
    for _module in ("torch", "torch.cuda"):
        CONSTRUCTORS[_module, f"{_torch}Storage"] = StorageType(_code)
