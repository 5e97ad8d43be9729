"""How uncertain the first place of a list is, without labels.

Measured by the area under the curve with which it tells wrong first places, on seven real sets and a drawn
city, plain and re-ranked (``bench/uncertainty.py``, docs/report.md): .72 on average, never under .57. The share of
models that agree has .71, the distance to the first place alone .69, the ratio to the second .64, the entropy of
the first places .58. The entropy of connected components among the first places (hypergraph propagation, NeurIPS
2021) tells nothing here: .53.
"""

import numpy as np
from numpy.typing import NDArray

PLACES = 20


def uncertainty(distances: NDArray[np.floating], *, places: int = PLACES) -> NDArray[np.float64]:
    """How near to the usual among its first places the first one is.

    ``u_i = (v_i1 - low) / (mean(v_i2 .. v_ik) - low)`` of the different distances ``v_i1 < v_i2 < ...`` in a list:
    images as far as each other, such as those of one track, count once. ``low`` is the smallest distance of all
    lists, so that units with negative values do too.

    Takes:   distances (nq, n), every list ascending; +inf and NaN: no image.
    Returns: (nq,) float64 from 0 to below 1, where the first place does not stand out; NaN for a list of one
             distance, of which nothing can be told.
    places:  k, 2 or more; lists with fewer different distances count as they are.
    Cost:    O(nq n).

    >>> uncertainty(np.array([[0.0, 1.0, 3.0], [1.0, 1.0, 1.0], [2.0, 2.0, 4.0]], np.float32))
    array([0. , nan, 0.5])
    """
    far = np.asarray(distances, np.float64)
    new = np.isfinite(far)
    if not new.any():
        return np.full(len(far), np.nan)
    above = np.where(new, far - far[new].min(), 0.0)
    new[:, 1:] &= far[:, 1:] != far[:, :-1]
    number = new.cumsum(axis=1)
    others = new & (number > 1) & (number <= places)
    counts = others.sum(axis=1)
    mean = np.where(others, above, 0.0).sum(axis=1) / np.maximum(counts, 1)
    told = new[:, 0] & (counts > 0)
    return np.where(told, above[:, 0] / np.where(told, mean, 1.0), np.nan)
