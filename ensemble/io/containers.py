"""From bytes to arrays: every reader of feature files, which of them reads a file, and what a broken file ends in.

A reader returns a dictionary of entries, or one array, or (pickles) whatever plain containers were stored. Nobody
above this module knows how a format is laid out. One reader is one value in a file of :mod:`ensemble.io.readers`
and its name in :data:`READERS`; :func:`add` takes one of somebody else's.
"""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ensemble.base.broken import BROKEN, reason
from ensemble.base.errors import InputError
from ensemble.io.allowed import Refused
from ensemble.io.bounds import TooLarge, refuse_repeats, too_large
from ensemble.io.readers.matlab import MATLAB5, MATLAB73
from ensemble.io.readers.numpy_files import NPY, NPZ
from ensemble.io.readers.pickles import PICKLE
from ensemble.io.readers.reader import HEAD, Reader, Stored, Wanted
from ensemble.io.readers.safetensors_files import SAFETENSORS
from ensemble.io.readers.torch_files import TORCH_LEGACY, TORCH_ZIP

# The first that recognises a file reads it: an archive is torch's before it is NumPy's, a pickle what is left.
READERS = (SAFETENSORS, NPY, MATLAB5, MATLAB73, TORCH_ZIP, NPZ, TORCH_LEGACY, PICKLE)
LISTS = (".txt", ".csv")  # suffixes of files that are no features


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


def load(path: Path, wanted: Wanted = lambda key: True) -> Any:
    """The content of a file; of a file with keys only the ``wanted`` ones.

    Raises: InputError for a file that is missing, empty, cut off or of no known format, and for a pickle that
    asks for anything but containers and arrays, naming what it asked for. Nothing of a file is executed.
    """
    content = _guarded(path, lambda: reader_of(path).load(path, wanted))
    refuse_repeats(path, content)
    return content


def keys(path: Path) -> tuple[str, ...] | None:
    """The keys of a file without its arrays; ``None`` for pickles and single arrays, which cannot tell."""
    look = _guarded(path, lambda: reader_of(path).keys)
    return None if look is None else _guarded(path, lambda: look(path))


def stored(path: Path) -> Mapping[str, Stored]:
    """The arrays of a file by their keys, from its header; none where there is no telling without reading them."""
    look = _guarded(path, lambda: reader_of(path).stored)
    return {} if look is None else _guarded(path, lambda: look(path))


def reader_of(path: Path) -> Reader:
    """What reads a file, by its first bytes (safetensors and old pickles have no mark: by their suffix)."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise EOFError("the file is empty")
    found = next((reader for reader in all_readers() if reader.reads(path, head)), None)
    if found is None:
        raise ValueError(f"the first bytes are not those of any known format: {head[:8]!r}")
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
                "the file was executed; write it again with arrays only"
            ]
        ) from None
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
        raise InputError(
            [
                f"{path}: wanted a whole feature file, found one that is empty, cut off or damaged "
                f"({reason(error)}); copy or write it again"
            ]
        ) from None
