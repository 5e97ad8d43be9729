"""Packages that only some models or steps need: a missing one ends in the line that installs it."""

from importlib import import_module
from types import ModuleType

from ensemble.base.errors import InputError


def need(module: str, package: str, what: str) -> ModuleType:
    """Import ``module``. Raises InputError with ``pip install PACKAGE`` where it is not installed.

    what: who needs it, for the message: ``--model hog``.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # it is there, and lacks something itself
        raise InputError(
            [f"{what}: wanted the package {package}, found none; python -m pip install {package}"]
        ) from None
