"""The words of the array API standard that NumPy has since 2.0, for NumPy 1.26, in the words that it had then."""

from types import SimpleNamespace
from typing import Any

import numpy as np


class _Older(SimpleNamespace):
    """A module, and beside it what it lacks."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module, name)


def _sort(array: np.ndarray, *, axis: int = -1, stable: bool = True) -> np.ndarray:
    return np.sort(array, axis, kind="stable" if stable else None)


def _argsort(array: np.ndarray, *, axis: int = -1, stable: bool = True) -> np.ndarray:
    return np.argsort(array, axis, kind="stable" if stable else None)


namespace: Any = np
if not hasattr(np, "concat"):
    namespace = _Older(
        module=np,
        concat=np.concatenate,
        pow=np.power,
        sort=_sort,
        argsort=_argsort,
        linalg=_Older(module=np.linalg, vector_norm=np.linalg.norm),
    )
