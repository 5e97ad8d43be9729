"""What penalties on a finished matrix share."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.vocabulary import Floats

LARGEST = 1e30  # of a penalty: what float32 holds, plus this, is still what float32 holds
BLOCK = 16  # rows at a time, few enough for the processor's cache


def adjusted(given: Floats, change: Callable[..., None], *data: Any) -> Floats:
    """A copy of a matrix after the kernel ``change(copy, *data, start, stop)``, which owns rows ``start:stop``."""
    out = arrays.empty(given.shape, np.float32, given)
    data = tuple(arrays.beside(each, given) if isinstance(each, np.ndarray) else each for each in data)

    def fill(start: int, stop: int) -> None:
        out[start:stop] = given[start:stop]
        change(out, *data, start, stop)

    kernels.of(out).walk.over_rows(fill, len(out), what="penalties", block=BLOCK)
    return out


def penalise(
    distances: Any, query: tuple[str, Any], gallery: tuple[str, Any], equal: bool, penalty: float
) -> Floats:
    """``distances`` plus ``penalty`` where two known labels, given as (name, labels), are equal, or are not."""
    given = checks.distances("distances", distances, cuda=True)
    rows, columns = (
        checks.labels(*side, count) for side, count in zip((query, gallery), given.shape, strict=True)
    )
    return adjusted(given, kernels.of(given).constraints.add_by_label, rows, columns, equal, np.float32(penalty))


def merged(strip: Floats, kernel: Callable[..., None], *data: Any) -> None:
    """Run ``kernel(strip, *data, start, stop)`` over the rows of a strip."""
    kernels.of(strip).walk.over_rows(partial(kernel, strip, *data), len(strip), what="penalties", block=BLOCK)
