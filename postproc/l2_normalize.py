"""Unit length, so that squared Euclidean distance is 2 - 2 cosine."""

import numpy as np

from postproc import checks
from postproc.types import Features


def l2_normalize(features: Features) -> Features:
    """Divide every row by its Euclidean length: ``x / |x|``.

    Takes:   features (n, d) float32. A row of zeros has no direction and stays zero.
    Returns: (n, d) float32 of length 1, the length taken in float64.
    Raises:  ValueError for NaN or infinity. Cost: O(n d), nothing beside the result.

    >>> l2_normalize(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    rows = checks.features("features", features)
    out = np.empty_like(rows)
    for start in range(0, len(rows), 1024):
        block = rows[start : start + 1024].astype(np.float64)
        length = np.linalg.norm(block, axis=1, keepdims=True)
        out[start : start + 1024] = block / np.where(length > 0, length, 1)
    return out
