"""The numba back end, one module a family; contract of every kernel: its docstring; nothing here checks its input.

A family is imported when it is first asked for: ``kernels.of(array).cas.walk_halves``.
"""

from types import ModuleType

from postproc.kernels.families import family


def __getattr__(name: str) -> ModuleType:
    return family(__name__, name)
