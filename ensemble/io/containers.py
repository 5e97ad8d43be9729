"""From bytes to arrays: every reader of feature files, which of them reads a file, and what a broken file ends in.

A reader returns a dictionary of entries, or one array, or (pickles) whatever plain containers were stored. Nobody
above this module knows how a format is laid out. One reader is one value in a file of :mod:`ensemble.io.readers`
and its name in :data:`READERS`; :func:`add` takes one of somebody else's.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.broken import BROKEN, reason
from ensemble.base.errors import InputError
from ensemble.io.allowed import Refused
from ensemble.io.bounds import TooLarge, refuse_repeats, too_large
from ensemble.io.keys import column_of
from ensemble.io.readers import datasets_folders, numpy_files, unread
from ensemble.io.readers.arrow_files import ARROW, PARQUET
from ensemble.io.readers.compressed import COMPRESSED, COMPRESSED_SIDE
from ensemble.io.readers.csv_files import CSV
from ensemble.io.readers.datasets_folders import DATASETS
from ensemble.io.readers.hdf5 import HDF5
from ensemble.io.readers.image_folders import IMAGES
from ensemble.io.readers.json_files import JSON
from ensemble.io.readers.matlab import MATLAB5, MATLAB73
from ensemble.io.readers.numpy_files import NPY, NPZ
from ensemble.io.readers.pickles import PICKLE
from ensemble.io.readers.reader import HEAD, Reader, Stored, Unknown, Wanted
from ensemble.io.readers.safetensors_files import SAFETENSORS
from ensemble.io.readers.torch_files import TORCH_LEGACY, TORCH_ZIP
from postproc.base.machine import BadVariable
from postproc.base.temporary import NoRoom

TEXTS = (".csv", ".tsv", ".json", ".jsonl")  # formats of text, in UTF-8
# The first that recognises a file reads it: an archive is torch's before it is NumPy's, a pickle what is left.
READERS = (
    SAFETENSORS, NPY, MATLAB5, MATLAB73, TORCH_ZIP, NPZ, TORCH_LEGACY, PARQUET, ARROW, COMPRESSED, COMPRESSED_SIDE,
    HDF5, CSV, JSON, PICKLE, DATASETS, IMAGES,
)  # fmt: skip
LISTS = (".txt", ".csv")  # suffixes of files that may be no features


def add(reader: Reader, *, origin: str) -> None:
    """Read files of somebody else's format too: folders are searched for files with its suffixes.

    ``origin``: who brought it, for messages. The same reader twice is one. Raises ValueError where its name or a
    suffix is taken, or a suffix is none.
    """
    where = f"{origin}, {reader.name}"
    if reader in _ADDED:
        return
    if reader.name in (other.name for other in all_readers()):
        raise ValueError(f"{where}: wanted a name of its own, found a reader of that name")
    wrong = [suffix for suffix in reader.suffixes if not suffix.startswith(".") or suffix != suffix.lower()]
    if wrong or not reader.suffixes:
        raise ValueError(
            f"{where}: wanted suffixes in small letters, as .mine, found {', '.join(wrong) or 'none'}"
        )
    taken = [suffix for suffix in reader.suffixes if suffix in {*LISTS, *suffixes()}]
    if taken:
        raise ValueError(f"{where}: wanted suffixes of its own, found {', '.join(taken)}, which exists already")
    _ADDED.append(reader)


_ADDED: list[Reader] = []


def all_readers() -> tuple[Reader, ...]:
    """Those that were added, whose suffixes are theirs alone, and ours."""
    return (*_ADDED, *READERS)


def suffixes(*holds: str, strict: bool = False) -> frozenset[str]:
    """What feature files end in; ``holds``: those that may hold that, ``strict``: only those of strict readers."""
    return frozenset(
        suffix
        for reader in all_readers()
        if (not holds or reader.holds in holds) and (reader.strict or not strict)
        for suffix in reader.suffixes
    )


def suffix(path: Path) -> str:
    """What the name of a feature file ends in, in small letters: ``.npy``, ``.pkl.gz``; nothing for a folder."""
    name = path.name.lower()
    if path.is_dir():
        return ""
    doubled = [known for known in suffixes() if known.count(".") > 1 and name.endswith(known)]
    return max(doubled, key=len, default=path.suffix.lower())


def stem(path: Path) -> str:
    """The name without :func:`suffix`."""
    return path.name[: len(path.name) - len(suffix(path))]


def load(path: Path, wanted: Wanted | None = None) -> Any:
    """The content of a file; of a file with keys only the ``wanted`` ones.

    Raises: InputError for a file that is missing, empty, cut off or of no known format, and for a pickle that
    asks for anything but containers and arrays, naming what it asked for. Nothing of a file is executed.
    """
    content = _guarded(path, lambda: reader_of(path).load(path, wanted or (lambda key: True)))
    refuse_repeats(path, content)
    return content


def kind(path: Path) -> str:
    """What the values of an ``.npy`` file are, by NumPy's letters: ``f`` with a fraction, ``i``, ``U``, …."""
    return str(_guarded(path, lambda: numpy_files.dtype_of(path)).kind)


