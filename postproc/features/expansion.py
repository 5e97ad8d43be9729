"""Adding weighted neighbours to images: the last line of several techniques on features."""

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.step import Chosen


def add_neighbours(images: np.ndarray, bank: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``images[i] + sum_r weights[i, r] * bank[rows[i, r]]`` (n, d); rows int32 and weights float32 are (n, k)."""
    out = arrays.namespace(images).empty_like(images)
    kernel = kernels.of(images)

    def add(start: int, stop: int) -> None:
        part = slice(start, stop)
        kernel.expansion.add_neighbours(images[part], bank, rows[part], weights[part], out[part])

    kernel.walk.over_rows(add, len(images), what="expansion")
    return out


def unexpanded(chosen: Chosen) -> tuple[str, ...]:
    """The side that comes back as it is."""
    return {"query": ("gallery",), "gallery": ("query",)}.get(chosen["expand"], ())
