"""From bytes to arrays: the kind of a file by its first bytes, and a loader for each kind.

A loader returns a dictionary of entries, or one array, or (pickles) whatever plain containers were stored.
Nobody above this module knows how a format is laid out.
"""

import mmap
import pickle
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.io import matlab5, torch_files
from ensemble.io.allowed import Refused, widen_bfloat16
from ensemble.io.matlab5 import Unread
from ensemble.io.unpickle import unpickle

# What readers of broken files raise, ours and those of NumPy, SciPy, h5py and Python.
BROKEN = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
    MemoryError, SyntaxError, DeprecationWarning, struct.error, zlib.error, tokenize.TokenError,
    zipfile.BadZipFile, pickle.UnpicklingError,
)  # fmt: skip
LARGEST_RATIO = 1100  # deflate packs 1032 bytes into one; a file that claims more lies

_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
    "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "b1",
}  # fmt: skip

Wanted = Callable[[str], bool]


@dataclass(frozen=True)
class Kind:
    """A file format: its name, its loader, and a look at its keys that reads no array."""

    name: str
    load: Callable[[Path, Wanted], Any]
    keys: Callable[[Path], tuple[str, ...]] | None = None


def load(path: Path, wanted: Wanted = lambda key: True) -> Any:
    """The content of a file; of a file with keys only the ``wanted`` ones.

    Raises: InputError for a file that is missing, empty, cut off or of no known kind, and for a pickle that
    asks for anything but containers and arrays, naming what it asked for. Nothing of a file is executed.
    """
    return _guarded(path, lambda: kind_of(path).load(path, wanted))


def keys(path: Path) -> tuple[str, ...] | None:
    """The keys of a file without its arrays; ``None`` for pickles and single arrays, which cannot tell."""
    look = _guarded(path, lambda: kind_of(path).keys)
    return None if look is None else _guarded(path, lambda: look(path))


def kind_of(path: Path) -> Kind:
    """What a file is, by its first bytes (safetensors and old pickles have no mark: by their suffix)."""
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise EOFError("the file is empty")
    if path.suffix.lower() == ".safetensors":
        return SAFETENSORS
    if head.startswith(b"\x93NUMPY"):
        return NPY
    if head.startswith(b"MATLAB 5.0"):
        return MATLAB5
    if head.startswith(b"MATLAB 7.3") or head.startswith(b"\x89HDF"):
        return MATLAB73
    if head.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(path) as archive:
            return TORCH_ZIP if torch_files.data_member(archive) else NPZ
    if head.startswith(torch_files.LEGACY_MAGIC[:16]):
        return TORCH_LEGACY
    if path.suffix.lower() in (".pkl", ".pickle", ".pt", ".pth", ".data"):
        return PICKLE
    raise ValueError(f"the first bytes are not those of any known format: {head[:8]!r}")


