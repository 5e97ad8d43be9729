"""safetensors: arrays under names. The format has no mark; its files are known by their suffix."""

from pathlib import Path

import numpy as np

from ensemble.io import bounds
from ensemble.io.allowed import widen_bfloat16
from ensemble.io.readers.reader import Reader, Stored, Wanted

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "b1",
}  # fmt: skip


def _load(path: Path, wanted: Wanted) -> dict[str, np.ndarray]:
    import safetensors

    entries = {}
    try:
        tensors = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    for key, tensor in tensors:
        if wanted(key):
            bounds.refuse_size(tensor["shape"], np.dtype(_DTYPES[tensor["dtype"]]).itemsize, len(tensor["data"]))
            array = np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
            entries[key] = widen_bfloat16(array) if tensor["dtype"] == "BF16" else array
    return entries


def _keys(path: Path) -> tuple[str, ...]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return tuple(file.keys())
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None


def _stored(path: Path) -> dict[str, Stored]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            parts = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118
            return {
                key: Stored(tuple(part.get_shape()), np.dtype(_DTYPES[part.get_dtype()]).itemsize)
                for key, part in parts.items()
            }
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None


SAFETENSORS = Reader("safetensors", _load, (".safetensors",), keys=_keys, stored=_stored, copies=1, strict=True)
