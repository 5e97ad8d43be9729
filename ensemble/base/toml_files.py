"""TOML files of people's own: recipes, protocols."""

import tomllib
from pathlib import Path
from typing import Any

from ensemble.base.broken import BROKEN, reason
from ensemble.base.errors import InputError


def toml_of(path: Path, what: str) -> dict[str, Any]:
    """What a file holds, with a byte-order mark or without. Raises InputError where it is no TOML.

    what: what it should be, for messages.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError([f"{path}: wanted a {what}, found {error}; check the path"]) from error
    except UnicodeDecodeError as error:
        problem = f"{path}: wanted text in UTF-8, found another byte at {error.start}; save it as UTF-8"
        raise InputError([problem]) from error
    try:
        return tomllib.loads(text)
    except BROKEN as error:  # nests too deep, numbers without end
        raise InputError([f"{path}: wanted TOML, found {reason(error)}"]) from error