def _guarded(path: Path, action: Callable[[], Any]) -> Any:
    """Run ``action``; whatever a bad file makes it raise becomes one line that says what to do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers remark on old headers; only damaged text is our business
            warnings.filterwarnings("error", "invalid (octal )?escape", DeprecationWarning)
            return action()
    except Refused as refused:
        raise InputError(
            [
                f"{path}: wanted arrays of numbers in plain containers, found and refused {refused}; nothing of "
                "the file was executed; write it again with arrays only"
            ]
        ) from None
    except FileNotFoundError:
        raise InputError([f"{path}: wanted a file, found none; check the path"]) from None
    except BROKEN as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            [
                f"{path}: wanted a whole feature file, found one that is empty, cut off or damaged ({reason}); "
                "copy or write it again"
            ]
        ) from None


def _mapped(path: Path, reader: Callable[[mmap.mmap, int], Any]) -> Any:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as source:
        return reader(source, len(source))


def _load_npy(path: Path, wanted: Wanted) -> np.ndarray:
    with path.open("rb") as file:
        return _load_array(file, path.stat().st_size)


def _load_array(file: IO[bytes], size: int) -> Any:
    """One ``.npy`` stream, after a look at its header: an object array is left unread."""
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = header(file)
    if dtype.hasobject:
        return Unread(shape, "object")
    if any(n < 0 for n in shape) or _bytes(shape, dtype) > size:
        raise EOFError(f"{shape} {dtype} does not fit into {size} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _bytes(shape: tuple[int, ...], dtype: np.dtype) -> int:
    total = dtype.itemsize
    for length in shape:
        total *= int(length)
    return total


def _load_npz(path: Path, wanted: Wanted) -> dict[str, Any]:
    entries = {}
    with zipfile.ZipFile(path) as archive:
        for key in _npz_members(archive):
            if wanted(key):
                info = archive.getinfo(f"{key}.npy")
                with archive.open(info) as file:
                    entries[key] = _load_array(file, info.file_size)
    return entries


def _npz_members(archive: zipfile.ZipFile) -> tuple[str, ...]:
    members = archive.namelist()
    if len(set(members)) != len(members) or any(not name.endswith(".npy") for name in members):
        raise ValueError("an archive of something else than NumPy arrays, each once")
    return tuple(name.removesuffix(".npy") for name in members)


def _npz_keys(path: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(path) as archive:
        return _npz_members(archive)


def _load_safetensors(path: Path, wanted: Wanted) -> dict[str, np.ndarray]:
    import safetensors

    entries = {}
    try:
        tensors = safetensors.deserialize(path.read_bytes())
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None
    for key, tensor in tensors:
        if wanted(key):
            array = np.frombuffer(tensor["data"], _DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
            entries[key] = widen_bfloat16(array) if tensor["dtype"] == "BF16" else array
    return entries


def _safetensors_keys(path: Path) -> tuple[str, ...]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return tuple(file.keys())
    except safetensors.SafetensorError as error:
        raise ValueError(str(error)) from None


def _load_matlab5(path: Path, wanted: Wanted) -> dict[str, Any]:
    return matlab5.load(path.read_bytes(), wanted)


def _matlab5_keys(path: Path) -> tuple[str, ...]:
    return matlab5.keys(path.read_bytes())


def _load_matlab73(path: Path, wanted: Wanted) -> dict[str, Any]:
    """The arrays at the top of the file, turned round: MATLAB stores columns first, HDF5 rows first."""
    import h5py

    entries: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        for key in _hard_links(file):
            item = file[key]
            if not wanted(key) or not isinstance(item, h5py.Dataset):
                continue
            empty = item.attrs.get("MATLAB_empty", 0)
            if item.dtype.kind not in "biufc" or item.shape is None or empty or item.external or item.is_virtual:
                entries[key] = Unread(item.shape or (), "empty" if empty else str(item.dtype))
                continue
            if item.nbytes > LARGEST_RATIO * path.stat().st_size:
                raise ValueError(f"{key}: {item.nbytes} bytes cannot come from a file of this size")
            entries[key] = item[()].T
    return entries


def _matlab73_keys(path: Path) -> tuple[str, ...]:
    import h5py

    with h5py.File(path, "r") as file:
        return tuple(_hard_links(file))


def _hard_links(file: Any) -> list[str]:
    """Names that lead to data inside this file; links to other files are not followed."""
    import h5py

    links = ((name, file.get(name, getlink=True)) for name in file)
    return [name for name, link in links if isinstance(link, h5py.HardLink) and not name.startswith("#")]


NPY = Kind("NumPy array", _load_npy)
NPZ = Kind("NumPy archive", _load_npz, _npz_keys)
SAFETENSORS = Kind("safetensors", _load_safetensors, _safetensors_keys)
MATLAB5 = Kind("MATLAB 5", _load_matlab5, _matlab5_keys)
MATLAB73 = Kind("MATLAB 7.3", _load_matlab73, _matlab73_keys)
TORCH_ZIP = Kind("torch archive", lambda path, wanted: torch_files.load_zip(path))
TORCH_LEGACY = Kind("torch stream", lambda path, wanted: _mapped(path, torch_files.load_legacy))
PICKLE = Kind("pickle", lambda path, wanted: _mapped(path, unpickle))
