"""Rankings: the gallery in order."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array


def rank(distances: Array) -> NDArray[np.int64]:
    """Gallery rows nearest first; -1 for +inf."""
    order = np.argsort(distances, axis=1, kind="stable")
    return np.where(np.isinf(np.take_along_axis(distances, order, axis=1)), -1, order)
