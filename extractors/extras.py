"""Packages that only some models or steps need: a missing one ends in the line that installs it."""

from importlib import import_module
from types import ModuleType

from ensemble.base.errors import InputError
from postproc.base.extras import install


def need(module: str, package: str, what: str, *, extra: str = "extract", whole: bool = False) -> ModuleType:
    """Import ``module``. Raises InputError with the command that installs ``package`` where it is missing.

    what:  who needs it, for the message: ``--model hog``.
    extra: whose package it is; ``whole``: the command brings all of the extra.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # it is there, and lacks something itself
        command = install(extra) if whole else install(extra, package)
        raise InputError([f"{what}: wanted the package {package}, found none; {command}"]) from None
