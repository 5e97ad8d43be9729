"""The definitions, in plain NumPy and float64, loops and all. Tests compare with these; nothing else does
but ``doctor``.

Matrices of all by all are fine here. Ties are broken by row everywhere: every sort is stable. What defines a
kernel stands in the family of that kernel, as in ``reference.hubness.csls``; the other families are topics.
"""

from types import ModuleType

from postproc.kernels.families import family


def __getattr__(name: str) -> ModuleType:
    return family(__name__, name)
