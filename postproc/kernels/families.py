"""How a back end finds its families of kernels: one module each, imported when it is first asked for."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from postproc.base import forks


def family(back_end: str, name: str) -> ModuleType:
    """The module ``name`` of a back end; AttributeError if there is none."""
    if name.startswith("_"):
        raise AttributeError(f"{back_end}: wanted a family of kernels, found no {name!r}")
    with forks.loading:
        if find_spec(f"{back_end}.{name}") is None:
            raise AttributeError(f"{back_end}: wanted a family of kernels, found no {name!r}")
        return import_module(f"{back_end}.{name}")
