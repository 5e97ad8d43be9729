"""What penalties on a finished matrix share."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Number, Within
from postproc.base.vocabulary import Floats, Ints, Unchecked

LARGEST = 1e30  # of a penalty: what float32 holds, plus this, is still what float32 holds
BLOCK = 16  # rows at a time, few enough for the processor's cache

Penalty = Annotated[Number, Within(-LARGEST, LARGEST)]


def changed_copy(given: Floats, kernel: Callable[..., None], *data: object) -> Floats:
    """A copy of a matrix after ``kernel(copy, *data, start, stop)``, which changes the rows ``start:stop``."""
    out = arrays.empty(given.shape, np.float32, given)
    data = tuple(arrays.beside(each, given) if isinstance(each, np.ndarray) else each for each in data)

    def fill(start: int, stop: int) -> None:
        out[start:stop] = given[start:stop]
        kernel(out, *data, start, stop)

    kernels.of(out).walk.over_rows(fill, len(out), what="penalties", block=BLOCK)
    return out


def change_rows(strip: Floats, kernel: Callable[..., None], *data: object) -> None:
    """Run ``kernel(strip, *data, start, stop)`` over the rows of a strip."""
    kernels.of(strip).walk.over_rows(partial(kernel, strip, *data), len(strip), what="penalties", block=BLOCK)


def add_where_equal(given: Floats, rows: Ints, columns: Ints, penalty: float) -> Floats:
    """A copy of a matrix with ``penalty`` more where the labels of row and column are known and the same."""
    return _add_by_label(given, rows, columns, True, penalty)


def add_where_different(given: Floats, rows: Ints, columns: Ints, penalty: float) -> Floats:
    """A copy of a matrix with ``penalty`` more where the labels of row and column are known and not the same."""
    return _add_by_label(given, rows, columns, False, penalty)


def _add_by_label(given: Floats, rows: Ints, columns: Ints, equal: bool, penalty: float) -> Floats:
    kernel = kernels.of(given).constraints.add_by_label
    return changed_copy(given, kernel, rows, columns, equal, np.float32(penalty))


def labelled(distances: Unchecked, what: str, query: Unchecked, gallery: Unchecked) -> tuple[Floats, Ints, Ints]:
    """Distances and the labels ``query_<what>`` and ``gallery_<what>`` of their rows and columns, checked."""
    given = checks.distances("distances", distances, cuda=True)
    return given, *checks.labels_of_sides(what, query, gallery, given.shape)
