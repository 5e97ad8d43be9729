"""Unit length, so that squared Euclidean distance is 2 - 2 cosine."""

import numpy as np

from postproc.base import arrays, checks
from postproc.base.sizes import FEW, few
from postproc.base.step import step
from postproc.base.stored import Stored
from postproc.base.vocabulary import Features
from postproc.pairs import spent

ROUNDING = 6e-8  # 2^-24 and a little: what the numbers of a row of length 1 may make of it as float32


@step(
    by_row=True,
    memory=few,
    work=spent.read(24),
)
def l2_normalize(features: Features) -> Features:
    """Divide every row by its Euclidean length: ``x / |x|``.

    Takes:   features (n, d) float32. A row of zeros has no direction and stays zero.
    Returns: (n, d) float32 of length 1, the length taken in float64. A row whose length is 1 as far as float32 can
             hold it stays as it is, so that doing it twice is doing it once.
    Raises:  ValueError for NaN or infinity. Cost: O(n d), nothing beside the result.

    >>> l2_normalize(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    array([[0.6, 0.8],
           [0. , 0. ]], dtype=float32)
    """
    rows = checks.features("features", features, cuda=True)
    out = unit_rows(rows)
    return arrays.copied(out) if out is rows else out


def unit_rows(rows: Features) -> Features:
    """The same of features that have been checked, for who does not write: they themselves if none changes."""
    if isinstance(rows, Stored):
        return rows.of_unit_length()  # type: ignore[return-value]
    xp, out = arrays.namespace(rows), rows
    for part in arrays.blocks(rows, 1024 if arrays.on_cuda(rows) else FEW):
        block = arrays.as_type(rows[part], np.float64)
        length = xp.linalg.vector_norm(block, axis=1, keepdims=True)
        kept = (length == 0) | (abs(length - 1) <= ROUNDING)
        if out is rows:
            if bool(kept.all()):
                continue
            out = xp.empty_like(rows)
            out[: part.start] = rows[: part.start]
        length[kept] = 1
        out[part] = block / length
    return out