def mapped(path: Path) -> np.ndarray:
    """The array of an ``.npy`` file as it lies on the disk. Raises as :func:`load`."""
    found: np.ndarray = _guarded(path, lambda: numpy_files.mapped(path))
    return found


def keys(path: Path) -> tuple[str, ...] | None:
    """The keys of a file without its arrays; ``None`` for pickles and single arrays, which cannot tell."""
    look = _guarded(path, lambda: reader_of(path).keys)
    return None if look is None else _guarded(path, lambda: look(path))


def is_known(folder: Path) -> bool:
    """Whether a folder as a whole holds features."""
    return any(reader.folder and reader.reads(folder, b"") for reader in all_readers())


def is_one_set(folder: Path) -> bool:
    """Whether a folder of models is no such, but what ``datasets`` saved, and so one model itself."""
    return datasets_folders.is_one(folder)


def is_labelled(path: Path) -> bool:
    """Whether a pickle without keys begins with words that mean columns, so that it pays to look for labels."""
    words = _guarded(path, lambda: reader_of(path).words)
    found = () if words is None else _guarded(path, lambda: words(path))
    return any(len(word) > 1 and column_of(word) is not None for word in found)


def stored(path: Path) -> Mapping[str, Stored]:
    """The arrays of a file by their keys, from its header; none where there is no telling without reading them."""
    look = _guarded(path, lambda: reader_of(path).stored)
    return {} if look is None else _guarded(path, lambda: look(path))


def reader_of(path: Path) -> Reader:
    """What reads a file, by its first bytes (safetensors and old pickles have no mark: by their suffix)."""
    head = b""
    if not path.is_dir():
        with path.open("rb") as file:
            head = file.read(HEAD)
        if not head:
            raise EOFError("the file is empty")
        if unread.is_foreign(head):
            raise Unknown(unread.what(path, head))
    readers = (reader for reader in all_readers() if reader.folder == path.is_dir())
    found = next((reader for reader in readers if reader.reads(path, head)), None)
    if found is None and len(head) < HEAD and not path.is_dir():
        raise EOFError(f"the first bytes are not those of any known format: {head[:8]!r}")
    if found is None:
        raise Unknown(unread.what(path, head))
    return found


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
                f"the file was executed; {unread.instead_of(str(refused))}"
            ]
        ) from None
    except (InputError, NoRoom, BadVariable):
        raise
    except Unknown as unknown:
        raise InputError([f"{path}: wanted {unread.KNOWN}, found {unknown}"]) from None
    except FileNotFoundError:
        raise InputError([f"{path}: wanted a file, found none; check the path"]) from None
    except TooLarge as large:
        raise too_large(path, large) from None
    except (PermissionError, IsADirectoryError) as error:
        raise InputError([f"{path}: wanted to read it, found: {error.strerror}; check the path"]) from None
    except MemoryError as error:
        raise InputError(
            [f"{path}: wanted to read it, found too little memory ({reason(error)}); close other programs"]
        ) from None
    except BROKEN as error:
        if isinstance(error, UnicodeDecodeError) and suffix(path) in TEXTS:
            raise InputError(
                [f"{path}: wanted UTF-8 text, found another byte at {error.start}; save it as UTF-8"]
            ) from None
        raise InputError(
            [
                f"{path}: wanted a whole feature file, found one that is empty, cut off or damaged "
                f"({reason(error)}); copy or write it again"
            ]
        ) from None
