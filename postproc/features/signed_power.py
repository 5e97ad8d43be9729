"""Signed power: large values count less, as in the signed square root of Fisher vectors.

Source: Perronnin et al., "Improving the Fisher Kernel for Large-Scale Image Classification", ECCV 2010.
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Neutral, Weight, Within
from postproc.base.sizes import FEW, few
from postproc.base.step import step
from postproc.base.vocabulary import Features
from postproc.pairs import spent


@step(
    by_row=True,
    memory=few,
    work=spent.read(16),
)
def signed_power(features: Features, *, exponent: Annotated[Weight, Within(0, 1), Neutral(1.0)] = 0.5) -> Features:
    """Raise the size of every value to a power and keep its sign: ``sign(x) |x|^exponent``.

    Takes:   features (n, d) float32.
    Returns: (n, d) float32, of no particular length: usually ``l2_normalize`` follows.
    exponent: 0 to 1. 1 changes nothing, 0.5 is the signed square root, 0 leaves the signs alone.
    Raises:  ValueError for an exponent out of range, NaN or infinity. Cost: O(n d), nothing beside the result.

    >>> signed_power(np.array([[4.0, -9.0, 0.0]], np.float32))
    array([[ 2., -3.,  0.]], dtype=float32)
    """
    rows = checks.features("features", features, cuda=True)
    xp = arrays.namespace(rows)
    out = xp.empty_like(rows)
    for part in arrays.blocks(rows, FEW):
        block = arrays.as_type(rows[part], np.float64)
        out[part] = xp.sign(block) * xp.abs(block) ** float(exponent)
    return out
