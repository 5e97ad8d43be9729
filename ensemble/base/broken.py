"""What a file that is cut off, damaged or made to harm makes its reader raise: the same for all that we read."""

import csv
import pickle
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from ensemble.base.errors import InputError

# Ours, and those of NumPy, h5py, safetensors, zipfile, json, tomllib and Python. LookupError and the like are here
# because readers follow what a file says about itself.
BROKEN = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError,
    MemoryError, SyntaxError, SystemError, BufferError, AssertionError, DeprecationWarning,
    struct.error, zlib.error, csv.Error, tokenize.TokenError, zipfile.BadZipFile, pickle.PickleError,
)  # fmt: skip


def reason(error: BaseException) -> str:
    """The error on one line, not endless; its kind where it says nothing."""
    try:
        text = " ".join(str(error).split())[:200]
    except BROKEN:  # it quotes what cannot be written
        text = ""
    return text or type(error).__name__


@contextmanager
def told(wanted: str, remedy: str, *also: type[Exception]) -> Iterator[None]:
    """What a broken file raises inside becomes ``wanted, found REASON; remedy``, as InputError; so does ``also``.

    That there is no file, that it may not be read, that memory is short is no fault of what is in it.
    """
    broken: tuple[type[BaseException], ...] = (*BROKEN, *also)
    try:
        yield
    except (InputError, FileNotFoundError, PermissionError, MemoryError):
        raise
    except broken as error:
        raise InputError([f"{wanted}, found {reason(error)}; {remedy}"]) from None
